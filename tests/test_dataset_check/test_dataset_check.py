"""Faults put into a good dataset, one at a time, and what is said of each."""

import json
import math
import shutil

import cv2
import numpy as np
import pytest
from conftest import SYNTHETIC_CONFIG
from mmengine.config import Config
from mmpose.datasets.transforms import KeypointConverter
from mmpose.evaluation import CocoMetric

from mmtranspose.dataset_check import check_dataset
from mmtranspose.dataset_check.problems import KINDS
from mmtranspose.errors import InputError
from mmtranspose.loading.config import load_config
from mmtranspose_cli.terminal import printable

pytestmark = pytest.mark.usefixtures('configs_are_parsed_once')

TRAIN = 'annotations/person_keypoints_train.json'
BOXES = 'person_detection_results/person_detections_val.json'


@pytest.fixture
def root(people, tmp_path):
    """A copy of the tiny dataset: 6 images and 7 people to train with, all 17 keypoints of each labelled."""
    return shutil.copytree(people, tmp_path / 'people')


@pytest.fixture
def spoil(root):
    """Changes a JSON file of the dataset with a function that works in place."""

    def spoil(change, name=TRAIN):
        content = json.loads((root / name).read_text())
        change(content)
        (root / name).write_text(json.dumps(content))

    return spoil


@pytest.fixture
def check(root):
    """Checks the dataset with the synthetic config; gives the report."""

    def check(images=False, change=None, **options):
        cfg = load_config(str(SYNTHETIC_CONFIG), dict(data_root=str(root), **(change or {})))
        return check_dataset(cfg, images=images, num_workers=2, **options)

    return check


def kinds(report) -> dict:
    """Kind to (count, first example); of all splits."""
    return {kind: (group.count, group.examples[0]) for (_, kind), group in report.findings.items()}


def person(change, index=2):
    """A change of one annotation, whose id is 3."""
    return lambda content: change(content['annotations'][index])


def keypoint(k, *values):
    """A change of a keypoint's first numbers."""

    def change(annotation):
        annotation['keypoints'][3 * k : 3 * k + len(values)] = values

    return person(change)


def scale(factor):
    def change(content):
        for annotation in content['annotations']:
            points = np.array(annotation['keypoints'], float).reshape(-1, 3)
            points[:, :2] *= factor
            annotation['keypoints'] = points.ravel().tolist()

    return change


def names(change):
    return lambda content: change(content['categories'][0]['keypoints'])


def exchange(names):
    names[5], names[6] = names[6], names[5]


class TestCleanData:
    def test_nothing_is_said(self, check):
        report = check(images=True)
        assert report.findings == {} and report.ok(strict=True)
        assert [(one['split'], one['images'], one['people']) for one in report.splits] == [
            ('train', 6, 7),
            ('val, test', 4, 5),
        ]
        assert report.splits[0]['keypoints_per_person'] == 17
        assert report.to_text().endswith('\n0 kinds of errors, 0 kinds of warnings')

    def test_splits(self, check):
        assert [one['split'] for one in check(splits=['test']).splits] == ['test']


HUGE = 10**400  # JSON's numbers have no end, a float's do


ANNOTATION_FAULTS = [
    ('visibility', keypoint(0, 100, 100, -1), 'annotation 3: keypoint 0 (nose) 100, 100, -1'),
    ('visibility', keypoint(0, 100, 100, math.nan), 'annotation 3: keypoint 0 (nose) 100, 100, nan'),
    ('visibility-unusual', keypoint(0, 100, 100, 3), 'annotation 3: keypoint 0 (nose) 100, 100, 3'),
    ('keypoints-not-finite', keypoint(9, math.nan), 'annotation 3: keypoint 9 (left_wrist) nan'),
    ('keypoint-outside', keypoint(9, 5000), 'annotation 3: keypoint 9 (left_wrist) 5000'),
    ('keypoint-at-origin', keypoint(10, 0, 0, 2), 'annotation 3: keypoint 10 (right_wrist) 0, 0, 2'),
    ('keypoint-far', person(lambda one: one.update(bbox=[0, 0, 5, 5])), 'annotation 3: keypoint'),
    ('keypoints-length', person(lambda one: one['keypoints'].pop()), 'annotation 3: keypoints has 50 entries'),
    (
        'keypoints-length',
        person(lambda one: one.update(keypoints=one['keypoints'][:48])),
        'annotation 3: 16 keypoints, metainfo has 17',
    ),
    ('keypoints-missing', person(lambda one: one.pop('keypoints')), 'annotation 3: no keypoints'),
    ('num-keypoints', person(lambda one: one.update(num_keypoints=12)), 'annotation 3: num_keypoints 12, 17 flags'),
    (
        'labelled-but-dropped',
        person(lambda one: one.update(num_keypoints=0)),
        'annotation 3: num_keypoints 0, 17 flags',
    ),
    ('box-missing', person(lambda one: one.pop('bbox')), 'annotation 3: no bbox'),
    ('box-malformed', person(lambda one: one.update(bbox=[1, 2, 3])), 'annotation 3: bbox [1, 2, 3]'),
    (
        'box-malformed',
        person(lambda one: one.update(bbox=[1, 2, math.nan, 4])),
        'annotation 3: bbox [1, 2, nan, 4]',
    ),
    ('box-empty', person(lambda one: one.update(bbox=[9, 9, 0, 50])), 'annotation 3: bbox [9.0, 9.0, 0.0, 50.0]'),
    (
        'box-outside',
        person(lambda one: one.update(bbox=[-900, 9, 800, 800])),
        'annotation 3: bbox [-900.0, 9.0, 800.0, 800.0]',
    ),
    (
        'box-half-outside',
        person(lambda one: one.update(bbox=[-900, 9, 1100, 200])),
        'annotation 3: bbox [-900.0, 9.0, 1100.0, 200.0]',
    ),
    ('image-unknown', person(lambda one: one.update(image_id=999)), 'annotation 3: image_id 999'),
    ('entry-malformed', person(lambda one: one.pop('id')), 'annotations[2] (id None) has no id'),
    ('entry-malformed', person(lambda one: one.update(id=None)), 'annotations[2] has id=None; a number or text is'),
    ('iscrowd', person(lambda one: one.update(iscrowd='0')), "annotation 3: iscrowd '0'"),
    ('entry-malformed', person(lambda one: one.update(category_id=[1])), 'annotations[2] has category_id=[1]'),
    ('keypoints-length', keypoint(4, HUGE), f'annotation 3: keypoints has {HUGE!r:.40} among 51 entries'),
    ('box-malformed', person(lambda one: one.update(bbox=[1, 2, HUGE, 4])), 'annotation 3: bbox [1, 2, 1000'),
    ('num-keypoints', person(lambda one: one.update(num_keypoints=[1])), 'annotation 3: num_keypoints [1], not a num'),
    ('num-keypoints', person(lambda one: one.update(num_keypoints=HUGE)), 'annotation 3: num_keypoints 10000000000'),
    ('duplicate-id', person(lambda one: one.update(id=2)), 'annotation id 2: 2 times'),
    (
        'duplicate-file',
        lambda content: content['images'][1].update(file_name=content['images'][0]['file_name']),
        'file_name ',
    ),
    ('coordinates', scale(0.001), 'no labelled coordinate is above 0.'),
    ('coordinates', scale(20), '7 of 7 people have keypoints outside their image'),
    ('keypoint-order', names(exchange), "category 'person': keypoints[5] is 'right_shoulder', in metainfo 'left_shou"),
    ('keypoint-names', names(lambda one: one.__setitem__(0, 'chin')), "category 'person': keypoints[0] is 'chin'"),
    ('keypoint-names-missing', names(list.clear), 'no entry of categories that people carry has keypoints'),
    ('keypoint-names-number', names(lambda one: one.append('tail')), "category 'person' names 18, metainfo 17"),
]
ACCOMPANIED = {
    'visibility': {'num-keypoints'},
    'keypoint-far': {'box-misses'},
    'box-outside': {'keypoint-far', 'box-misses'},
    'box-half-outside': {'box-loose'},
    'coordinates': {'keypoint-outside', 'keypoint-far', 'box-loose', 'box-misses'},
}


