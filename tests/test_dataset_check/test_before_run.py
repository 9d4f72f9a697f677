"""What is said about data files that cannot be used."""

import json
import shutil

import pytest
from conftest import SYNTHETIC_CONFIG
from mmengine.dataset import BaseDataset

from mmtranspose.dataset_check.before_run import check_data
from mmtranspose.dataset_check.detection_file import check_detections
from mmtranspose.errors import InputError
from mmtranspose.loading.config import LOADERS, load_config


@pytest.fixture
def root(people, tmp_path):
    """A copy of the people that a test may spoil."""
    return shutil.copytree(people, tmp_path / 'people')


@pytest.fixture
def cfg(root):
    """The synthetic config on that copy."""
    return load_config(str(SYNTHETIC_CONFIG), dict(data_root=str(root)))


VAL = 'annotations/person_keypoints_val.json'
TRAIN = 'annotations/person_keypoints_train.json'


class TestCheckData:
    def test_good_data_pass(self, cfg):
        report = check_data(cfg, LOADERS)
        assert report.findings == {} and [one['split'] for one in report.splits] == ['train', 'val, test']

    def test_template_for_other_keypoints(self, cfg):
        """The fine-tuning template as it comes, on people of 17 keypoints: the names of both are told."""
        template = load_config('td-hm_transpose-r-a3_finetune-1xb28-50e_custom-256x192')
        cfg.train_dataloader.dataset.metainfo = template.metainfo
        with pytest.raises(InputError) as caught:
            check_data(cfg, ('train_dataloader',))
        first = next(line for line in caught.value.details if line.startswith('    category'))
        assert first.startswith("    category 'person' names 17, metainfo 7. The file has nose, left_eye, right_eye, ")
        assert first.endswith(
            'right_ankle; metainfo has head, left_shoulder, right_shoulder, left_hand, right_hand, '
            'left_foot, right_foot'
        )
        assert 'error: train: keypoints-of-another: ' in str(caught.value)

    def test_only_the_loaders_in_use_are_checked(self, cfg, root):
        (root / TRAIN).unlink()
        check_data(cfg, ('val_dataloader', 'test_dataloader'))
        cfg.train_dataloader = None
        assert check_data(cfg, ('train_dataloader',)).splits == []

    @pytest.mark.parametrize('wrapper', [None, 'CombinedDataset', 'RepeatDataset', 'ConcatDataset'])
    def test_missing_annotations(self, cfg, root, wrapper):
        inner = cfg.train_dataloader.dataset
        if wrapper is not None:
            wrapped = dict(dataset=inner) if wrapper == 'RepeatDataset' else dict(datasets=[inner])
            cfg.train_dataloader.dataset = dict(type=wrapper, **wrapped)
        check_data(cfg, LOADERS)
        (root / TRAIN).unlink()
        beside = '; its folder has person_keypoints_val.json'
        with pytest.raises(InputError, match=f'annotation file {root / TRAIN} does not exist{beside}$'):
            check_data(cfg, LOADERS)
        (root / TRAIN).parent.rename(root / 'elsewhere')
        cure = f'; the dataset is not in {root}/?: --cfg-options data_root=DIR says where it is'
        with pytest.raises(InputError, match=f'annotation file {root / TRAIN} does not exist{cure}$'):
            check_data(cfg, LOADERS)

    @pytest.mark.parametrize('wrapper', ['CombinedDataset', 'RepeatDataset', 'ConcatDataset'])
    def test_faults_of_a_wrapped_dataset(self, cfg, root, wrapper):
        content = json.loads((root / TRAIN).read_text())
        content['annotations'][2]['bbox'] = 'wide'
        (root / TRAIN).write_text(json.dumps(content))
        inner = cfg.train_dataloader.dataset
        wrapped = dict(dataset=inner) if wrapper == 'RepeatDataset' else dict(datasets=[inner])
        cfg.train_dataloader.dataset = dict(type=wrapper, **wrapped)
        with pytest.raises(InputError, match="annotation 3: bbox 'wide'"):
            check_data(cfg, ('train_dataloader',))

    def test_keypoints_of_a_file_that_a_converter_renumbers(self, cfg):
        cfg.model.head.out_channels = 5
        with pytest.raises(InputError, match='model.head.out_channels is 5, the dataset has 17'):
            check_data(cfg, ('train_dataloader',))
        step = dict(type='KeypointConverter', num_keypoints=5, mapping=[(i, i) for i in range(5)])
        cfg.train_dataloader.dataset.pipeline.insert(0, step)
        check_data(cfg, ('train_dataloader',))

    @pytest.mark.parametrize('content', [b'', b'{"images": [', b'<html>', b'\xff\xd8\xff\xe0'])
    def test_annotations_that_are_not_json(self, cfg, root, content):
        (root / VAL).write_bytes(content)
        with pytest.raises(InputError, match=f'annotation file {root / VAL} is not JSON: '):
            check_data(cfg, LOADERS)

    @pytest.mark.parametrize('content', ['[]', '{"annotations": []}', '3', '{"images": 3, "annotations": []}'])
    def test_annotations_that_are_not_coco(self, cfg, root, content):
        (root / VAL).write_text(content)
        with pytest.raises(InputError, match=f'annotation file {root / VAL} is not in COCO format: it has no list "im'):
            check_data(cfg, LOADERS)

    @pytest.mark.parametrize('encoding', ['utf-8-sig', 'utf-16'])
    def test_byte_order_marks(self, cfg, root, encoding):
        for name in (TRAIN, VAL):
            (root / name).write_text((root / name).read_text(), encoding=encoding)
        assert check_data(cfg, LOADERS).splits[0]['people'] == 7

    def test_the_files_list_of_keypoints_decides_nothing(self, cfg, root):
        """MMPose takes keypoints from metainfo; categories that nobody carries may have any."""
        content = json.loads((root / VAL).read_text())
        content['categories'].append(dict(id=2, name='hand', keypoints=['thumb', 'palm', 'wrist']))
        (root / VAL).write_text(json.dumps(content))
        assert check_data(cfg, LOADERS).findings == {}
        content['categories'][0]['keypoints'] = content['categories'][0]['keypoints'][:14]
        (root / VAL).write_text(json.dumps(content))
        assert check_data(cfg, LOADERS).findings == {}

    @pytest.mark.parametrize(
        ('categories', 'words'),
        [
            (None, ' is None; a list of dicts is expected'),
            ('person', " is 'person'; a list of dicts is expected"),
            (3, ' is 3; a list of dicts is expected'),
            ([3], r'\[0\] is 3; a dict with an id is expected'),
            ([{}], r'\[0\] is {}; a dict with an id is expected'),
        ],
    )
    def test_categories_that_are_something_else(self, cfg, root, categories, words):
        (root / VAL).write_text(json.dumps({**json.loads((root / VAL).read_text()), 'categories': categories}))
        with pytest.raises(InputError, match=f'annotation file {root / VAL}: categories{words}'):
            check_data(cfg, LOADERS)

    def test_missing_images(self, cfg, root):
        shutil.rmtree(root / 'val')
        with pytest.raises(InputError, match=f'image-missing: 4 of 4 .*\n.*there is no folder {root / "val"}'):
            check_data(cfg, LOADERS)

    def test_all_faults_are_told_line_by_line(self, cfg, root):
        content = json.loads((root / TRAIN).read_text())
        content['annotations'][2]['bbox'] = [1, 2, 3]
        content['annotations'][4]['image_id'] = 999
        (root / TRAIN).write_text(json.dumps(content))
        with pytest.raises(InputError, match=r'cannot be used \(mmtranspose check-dataset shows') as caught:
            check_data(cfg, LOADERS)
        assert [line.strip().split(' (')[0] for line in caught.value.details] == [
            'error: train: image-unknown: 1 of 7 people',
            'annotation 5: image_id 999',
            'error: train: box-malformed: 1 of 7 people',
            'annotation 3: bbox [1, 2, 3]',
        ]

    def test_a_dataset_of_another_kind_is_left_alone(self, cfg):
        cfg.train_dataloader.dataset = dict(type=BaseDataset, ann_file='none.npz')
        assert check_data(cfg, ('train_dataloader',)).splits == []

    def test_detections_are_checked(self, cfg, root):
        path = root / 'person_detection_results' / 'person_detections_val.json'
        for content, words in (
            ('[{"image_id": 1, "category_id": 1, "bbox": [1, 2, -3, 4], "score": 1}]', 'entry 0 has the box'),
            ('[]', 'has no box: nobody would be evaluated'),
        ):
            path.write_text(content)
            with pytest.raises(InputError, match=f'file of detector boxes {path}:? {words}'):
                check_data(cfg, ('test_dataloader',))
        path.unlink()
        with pytest.raises(InputError, match=f'file of detector boxes {path} does not exist'):
            check_data(cfg, ('test_dataloader',))
        cfg.test_dataloader.dataset.bbox_file = None
        check_data(cfg, ('test_dataloader',))


