"""Check what MMPose's ``CocoMetric`` and its like read from the ground truth: without it AP is wrong or impossible."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from mmengine.config import Config
from mmpose.evaluation import CocoMetric
from mmpose.evaluation.metrics import CocoWholeBodyMetric, PoseTrack18Metric
from mmpose.registry import METRICS

from mmtranspose.dataset_check.annotations import Annotations
from mmtranspose.dataset_check.config_datasets import ConfigDataset
from mmtranspose.dataset_check.entry_fields import are_numbers, described, is_box, is_finite, well_formed
from mmtranspose.dataset_check.keypoint_definition import check_sigmas
from mmtranspose.dataset_check.problems import Problem
from mmtranspose.files.coco_format import read_categories
from mmtranspose.files.json_files import read_json

PARTS = ('foot_kpts', 'face_kpts', 'lefthand_kpts', 'righthand_kpts')  # fields of whole bodies
MOST_OF_BOX = 1.5  # an area above this many times its box is wrong: a body lies in its box, but for what is rounded
LEAST_OF_BOX = 0.005  # an area below this share of its box is wrong
SMALL_OF_BOX = 0.03  # an area below this share of its box is rare
USUAL_OF_BOX = (0.1, 1.05)  # the median of a file's areas lies between these shares of their boxes
MOST_OF_SEGMENTATION = 1.5  # the median area and the median segmentation differ by no more than this factor
ALL_OF_BOX = 0.98  # an area above this share of its box is that of the box
MIN_PEOPLE = 3  # fewer people than this have no median to speak of


def check_evaluation(cfg: Config, dataset: ConfigDataset, found: Annotations) -> Iterator[Problem]:
    """Check that the metrics of a dataset's splits find in the ground truth what they read.

    Args:
        cfg (Config): The config.
        dataset (ConfigDataset): A dataset of it.
        found (Annotations): The content of its annotation file.
    """
    seen: list[dict] = []
    for metric in metrics_of(cfg, dataset.splits):
        kind = metric.get('type')
        kind = METRICS.get(kind) if isinstance(kind, str) else kind
        if not isinstance(kind, type) or not issubclass(kind, CocoMetric) or metric.get('format_only'):
            continue
        if metric not in seen:  # of val and of test
            seen.append(metric)
            yield from _check_metric(metric, kind, dataset, found)


def metrics_of(cfg: Config, splits: list[str]) -> Iterator[dict]:
    """The configs of the metrics of some splits, those inside an ``Evaluator`` too."""
    for split in splits:
        evaluator = cfg.get(f'{split}_evaluator') or []
        metrics = evaluator.get('metrics', evaluator) if isinstance(evaluator, dict) else evaluator
        yield from [metrics] if isinstance(metrics, dict) else metrics


def _check_metric(metric: dict, kind: type, dataset: ConfigDataset, found: Annotations) -> Iterator[Problem]:
    converted = metric.get('gt_converter') is not None  # which converts the sigmas too
    yield from check_sigmas(dataset.metainfo, None if converted else dataset.num_outputs)
    yield from _check_annotation_file(metric, dataset)
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
        num_keypoints = found.num_keypoints if metric.get('gt_converter') else dataset.num_outputs
        num_labelled = min(found.num_keypoints, len(dataset.metainfo['sigmas']))
        yield from _check_converters(metric, num_labelled, dataset.num_outputs)
        yield from _check_content(content, own or dataset.ann_file, metric, kind, found, num_keypoints)
        if dataset.dataset.sample_interval > 1 or dataset.dataset._indices is not None:
            yield Problem('evaluation-missed', 'sample_interval or indices leaves people out')


def _check_annotation_file(metric: dict, dataset: ConfigDataset) -> Iterator[Problem]:
    """Check that ``CocoMetric`` knows its file: without one it asks for that of the dataset's name."""
    ours, theirs = dataset.metainfo['dataset_name'], dataset.dataset.metainfo['dataset_name']
    if metric.get('ann_file') is None and ours != theirs:
        text = f'ann_file is not set, and no dataset is called {ours!r}, as metainfo of CombinedDataset says'
        yield Problem('evaluation-file', text)