class TestAnnotations:
    @pytest.mark.parametrize(('kind', 'change', 'where'), ANNOTATION_FAULTS)
    def test_fault(self, spoil, check, kind, change, where):
        spoil(change)
        report = check(splits=['train'])
        found = kinds(report)
        assert found[kind][0] == 1 and found[kind][1].startswith(where)
        assert set(found) - {kind} <= ACCOMPANIED.get(kind, set())
        assert report.ok() == (KINDS[kind].level == 'warning') and not report.ok(strict=True)

    def test_a_category_that_names_too_few(self, spoil, check):
        spoil(names(list.pop))
        spoil(lambda content: [one.update(keypoints=one['keypoints'][:48]) for one in content['annotations']])
        found = kinds(check())
        assert found['keypoints-length'][0] == 7
        assert found['no-people'][1] == '6 images, 7 annotations: 7 that cannot be read'

    def test_an_image_without_size(self, spoil, check):
        spoil(lambda content: content['images'][0].pop('width'))
        found = kinds(check())
        assert found == {'entry-malformed': (1, 'annotation 1: image 1 has no width')}

    @pytest.mark.parametrize('value', [1.5, [1]])
    def test_an_image_whose_id_is_none(self, spoil, check, value):
        spoil(lambda content: content['images'][0].update(id=value))
        found = kinds(check())
        assert found['entry-malformed'] == (1, f'images[0] has id={value!r}; a whole number is expected')
        assert found['image-unknown'] == (1, 'annotation 1: image_id 1')

    @pytest.mark.parametrize(('name', 'value'), [('width', HUGE), ('height', '480'), ('height', 0), ('width', -5)])
    def test_an_image_whose_size_is_none(self, spoil, check, name, value):
        spoil(lambda content: content['images'][0].update({name: value}))
        words = f'annotation 1: image 1 has {name}={value!r:.40}; a positive number is expected'
        assert kinds(check()) == {'entry-malformed': (1, words)}

    def test_an_image_without_people_needs_no_size(self, spoil, check):
        spoil(lambda content: content['images'].append(dict(id=99, file_name='none.jpg')))
        assert check().findings == {}

    @pytest.mark.parametrize(
        ('categories', 'words'),
        [
            (None, ' is None; a list of dicts is expected'),
            (3, ' is 3; a list of dicts is expected'),
            ('person', " is 'person'; a list of dicts is expected"),
            ([3], r'\[0\] is 3; a dict with an id is expected'),
            ([dict(id=1), dict(id=[1])], r"\[1\] is {'id': \[1\]}; a dict with an id is expected"),
        ],
    )
    def test_categories_that_are_something_else(self, spoil, check, categories, words):
        spoil(lambda content: content.update(categories=categories))
        with pytest.raises(InputError, match=f'{TRAIN}: categories{words}'):
            check()

    def test_the_same_image_id_twice(self, spoil, check):
        spoil(lambda content: content['images'][1].update(id=1))
        assert kinds(check())['duplicate-id'] == (1, 'image id 1: 2 times')

    def test_crowds_and_the_unlabelled_are_dropped_silently(self, spoil, check):
        spoil(person(lambda one: one.update(iscrowd=1, keypoints=[]), 0))
        spoil(person(lambda one: one.update(keypoints=[0] * 51, num_keypoints=0, bbox=[0, 0, 0, 0]), 1))
        report = check()
        assert report.findings == {}
        assert report.splits[0]['dropped'] == {'crowd': 1, 'no labelled keypoint': 1}
        assert (report.splits[0]['people'], report.splits[0]['annotations']) == (5, 7)
        assert 'train: MMPose drops of 7 annotations: 1 crowd, 1 no labelled keypoint' in report.to_text()

    def test_nobody(self, spoil, check):
        spoil(lambda content: content.update(annotations=[]))
        report = check()
        assert kinds(report) == {'no-people': (1, '6 images, 0 annotations')}
        assert report.splits[0]['images_without_people'] == 6

    def test_examples_are_limited(self, spoil, check):
        spoil(lambda content: [one.update(num_keypoints=9) for one in content['annotations']])
        report = check(num_examples=2)
        (entry,) = report.to_json()['problems']
        assert (entry['count'], entry['of'], entry['level']) == (7, 7, 'warning')
        assert [text.split(':')[0] for text in entry['examples']] == ['annotation 1', 'annotation 2']
        assert 'num-keypoints: 7 of 7 people (100.00%)' in report.to_text()
        assert '... and 5 more' in report.to_text()

    def test_images_alone_will_do_where_there_are_detector_boxes(self, spoil, check):
        name = 'annotations/person_keypoints_val.json'
        spoil(lambda content: content.pop('annotations'), name)
        evaluators = ('val_evaluator', 'test_evaluator')
        only = {name: dict(type='CocoMetric', format_only=True, outfile_prefix='a') for name in evaluators}
        assert check(change=only).findings == {}
        assert kinds(check())['evaluation-file'][1].endswith(f'{name} has no list "annotations"')
        with pytest.raises(InputError, match=f'{name} is not in COCO format: it has no list "annotations"'):
            check(change={'val_dataloader.dataset.bbox_file': None, 'test_dataloader.dataset.bbox_file': None})

    def test_a_file_that_is_something_else(self, spoil, check):
        spoil(dict.clear)
        with pytest.raises(InputError, match=f'{TRAIN} is not in COCO format: it has no list "images"'):
            check()


