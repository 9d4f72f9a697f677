"""Crops cut inside a graph are those that OpenCV cuts."""

import numpy as np
import pytest
import torch
from mmpose.datasets.transforms import TopdownAffine

from mmtranspose.crops.crop_affine import recorded_affine
from mmtranspose.crops.crop_maker import CropMaker
from mmtranspose.deployment.graphs import CropCutting
from mmtranspose.deployment.graphs.crop_cutting import CONVENTIONS, convention_of, pixels_per_unit
from mmtranspose.errors import UnsupportedModelError


@pytest.fixture
def cutter(tiny_model):
    """Makes the tiny model's pipeline cut by a convention; returns a CropMaker and a CropCutting."""

    def make(convention):
        pipeline = tiny_model.cfg.test_dataloader.dataset.pipeline
        step = CONVENTIONS[convention]((48, 64))
        index = next(i for i, one in enumerate(pipeline) if one['type'].endswith('TopdownAffine'))
        pipeline[index] = dict(type=type(step).__name__, input_size=(48, 64))
        if convention == 'udp':
            pipeline[index]['use_udp'] = True
        return CropMaker(tiny_model), CropCutting.of(tiny_model)

    return make


@pytest.mark.parametrize('convention', CONVENTIONS)
def test_equals_opencv(convention, cutter, scene):
    maker, cutting = cutter(convention)
    image, boxes = scene
    boxes = np.concatenate([boxes, [[120, 70, 121, 71], [0, 0, 240, 180], [-3, -2, 500, 20]]]).astype(np.float32)
    wanted = maker(image, boxes)
    start, step = cutting.affines(torch.from_numpy(boxes))
    found = cutting(torch.from_numpy(np.ascontiguousarray(image)), start, step)
    for crop, own, first, scale in zip(found, wanted, start, step):
        affine = recorded_affine(own['data_samples'])
        assert np.allclose(affine, [[scale[0], 0, first[0]], [0, scale[1], first[1]]], atol=1e-4)
        difference = (crop - own['inputs'].float()).abs()
        # float32 here and there: now and then a position falls on the other side of 1/32 of a pixel
        assert (difference > 0).float().mean() < 0.05 and difference.max() <= 8


@pytest.mark.parametrize('convention', CONVENTIONS)
def test_keypoints_go_back_to_the_image(convention, cutter, tiny_model, scene):
    """MMPose's own way from the decoder's frame to the image, and the graph's by way of the crop's pixels."""
    maker, cutting = cutter(convention)
    image, boxes = scene
    points = np.random.default_rng(0).uniform(0, 48, (len(boxes), 5, 2))
    metas = [one['data_samples'].metainfo for one in maker(image, boxes)]
    wanted = [
        point / meta['input_size'] * meta['input_scale'] + meta['input_center'] - 0.5 * meta['input_scale']
        for point, meta in zip(points, metas)
    ]
    start, step = (values.numpy()[:, None] for values in cutting.affines(torch.from_numpy(boxes)))
    assert np.allclose(points * pixels_per_unit((48, 64), convention != 'plain') * step + start, wanted, atol=1e-3)


def test_outside_is_black(cutter):
    _, cutting = cutter('plain')
    image = torch.full((20, 20, 3), 255, dtype=torch.uint8)
    far = cutting(image, *cutting.affines(torch.tensor([[100.0, 100.0, 120.0, 130.0]])))
    assert far.shape == (1, 3, 64, 48) and (far == 0).all()


def test_no_box_gives_no_crop(cutter):
    _, cutting = cutter('unbiased')
    none = cutting(torch.zeros(9, 9, 3, dtype=torch.uint8), *cutting.affines(torch.zeros(0, 4)))
    assert none.shape == (0, 3, 64, 48)


def test_other_steps_are_named(tiny_model):
    tiny_model.cfg.test_dataloader.dataset.pipeline.insert(1, dict(type='mmpose.RandomFlip'))
    with pytest.raises(UnsupportedModelError, match='RandomFlip, which an exported graph cannot do'):
        CropCutting.of(tiny_model)


def test_other_classes_are_refused():
    class Own(TopdownAffine):
        pass

    with pytest.raises(UnsupportedModelError, match='crops with Own'):
        convention_of(Own((48, 64)))
