"""The stand-in for xtcocotools gives its figures: those recorded from it, and itself where it is installed."""

import copy
import importlib
import importlib.util
import io
import json
import re
import subprocess
import sys
import warnings
from contextlib import redirect_stdout
from importlib.machinery import PathFinder
from pathlib import Path
from types import ModuleType, SimpleNamespace

import mmpose.datasets.datasets.base.base_coco_style_dataset as base
import mmpose.evaluation.metrics.coco_metric as coco_metric
import mmpose.evaluation.metrics.coco_wholebody_metric as wholebody_metric
import numpy as np
import pytest

from mmtranspose.compat import xtcocotools_stand_in
from mmtranspose.compat.xtcocotools_stand_in.coco import COCO
from mmtranspose.compat.xtcocotools_stand_in.cocoeval import FIELDS, COCOeval

RECORDED = Path(__file__).resolve().parents[1] / 'data' / 'xtcocotools_stats.json'  # of xtcocotools 1.14.3
COUNTS = dict(keypoints=17, foot_kpts=6, face_kpts=68, lefthand_kpts=21, righthand_kpts=21)
SCORES = ('foot_score', 'face_score', 'lefthand_score', 'righthand_score', 'wholebody_score')
SEEDS = range(4)


def made_up(seed):
    """Annotations and results, as two lists: crowds, unlabelled people, two categories, ties, more than 20 results."""
    rng = np.random.default_rng(seed)
    images = [dict(id=k, height=400, width=400, crowdIndex=float(rng.random())) for k in range(1, 13)]
    if seed == 1:  # no image is crowded much
        images = [dict(image, crowdIndex=image['crowdIndex'] * 0.7) for image in images]
    people, results = [], []
    for image in images:
        for _ in range(rng.integers(0, 5)):
            person = dict(id=len(people) + (seed != 3), image_id=image['id'], category_id=int(rng.integers(1, 3)))
            size = rng.uniform(20, 180, 2)
            corner = rng.uniform(0, 200, 2)
            person['bbox'] = [*corner.tolist(), *size.tolist()]
            person['segmentation'] = [corners(person['bbox'])]
            person['area'] = float(size.prod() * rng.uniform(0.2, 0.9))
            if rng.random() < 0.5:
                person['iscrowd'] = int(rng.random() < 0.3)
            hidden = rng.random() < 0.15
            for field, count in COUNTS.items():
                flags = rng.choice([0, 0, 1, 2, 2], count) * (not hidden and rng.random() < 0.8)
                points = corner + rng.random((count, 2)) * size
                person[field] = np.column_stack([points, flags]).ravel().tolist()
            person['num_keypoints'] = int(np.sum(np.array(person['keypoints'][2::3]) == 2))
            people.append(person)
            count = 40 if rng.random() < 0.05 else rng.integers(0, 3)
            results += [found(person, rng) for _ in range(count)]
    return dict(images=images, annotations=people, categories=[dict(id=k, name=str(k)) for k in (1, 2)]), results


def corners(box):
    x, y, width, height = box
    return [x, y, x, y + height, x + width, y + height, x + width, y]


def found(person, rng):
    """A result near a person: all its keypoints, wrong by a share of the person's size."""
    result = dict(image_id=person['image_id'], category_id=person['category_id'], score=round(float(rng.random()), 1))
    spread = rng.choice([0.01, 0.05, 0.2]) * max(person['bbox'][2:])
    for field, count in COUNTS.items():
        points = np.reshape(person[field], (count, 3))[:, :2] + rng.normal(0, spread, (count, 2))
        scores = np.zeros(count) if rng.random() < 0.05 else rng.random(count)
        result[field] = np.column_stack([points, scores]).ravel().tolist()
    return result | {name: float(rng.random()) for name in SCORES if rng.random() < 0.8}


def evaluated(coco_class, eval_class, path, results, kind, use_area=True):
    """What an evaluation finds, prints and warns of."""
    sigmas = np.linspace(0.02, 0.1, sum(COUNTS[field] for field in FIELDS.get(kind, ())))
    printed = io.StringIO()
    with redirect_stdout(printed), warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter('always', UserWarning)
        annotations = coco_class(path)
        detections = annotations.loadRes(boxed(copy.deepcopy(results), kind))
        evaluation = eval_class(annotations, detections, kind, sigmas, use_area)
        evaluation.evaluate()
        evaluation.accumulate()
        arrays = {name: evaluation.eval[name] for name in ('precision', 'recall', 'scores')}
        images = evaluation.evalImgs
        evaluation.summarize()
    lines = re.sub('t=.*s', 't', printed.getvalue()).splitlines()
    said = [str(one.message) for one in warned if one.category is UserWarning]
    return SimpleNamespace(stats=evaluation.stats, arrays=arrays, images=images, lines=lines, warned=said)