class TestAreas:
    """``CocoMetric`` needs the area of every annotation of an image with predictions."""

    VAL = 'annotations/person_keypoints_val.json'

    @pytest.fixture
    def without(self, root):
        """Takes ``area`` from all annotations of val, or gives them another."""

        def without(area=None):
            content = json.loads((root / self.VAL).read_text())
            for one in content['annotations']:
                one.pop('area') if area is None else one.update(area=area)
            (root / self.VAL).write_text(json.dumps(content))

        return without

    def test_missing(self, without, check):
        without()
        report = check()
        assert {key: group.count for key, group in report.findings.items()} == {('val, test', 'area-missing'): 5}
        assert kinds(report)['area-missing'][1] == 'annotation 1' and not report.ok()
        assert 'area-missing: 5 of 5 people (100.00%): CocoMetric stops without' in report.to_text()

    def test_no_number(self, without, check):
        without(math.nan)
        assert kinds(check()) == {'area': (5, 'annotation 1: area nan, not a number')}
        without(HUGE)
        assert kinds(check())['entry-malformed'][0] == 5  # the dataset class stops

    @pytest.mark.parametrize(
        ('evaluator', 'stops'),
        [
            (dict(type='CocoMetric'), True),
            (dict(type=CocoMetric, use_area=True), True),
            (dict(type='CocoWholeBodyMetric'), True),
            ([dict(type='PCKAccuracy'), dict(type='mmpose.CocoMetric')], True),
            (dict(type='CocoMetric', ann_file='train/../annotations/person_keypoints_val.json'), True),
            (dict(type='CocoMetric', ann_file='annotations/person_keypoints_train.json'), False),
            (dict(type='CocoMetric', use_area=False), False),
            (dict(type='CocoMetric', format_only=True), False),
            (dict(type='PCKAccuracy'), False),
            (None, False),
        ],
    )
    @pytest.mark.parametrize('split', ['val', 'test'])
    def test_evaluators(self, without, root, monkeypatch, evaluator, stops, split):
        without()
        monkeypatch.chdir(root)
        cfg = load_config(str(SYNTHETIC_CONFIG), dict(data_root=str(root)))
        cfg.val_evaluator = cfg.test_evaluator = None
        cfg[f'{split}_evaluator'] = evaluator
        assert ('area-missing' in kinds(check_dataset(cfg, images=False))) == stops

    def test_only_images_with_predictions(self, root, spoil, check):
        """An unlabelled person counts where another is predicted in the image, or a detector found somebody."""

        image_ids = [one['image_id'] for one in json.loads((root / self.VAL).read_text())['annotations']]
        beside = next(k for k, id in enumerate(image_ids) if image_ids.count(id) == 2)
        alone = next(k for k, id in enumerate(image_ids) if image_ids.count(id) == 1)

        def change(content):
            for k in (beside, alone):
                content['annotations'][k].update(keypoints=[0] * 51, num_keypoints=0)
                content['annotations'][k].pop('area')

        spoil(change, self.VAL)
        assert kinds(check())['area-missing'] == (2, f'annotation {min(beside, alone) + 1}')
        no_detector = {f'{split}_dataloader.dataset.bbox_file': None for split in ('val', 'test')}
        assert kinds(check(change=no_detector)) == {'area-missing': (1, f'annotation {beside + 1}')}

    def test_training_needs_none(self, spoil, check):
        spoil(lambda content: [one.pop('area') for one in content['annotations']])
        assert check().findings == {}


FIVE = dict(type='KeypointConverter', num_keypoints=5, mapping=[(k, k) for k in range(5)])


