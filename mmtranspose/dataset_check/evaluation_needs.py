"""Check what MMPose's ``CocoMetric`` and its like read from the ground truth: without it AP is wrong or impossible."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from mmengine.config import Config
from mmpose.evaluation import CocoMetric
from mmpose.evaluation.metrics import CocoWholeBodyMetric, PoseTrack18Metric
from mmpose.registry import METRICS

from mmtranspose.dataset_check.annotations import Annotations
from mmtranspose.dataset_check.areas import check_area, check_areas, is_person
from mmtranspose.dataset_check.config_datasets import ConfigDataset
from mmtranspose.dataset_check.entry_fields import are_numbers, described, is_box, is_finite, well_formed
from mmtranspose.dataset_check.evaluation_labels import check_labels
from mmtranspose.dataset_check.keypoint_converter import check_converter, sources_by_target
from mmtranspose.dataset_check.keypoint_definition import check_sigmas
from mmtranspose.dataset_check.problems import Problem
from mmtranspose.files.coco_format import read_categories
from mmtranspose.files.json_files import read_json
from mmtranspose.loading.leaf_datasets import type_name
from mmtranspose.typing import DatasetMeta

PARTS = ('foot_kpts', 'face_kpts', 'lefthand_kpts', 'righthand_kpts')  # fields of whole bodies


def check_evaluation(cfg: Config, dataset: ConfigDataset, found: Annotations) -> Iterator[Problem]:
    """Check that the metrics of a dataset's splits find in the ground truth what they read.

    Args:
        cfg (Config): The config.
        dataset (ConfigDataset): A dataset of it.
        found (Annotations): The content of its annotation file.
    """
    seen: list[dict] = []
    for metric, meta in metrics_of(cfg, dataset):
        kind = metric.get('type')
        kind = METRICS.get(kind) if isinstance(kind, str) else kind
        if not isinstance(kind, type) or not issubclass(kind, CocoMetric) or metric.get('format_only'):
            continue
        if metric not in seen:  # of val and of test
            seen.append(metric)
            yield from _check_metric(metric, kind, dataset, meta, found)


def metrics_of(cfg: Config, dataset: ConfigDataset) -> Iterator[tuple[dict, DatasetMeta]]:
    """The configs of the metrics that get a dataset's predictions, and the metainfo that each gets.

    ``MultiDatasetEvaluator`` has one metric for each dataset class, which gets the metainfo of that class.
    """
    for split in dataset.splits:
        evaluator = cfg.get(f'{split}_evaluator') or []
        metrics = evaluator.get('metrics', evaluator) if isinstance(evaluator, dict) else evaluator
        metrics = [metrics] if isinstance(metrics, dict) else metrics
        of_classes = evaluator.get('datasets') if isinstance(evaluator, dict) else None
        if of_classes is None:
            yield from ((metric, dataset.metainfo) for metric in metrics)
            continue
        for metric, of_class in zip(metrics, of_classes):
            if type_name(of_class) == type(dataset.dataset).__name__:
                yield metric, dataset.dataset.metainfo


def _check_metric(
    metric: dict, kind: type, dataset: ConfigDataset, meta: DatasetMeta, found: Annotations
) -> Iterator[Problem]:
    to_truth, to_predictions = metric.get('gt_converter'), metric.get('pred_converter')
    evaluated = (to_predictions or {}).get('num_keypoints', dataset.num_outputs)
    yield from check_sigmas(meta, None if to_truth else evaluated)  # the converter's are renumbered too
    if metric.get('ann_file') is None and meta['dataset_name'] != dataset.dataset.metainfo['dataset_name']:
        text = f'ann_file is not set, and no dataset is called {meta["dataset_name"]!r}, as CombinedDataset is'
        yield Problem('evaluation-file', text)
    num_sources = min(found.num_keypoints, len(meta['sigmas']))
    wrong = [
        *_check_converter('gt_converter', to_truth, num_sources, evaluated),
        *_check_converter('pred_converter', to_predictions, dataset.num_outputs, evaluated),
    ]
    yield from wrong
    in_pipeline = dataset.steps.get('KeypointConverter')
    if to_truth and in_pipeline and not (wrong or to_predictions):
        yield from _check_same_converter(to_truth, in_pipeline)
    own, content = metric.get('ann_file'), found.content
    if own is not None and Path(own).resolve() != Path(dataset.ann_file).resolve():
        content = read_json(own, "annotation file of the evaluator's CocoMetric")
    where = f'{own or dataset.ann_file} has no'
    if not isinstance(content, dict) or not isinstance(content.get('images'), list):
        yield Problem('evaluation-file', f'{where} list "images"')
    elif found.lists_images_only or not isinstance(content.get('annotations'), list):
        yield Problem('evaluation-file', f'{where} list "annotations"')
    elif not content.get('categories'):
        yield Problem('evaluation-file', f'{where} categories')
    else:
        num_keypoints = found.num_keypoints if to_truth else evaluated
        yield from _check_content(content, own or dataset.ann_file, metric, kind, found, num_keypoints)
        if content is not found.content:
            yield from check_labels(found, content, str(own))
        if dataset.dataset.sample_interval > 1 or dataset.dataset._indices is not None:
            yield Problem('evaluation-missed', 'sample_interval or indices leaves people out')


def _check_converter(name: str, converter: dict | None, num_sources: int, evaluated: int) -> Iterator[Problem]:
    """Check that a converter takes keypoints that there are, and gives as many as are evaluated."""
    if converter is None:
        return
    if converter.get('num_keypoints') != evaluated:
        text = f'{name} gives {converter.get("num_keypoints")} keypoints, {evaluated} are evaluated'
        yield Problem('evaluation-converter', text)
    for text in check_converter(converter, num_sources):
        yield Problem('evaluation-converter', f'{name}: {text}')


def _check_same_converter(to_truth: dict, in_pipeline: dict) -> Iterator[Problem]:
    """Check that the labels of the evaluator become the keypoints that the network is trained on."""
    truth, trained = sources_by_target(to_truth), sources_by_target(in_pipeline)
    for target in sorted(truth.keys() & trained.keys()):
        if truth[target] != trained[target]:
            text = f'keypoint {target} is made of {truth[target]} by gt_converter, of {trained[target]} by the pipeline'
            yield Problem('evaluation-converter', text)
            return


def _check_content(
    content: dict, path: str, metric: dict, kind: type, found: Annotations, num_keypoints: int
) -> Iterator[Problem]:
    """Check a file of COCO's format, which has images, annotations and categories."""
    images = [one for one in content['images'] if isinstance(one, dict) and isinstance(one.get('id'), (int, float))]
    ids = {one['id'] for one in images}
    predicted = found.predicted_image_ids
    yield from _check_images(images, path, found)
    crowd_pose = metric.get('iou_type') == 'keypoints_crowd'
    if crowd_pose and any('crowdIndex' not in one for one in images):
        yield Problem('evaluation-file', f'{path} has images without crowdIndex, by which keypoints_crowd groups them')
    fields = (*(('num_keypoints',) if crowd_pose else ()), *(PARTS if issubclass(kind, CocoWholeBodyMetric) else ()))
    listed = {category['id'] for category in read_categories(content, path)}
    if len({isinstance(id, str) for id in listed}) > 1:
        yield Problem('evaluation-file', f'{path} has numbers and texts as ids of categories: CocoMetric sorts them')
    use_area = metric.get('use_area', True) and not issubclass(kind, PoseTrack18Metric)  # which uses poseval
    compared: list[dict] = []
    for entry in well_formed(content['annotations'], 'annotations', []):
        if entry['image_id'] not in ids:
            continue
        person = is_person(entry)
        if entry['category_id'] not in listed:
            if person:
                yield Problem('category-unlisted', f'annotation {entry["id"]}: category_id {entry["category_id"]!r}')
            continue
        yield from _check_entry(entry, fields, num_keypoints, entry['image_id'] in predicted)
        if use_area:
            yield from check_area(entry, person, entry['image_id'] in predicted)
            compared += [entry] if person and is_finite(entry.get('area')) else []
    yield from check_areas(compared)


