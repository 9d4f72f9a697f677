"""Annotation files as other tools write them, read and evaluated by MMPose."""

import json
import shutil

import numpy as np
import pytest
from conftest import SYNTHETIC_CONFIG
from mmengine.fileio import load
from mmpose.registry import DATASETS
from what_mmpose_does import evaluated_on, forget
from xtcocotools.coco import COCO

from mmtranspose.compat.windows_paths import found_path
from mmtranspose.loading.config import load_config

VAL = 'annotations/person_keypoints_val.json'


@pytest.fixture
def root(people, tmp_path):
    return shutil.copytree(people, tmp_path / 'people')


def dataset(root):
    config = load_config(str(SYNTHETIC_CONFIG), dict(data_root=str(root))).val_dataloader.dataset
    crop = dict(input_size=(48, 64))
    steps = [dict(type='LoadImage'), dict(type='GetBBoxCenterScale'), dict(type='TopdownAffine', **crop)]
    config.update(pipeline=[*steps, dict(type='PackPoseInputs')], bbox_file=None)
    return config


def metrics(root, change=lambda content: None, **options):
    forget()
    path = root / VAL
    content = json.loads(path.read_text())
    names = {image['id']: image['file_name'] for image in content['images']}
    truth = {
        (names[one['image_id']], k): np.reshape(one['keypoints'], (-1, 3))[:, :2]
        for k, one in enumerate(content['annotations'])
    }
    change(content)
    path.write_text(json.dumps(content))
    return evaluated_on(dataset(root), dict(type='CocoMetric', **options), truth)


class TestKeypoints:
    @pytest.mark.parametrize('keypoints', [None, []])
    @pytest.mark.parametrize('crowd', [0, 1])
    def test_an_annotation_without_them_is_a_region_to_ignore(self, root, keypoints, crowd):
        clean = metrics(root)
        assert 0 < clean['coco/AP'] < 1

        def change(content):
            image = content['images'][0]['id']
            more = dict(id=99, image_id=image, category_id=1, bbox=[5, 5, 60, 100], area=3000, iscrowd=crowd)
            content['annotations'].append(more if keypoints is None else dict(more, keypoints=keypoints))

        assert metrics(root, change) == clean


class TestByteOrderMark:
    def test_both_readers(self, tmp_path):
        path = tmp_path / 'a.json'
        content = dict(images=[dict(id=1, file_name='é.jpg')], annotations=[], categories=[])
        for encoding in ('utf-8-sig', 'utf-8'):
            path.write_text(json.dumps(content, ensure_ascii=False), encoding=encoding)
            assert COCO(str(path)).imgs == {1: content['images'][0]} and load(str(path)) == content


class TestBackslashes:
    def test_found_only_where_the_file_is(self, tmp_path):
        (tmp_path / 'train').mkdir()
        (tmp_path / 'train' / '1.jpg').touch()
        (tmp_path / 'a\\b.jpg').touch()  # such a name is possible
        assert found_path(f'{tmp_path}/train\\1.jpg') == f'{tmp_path}/train/1.jpg'
        for same in (f'{tmp_path}/a\\b.jpg', f'{tmp_path}/train\\2.jpg', f'{tmp_path}/train/1.jpg', 'a\\\0'):
            assert found_path(same) == same

    def test_a_dataset(self, root):
        def paths():
            built = DATASETS.build(dict(dataset(root), pipeline=[]))
            return [built.get_data_info(k)['img_path'] for k in range(len(built))]

        before = paths()
        content = json.loads((root / VAL).read_text())
        for image in content['images']:
            image['file_name'] = f'..\\val\\{image["file_name"]}'
        (root / VAL).write_text(json.dumps(content))
        assert [path.replace('/../val/', '/') for path in paths()] == before and '\\' not in ''.join(paths())