class TestEvaluators:
    """What ``CocoMetric`` compares is checked wherever a config puts it, and with what the predictions are."""

    VAL = 'annotations/person_keypoints_val.json'

    @pytest.fixture
    def checked(self, root):
        """Checks val with an evaluator; gives kinds and first examples."""

        def checked(evaluator, change=lambda dataset: None):
            cfg = load_config(str(SYNTHETIC_CONFIG), dict(data_root=str(root)))
            cfg.val_evaluator, cfg.val_dataloader.dataset.bbox_file = evaluator, None
            change(cfg.val_dataloader.dataset)
            return kinds(check_dataset(cfg, ['val'], images=False))

        return checked

    @pytest.mark.parametrize('kind', ['Evaluator', 'MultiDatasetEvaluator'])
    def test_inside_another(self, spoil, checked, kind):
        spoil(lambda content: [one.pop('area') for one in content['annotations']], self.VAL)
        assert checked(dict(type=kind, metrics=[dict(type='CocoMetric')]))['area-missing'][0] == 5
        assert checked(dict(type=kind, metrics=dict(type='CocoMetric', use_area=False))) == {}

    @pytest.mark.parametrize(
        ('type', 'converter', 'found'),
        [
            ('KeypointConverter', FIVE, {}),
            ('mmpose.KeypointConverter', FIVE, {}),
            (KeypointConverter, FIVE, {}),
            (
                'KeypointConverter',
                None,
                {
                    'evaluation-fields': 'annotation 1: keypoints has 51 entries, not 3 x 5 numbers',
                    'sigmas': 'metainfo.sigmas has 17 numbers for 5 keypoints',
                },
            ),
            (
                'KeypointConverter',
                dict(FIVE, num_keypoints=7),
                {'evaluation-converter': 'gt_converter gives 7 keypoints, 5 are evaluated'},
            ),
            (
                'KeypointConverter',
                dict(FIVE, mapping=[(30, 1)]),
                {'evaluation-converter': 'gt_converter: mapping takes keypoint 30, beyond the 17 that there are'},
            ),
            (
                'KeypointConverter',
                dict(FIVE, mapping=[(k, (k + 1) % 5) for k in range(5)]),
                {'evaluation-converter': 'keypoint 0 is made of [4] by gt_converter, of [0] by the pipeline'},
            ),
            ('KeypointConverter', dict(FIVE, mapping=[((k, k), k) for k in range(4)]), {}),
        ],
    )
    def test_converters(self, checked, type, converter, found):
        evaluator = dict(type='CocoMetric', **(dict(gt_converter=converter) if converter else {}))
        said = checked(evaluator, lambda dataset: dataset.pipeline.insert(1, dict(FIVE, type=type)))
        assert {kind: text for kind, (_, text) in said.items() if kind != 'keypoint-count'} == found

    def test_a_file_of_the_keypoints_that_are_predicted(self, root, checked):
        content = json.loads((root / self.VAL).read_text())
        for one in content['annotations']:
            one['keypoints'] = one['keypoints'][:15]
        (root / 'five.json').write_text(json.dumps(content))
        cfg = load_config(str(SYNTHETIC_CONFIG), dict(data_root=str(root), **{'model.head.out_channels': 5}))
        cfg.val_evaluator = dict(type='CocoMetric', ann_file=str(root / 'five.json'))
        cfg.val_dataloader.dataset.update(bbox_file=None, pipeline=[FIVE])
        info = {k: dict(name=f'point{k}', id=k, swap='') for k in range(5)}
        metainfo = dict(dataset_name='five', keypoint_info=info, skeleton_info={}, joint_weights=[1.0] * 5)
        metainfo['sigmas'] = [0.05] * 5
        combined = dict(type='CombinedDataset', metainfo=metainfo, datasets=[cfg.val_dataloader.dataset])
        cfg.val_dataloader.dataset = combined
        around = cfg.val_dataloader.dataset
        assert kinds(check_dataset(cfg, ['val'], images=False)) == {}
        del cfg.val_evaluator['ann_file']
        text = "ann_file is not set, and no dataset is called 'five', as CombinedDataset is"
        assert kinds(check_dataset(cfg, ['val'], images=False))['evaluation-file'] == (1, text)
        around.metainfo['sigmas'] = []
        assert kinds(check_dataset(cfg, ['val'], images=False))['sigmas'][1].startswith('metainfo.sigmas has no num')
        info = around.metainfo.keypoint_info
        info[0]['name'], info[1]['name'] = 'left_eye', 'right_eye'
        found = kinds(check_dataset(cfg, ['val'], images=False))
        assert found['keypoint-swap'] == (2, 'left_eye swaps with left_eye, not right_eye')
        around.datasets[0].pipeline = []
        text = 'metainfo has 5, samples have 17: no KeypointConverter?'
        assert kinds(check_dataset(cfg, ['val'], images=False))['keypoint-count'] == (1, text)

    def test_predictions_that_are_converted(self, root, checked):
        """17 keypoints are predicted, 5 are compared with a file that has 5."""
        content = json.loads((root / self.VAL).read_text())
        for one in content['annotations']:
            one['keypoints'] = one['keypoints'][:15]
        (root / 'five.json').write_text(json.dumps(content))
        evaluator = dict(type='CocoMetric', ann_file=str(root / 'five.json'), pred_converter=FIVE)
        assert {kind: text for kind, (_, text) in checked(evaluator).items()} == {
            'sigmas': 'metainfo.sigmas has 17 numbers for 5 keypoints'
        }

    def test_each_metric_with_the_dataset_that_it_is_for(self, root):
        """``MultiDatasetEvaluator`` gives a metric the samples of one dataset class, with that class's metainfo."""
        cfg = load_config(str(SYNTHETIC_CONFIG), dict(data_root=str(root)))
        first = dict(cfg.val_dataloader.dataset, bbox_file=None)
        second = dict(first, type='HumanArtDataset', ann_file=TRAIN, data_prefix=dict(img='train/'))
        files = [str(root / self.VAL), str(root / TRAIN)]
        evaluator = dict(
            type='MultiDatasetEvaluator',
            metrics=[dict(type='CocoMetric', ann_file=file) for file in files],
            datasets=[dict(type='CocoDataset'), dict(type='mmpose.HumanArtDataset')],
        )
        metainfo = dict(from_file='configs/_base_/datasets/coco.py')
        combined = dict(type='CombinedDataset', metainfo=metainfo, datasets=[first, second])
        cfg.val_dataloader.dataset, cfg.val_evaluator = combined, evaluator
        assert kinds(check_dataset(cfg, ['val'], images=False)) == {}
        cfg.val_evaluator.metrics[1].ann_file = files[0]
        count, text = kinds(check_dataset(cfg, ['val'], images=False))['evaluation-image']
        assert count == 2 and text == f'image 5 is not in {files[0]}'

    def test_a_file_of_other_images(self, root, checked):
        content = json.loads((root / self.VAL).read_text())
        content['images'][0]['file_name'] = 'other.jpg'
        (root / 'other.json').write_text(json.dumps(content))
        count, text = checked(dict(type='CocoMetric', ann_file=str(root / 'other.json')))['evaluation-image']
        assert count == 1 and text == f'image 1 is 000000000001.jpg, in {root / "other.json"} it is other.jpg'

    def other_labels(self, root, change):
        """Writes the labels of val, changed, to a file of their own."""
        content = json.loads((root / self.VAL).read_text())
        change(content['annotations'])
        (root / 'other.json').write_text(json.dumps(content))
        return dict(type='CocoMetric', ann_file=str(root / 'other.json'))

    @pytest.mark.parametrize(
        'change',
        [
            lambda people: None,
            lambda people: [one.update(id=one['id'] + 100) for one in people],
            lambda people: people.reverse(),
            lambda people: [
                one.update(keypoints=[value + 0.9 * (value > 2) for value in one['keypoints']]) for one in people
            ],
        ],
        ids=['same', 'renumbered', 'reversed', 'rounded'],
    )
    def test_a_file_of_the_same_labels(self, root, checked, change):
        assert checked(self.other_labels(root, change)) == {}

    @pytest.mark.parametrize(
        ('change', 'count', 'text'),
        [
            (
                lambda person: person['keypoints'].__setitem__(3, person['keypoints'][3] + 5),
                2,
                'annotation 2 is not so in',
            ),
            (lambda person: person['keypoints'].__setitem__(5, 0), 2, 'annotation 2 is not so in'),
            (lambda person: person.update(iscrowd=1), 1, 'annotation 2 is not so in'),
        ],
        ids=['moved', 'unlabelled', 'a crowd'],
    )
    def test_a_file_of_other_labels(self, root, checked, change, count, text):
        """AP is by the evaluator's labels; each side's person is named that the other does not have."""
        found = checked(self.other_labels(root, lambda people: change(people[1])))
        assert {kind: (count, text[:25]) for kind, (count, text) in found.items()} == {
            'evaluation-labels': (count, text)
        }

    def test_a_file_of_more_people(self, root, checked):
        evaluator = self.other_labels(
            root, lambda people: people.append(dict(people[1], id=9, keypoints=[7.0, 7.0, 2.0] * 17))
        )
        text = f'annotation 9 of {root / "other.json"} is not so in the dataset'
        assert checked(evaluator) == {'evaluation-labels': (1, text)}

    @pytest.mark.parametrize('option', [dict(indices=2), dict(sample_interval=2)])
    def test_people_who_are_not_evaluated(self, checked, option):
        assert 'evaluation-missed' in checked(dict(type='CocoMetric'), lambda dataset: dataset.update(option))
        assert 'evaluation-missed' not in checked(dict(type='PCKAccuracy'), lambda dataset: dataset.update(option))

    def test_the_file_of_train_with_metainfo_of_its_own(self, root):
        cfg = load_config(str(SYNTHETIC_CONFIG), dict(data_root=str(root)))
        dataset = cfg.val_dataloader.dataset
        info = {k: dict(name=f'point{k}', id=k, swap='') for k in range(17)}
        metainfo = dict(dataset_name='a', keypoint_info=info, skeleton_info={}, joint_weights=[1.0] * 17, sigmas=[])
        dataset.update(ann_file=TRAIN, bbox_file=None, metainfo=metainfo, data_prefix=dict(img='train/'))
        found = kinds(check_dataset(cfg, ['train', 'val'], images=False))
        assert found['sigmas'][1] == 'metainfo.sigmas has no numbers for 17 keypoints'
        assert 'same-file' in found and 'leak' not in found

    def test_the_same_person_twice(self, spoil, checked):
        spoil(lambda content: content['annotations'].append(dict(content['annotations'][1], id=99)), self.VAL)
        assert checked(dict(type='CocoMetric')) == {'duplicate-person': (1, 'annotation 99 is annotation 2')}


