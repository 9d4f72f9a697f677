"""Data and configs as people reported them, rebuilt: what `check-dataset`, `train` and `test` make of each.

Each either works, and counts the people it should, or ends in one sentence that names the fault: the same by all three
commands where the fault is in the data.
"""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest
from mmengine.config import Config

from mmtranspose.errors import InputError

FIVE = ('nose', 'left_shoulder', 'right_shoulder', 'left_hip', 'right_hip')
PLACES = (0, 5, 6, 11, 12)  # of these five in COCO
WORKS = None


@dataclass
class Case:
    """One report.

    Attributes:
        id (str): Its name.
        source (str): Where it was reported.
        finding (str | None): The regular expression of what is said about it; None if it works.
        change (Callable): Changes the content of the annotation files, in place.
        num_keypoints (int): 17 as COCO's, 5 of the trunk, or 1, the nose.
        config (dict): Changes of the config, by dotted keys.
        metainfo (dict): Changes of the dataset's metainfo.
        only_val (bool): The fault is in val's annotations alone.
        people (int): People whom MMPose uses in val.
        in_check (bool): The fault is in the data, so `check-dataset` finds it too.
        at_test (bool): `test` finds it too.
    """

    id: str
    source: str
    finding: str | None = WORKS
    change: Callable[[dict], Any] = lambda content: None
    num_keypoints: int = 17
    config: dict = field(default_factory=dict)
    metainfo: dict = field(default_factory=dict)
    only_val: bool = False
    people: int = 5
    in_check: bool = True
    at_test: bool = True


def each(change: Callable[[dict], Any]) -> Callable[[dict], Any]:
    return lambda content: [change(one) for one in content['annotations']]


def add_empty_shapes(content: dict) -> None:
    for image in content['images']:
        empty = dict(id=900 + image['id'], image_id=image['id'], category_id=1, iscrowd=0, segmentation=[], area=0)
        content['annotations'].append(dict(empty, bbox=[0, 0, 0, 0], keypoints=[], num_keypoints=0))


def add_box_without_keypoints(content: dict) -> None:
    first = content['images'][0]['id']
    content['annotations'].append(
        dict(id=900, image_id=first, category_id=1, bbox=[5, 5, 60, 100], area=6000, iscrowd=1, segmentation=[])
    )


def zero_box(one: dict) -> None:
    x, y = one['keypoints'][:2]
    one.update(bbox=[x, y, 0.0, 0.0], area=0.0)


def in_category_9(content: dict) -> None:
    content['categories'][0]['id'] = 9
    each(lambda one: one.update(category_id=9))(content)


def corners(one: dict) -> None:
    x, y, w, h = one['bbox']
    one['bbox'] = [x, y, x + w, y + h]


FIRST_FIVE = dict(type='KeypointConverter', num_keypoints=5, mapping=list(zip(PLACES, range(5))))
CASES = [
    Case('empty shapes of tracks', 'cvat-ai/cvat#7021', change=add_empty_shapes, num_keypoints=5),
    Case('one keypoint, no box', 'cvat-ai/cvat#8098', 'box-empty: 5 of 5', each(zero_box), 1),
    Case(
        'no sigmas',
        'open-mmlab/mmpose#3013',
        'metainfo.sigmas has no numbers for 5',
        num_keypoints=5,
        metainfo=dict(sigmas=[]),
    ),
    Case(
        'sigmas of COCO',
        'open-mmlab/mmpose#1357',
        'metainfo.sigmas has 17 numbers for 5',
        num_keypoints=5,
        metainfo=dict(sigmas=[0.05] * 17),
    ),
    Case(
        'no ids',
        'open-mmlab/mmdetection#804',
        r'annotations\[0\] \(id None\) has no id',
        each(lambda one: one.pop('id')),
        5,
    ),
    Case('no categories', 'hand-made files', 'has no categories', lambda content: content.pop('categories'), 5),
    Case(
        'boxes of text',
        'tables turned into JSON',
        "bbox \\['",
        each(lambda one: one.update(bbox=[str(v) for v in one['bbox']])),
    ),
    Case(
        'nulls',
        'HumanSignal/label-studio-sdk#480',
        'keypoint 0 \\(nose\\) nan, nan, nan',
        each(lambda one: one['keypoints'].__setitem__(slice(0, 3), [None] * 3)),
        5,
    ),
    Case('people of category 9', 'open-mmlab/mmpose#2669', change=in_category_9),
    Case(
        'people of category 9 in boxes of category 1',
        'open-mmlab/mmpose#2669',
        change=in_category_9,
        config=dict(boxes=1),
    ),
    Case(
        'people of category 9 in boxes of category 9',
        'open-mmlab/mmpose#2669',
        change=in_category_9,
        config=dict(boxes=9),
    ),
    Case(
        'boxes of another category',
        'open-mmlab/mmpose#1029',
        'none of its 5 boxes is of category_id 1',
        config=dict(boxes=3),
    ),
    Case(
        'a category that is not listed',
        'facebookresearch/detectron2#1658',
        'annotation 1: category_id 7',
        each(lambda one: one.update(category_id=7)),
        only_val=True,
    ),
    Case(
        'a crowd without keypoints',
        'COCO instances among the keypoints',
        change=add_box_without_keypoints,
        only_val=True,
    ),
    Case(
        'boxes annotated, keypoints not yet',
        'cvat-ai/cvat#8484',
        change=lambda content: each(lambda one: one.update(keypoints=[], num_keypoints=0))(
            dict(annotations=content['annotations'][:2])
        ),
        people=3,
        only_val=True,
    ),
    Case('a byte order mark', 'files of Windows', config=dict(encoding='utf-8-sig')),
    Case(
        'persistent workers without workers',
        'advice for Windows and debuggers',
        config={'train_dataloader.persistent_workers': True, 'val_dataloader.persistent_workers': True},
    ),
    Case(
        'the best by a metric that is not there',
        'open-mmlab/mmpose#2248',
        "save_best='coco/AP' is not a metric that val_evaluator gives; choose from PCK, AUC, EPE",
        config=dict(val_evaluator=[dict(type='PCKAccuracy', thr=0.2), dict(type='AUC'), dict(type='EPE')]),
        in_check=False,
        at_test=False,
    ),
    Case('a converter in both pipelines', 'open-mmlab/mmpose#2098', config=dict(converter=FIRST_FIVE)),
    Case(
        'a second skeleton that nobody carries',
        'cvat-ai/cvat#7501',
        change=lambda content: content['categories'].append(dict(id=2, name='dog', keypoints=['nose', 'tail', 'paw'])),
    ),
    Case('boxes of corners', 'open-mmlab/mmpose#1017', 'boxes seem to be x1, y1, x2, y2', each(corners)),
    Case('no lines between keypoints', 'open-mmlab/mmpose#707', num_keypoints=5, metainfo=dict(skeleton_info={})),
]


