"""Faults put into annotation files, one at a time: what MMPose does with each, and what the judge of data says.

MMPose stops, or trains or evaluates otherwise than with the clean file: then the judge names the fault, as an error
where MMPose stops. The quick check before a run and `check-dataset` say the same.
"""

import json
import shutil
from copy import deepcopy

import numpy as np
import pytest
from conftest import SYNTHETIC_CONFIG
from mutated_annotations import box_mutants, mutants
from what_mmpose_does import STOPS, evaluated_on, forget, trained_on

from mmtranspose.dataset_check import check_dataset
from mmtranspose.dataset_check.before_run import check_data
from mmtranspose.errors import InputError
from mmtranspose.loading.config import load_config

pytestmark = pytest.mark.usefixtures('configs_are_parsed_once')

SIZE = dict(input_size=(48, 64))
CROP = [dict(type='LoadImage'), dict(type='GetBBoxCenterScale', padding=1.25), dict(type='TopdownAffine', **SIZE)]
CODEC = dict(type='MSRAHeatmap', heatmap_size=(12, 16), sigma=1.0, **SIZE)
PIPELINES = dict(
    train=[*CROP, dict(type='GenerateTarget', encoder=CODEC), dict(type='PackPoseInputs')],
    val=[*CROP, dict(type='PackPoseInputs')],
)
MUTANTS = list(mutants())
# A keypoint, a box or an area that is a little wrong is as good as any other, and nobody can tell. Flags between 0 and
# 1 are weights in MMPose.
PLAUSIBLE = (
    *(f'keypoints[{place}]={value}' for place in (15, 16) for value in ('zero', 'true', 'fraction')),
    *(f'bbox[{place}]=fraction' for place in (0, 1)),
    *('one flags of a half', 'all flags of a half', 'one area of the box'),
)
# Exports that people have, and that MMPose trains on and evaluates as the clean file
HARMLESS = (
    *('an unused second skeleton', 'an unknown field', 'annotations in reverse', 'images in reverse', 'backslashes'),
    *('people in category 9', 'people in category 0', 'people in the second category', 'an image without a file'),
    *('all keypoints without num_keypoints', 'all flags of 1', 'all flags of true', 'all crowd missing', 'text ids'),
    *('annotations[2].segmentation=missing', 'annotations[2].num_keypoints=missing', 'annotations[2].iscrowd=missing'),
)


@pytest.fixture(scope='module')
def root(people, tmp_path_factory):
    return shutil.copytree(people, tmp_path_factory.mktemp('mutants') / 'people')


@pytest.fixture(scope='module')
def cfg(root):
    cfg = load_config(str(SYNTHETIC_CONFIG), dict(data_root=str(root)))
    for split, pipeline in PIPELINES.items():
        cfg[f'{split}_dataloader'].dataset.update(pipeline=pipeline, bbox_file=None)
    cfg.val_evaluator = dict(type='CocoMetric')
    cfg.test_dataloader = None
    return cfg


class Split:
    """An annotation file, or a file of detector boxes, that is spoilt and mended again."""

    def __init__(self, cfg, root, split, boxes=None):
        self.cfg, self.split = cfg, split
        self.ann_file = root / f'annotations/person_keypoints_{split}.json'
        self.path = boxes or self.ann_file
        self.text, self.annotations = self.path.read_text(), self.ann_file.read_text()
        self.clean = self.outcome()

    def outcome(self):
        """What MMPose does: its samples, or its metrics; a text where it stops."""
        forget()
        dataset = deepcopy(self.cfg[f'{self.split}_dataloader'].dataset)
        if self.split == 'train':
            return trained_on(dataset)
        return evaluated_on(dataset, dict(self.cfg.val_evaluator), self.truth())

    def truth(self):
        content = json.loads(self.annotations)
        names = {image['id']: image['file_name'] for image in content['images']}
        points = [np.reshape(one['keypoints'], (-1, 3))[:, :2] for one in content['annotations']]
        return {(names[one['image_id']], k): points[k] for k, one in enumerate(content['annotations'])}

    def judged(self):
        """What is said before a run: ``('error', text)``, ``('warning', text)`` or ``('nothing', '')``."""
        try:
            report = check_data(self.cfg, [f'{self.split}_dataloader'])
        except InputError as error:
            return 'error', str(error)
        said = [*report.left_out(), *report.lines('warning')]
        return ('warning', '\n'.join(said)) if said else ('nothing', '')

    def thoroughly(self):
        """Whether ``check-dataset`` finds an error."""
        try:
            return not check_dataset(self.cfg, [self.split]).ok()
        except InputError:
            return True


@pytest.fixture(scope='module')
def splits(cfg, root):
    return {split: Split(cfg, root, split) for split in ('train', 'val')}


@pytest.mark.parametrize('split', ['train', 'val'])
def test_clean(splits, split):
    assert splits[split].judged() == ('nothing', '')
    assert len(splits['train'].clean) == 7 and 0.3 < splits['val'].clean['coco/AP'] < 0.6


def wrongly_judged(spoilt, some):
    """The mutants that are not judged as MMPose takes them."""
    wrong = []
    for mutant in some:
        content = json.loads(spoilt.text)
        mutant.change(content)
        spoilt.path.write_text(json.dumps(content))
        try:
            outcome, (level, text) = spoilt.outcome(), spoilt.judged()
            wanted = ('error', 'warning', 'nothing')
            if str(outcome).startswith(STOPS):
                wanted = ('error',)
            elif outcome != spoilt.clean and mutant.name not in PLAUSIBLE:
                wanted = ('error', 'warning')
            elif mutant.name in HARMLESS:
                wanted = ('warning', 'nothing')
            if level not in wanted or spoilt.thoroughly() != (level == 'error'):
                wrong.append(f'{mutant.name}: {outcome!s:.200}; judged: {level} {text:.300}')
        finally:
            spoilt.path.write_text(spoilt.text)
    return wrong


@pytest.mark.parametrize('split', ['train', 'val'])
@pytest.mark.parametrize('start', range(4))
def test_mutants(splits, split, start):
    """Each mutant is trained and evaluated as the clean file is, or named; where MMPose stops, by an error.

    Faults that people have (their names are words) are put into both files, values of single fields into one of them.
    """
    turn = 0 if split == 'train' else 1
    some = [mutant for k, mutant in enumerate(MUTANTS) if k % 2 == turn or ' ' in mutant.name]
    wrong = wrongly_judged(splits[split], some[start::4])
    assert not wrong, '\n'.join(wrong)


def test_mutated_boxes(cfg, root):
    boxes = root / 'person_detection_results' / 'person_detections_val.json'
    with_boxes = deepcopy(cfg)
    with_boxes.val_dataloader.dataset.bbox_file = str(boxes)
    spoilt = Split(with_boxes, root, 'val', boxes)
    assert spoilt.judged() == ('nothing', '') and 0.2 < spoilt.clean['coco/AP'] < 0.6
    some = list(box_mutants())
    wrong = wrongly_judged(spoilt, some)
    assert len(some) >= 120 and not wrong, '\n'.join(wrong)


def test_there_are_enough():
    assert len(MUTANTS) >= 280 and len({mutant.name for mutant in MUTANTS}) == len(MUTANTS)
    names = {mutant.name for mutant in MUTANTS}
    assert {*PLAUSIBLE, *HARMLESS} <= names