class TestImages:
    @pytest.fixture
    def image_file(self, root):
        return root / 'train' / '000000000002.jpg'

    def test_missing(self, check, image_file):
        image_file.unlink()
        report = check(images=True)
        assert kinds(report) == {'image-missing': (1, f'image 2: {image_file} (No such file or directory)')}
        assert 'error: train: image-missing: 1 of 6 images (16.67%): the file does not exist' in report.to_text()

    @pytest.mark.parametrize(
        ('name', 'shown'),
        [('a\0b.jpg', 'a\0b.jpg'), ('\ud800.jpg', '\\ud800.jpg'), ('a\0b/c.jpg', 'a\0b/c.jpg')],
    )
    def test_names_that_no_file_can_have(self, spoil, check, root, name, shown):
        spoil(lambda content: content['images'][1].update(file_name=name))
        report = check(images=True)
        count, where = kinds(report)['image-missing']
        assert count == 1 and where.startswith(f'image 2: {root}/train/{shown} (') and len(report.findings) == 1
        assert printable(shown).encode() in report.to_text().encode()

    @pytest.mark.parametrize('share', [0, 0.5, 0.99])
    def test_truncated(self, check, image_file, share):
        content = image_file.read_bytes()
        image_file.write_bytes(content[: int(share * len(content))])
        found = kinds(check(images=True))
        assert found == {'image-damaged': (1, f'image 2: {image_file} ({int(share * len(content))} bytes)')}

    def test_another_size(self, check, spoil, image_file):
        image = cv2.imread(str(image_file))
        cv2.imwrite(str(image_file), image[:-1])
        h, w = image.shape[:2]
        assert kinds(check(images=True)) == {'image-size': (1, f'image 2: {image_file} is {w}x{h - 1}, not {w}x{h}')}
        spoil(lambda content: content['images'][1].update(width=h - 1, height=w))
        found = kinds(check(images=True))['image-size'][1]
        assert found == f'image 2: {image_file} is {w}x{h - 1}, not {h - 1}x{w} (turned by its EXIF orientation?)'

    def test_a_copy_within_the_split(self, check, spoil, image_file):
        other = image_file.with_name('000000000001.jpg')
        shutil.copy(image_file, other)
        found = kinds(check(images=True))
        assert found['duplicate-image'] == (1, f'{image_file} is {other}')
        assert set(found) <= {'duplicate-image', 'image-size'}

    def test_a_copy_in_another_split(self, check, spoil, root, image_file):
        copy = root / 'val' / '000000000003.jpg'
        shutil.copy(image_file, copy)
        h, w = cv2.imread(str(copy)).shape[:2]
        spoil(lambda one: one['images'][2].update(width=w, height=h), 'annotations/person_keypoints_val.json')
        report = check(images=True)
        assert report.findings['val, test', 'leak-copy'].examples == [f'{copy} is {image_file}']
        assert not report.ok()

    def test_the_same_file_in_two_splits(self, check, root):
        options = {
            f'{split}_dataloader.dataset.{key}': value
            for split in ('val', 'test')
            for key, value in (('data_prefix', dict(img='./train')), ('bbox_file', None))
        }
        shutil.copy(root / TRAIN, root / 'annotations' / 'person_keypoints_val.json')
        report = check(images=True, change=options)
        assert {kind: count for kind, (count, _) in kinds(report).items()} == {'leak': 6}
        assert report.findings['val, test', 'leak'].examples[0].endswith('train/000000000001.jpg')

    def test_only_some(self, check, root):
        for path in (root / 'train').iterdir():
            path.unlink()
        assert kinds(check(images=True, max_images=2, num_examples=9))['image-missing'][0] == 6
        assert check(images=False).findings == {}

    def test_only_some_are_read(self, check, root):
        for path in (root / 'train').iterdir():
            path.write_bytes(b'')
        assert kinds(check(images=True, max_images=2, num_examples=9))['image-damaged'][0] == 2

    def test_an_image_that_nobody_needs(self, check, spoil):
        spoil(lambda content: content['images'].append(dict(id=99, file_name='none.jpg')))
        report = check(images=True)
        assert kinds(report)['unused-image'][1].startswith('image 99: ') and report.ok()


