"""Annotation files as other tools write them, read and evaluated by MMPose."""

import json
import shutil

import numpy as np
import pytest
from conftest import SYNTHETIC_CONFIG
from mmengine.fileio import load
from mmpose.registry import DATASETS, METRICS
from what_mmpose_does import evaluated_on, forget
from xtcocotools.coco import COCO

from mmtranspose.compat.windows_paths import found_path
from mmtranspose.errors import InputError
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


def metrics(root, change=lambda content: None, boxes=None, **options):
    """The metrics of predictions near the truth in val's annotations, which ``change`` changes, or in boxes."""
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
    config = dataset(root)
    if boxes is not None:
        (root / 'boxes.json').write_text(json.dumps(boxes))
        config.update(bbox_file=str(root / 'boxes.json'), test_mode=True)
    return evaluated_on(config, dict(type='CocoMetric', **options), truth)


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


class TestDetectorBoxes:
    """People of any category are evaluated in a detector's boxes as in annotated ones."""

    def boxes(self, root, category):
        people = json.loads((root / VAL).read_text())['annotations']
        return [dict(image_id=one['image_id'], category_id=category, bbox=one['bbox'], score=1.0) for one in people]

    def in_category(self, category):
        def change(content):
            other = 'dog' if isinstance(category, str) else 1
            content['categories'].insert(0, dict(id=other, name='dog', keypoints=[]))
            content['categories'][1]['id'] = category
            for one in content['annotations']:
                one['category_id'] = category

        return change

    @pytest.mark.parametrize('category', [9, 0, 2, 'person'])
    @pytest.mark.parametrize('of_boxes', [1, 'own'])
    def test_ap(self, root, category, of_boxes):
        clean = metrics(root)
        boxes = self.boxes(root, category if of_boxes == 'own' else of_boxes)
        assert metrics(root, self.in_category(category), boxes) == clean and 0.3 < clean['coco/AP'] < 0.6

    def test_cocos_own(self, root, caplog):
        """Where people are of category 1, MMPose's data list stays as it is; others are counted."""
        boxes = self.boxes(root, 1)
        boxes[1:1] = [dict(boxes[0], category_id=3)] * 2
        (root / 'boxes.json').write_text(json.dumps(boxes))
        config = dict(dataset(root), bbox_file=str(root / 'boxes.json'), test_mode=True, pipeline=[], lazy_init=True)
        built = DATASETS.build(config)
        people = built.load_data_list()
        assert [one['id'] for one in people] == [0, 1, 2, 3, 4] and not any('category_id' in one for one in people)
        np.testing.assert_allclose(
            [one['bbox'][0][:2] for one in people], [one['bbox'][:2] for one in self.boxes(root, 1)]
        )

    def test_nobody(self, root):
        (root / 'boxes.json').write_text(json.dumps(self.boxes(root, 3)))
        config = dict(dataset(root), bbox_file=str(root / 'boxes.json'), test_mode=True, pipeline=[])
        with pytest.raises(InputError, match=r'none of its 5 boxes is of category_id 1, .*; it has 3: 5'):
            DATASETS.build(config)


class TestGroundTruthConverter:
    MAPPING = ((5, 6), (6, 5), (0, 0))  # exchanges shoulders: converted twice, it would exchange them back

    def metric(self, root):
        forget()
        converter = dict(type='KeypointConverter', num_keypoints=7, mapping=self.MAPPING)
        metric = METRICS.build(dict(type='CocoMetric', ann_file=str(root / VAL), gt_converter=converter))
        built = DATASETS.build(dict(dataset(root), pipeline=[]))
        metric.dataset_meta = built.metainfo
        for k in range(len(built)):
            info = built.get_data_info(k)
            points = np.zeros((1, 7, 2))
            points[0, [6, 5, 0]] = info['keypoints'][0, [5, 6, 0]]
            instances = dict(
                keypoints=points, keypoint_scores=np.ones((1, 7)), bboxes=info['bbox'], bbox_scores=np.ones(1)
            )
            sample = dict(
                id=info['id'], img_id=info['img_id'], category_id=1, pred_instances=instances, gt_instances={}
            )
            metric.process([], [sample])
        return metric

    def test_every_evaluation_converts_once(self, root):
        metric = self.metric(root)
        before = {id: list(ann['keypoints']) for id, ann in metric.coco.anns.items()}
        first, second = (metric.compute_metrics(list(metric.results)) for _ in range(2))
        assert first == second and first['AP'] == 1
        assert {id: ann['keypoints'] for id, ann in metric.coco.anns.items()} == before
        assert [len(ann['keypoints']) for ann in metric.coco.anns.values()] == [51] * 5

    def test_shared_meta_data_stay(self, root):
        meta = DATASETS.build(dict(dataset(root), pipeline=[])).metainfo
        converter = dict(type='KeypointConverter', num_keypoints=7, mapping=self.MAPPING)
        metrics = [METRICS.build(dict(type='CocoMetric', gt_converter=converter)) for _ in range(2)]
        for metric in metrics:
            metric.dataset_meta = meta
        assert len(meta['sigmas']) == meta['num_keypoints'] == 17
        expected = [1, 1, 1, 1, 1, 1, 1]
        expected[0], expected[6], expected[5] = meta['sigmas'][[0, 5, 6]]
        for metric in metrics:
            np.testing.assert_allclose(metric.dataset_meta['sigmas'], expected)