def _check_images(images: list[dict], path: str, found: Annotations) -> Iterator[Problem]:
    """Check that the metric's file has every image with predictions, under the same id."""
    named = {one['id']: str(one.get('file_name', '')).replace('\\', '/').split('/')[-1] for one in images}
    predicted = found.predicted_image_ids
    for image in found.images:
        ours = image.path.replace('\\', '/').split('/')[-1]
        if image.id in predicted and image.id not in named:
            yield Problem('evaluation-image', f'image {image.id} is not in {path}')
        elif image.id in predicted and named[image.id] != ours:
            yield Problem('evaluation-image', f'image {image.id} is {ours}, in {path} it is {named[image.id]}')


def _check_entry(entry: dict, fields: tuple[str, ...], num_keypoints: int, predicted: bool) -> Iterator[Problem]:
    """Check what is read of every annotation, and what is read of those in images with predictions."""
    where, flat = f'annotation {entry["id"]}', entry.get('keypoints')
    if not _is_id(entry['id']):
        yield Problem('evaluation-id', where)
    missing = [name for name in fields if name not in entry]
    if missing:
        yield Problem('evaluation-fields', f'{where} has no {", ".join(missing)}')
        return
    if 'iscrowd' in entry and entry['iscrowd'] is None:
        yield Problem('evaluation-fields', f'{where} has iscrowd=null')
    wholly = num_keypoints if not set(PARTS) & set(fields) else len(flat or ()) // 3
    if flat and (not are_numbers(flat) or (is_person(entry) and len(flat) != 3 * wholly)):
        yield Problem('evaluation-fields', f'{where}: keypoints has {described(flat)}, not 3 x {wholly} numbers')
    elif predicted and not is_box(entry.get('bbox')):
        yield Problem('evaluation-fields', f'{where}: bbox {entry.get("bbox")!r:.80}')


def _is_id(value: Any) -> bool:
    """Whether pycocotools can tell an id from no match: a whole number, in text too, and not negative."""
    try:
        return 0 <= int(value) < 2**63 and float(value) == int(value)
    except (TypeError, ValueError, OverflowError):
        return False