class TestDetections:
    def entry(self, change):
        return lambda boxes: change(boxes[0])

    def test_malformed(self, check, spoil):
        spoil(self.entry(lambda box: box.update(bbox=[1, 2])), BOXES)
        count, text = kinds(check())['detections']
        assert count == 1 and 'person_detections_val.json: entry 0 has the box [1, 2]' in text

    @pytest.mark.parametrize('score', [1.5, -0.1, math.nan, 'high', None])
    def test_score(self, check, spoil, score):
        spoil(self.entry(lambda box: box.update(score=score)), BOXES)
        report = check()
        kind = 'detection-score-range' if isinstance(score, float) and math.isfinite(score) else 'detection-score'
        count, text = kinds(report)[kind]
        assert count == 1 and text.endswith(f'entry 0 has score {score!r}')
        assert report.ok() == (kind == 'detection-score-range')

    @pytest.mark.parametrize('field', ['image_id', 'category_id'])
    def test_ids_that_are_none(self, check, spoil, field):
        spoil(self.entry(lambda box: box.update({field: [1]})), BOXES)
        assert kinds(check())['detections'][1].endswith(f'entry 0 has {field}=[1]; a whole number is expected')

    def test_category(self, check, spoil):
        spoil(lambda boxes: [box.update(category_id=3) for box in boxes], BOXES)
        report = check()
        words = 'none of its 10 boxes is of category_id 1, which people carry in the annotations; it has 3: 10'
        assert kinds(report)['detections'][1].endswith(words) and not report.ok()
        spoil(lambda boxes: boxes[0].update(category_id=1), BOXES)
        assert kinds(check())['detection-category'][1].endswith('9 of 10 boxes are of other categories (3: 9)')

    def test_category_of_other_people(self, check, spoil):
        """Boxes of category 1, as detectors write them, are taken for the people's only category."""
        name = 'annotations/person_keypoints_val.json'
        spoil(lambda content: [one.update(category_id=9) for one in content['annotations']], name)
        spoil(lambda content: content['categories'][0].update(id=9), name)
        assert check().findings == {}
        spoil(lambda content: content['annotations'][0].update(category_id=1), name)
        assert kinds(check())['category-unlisted'] == (1, 'annotation 1: category_id 1')

    def test_boxes_of_another_form(self, check, spoil):
        def to_corners(boxes):
            for box in boxes:
                x, y, w, h = box['bbox']
                box['bbox'] = [x, y, x + w, y + h]

        spoil(to_corners, BOXES)
        report = check()
        words = '5 if it is read as x1, y1, x2, y2'
        assert kinds(report)['detection-corners'][1].endswith(words) and not report.ok()
        spoil(lambda boxes: [box.update(bbox=[0.001 * value for value in box['bbox']]) for box in boxes], BOXES)
        report = check()
        assert kinds(report)['detection-overlap'] == (1, '0 of 5 labelled people') and report.ok()

    @pytest.mark.parametrize('size', [(0, 40), (30, 0), (0, 0)])
    def test_without_area(self, check, spoil, size):
        """MMPose evaluates them as any other; detectors that clip boxes to the image write some."""
        spoil(self.entry(lambda box: box.update(bbox=[1, 2, *size])), BOXES)
        report = check()
        assert report.ok() and kinds(report)['detection-empty'][1].endswith(
            f'entry 0 has the box [1, 2, {size[0]}, {size[1]}]'
        )

    def test_an_annotation_file_without_categories(self, check, spoil):
        spoil(lambda content: content.pop('categories'), 'annotations/person_keypoints_val.json')
        words = 'the annotation file has no categories, which are read with boxes'
        assert kinds(check(evaluation=False))['detections'][1].endswith(words)

    def test_an_image_without_boxes(self, check, spoil):
        spoil(lambda boxes: boxes.__setitem__(slice(None), [box for box in boxes if box['image_id'] != 2]), BOXES)
        report = check()
        assert kinds(report) == {'image-without-box': (1, 'image 2')}
        assert report.ok() and not report.ok(strict=True)