@pytest.fixture(scope='module')
def cases(tmp_path_factory):
    """The file of annotations, and the results, of each seed."""
    folder, made = tmp_path_factory.mktemp('crowds'), {}
    for seed in SEEDS:
        truth, results = made_up(seed)
        path = folder / f'{seed}.json'
        path.write_text(json.dumps(truth))
        made[seed] = str(path), results
    return made


KINDS = [*FIELDS, 'bbox', 'segm']


@pytest.mark.parametrize('use_area', [True, False])
@pytest.mark.parametrize('kind', KINDS)
def test_recorded_figures(cases, kind, use_area):
    recorded = json.loads(RECORDED.read_text())
    for seed, (path, results) in cases.items():
        stats = evaluated(COCO, COCOeval, path, results, kind, use_area).stats
        np.testing.assert_allclose(stats, recorded[f'{kind} {use_area} {seed}'], rtol=0, atol=1e-12)
    assert -1 < stats[0] < 1  # of the last seed


@pytest.fixture
def real():
    """The classes of xtcocotools."""
    if sys.modules['xtcocotools.coco'].__name__ != 'xtcocotools.coco':
        pytest.skip('xtcocotools is not installed: the stand-in is in its place')
    return importlib.import_module('xtcocotools.coco').COCO, importlib.import_module('xtcocotools.cocoeval').COCOeval


@pytest.mark.parametrize('use_area', [True, False])
@pytest.mark.parametrize('kind', KINDS)
def test_equal_to_xtcocotools(cases, real, kind, use_area):
    """Figures, arrays, every match of every image with its ids, what is printed, what is warned of."""
    for seed, (path, results) in cases.items():
        ours, theirs = (evaluated(*classes, path, results, kind, use_area) for classes in ((COCO, COCOeval), real))
        np.testing.assert_allclose(ours.stats, theirs.stats, rtol=0, atol=1e-12, err_msg=str(seed))
        for name, array in theirs.arrays.items():
            np.testing.assert_allclose(ours.arrays[name], array, rtol=0, atol=1e-12)
        assert len(ours.images) == len(theirs.images) > 0
        for own, other in zip(ours.images, theirs.images):
            np.testing.assert_equal(own, other)
        assert (ours.lines, ours.warned) == (theirs.lines, theirs.warned)


def boxed(results, kind):
    """Results with boxes, for the evaluation of these."""
    if kind not in ('bbox', 'segm'):
        return results
    points = [np.reshape(one['keypoints'], (-1, 3))[:, :2] for one in results]
    return [
        {name: one[name] for name in ('image_id', 'category_id', 'score')}
        | dict(bbox=[*some.min(0).tolist(), *np.ptp(some, axis=0).tolist()])
        for one, some in zip(results, points)
    ]


def one_person(**changes):
    points = [10.0, 10, 2, 30, 10, 2, 10, 50, 2]
    person = dict(id=1, image_id=1, category_id=1, keypoints=points, num_keypoints=3, bbox=[10, 10, 20, 40], area=800)
    return dict(images=[dict(id=1)], categories=[dict(id=1)], annotations=[person | dict(iscrowd=0) | changes])


def stats(truth, results, **options):
    return evaluated_by_hand(truth, results, **options).stats


def evaluated_by_hand(truth, results, kind='keypoints', **options):
    with redirect_stdout(io.StringIO()):
        annotations = COCO(ann_data=copy.deepcopy(truth))
        evaluation = COCOeval(annotations, annotations.loadRes(results), kind, np.full(3, 0.1), **options)
        evaluation.evaluate()
        evaluation.accumulate()
        evaluation.summarize()
    return evaluation


def result(shift=0.0, **changes):
    points = [10.0 + shift, 10, 1, 30 + shift, 10, 1, 10 + shift, 50, 1]
    return dict(image_id=1, category_id=1, keypoints=points, score=0.5, **changes)