def detection(**changes):
    return {**dict(image_id=1, category_id=1, bbox=[1.5, 2, 30, 40], score=0.5), **changes}


class TestCheckDetections:
    @pytest.fixture
    def write(self, tmp_path):
        def write(content):
            (tmp_path / 'boxes.json').write_text(content if isinstance(content, str) else json.dumps(content))
            return str(tmp_path / 'boxes.json')

        return write

    @pytest.mark.parametrize(
        'content', [[], [detection()], [detection(bbox=[-5, -5, 1e-3, 1e4])], [detection(bbox=[1, 2, 0, 4])]]
    )
    def test_good_boxes(self, write, content):
        assert check_detections(write(content)) == content

    @pytest.mark.parametrize(
        'box',
        [
            [1, 2, -3, 4],
            [1, 2, 3, -4],
            [float('nan'), 2, 3, 4],
            [1, 2, float('nan'), 4],
            [1, float('inf'), 3, 4],
            [1, 2, 3, float('inf')],
            [1, 2, 3],
            [],
            [1, 2, 'wide', 4],
            [1, 2, None, 4],
            None,
            7,
        ],
        ids=str,
    )
    def test_bad_boxes(self, write, box):
        path = write([detection(), detection(bbox=box)])
        with pytest.raises(InputError, match=f'file of detector boxes {path}: entry 1 ') as caught:
            check_detections(path)
        assert str(box) in str(caught.value)

    @pytest.mark.parametrize('field', ['image_id', 'category_id', 'bbox', 'score'])
    def test_missing_fields(self, write, field):
        entry = detection()
        del entry[field]
        path = write([detection(), detection(), entry])
        with pytest.raises(InputError, match=f'file of detector boxes {path}: entry 2 has no {field}'):
            check_detections(path)

    @pytest.mark.parametrize('field', ['image_id', 'category_id'])
    @pytest.mark.parametrize('value', [[1], {}, None, 1.5], ids=str)
    def test_ids_that_are_none(self, write, field, value):
        path = write([detection(), detection(**{field: value})])
        with pytest.raises(InputError) as caught:
            check_detections(path, {1})
        words = f'entry 1 has {field}={value!r}; a whole number is expected'
        assert str(caught.value) == f'file of detector boxes {path}: {words}'

    @pytest.mark.parametrize('entry', [3, None, [1, 2, 3, 4], 'box'], ids=str)
    def test_entries_that_are_no_dicts(self, write, entry):
        path = write([entry])
        with pytest.raises(InputError, match=f'file of detector boxes {path}: entry 0 '):
            check_detections(path)

    def test_no_list(self, write):
        with pytest.raises(InputError, match='must hold a list, not a dict'):
            check_detections(write({'annotations': []}))

    def test_no_json(self, write):
        path = write('[{"image_id": 1, ')
        with pytest.raises(InputError, match=f'file of detector boxes {path} is not JSON: .*line 1'):
            check_detections(path)


def test_detections_for_an_image_that_is_not_annotated(tmp_path):
    path = tmp_path / 'boxes.json'
    entry = dict(image_id=7, category_id=1, bbox=[1, 2, 3, 4], score=0.5)
    path.write_text(json.dumps([entry, {**entry, 'image_id': 9}]))
    check_detections(str(path), {7, 9})
    with pytest.raises(InputError, match='entry 1 is for image 9, which the annotation file does not have'):
        check_detections(str(path), {7})