class TestConfigs:
    @pytest.mark.parametrize(
        ('change', 'words'),
        [
            ({'train_dataloader.dataset.type': 'NoDataset'}, 'train_dataloader.dataset.*NoDataset'),
            ({'train_dataloader.dataset.ann_file': '/none.json'}, 'file /none.json does not exist$'),
            ({'train_dataloader.dataset.data_mode': 'sideways'}, 'train_dataloader.dataset.*sideways'),
            (
                {'val_dataloader.dataset.test_mode': False},
                'val_dataloader.dataset.test_mode=False: MMPose reads a bbox_file with True only',
            ),
            (
                {'val_dataloader.dataset.data_mode': 'bottomup'},
                "val_dataloader.dataset.data_mode='bottomup': MMPose reads a bbox_file with 'topdown' only",
            ),
        ],
    )
    def test_mistakes(self, check, change, words):
        with pytest.raises(InputError, match=words):
            check(change=change)

    @pytest.mark.parametrize(
        ('keypoint', 'links'),
        [(dict(name='nose', swap='nase'), {}), (dict(name='nose'), {0: dict(link=('nose', 'nase'))})],
    )
    def test_unknown_names_in_metainfo(self, check, keypoint, links):
        metainfo = dict(dataset_name='a', keypoint_info={0: keypoint}, skeleton_info=links, joint_weights=[], sigmas=[])
        with pytest.raises(
            InputError, match='train_dataloader.dataset: .*nase.* is not known; correct type or metainfo'
        ):
            check(change={'train_dataloader.dataset.metainfo': metainfo})

    def test_a_split_without_a_loader(self, check):
        with pytest.raises(InputError, match='the config has no val_dataloader with a dataset; leave val out'):
            check(change=dict(val_dataloader=None), splits=['val'])
        assert [one['split'] for one in check(change=dict(val_dataloader=None)).splits] == ['train', 'test']

    def test_the_head(self, check):
        report = check(change={'model.head.out_channels': 16})
        text = 'model.head.out_channels is 16, the dataset has 17'
        assert kinds(report) == {'keypoint-count': (1, text)} and len(report.findings) == 2

    @pytest.mark.parametrize(
        ('mapping', 'words'),
        [
            ([(0, 0), (17, 1)], 'mapping takes keypoint 17, beyond the 17 that there are'),
            ([((0, -1), 0)], 'mapping takes keypoint -1, beyond the 17 that there are'),
            ([(0, 5)], 'mapping gives keypoint 5, beyond the 5 that there are'),
            ([(0, 1, 2)], 'mapping=[(0, 1, 2)] must be pairs of a source, or two, and a target: numbers all'),
            ([('nose', 1)], "mapping=[('nose', 1)] must be pairs of a source, or two, and a target: numbers all"),
            (7, 'mapping=7 must be pairs of a source, or two, and a target: numbers all'),
        ],
    )
    def test_a_converter(self, check, mapping, words):
        pipeline = [dict(type='KeypointConverter', num_keypoints=5, mapping=mapping)]
        report = check(change={'train_dataloader.dataset.pipeline': pipeline, 'model.head.out_channels': 5})
        assert report.findings['train', 'keypoint-converter'].examples == [words]

    def test_half_body(self, check):
        info = {k: dict(name=f'point{k}', id=k, type='upper', swap='') for k in range(17)}
        metainfo = dict(
            dataset_name='points',
            keypoint_info=info,
            skeleton_info={},
            joint_weights=[1.0] * 17,
            sigmas=[0.05] * 17,
        )
        pipeline = [dict(type='RandomHalfBody')]
        change = {'train_dataloader.dataset.metainfo': metainfo, 'train_dataloader.dataset.pipeline': pipeline}
        found = kinds(check(change=change, splits=['train']))
        assert found['half-body'] == (1, "no keypoint in keypoint_info has type='lower'")
        assert "in metainfo 'point0'; 17 of 17 differ. The file has nose, left_eye," in found['keypoint-names'][1]
        assert set(found) == {'half-body', 'keypoint-names'}


class TestOtherLayouts:
    """Datasets that MMPose reads in their own way."""

    def config(self, kind, root, num, **dataset):
        dataset = dict(type=kind, data_root=str(root), ann_file='a.json', data_prefix=dict(img=''), **dataset)
        return Config(dict(train_dataloader=dict(dataset=dataset), model=dict(head=dict(out_channels=num))))

    def test_mpii(self, tmp_path):
        joints = [[100 + 5 * k, 100 + 3 * k] for k in range(16)]
        one = dict(image='1.jpg', center=[130, 120], scale=1.0, joints=joints, joints_vis=[1] * 16)
        for k, change in enumerate((dict(joints=joints[:15], joints_vis=[1] * 15), dict(joints_vis=[0] * 16)), 2):
            (tmp_path / 'a.json').write_text(json.dumps([one, {**one, 'image': f'{k}.jpg', **change}]))
            report = check_dataset(self.config('MpiiDataset', tmp_path, 16), images=k == 2)
            assert report.splits[0]['annotations'] == report.splits[0]['images'] == 2
            if k == 2:
                assert kinds(report)['keypoints-length'] == (1, 'annotation 1: 15 keypoints, metainfo has 16')
                assert kinds(report)['image-missing'][0] == kinds(report)['unused-image'][0] == 1
                assert len(report.findings) == 3
            else:
                assert report.findings == {}
        (tmp_path / 'a.json').write_text(json.dumps([{**one, 'center': None}]))
        with pytest.raises(InputError, match='a.json cannot be read by MpiiDataset: IndexError'):
            check_dataset(self.config('MpiiDataset', tmp_path, 16), images=False)

    def test_whole_body(self, people, tmp_path):
        content = json.loads((people / TRAIN).read_text())
        for one in content['annotations']:
            for part, count in (('foot', 6), ('face', 68), ('lefthand', 21), ('righthand', 21)):
                one[f'{part}_kpts'] = [0, 0, 0] * count
        content['annotations'][4]['face_kpts'] = [0, 0, 0] * 67
        (tmp_path / 'a.json').write_text(json.dumps(content))
        report = check_dataset(self.config('CocoWholeBodyDataset', tmp_path, 133), images=False)
        assert kinds(report) == {'keypoints-length': (1, 'annotation 5: 132 keypoints, metainfo has 133')}
        assert report.splits[0]['people'] == 6 and report.splits[0]['keypoints_per_person'] == 17

    def test_combined(self, people, tmp_path):
        shutil.copy(people / TRAIN, tmp_path / 'a.json')
        inner = self.config('CocoDataset', tmp_path, 17).train_dataloader.dataset
        converter = dict(type='KeypointConverter', num_keypoints=14, mapping=[(k, k) for k in range(14)])
        combined = dict(
            type='CombinedDataset',
            metainfo=dict(from_file='configs/_base_/datasets/aic.py'),
            datasets=[dict(inner, pipeline=[converter])],
        )
        for num, expected in (
            (14, {}),
            (17, {'keypoint-count': (1, 'model.head.out_channels is 17, the dataset has 14')}),
        ):
            cfg = Config(dict(train_dataloader=dict(dataset=combined), model=dict(head=dict(out_channels=num))))
            assert kinds(check_dataset(cfg, images=False)) == expected

    def test_two_datasets_of_a_split_are_told_apart(self, people, tmp_path):
        datasets = []
        for name in ('a.json', 'b.json'):
            content = json.loads((people / TRAIN).read_text())
            if name == 'b.json':
                content['annotations'][2]['bbox'] = [1, 2, 3]
            (tmp_path / name).write_text(json.dumps(content))
            datasets.append(dict(self.config('CocoDataset', tmp_path, 17).train_dataloader.dataset, ann_file=name))
        combined = dict(type='ConcatDataset', datasets=datasets)
        cfg = Config(dict(train_dataloader=dict(dataset=combined), model=dict(head=dict(out_channels=17))))
        report = check_dataset(cfg, images=False)
        folder = tmp_path.name
        assert [one['split'] for one in report.splits] == [f'train: {folder}/a.json', f'train: {folder}/b.json']
        assert list(report.findings) == [(f'train: {folder}/b.json', 'box-malformed')]