def _check_converters(metric: dict, num_labelled: int, num_predicted: int) -> Iterator[Problem]:
    """Check that ground truth and predictions have as many keypoints after ``CocoMetric`` has converted them."""
    truth, predicted = metric.get('gt_converter'), metric.get('pred_converter')
    for name, converter, num in (('gt_converter', truth, num_labelled), ('pred_converter', predicted, num_predicted)):
        sources = [pair[0] for pair in (converter or {}).get('mapping', ())]
        if any(not isinstance(source, int) or not 0 <= source < num for source in sources):
            yield Problem('evaluation-converter', f'{name}.mapping takes keypoints beyond the {num} that there are')
    if truth or predicted:
        of_truth = truth['num_keypoints'] if truth else num_predicted
        of_predictions = predicted['num_keypoints'] if predicted else num_predicted
        if of_truth != of_predictions:
            text = f'{of_truth} keypoints of the ground truth, {of_predictions} of the predictions'
            yield Problem('evaluation-converter', text)


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
        person = _is_person(entry)
        if entry['category_id'] not in listed:
            if person:
                yield Problem('category-unlisted', f'annotation {entry["id"]}: category_id {entry["category_id"]!r}')
            continue
        yield from _check_entry(entry, fields, num_keypoints, entry['image_id'] in predicted)
        if use_area:
            yield from _check_area(entry, person, entry['image_id'] in predicted)
            compared += [entry] if person and is_finite(entry.get('area')) else []
    yield from _check_areas(compared)


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


def _is_person(entry: dict) -> bool:
    """Whether an annotation counts in AP: a keypoint is labelled, and it is no crowd."""
    flat = entry.get('keypoints')
    return not entry.get('iscrowd') and are_numbers(flat) and any(flag > 0 for flag in flat[2::3])  # type: ignore[index]


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
    if flat and (not are_numbers(flat) or (_is_person(entry) and len(flat) != 3 * wholly)):
        yield Problem('evaluation-fields', f'{where}: keypoints has {described(flat)}, not 3 x {wholly} numbers')
    elif predicted and not is_box(entry.get('bbox')):
        yield Problem('evaluation-fields', f'{where}: bbox {entry.get("bbox")!r:.80}')


def _check_area(entry: dict, person: bool, predicted: bool) -> Iterator[Problem]:
    """Check the area by which ``CocoMetric`` divides distances, against the box."""
    where, area, box = f'annotation {entry["id"]}', entry.get('area'), entry.get('bbox')
    if 'area' not in entry:
        if predicted:
            yield Problem('area-missing', where)
    elif isinstance(area, bool) or not is_finite(area):
        yield Problem('area', f'{where}: area {area!r:.40}, not a number')
    elif person and area <= 0:  # type: ignore[operator]
        yield Problem('area', f'{where}: area {area:g}')
    elif person and is_box(box) and min(box[2:]) > 0:  # type: ignore[index]
        share = area / (box[2] * box[3])  # type: ignore[index]
        if not SMALL_OF_BOX <= share <= MOST_OF_BOX:
            kind = 'area-small' if LEAST_OF_BOX <= share <= MOST_OF_BOX else 'area'
            size = f'{box[2]:g} x {box[3]:g}'  # type: ignore[index]
            yield Problem(kind, f'{where}: area {area:g}, which is {share:.3g} of its box of {size}')


def _check_areas(people: list[dict]) -> Iterator[Problem]:
    """Check a file's areas as a whole: a factor that all of them have in common shows in their median."""
    shares = [one['area'] / (one['bbox'][2] * one['bbox'][3]) for one in people if _has_size(one.get('bbox'))]
    if len(shares) >= MIN_PEOPLE:
        low, high = USUAL_OF_BOX
        median = float(np.median(shares))
        if not low <= median <= high:
            text = f'the median area is {median:.3g} of its box; {low:g} to {high:g} is usual'
            yield Problem('areas', text)
        elif len([share for share in shares if share > ALL_OF_BOX]) > len(shares) / 2:
            yield Problem('areas-of-boxes', f'the median area is {median:.3g} of its box')
    ratios = [one['area'] / drawn for one in people if (drawn := polygon_area(one.get('segmentation'))) > 0]
    if len(ratios) >= MIN_PEOPLE and not 1 / MOST_OF_SEGMENTATION <= np.median(ratios) <= MOST_OF_SEGMENTATION:
        yield Problem('areas', f'the median area is {np.median(ratios):.3g} of the segmentation that it should be')


def _is_id(value: Any) -> bool:
    """Whether pycocotools can tell an id from no match: a whole number, in text too, and not negative."""
    try:
        return 0 <= int(value) < 2**63 and float(value) == int(value)
    except (TypeError, ValueError, OverflowError):
        return False


def _has_size(box: Any) -> bool:
    return is_box(box) and min(box[2:]) > 0


def polygon_area(segmentation: Any) -> float:
    """The area of the polygons of a segmentation, in square pixels; 0 where it is no list of polygons.

    Args:
        segmentation (Any): ``[[x, y, x, y, ...], ...]`` in pixels, as COCO writes them.
    """
    if not isinstance(segmentation, list) or not all(are_numbers(one) for one in segmentation):
        return 0.0
    rings = [np.array(one[: len(one) // 2 * 2], np.float64).reshape(-1, 2) for one in segmentation]
    return float(sum(abs(np.cross(ring, np.roll(ring, -1, 0)).sum()) / 2 for ring in rings if len(ring) > 2))
