"""Crops sampled by PyTorch against those that OpenCV cuts (here on the CPU: the same code runs on any device)."""

import numpy as np
import pytest
import torch
from mmengine.dataset import pseudo_collate
from mmpose.datasets.transforms import YOLOXHSVRandomAug

from mmtranspose.crops.crop_maker import CropMaker
from mmtranspose.crops.device_crop_maker import DeviceCropMaker, cuts_on_device, sample_affine
from mmtranspose.media import read_image

BOXES = np.array(
    [[20, 15, 120, 290, 0.9], [100.5, 30.25, 230, 300, 0.8], [-30, -20, 90, 200, 0.7], [60, 60, 61, 61, 1]]
)


@pytest.fixture(scope='module')
def image(people):
    return read_image(str(people / 'val' / '000000000001.jpg'))


@pytest.fixture(params=['UnbiasedTopdownAffine', 'TopdownAffine', 'TopdownAffine, UDP'])
def makers(request, tiny_model):
    """Both, for each way of cutting."""
    kind, _, udp = request.param.partition(', ')
    for step in tiny_model.cfg.test_dataloader.dataset.pipeline:
        if 'Affine' in step['type']:
            step['type'] = kind
            step.pop('use_udp', None)
            if kind == 'TopdownAffine':
                step['use_udp'] = bool(udp)
    return CropMaker(tiny_model), DeviceCropMaker(tiny_model, torch.device('cpu'))


def test_pixels_and_labels(makers, image):
    boxes = BOXES.astype(np.float32)
    for ours, theirs in zip(makers[1](image, boxes), makers[0](image, boxes), strict=True):
        assert ours['inputs'].dtype == torch.uint8 and ours['inputs'].shape == theirs['inputs'].shape
        difference = (ours['inputs'].int() - theirs['inputs'].int()).abs()
        assert difference.max() <= 1 and difference.float().mean() < 0.02
        ours, theirs = ours['data_samples'], theirs['data_samples']
        assert ours.metainfo.keys() == theirs.metainfo.keys()
        for key, value in theirs.metainfo.items():
            np.testing.assert_array_equal(np.asarray(ours.metainfo[key]), np.asarray(value), err_msg=key)
        np.testing.assert_array_equal(ours.gt_instances.bboxes, theirs.gt_instances.bboxes)
        np.testing.assert_array_equal(ours.gt_instances.bbox_scores, theirs.gt_instances.bbox_scores)


def test_keypoints(tiny_model, image):
    """Where two peaks of an untrained network are as high to the last digits either may win: hence the quantile."""
    torch.nn.init.normal_(tiny_model.head.final_layer.weight)
    rng = np.random.default_rng(0)
    corners = rng.uniform(-20, 150, (20, 2))
    boxes = np.concatenate([corners, corners + rng.uniform(60, 150, (20, 2))], 1).astype(np.float32)
    ours, theirs = (
        [sample.pred_instances for sample in tiny_model.test_step(pseudo_collate(maker(image, boxes)))]
        for maker in (DeviceCropMaker(tiny_model, torch.device('cpu')), CropMaker(tiny_model))
    )
    distances = np.abs(np.stack([one.keypoints for one in ours]) - np.stack([one.keypoints for one in theirs]))
    assert np.quantile(distances, 0.9) < 0.5 and np.median(distances) < 0.01


def test_no_boxes(makers, image):
    assert makers[1](image, np.zeros((0, 5), np.float32)) == []


def test_sampling_by_hand():
    image = torch.tensor([[[10, 20, 30], [40, 50, 60]]], dtype=torch.uint8)  # (1, 2, 3)
    half_right = np.array([[[1, 0, 0.5], [0, 1, 0]]])
    assert sample_affine(image, half_right, (3, 2)).tolist() == [[[[15, 25, 15], [45, 55, 30]]]]
    mirrored = np.array([[[-1, 0, 2], [0, 1, 0]]])
    assert sample_affine(image, mirrored, (3, 2)).tolist() == [[[[30, 20, 10], [60, 50, 40]]]]


def test_more_crops_than_sampled_together():
    image = torch.arange(100, dtype=torch.uint8).reshape(1, 10, 10)
    shifts = np.array([[[1, 0, index % 7], [0, 1, index % 5]] for index in range(70)])
    crops = sample_affine(image, shifts, (3, 2))
    for index, crop in enumerate(crops):
        assert torch.equal(crop, image[:, index % 5 : index % 5 + 2, index % 7 : index % 7 + 3])


def test_knows_what_it_can_replace(tiny_model):
    pipeline = CropMaker(tiny_model).pipeline
    assert cuts_on_device(pipeline.transforms)
    assert not cuts_on_device([*pipeline.transforms, YOLOXHSVRandomAug()])
