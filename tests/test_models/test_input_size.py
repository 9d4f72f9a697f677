"""Sizes that a network and its decoder do not share are found, and the nearest ones that they can share are named."""

import itertools
import re

import pytest
import torch
from mmpose.codecs import MSRAHeatmap, UDPHeatmap
from mmpose.registry import MODELS
from tiny import tiny_transpose
from torch import nn

from mmtranspose.errors import InputError
from mmtranspose.loading.config import load_config
from mmtranspose.loading.init_model import init_model
from mmtranspose.models.input_size import size_misfit


def network(input_size, heatmap_size, deconvolutions=(8,), codec='UnbiasedHeatmap', **neck):
    """A network of stride 8, whose head doubles the resolution once for each deconvolution."""
    decoder = dict(type=codec, input_size=input_size, heatmap_size=heatmap_size, sigma=1.0)
    return tiny_transpose(head=dict(deconv_out_channels=deconvolutions, decoder=decoder), **neck)


@pytest.mark.parametrize(
    ('input_size', 'heatmap_size', 'deconvolutions', 'found'),
    [
        ((48, 64), (12, 16), (8,), None),
        ((64, 48), (16, 12), (8,), None),
        ((48, 64), (6, 8), None, None),
        ((48, 64), (24, 32), (8, 8), None),
        (
            (100, 130),  # yangsenius/TransPose#3
            (25, 32),
            (8,),
            '=(100, 130) does not fit the network, whose input must be a multiple of 8 in width and height: the '
            'nearest sizes (w, h) are (96, 128) with heatmap_size=(24, 32) or (104, 128) with heatmap_size=(26, 32)',
        ),
        ((100, 128), (26, 32), (8,), 'are (96, 128) with heatmap_size=(24, 32) or (104, 128) with'),
        ((48, 66), (12, 18), (8,), 'are (48, 64) with heatmap_size=(12, 16) or (48, 72) with heatmap_size=(12, 18)'),
        ((50, 64), (7, 8), None, 'are (48, 64) with heatmap_size=(6, 8) or (56, 64) with heatmap_size=(7, 8)'),
        ((5, 64), (2, 16), (8,), 'are (8, 64) with heatmap_size=(2, 16)'),
        (
            (48, 64),
            (16, 12),
            (8,),
            '=(16, 12), but from images of the size (48, 64) the network makes heatmaps of (12, 16) (w, h); width and '
            'height seem to be swapped, sizes are (w, h); set heatmap_size to that, or input_size to (64, 48), or '
            'change the network',
        ),
        ((48, 64), (24, 32), (8,), 'heatmaps of (12, 16) (w, h); set heatmap_size to that, or input_size to (96, 128)'),
        ((48, 64), (13, 16), (8,), 'heatmaps of (12, 16) (w, h); set heatmap_size to that, or change the network'),
    ],
)
def test_sizes(input_size, heatmap_size, deconvolutions, found):
    misfit = size_misfit(network(input_size, heatmap_size, deconvolutions))
    if found is None:
        assert misfit is None
    else:
        assert misfit is not None and found in misfit[1]
        assert misfit[0] == ('input_size' if 'with heatmap_size' in found else 'heatmap_size')


def test_multiples_of_the_stride_fit_and_nothing_else():
    for width, height in itertools.product((32, 36, 40, 47), (24, 30, 48, 57)):
        padded = tuple(2 * -(-side // 8) for side in (width, height))  # what the network makes
        misfit = size_misfit(network((width, height), padded))
        assert (misfit is None) == (width % 8 == height % 8 == 0), (width, height)
        for size in re.findall(r'\((\d+), (\d+)\) with heatmap_size=\((\d+), (\d+)\)', misfit[1]) if misfit else ():
            numbers = [int(one) for one in size]
            assert size_misfit(network(numbers[:2], numbers[2:])) is None


@pytest.mark.parametrize(
    ('name', 'nearest'),
    [('transpose-r-a3', None), ('transpose-h-s', 'multiple of 16 in width and height: the nearest .* are .192, 240.')],
)
def test_released_models(name, nearest):
    """HRNet's third branch has stride 16, and its branches fit one another for multiples of that only."""
    assert size_misfit(init_model(load_config(name))) is None
    sizes = {'model.head.decoder.input_size': (200, 248), 'model.head.decoder.heatmap_size': (50, 62)}
    if nearest is None:
        assert init_model(load_config(name, sizes)).head.decoder.input_size == (200, 248)
    else:
        with pytest.raises(InputError, match=rf'py: model.head.decoder.input_size=\(200, 248\) .*{nearest}'):
            init_model(load_config(name, sizes))


@pytest.mark.parametrize('codec', [UDPHeatmap, MSRAHeatmap])
def test_decoders_of_mmpose(codec):
    """Their targets are drawn with a factor for each axis, so padded heatmaps can be learnt; other sizes cannot."""
    assert size_misfit(network((50, 66), (14, 18), codec=codec.__name__)) is None
    assert size_misfit(network((50, 66), (12, 16), codec=codec.__name__))[0] == 'input_size'


def test_the_error_of_what_is_refused():
    """The decoder's one factor would put a person's keypoints 10 % nearer to each other in height than they are."""
    decoder = network((50, 64), (14, 16)).head.decoder
    cells = torch.tensor([[0.0, 0.0], [13.0, 15.0]]).numpy()
    width, height = decoder.cells_to_input(cells)[1] - decoder.cells_to_input(cells)[0]
    assert width == pytest.approx(50) and height == pytest.approx(64 * (49 / 13) / (63 / 15))
    assert size_misfit(network((50, 64), (14, 16))) is not None


def test_the_model_is_left_as_it_is():
    model = network((50, 64), (14, 16)).train()
    before = {name: (value.data_ptr(), value.clone()) for name, value in model.state_dict().items()}
    assert size_misfit(model) is not None
    for name, value in model.state_dict().items():
        assert value.data_ptr() == before[name][0] and torch.equal(value, before[name][1])
    assert all(module.training for module in model.modules())


@pytest.mark.parametrize(
    'model',
    [
        nn.Linear(1, 1),
        tiny_transpose(),  # without a decoder
        MODELS.build(
            dict(
                type='TopdownPoseEstimator',
                backbone=dict(type='ResNet', depth=18),
                head=dict(
                    type='RegressionHead',
                    in_channels=512,
                    num_joints=3,
                    decoder=dict(type='RegressionLabel', input_size=(50, 64)),
                ),
            )
        ),
    ],
    ids=lambda model: type(getattr(model, 'head', model)).__name__,
)
def test_models_without_sizes(model):
    assert size_misfit(model) is None


def test_a_network_that_cannot_be_tried():
    """Whoever builds it finds out what is wrong with it."""
    model = network((48, 64), (12, 16))
    model.backbone.conv1 = nn.Conv2d(7, 8, 1)
    model.backbone.forward = lambda x: 1 / 0
    assert size_misfit(model) is None