class TestCommandLine:
    @pytest.fixture
    def tool(self, run_command, root):
        def tool(*flags):
            return run_command('check_dataset', SYNTHETIC_CONFIG, *flags, '--cfg-options', f'data_root={root}')

        return tool

    def test_clean(self, tool, capsys):
        assert tool('--strict') == 0
        lines = capsys.readouterr().out.splitlines()
        assert lines[0].split()[:2] == ['split', 'images']
        assert lines[1].split() == ['train', '6', '0', '7', '17.0', TRAIN]

    def test_warnings_and_errors(self, tool, spoil, capsys, tmp_path):
        spoil(person(lambda one: one.update(num_keypoints=12)))
        assert tool('--no-images') == 0 and tool('--no-images', '--strict') == 1
        spoil(person(lambda one: one.pop('bbox'), 5))
        capsys.readouterr()
        assert tool('--no-images', '--json', tmp_path / 'found.json') == 1
        out = capsys.readouterr().out
        assert out.index('error: train: box-missing: 1 of 7 people') < out.index('warning: train: num-keypoints')
        found = json.loads((tmp_path / 'found.json').read_text())
        assert [entry['kind'] for entry in found['problems']] == ['box-missing', 'num-keypoints']
        assert found['splits'][0]['dropped'] == {'no bbox': 1}

    def test_preview(self, tool, spoil, root, capsys, tmp_path):
        def change(content):
            flags = [v for one in content['annotations'] for v in one['keypoints'][2::3]]
            assert set(flags) > {2}
            content['annotations'][-1].update(keypoints=[0] * 51, num_keypoints=0, bbox=[3, 4, 30, 40])
            content['annotations'][0]['bbox'] = [1, 2]

        spoil(change)
        first, last = (f'train/{number:012}.jpg' for number in (1, 6))
        (root / first).write_bytes(b'no image')
        sheet = tmp_path / 'new' / 'labels.png'
        assert tool('--split', 'train', '--preview', sheet) == 1
        assert capsys.readouterr().out.endswith(f'{sheet}: 5 images of train with their labels\n')
        drawn = cv2.imread(str(sheet))
        assert drawn.shape == (2 * 400, 4 * 480, 3)
        h, w = cv2.imread(str(root / last)).shape[:2]
        scale = min(480 / w, 400 / h)
        cell = drawn[400:, :480][(400 - round(h * scale)) // 2 :, (480 - round(w * scale)) // 2 :]
        x, y, right = round(3 * scale), round(4 * scale), round(33 * scale)
        assert (cell[y, x:right] == 255).all()  # the box of a person without labels
        colours = {(0, 255, 0), (0, 128, 255), (255, 153, 51)}  # left, right and head in COCO's colours
        assert colours < {tuple(pixel) for pixel in drawn[:400].reshape(-1, 3).tolist()}

    def test_a_preview_that_cannot_be_made(self, tool, root, capsys, tmp_path):
        (tmp_path / 'file').touch()
        with pytest.raises(InputError, match='--preview'):
            tool('--preview', tmp_path / 'file' / 'labels.png')
        with pytest.raises(SystemExit):
            tool('--preview', 'labels.gif')
        assert 'labels.gif: the name must end in .png or .jpg' in capsys.readouterr().err
        shutil.rmtree(root / 'train')
        with pytest.raises(InputError, match='train: none of the images'):
            tool('--no-images', '--preview', tmp_path / 'labels.png')

    @pytest.mark.parametrize(
        ('options', 'words'),
        [
            (dict(max_images=0), 'max_images=0 must be at least 1'),
            (dict(num_workers=0), 'num_workers=0 must be at least 1'),
            (dict(num_examples=-1), 'num_examples=-1 must be at least 0'),
        ],
    )
    def test_numbers(self, root, options, words):
        cfg = load_config(SYNTHETIC_CONFIG, dict(data_root=str(root)))
        with pytest.raises(InputError, match=words):
            check_dataset(cfg, **options)

    def test_help(self, run_command, capsys):
        with pytest.raises(SystemExit):
            run_command('check_dataset', '--help')
        assert 'mmtranspose check-dataset transpose-r-a3 --cfg-options' in capsys.readouterr().out