class TestByHand:
    @pytest.mark.parametrize(('use_area', 'area'), [(True, 800), (False, 0.53 * 800)])
    def test_oks(self, use_area, area):
        """Three keypoints shifted by 4 pixels: exp(-16 / (2 area (2 sigma)^2)), and AP is the thresholds below it."""
        oks = np.exp(-16 / (2 * area * 0.2**2))
        evaluation = evaluated_by_hand(one_person(), [result(4.0)], use_area=use_area)
        assert evaluation.ious[1, 1] == pytest.approx(np.array([[oks]]), abs=1e-12)
        thresholds = np.arange(0.5, 0.96, 0.05)
        assert evaluation.stats[0] == pytest.approx((thresholds <= oks).mean())

    @pytest.mark.parametrize('id', [0, -3, '7', 1.5])
    def test_ids_of_any_form(self, id):
        """An id of 0 is no match in pycocotools."""
        assert stats(one_person(id=id), [result()])[0] == pytest.approx(1)

    def test_nobody_was_found(self):
        found = stats(one_person(), [])
        assert found[0] == 0 and found[5] == 0

    def test_an_annotation_without_iscrowd_or_area_where_nobody_was_found(self):
        truth = one_person()
        second = {name: value for name, value in truth['annotations'][0].items() if name not in ('iscrowd', 'area')}
        truth['images'].append(dict(id=2))
        truth['annotations'].append(dict(second, id=2, image_id=2))
        assert stats(truth, [result()])[5] == 0.5
        with pytest.raises(KeyError, match='area'):
            stats(truth, [result(), dict(result(), image_id=2)])

    def test_a_result_without_keypoints_is_none(self):
        nothing = dict(result(), keypoints=[0.0] * 9, score=0.9)
        assert stats(one_person(), [nothing, result()])[0] == pytest.approx(1)

    @pytest.mark.parametrize(('kind', 'expected'), [('keypoints', 1), ('keypoints_crowd', -1)])
    def test_crowdpose_counts_the_visible_alone(self, kind, expected):
        """A person whose keypoints are all hidden is ignored there, by ``num_keypoints``."""
        truth = one_person(keypoints=[10.0, 10, 1, 30, 10, 1, 10, 50, 1], num_keypoints=0)
        truth['images'][0]['crowdIndex'] = 0.1
        assert stats(truth, [result()], kind=kind)[0] == pytest.approx(expected)

    def test_an_unknown_kind(self):
        with pytest.raises(ValueError, match="iouType 'keypoint' is unknown; choose from bbox, segm, keypoints"):
            COCOeval(iouType='keypoint')

    def test_chosen_keypoints(self):
        annotations = COCO(ann_data=one_person(), test_index=[2, 0])
        assert annotations.anns[1]['keypoints'] == [10, 50, 2, 10, 10, 2]

    def test_the_groups_leave_the_evaluation_as_it_was(self):
        truth = one_person()
        truth['images'][0]['crowdIndex'] = 0.5
        evaluation = evaluated_by_hand(truth, [result()], kind='keypoints_crowd')
        assert evaluation.stats.tolist() == pytest.approx([1] * 6 + [-1, 1, -1])
        assert evaluation.params.imgIds == [1] and len(evaluation.evalImgs) == 3


class TestAnnotationFile:
    @pytest.fixture
    def people(self):
        truth = one_person(category_id='person')
        truth['categories'] = [dict(id='person', name='person'), dict(id='per', name='per')]
        truth['annotations'] += [dict(truth['annotations'][0], id=k, category_id='per', area=k) for k in (5, 6)]
        return COCO(ann_data=truth)

    def test_an_area_is_in_the_range_that_it_begins(self, people):
        assert people.getAnnIds(areaRng=[5, 6]) == [5] and people.getAnnIds(areaRng=[5, 7]) == [5, 6]
        assert people.getAnnIds(1, 'per', [6, 900]) == [6] and people.getAnnIds(iscrowd=True) == []

    def test_a_text_is_one_name(self, people):
        assert people.getCatIds('person') == ['person'] and people.getCatIds(['per', 'person']) == ['person', 'per']
        assert people.getAnnIds(catIds='per') == [5, 6] and people.getImgIds(catIds='person') == [1]

    @pytest.mark.parametrize('results', [[], [dict(image_id=1, category_id=1, keypoints=[1, 2, 1], score=1)]])
    def test_results(self, people, results):
        loaded = people.loadRes(results)
        assert type(loaded) is COCO and people.anno_file == [None, results] and loaded.anno_file == [None]
        assert len(loaded.anns) == len(results) and loaded.imgs == people.imgs
        people.loadRes([])
        assert people.anno_file == [None, results]


METRICS = {
    'CocoMetric': (coco_metric.CocoMetric, {}),
    'CocoMetric crowd': (coco_metric.CocoMetric, dict(iou_type='keypoints_crowd', use_area=False, score_mode='bbox')),
    'CocoWholeBodyMetric': (wholebody_metric.CocoWholeBodyMetric, dict(score_mode='keypoint')),
}


