"""The affine that a crop is recorded with, against images whose pixels are their own coordinates."""

import pickle

import numpy as np
import pytest
from mmcv.transforms import Compose
from mmengine.config import ConfigDict
from mmengine.dataset import Compose as EngineCompose
from mmengine.dataset import pseudo_collate
from mmpose.datasets.transforms import GetBBoxCenterScale, PackPoseInputs, TopdownAffine
from mmpose.registry import DATASETS
from torch.utils.data import DataLoader, Subset

from mmtranspose.apis import InputError
from mmtranspose.crops.crop_affine import RecordAffine, record_affines, recorded_affine
from mmtranspose.crops.crop_maker import CropMaker
from mmtranspose.datasets.transforms import UnbiasedTopdownAffine

SIZE = (48, 64)
BOX = np.array([[40, 30, 120, 190]], np.float32)


def coordinate_image(h=240, w=200):
    """(h, w, 3), float32: (x, y, 1) of every pixel."""
    y, x = np.mgrid[:h, :w].astype(np.float32)
    return np.stack([x, y, np.ones_like(x)], axis=-1)


def crop_of(pipeline, **results):
    return pipeline(dict(img=coordinate_image(), bbox=BOX, bbox_score=np.ones(1, np.float32)) | results)


def landed(crop):
    """Pixels (n, 2) of a crop of a coordinate image that lie in the image, and where (n, 2) they were taken from."""
    row, col = np.nonzero(crop[..., 2] == 1)
    return np.stack([col, row], axis=-1), crop[row, col, :2]


def mapped(affine, points):
    return points @ affine[:, :2].T + affine[:, 2]


@pytest.mark.parametrize('rotation', [None, 30.0, -75.0])
@pytest.mark.parametrize(
    'cut', [UnbiasedTopdownAffine(SIZE), TopdownAffine(SIZE, use_udp=True), TopdownAffine(SIZE)], ids=repr
)
def test_where_the_pixels_come_from(cut, rotation):
    pipeline = Compose([GetBBoxCenterScale(), cut])
    record_affines(pipeline)
    results = crop_of(pipeline, **({} if rotation is None else dict(bbox_rotation=np.array([rotation]))))
    pixels, expected = landed(results['img'])
    assert len(pixels) > 2000
    assert np.abs(mapped(results['crop_to_image'], pixels) - expected).max() < 1 / 32 + 1e-3  # OpenCV's rounding


@pytest.mark.parametrize(
    'cut', [UnbiasedTopdownAffine(SIZE), TopdownAffine(SIZE, use_udp=True), TopdownAffine(SIZE)], ids=repr
)
def test_keypoints_come_back(cut):
    points = np.array([[[30, 40], [100, 200], [77.5, 13.25]]], np.float32)
    pipeline = Compose([GetBBoxCenterScale(), cut])
    record_affines(pipeline)
    results = crop_of(pipeline, keypoints=points)
    back = mapped(results['crop_to_image'], results['transformed_keypoints'][0])
    np.testing.assert_allclose(back, points[0], atol=2e-4)


class TestPipelines:
    def steps(self):
        return [GetBBoxCenterScale(), TopdownAffine(SIZE), PackPoseInputs()]

    def affine(self, pipeline):
        return recorded_affine(crop_of(pipeline)['data_samples'])

    @pytest.mark.parametrize('compose', [Compose, EngineCompose])
    def test_packed_in_the_metainfo(self, compose):
        pipeline = compose(self.steps())
        record_affines(pipeline)
        box_width = 160 * 48 / 64 * 1.25  # of the box widened to the crop's aspect ratio, and padded
        np.testing.assert_allclose(self.affine(pipeline)[0], [box_width / 48, 0, 80 - box_width / 2], atol=1e-5)

    def test_twice_is_once(self):
        pipeline = Compose(self.steps())
        record_affines(pipeline)
        record_affines(pipeline)
        assert [type(step).__name__ for step in pipeline.transforms] == [
            'GetBBoxCenterScale',
            'TopdownAffine',
            'RecordAffine',
            'PackPoseInputs',
        ]
        assert pipeline.transforms[-1].meta_keys.count('crop_to_image') == 1

    def test_nested(self):
        center, cut, pack = self.steps()
        nested = Compose([center, Compose([cut]), pack])
        plain = Compose(self.steps())
        for pipeline in (nested, plain):
            record_affines(pipeline)
        np.testing.assert_array_equal(self.affine(nested), self.affine(plain))

    def test_pickled(self):
        pipeline = Compose(self.steps())
        record_affines(pipeline)
        copied = pickle.loads(pickle.dumps(pipeline))
        assert isinstance(copied.transforms[2], RecordAffine)
        np.testing.assert_array_equal(self.affine(copied), self.affine(pipeline))

    def test_without_a_record_it_is_refused(self):
        sample = crop_of(Compose(self.steps()))['data_samples']
        with pytest.raises(InputError, match=r"no 'crop_to_image' in .*prepare_crops.*record_affines"):
            recorded_affine(sample)


class TestDatasets:
    @pytest.fixture
    def config(self, tiny_model):
        return tiny_model.cfg.test_dataloader.dataset

    def test_a_loaders_workers_record(self, config):
        dataset = DATASETS.build(config)
        record_affines(dataset)
        loader = DataLoader(dataset, 2, num_workers=1, collate_fn=pseudo_collate)
        for sample, worked in zip((dataset[0], dataset[1]), next(iter(loader))['data_samples']):
            np.testing.assert_array_equal(recorded_affine(worked), recorded_affine(sample['data_samples']))

    def test_combined_and_wrapped(self, config, tiny_model):
        parts = [config, ConfigDict(config, pipeline=list(config.pipeline))]
        metainfo = dict(from_file='configs/_base_/datasets/coco.py')
        combined = DATASETS.build(dict(type='CombinedDataset', metainfo=metainfo, datasets=parts, pipeline=[]))
        record_affines(Subset(combined, range(len(combined))))
        alone = DATASETS.build(config)
        record_affines(alone)
        for index in (0, len(alone)):
            found = recorded_affine(combined[index]['data_samples'])
            np.testing.assert_array_equal(found, recorded_affine(alone[0]['data_samples']))


def test_crops_are_recorded(tiny_model):
    image = coordinate_image().astype(np.uint8)
    [crop] = CropMaker(tiny_model)(image, BOX)
    pixels, expected = landed(crop['inputs'].permute(1, 2, 0).numpy())
    assert np.abs(mapped(recorded_affine(crop['data_samples']), pixels) - expected).max() < 0.6  # whole numbers