@pytest.fixture
def built(people, tiny_config, tmp_path):
    """Builds a case: its data folder and its config file."""

    def built(case: Case) -> str:
        root = shutil.copytree(people, tmp_path / 'people')
        cfg = Config.fromfile(tiny_config)
        changes, options = dict(case.config), {}
        encoding, converter = changes.pop('encoding', 'utf-8'), changes.pop('converter', None)
        boxes = changes.pop('boxes', None)
        for split in ('train', 'val'):
            path = root / f'annotations/person_keypoints_{split}.json'
            content = json.loads(path.read_text())
            reduce(content, case.num_keypoints)
            if split == 'val' or not case.only_val:
                case.change(content)
            path.write_text(json.dumps(content), encoding=encoding)
            if split == 'val' and boxes is not None:
                found = [
                    dict(image_id=one['image_id'], category_id=boxes, bbox=one['bbox'], score=0.9)
                    for one in content['annotations']
                ]
                (root / 'boxes.json').write_text(json.dumps(found))
        for split in ('train', 'val', 'test'):
            dataset = cfg[f'{split}_dataloader'].dataset
            dataset.data_root = str(root)
            dataset.bbox_file = str(root / 'boxes.json') if boxes is not None and split != 'train' else None
            if case.num_keypoints != 17:
                dataset.metainfo = {**metainfo(case.num_keypoints), **case.metainfo}
            if converter is not None:
                before = [step['type'] for step in dataset.pipeline].index('UnbiasedTopdownAffine')
                dataset.pipeline.insert(before, converter)
        outputs = 5 if converter is not None else case.num_keypoints
        options = {'model.head.out_channels': outputs, **changes}
        evaluator = dict(type='CocoMetric', **(dict(gt_converter=converter) if converter else {}))
        cfg.val_evaluator = cfg.test_evaluator = evaluator
        cfg.model.test_cfg.flip_test = False
        cfg.merge_from_dict(options)
        cfg.test_evaluator = cfg.val_evaluator
        path = tmp_path / 'case.py'
        cfg.dump(str(path))
        return str(path)

    return built


def reduce(content: dict, num_keypoints: int) -> None:
    """Keep the first of the five keypoints, or all of COCO's 17."""
    if num_keypoints == 17:
        return
    places = PLACES[:num_keypoints]
    content['categories'][0]['keypoints'] = list(FIVE[:num_keypoints])
    for one in content['annotations']:
        one['keypoints'] = [one['keypoints'][3 * place + k] for place in places for k in range(3)]
        one['num_keypoints'] = sum(flag > 0 for flag in one['keypoints'][2::3])


def metainfo(num_keypoints: int) -> dict:
    names = FIVE[:num_keypoints]
    other = dict(left='right', right='left')
    swaps = {name: '_'.join(other.get(word, word) for word in name.split('_')) for name in names}
    info = {k: dict(name=name, id=k, type='upper', swap=swaps[name]) for k, name in enumerate(names)}
    weights = dict(joint_weights=[1.0] * num_keypoints, sigmas=[0.07] * num_keypoints)
    links = {0: dict(link=('left_shoulder', 'right_shoulder'), id=0)} if num_keypoints > 1 else {}
    return dict(dataset_name='custom', keypoint_info=info, skeleton_info=links, **weights)


def said(command: Callable[[], Any]) -> str | None:
    """What a command says is wrong; None if it runs to its end."""
    try:
        command()
    except InputError as error:
        return str(error)
    return None


@pytest.mark.parametrize('case', CASES, ids=lambda case: case.id)
def test_case(case, built, run_command, tiny_checkpoint, tmp_path, capsys):
    config, work = built(case), tmp_path / 'work'
    status = run_command('check-dataset', config, '--no-images', '--json', tmp_path / 'found.json')
    out = capsys.readouterr().out
    found = json.loads((tmp_path / 'found.json').read_text())
    trained = said(lambda: run_command('train', config, '--work-dir', work))
    partial = [] if case.num_keypoints == 17 and 'converter' not in case.config else ['--allow-partial']
    tested = said(lambda: run_command('test', config, tiny_checkpoint, '--work-dir', work, *partial))
    if case.finding is WORKS:
        assert (status, trained, tested) == (0, None, None)
        assert found['splits'][-1]['people'] == case.people
        assert (work / 'epoch_1.pth').is_file()
        return
    pattern = re.compile(case.finding)
    assert pattern.search(trained or '') and not list(work.glob('*.pth'))
    assert status == (1 if case.in_check else 0) and bool(pattern.search(out)) == case.in_check
    assert bool(pattern.search(tested or '')) == case.at_test and (case.at_test or tested is None)
