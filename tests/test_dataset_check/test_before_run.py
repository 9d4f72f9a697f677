"""What is said about data files that cannot be used."""

import json
import shutil

import pytest
from conftest import SYNTHETIC_CONFIG

from mmtranspose.dataset_check.before_run import check_data
from mmtranspose.dataset_check.detection_file import check_detections
from mmtranspose.errors import InputError
from mmtranspose.loading.config import LOADERS, load_config


@pytest.fixture
def cfg(people, tmp_path):
    """The synthetic config on a copy of the people's annotations that a test may spoil."""
    for folder in ('annotations', 'person_detection_results'):
        shutil.copytree(people / folder, tmp_path / folder)
    for folder in ('train', 'val'):
        (tmp_path / folder).mkdir()
    return load_config(str(SYNTHETIC_CONFIG), dict(data_root=str(tmp_path)))


class TestCheckData:
    def test_good_data_pass(self, cfg):
        check_data(cfg, LOADERS)

    def test_only_the_loaders_in_use_are_checked(self, cfg, tmp_path):
        (tmp_path / 'annotations' / 'person_keypoints_train.json').unlink()
        check_data(cfg, ('val_dataloader', 'test_dataloader'))
        cfg.train_dataloader = None
        check_data(cfg, ('train_dataloader',))

    def test_missing_annotations(self, cfg, tmp_path):
        path = tmp_path / 'annotations' / 'person_keypoints_train.json'
        path.unlink()
        with pytest.raises(InputError, match=f'annotation file of train_dataloader {path} does not exist'):
            check_data(cfg, LOADERS)

    @pytest.mark.parametrize('wrapper', ['CombinedDataset', 'RepeatDataset'])
    def test_missing_annotations_of_a_wrapped_dataset(self, cfg, tmp_path, wrapper):
        inner = cfg.train_dataloader.dataset
        wrapped = dict(datasets=[inner]) if wrapper == 'CombinedDataset' else dict(dataset=inner)
        cfg.train_dataloader.dataset = dict(type=wrapper, **wrapped)
        check_data(cfg, LOADERS)
        path = tmp_path / 'annotations' / 'person_keypoints_train.json'
        path.unlink()
        with pytest.raises(InputError, match=f'annotation file of train_dataloader {path} does not exist'):
            check_data(cfg, LOADERS)

    def test_keypoints_of_a_file_that_a_converter_renumbers(self, cfg):
        cfg.model.head.out_channels = 5
        with pytest.raises(InputError, match='has 17 keypoints, but the head predicts 5'):
            check_data(cfg, ('train_dataloader',))
        step = dict(type='KeypointConverter', num_keypoints=5, mapping=[(i, i) for i in range(5)])
        cfg.train_dataloader.dataset.pipeline.insert(0, step)
        check_data(cfg, ('train_dataloader',))

    @pytest.mark.parametrize('content', [b'', b'{"images": [', b'<html>', b'\xff\xd8\xff\xe0'])
    def test_annotations_that_are_not_json(self, cfg, tmp_path, content):
        path = tmp_path / 'annotations' / 'person_keypoints_val.json'
        path.write_bytes(content)
        with pytest.raises(InputError, match=f'annotation file of val_dataloader {path} is not JSON: '):
            check_data(cfg, LOADERS)

    @pytest.mark.parametrize('content', ['[]', '{"annotations": []}', '3'])
    def test_annotations_that_are_not_coco(self, cfg, tmp_path, content):
        path = tmp_path / 'annotations' / 'person_keypoints_val.json'
        path.write_text(content)
        with pytest.raises(InputError, match=f'annotation file {path} is not in COCO format: it has no "images"'):
            check_data(cfg, LOADERS)

    def test_another_number_of_keypoints(self, cfg, tmp_path):
        path = tmp_path / 'annotations' / 'person_keypoints_val.json'
        content = json.loads(path.read_text())
        content['categories'][0]['keypoints'] = content['categories'][0]['keypoints'][:14]
        path.write_text(json.dumps(content))
        words = f"annotation file {path}: category 'person' has 14 keypoints, but the head predicts 17"
        with pytest.raises(InputError, match=f'{words}; set model.head.out_channels=14'):
            check_data(cfg, LOADERS)
        cfg.model.head.out_channels = 14
        check_data(cfg, ('val_dataloader',))

    @pytest.mark.parametrize(
        ('categories', 'words'),
        [
            (None, ' is None; a list of dicts is wanted'),
            ('person', " is 'person'; a list of dicts is wanted"),
            (3, ' is 3; a list of dicts is wanted'),
            ([3], r'\[0\] is 3; a dict with an id is wanted'),
            ([{}], r'\[0\] is {}; a dict with an id is wanted'),
            ([dict(id=1, keypoints=7)], r'\[0\] has keypoints=7; a list of names is wanted'),
        ],
    )
    def test_categories_that_are_something_else(self, cfg, tmp_path, categories, words):
        path = tmp_path / 'annotations' / 'person_keypoints_val.json'
        path.write_text(json.dumps({**json.loads(path.read_text()), 'categories': categories}))
        with pytest.raises(InputError, match=f'annotation file {path}: categories{words}'):
            check_data(cfg, LOADERS)

    @pytest.mark.parametrize('categories', [None, [], [dict(id=1)], [dict(id=1.0, keypoints=None)]])
    def test_categories_that_name_no_keypoints(self, cfg, tmp_path, categories):
        path = tmp_path / 'annotations' / 'person_keypoints_val.json'
        content = json.loads(path.read_text())
        content.pop('categories') if categories is None else content.update(categories=categories)
        path.write_text(json.dumps(content))
        check_data(cfg, LOADERS)

    @pytest.mark.parametrize('images', [None, 3, ['a'], [{}], [dict(id=[1])]])
    def test_images_without_ids(self, cfg, tmp_path, images):
        path = tmp_path / 'annotations' / 'person_keypoints_val.json'
        path.write_text(json.dumps({**json.loads(path.read_text()), 'images': images}))
        with pytest.raises(InputError, match=f'annotation file {path}: "images" must be a list of dicts with an id'):
            check_data(cfg, LOADERS)

    def test_missing_images(self, cfg, tmp_path):
        (tmp_path / 'val').rmdir()
        with pytest.raises(InputError, match=f'image folder {tmp_path / "val"} of val_dataloader does not exist'):
            check_data(cfg, LOADERS)

    def test_detections_are_checked(self, cfg, tmp_path):
        path = tmp_path / 'person_detection_results' / 'person_detections_val.json'
        path.write_text('[{"image_id": 1, "category_id": 1, "bbox": [1, 2, 0, 4], "score": 1}]')
        with pytest.raises(InputError, match=f'file of detector boxes {path}: entry 0'):
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

    @pytest.mark.parametrize('content', [[], [detection()], [detection(bbox=[-5, -5, 1e-3, 1e4])]])
    def test_good_boxes(self, write, content):
        check_detections(write(content))

    @pytest.mark.parametrize(
        'box',
        [
            [1, 2, 0, 4],
            [1, 2, 3, 0],
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
        words = f'entry 1 has {field}={value!r}; a whole number is wanted'
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