def metrics_of_mmpose(name, path, results):
    """MMPose's own evaluation of the results."""
    metric_class, options = METRICS[name]
    fields = COUNTS if 'WholeBody' in name else ['keypoints']
    with redirect_stdout(io.StringIO()):
        metric = metric_class(path, **options)
        length = sum(COUNTS[field] for field in fields)
        metric.dataset_meta = dict(sigmas=np.linspace(0.02, 0.1, length), num_keypoints=length)
        for number, one in enumerate(results):
            points = np.concatenate([np.reshape(one[field], (1, -1, 3)) for field in fields], axis=1)
            instances = dict(keypoints=points[..., :2], keypoint_scores=points[..., 2], bbox_scores=[one['score']])
            sample = dict(pred_instances=instances, gt_instances={}, category_id=one['category_id'])
            metric.process({}, [dict(sample, id=number, img_id=one['image_id'])])
        return metric.evaluate(len(results))


@pytest.mark.parametrize('name', METRICS)
def test_metrics_of_mmpose(cases, monkeypatch, name):
    monkeypatch.setattr(coco_metric, 'COCO', COCO)
    for module in (coco_metric, wholebody_metric):
        monkeypatch.setattr(module, 'COCOeval', COCOeval)
    recorded = json.loads(RECORDED.read_text())
    for seed in (0, 1):
        metrics = metrics_of_mmpose(name, *cases[seed])
        assert list(metrics.values()) == pytest.approx(recorded[f'{name} {seed}'], rel=0, abs=1e-12)
        assert len(metrics) == (9 if 'crowd' in name else 10) and max(metrics.values()) > 0.05


def test_mmpose_has_one_of_the_two():
    assert coco_metric.COCO is base.COCO is sys.modules['xtcocotools.coco'].COCO
    assert coco_metric.COCOeval is wholebody_metric.COCOeval is sys.modules['xtcocotools.cocoeval'].COCOeval


SCRIPT = """
import importlib, importlib.machinery, sys, types

class Missing(importlib.machinery.PathFinder):
    @classmethod
    def find_spec(cls, name, *arguments):
        root = name.partition('.')[0]
        if root == 'pkg_resources' or (root == 'xtcocotools' and FAULT == 'missing'):
            raise ModuleNotFoundError(f'No module named {name!r}', name=name)
        if name == 'xtcocotools._mask':
            raise ValueError('numpy.dtype size changed, may indicate binary incompatibility')

FAULT = sys.argv[1]
sys.meta_path.insert(0, Missing)
import mmtranspose
import mmpose.apis, mmpose.models, mmpose.datasets, mmpose.evaluation
from mmpose.evaluation.metrics.coco_metric import COCO, COCOeval
import xtcocotools.mask
from importlib.util import find_spec
print(COCO.__module__, COCOeval.__module__, xtcocotools.mask.__name__, find_spec('xtcocotools').name)
assert 'pkg_resources' not in sys.modules and 'xtcocotools._mask' not in sys.modules
"""


@pytest.mark.parametrize('fault', ['missing', 'broken'])
def test_without_xtcocotools_and_pkg_resources(fault):
    process = subprocess.run(
        [sys.executable, '-W', 'error:pkg_resources', '-c', SCRIPT, fault], capture_output=True, text=True
    )
    assert process.returncode == 0, process.stderr
    folder = xtcocotools_stand_in.__name__
    assert process.stdout.split() == [f'{folder}.coco', f'{folder}.cocoeval', 'pycocotools.mask', 'xtcocotools']


def ours_in_place():
    return {name: module for name, module in sys.modules.items() if name.partition('.')[0] == 'xtcocotools'}


def test_a_whole_xtcocotools_stays(monkeypatch):
    monkeypatch.setattr(xtcocotools_stand_in, '_works', lambda name: True)
    before = ours_in_place()
    xtcocotools_stand_in.apply()
    assert ours_in_place() == before


def test_the_one_that_mmpose_has():
    """The real one where it is installed for this numpy; every wheel of it is for numpy 1."""
    found = PathFinder.find_spec('xtcocotools')
    if found is None or np.lib.NumpyVersion(np.__version__) < '2.0.0':
        expected = COCOeval.__module__ if found is None else 'xtcocotools.cocoeval'
        assert coco_metric.COCOeval.__module__ == wholebody_metric.COCOeval.__module__ == expected


@pytest.mark.parametrize('area', [lambda masks: 7, lambda masks: np.NPY_OWNDATA])
def test_masks_that_are_not_measured(monkeypatch, area):
    """Built on numpy 2.3 or newer, xtcocotools can be imported, and fails there."""
    module = ModuleType('xtcocotools.mask')
    module.encode, module.area = (lambda mask: mask), (lambda masks: 6)
    monkeypatch.setitem(sys.modules, 'xtcocotools.mask', module)
    assert xtcocotools_stand_in._works('xtcocotools')
    module.area = area
    assert not xtcocotools_stand_in._works('xtcocotools')
    assert not xtcocotools_stand_in._works('no_such_package_here')
