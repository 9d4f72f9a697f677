"""Which batch normalisations are folded, and into what."""

import copy

import pytest
import torch
from mmcv.cnn import build_upsample_layer
from mmpose.models.backbones import ResNet
from torch import nn
from torch.nn.utils.parametrizations import weight_norm
from variants import VARIANTS, randomised, variant

from mmtranspose.acceleration import accelerate
from mmtranspose.acceleration.batch_norm_folding import fold_batch_norms


class Block(nn.Module):
    """Layers with names, run in an order of their own."""

    def __init__(self, run, **layers):
        super().__init__()
        self.run = run
        for name, layer in layers.items():
            self.add_module(name, layer)

    def forward(self, x):
        return self.run(self, x)


def norm(channels=6):
    return nn.BatchNorm2d(channels)


def conv(inputs=6, **options):
    return nn.Conv2d(inputs, 6, 3, padding=1, **options)


def folded_and_checked(module):
    """Fold, and check that the results are what they were."""
    module = randomised(module).eval()
    x = torch.randn(2, 6, 8, 8)
    with torch.no_grad():
        expected = module(x)
        folding = fold_batch_norms(module)
        torch.testing.assert_close(module(x), expected, rtol=1e-5, atol=1e-5)
    return folding


@pytest.mark.parametrize(
    'layer',
    [
        conv(),
        conv(bias=False),
        conv(groups=2),
        conv(padding_mode='reflect'),
        build_upsample_layer(dict(type='deconv', in_channels=6, out_channels=6, kernel_size=4, stride=2, padding=1)),
        nn.ConvTranspose2d(6, 6, 3, bias=False),
    ],
    ids=['conv', 'no bias', 'groups', 'reflect', 'deconvolution', 'transposed without bias'],
)
@pytest.mark.parametrize('kind', [norm, lambda: nn.BatchNorm2d(6, affine=False, eps=0.1), lambda: nn.SyncBatchNorm(6)])
def test_pairs_fold(layer, kind):
    module = nn.Sequential(layer, kind(), nn.ReLU(inplace=True))
    folding = folded_and_checked(module)
    assert (folding.folded, folding.left) == (1, ())
    assert isinstance(module[1], nn.Identity)


def test_weights_are_rounded_once():
    module = randomised(nn.Sequential(conv(), norm())).eval()
    (layer, kept), exact = module, copy.deepcopy(module).double()
    factor = exact[1].weight / (exact[1].running_var + kept.eps).sqrt()
    fold_batch_norms(module)
    expected = exact[0].weight * factor[:, None, None, None]
    torch.testing.assert_close(module[0].weight.double(), expected, rtol=2**-24, atol=0)
    assert module[0].weight.dtype == layer.weight.dtype == torch.float32


def swapped(self, x):
    return self.norm_a(self.conv_a(x)) - self.norm_b(self.conv_b(x))


def test_pairs_come_from_the_data_flow_not_from_the_order_of_layers():
    # mmcv's fuse_conv_bn pairs these by order: conv_a with norm_b
    module = Block(swapped, conv_b=conv(), conv_a=conv(), norm_b=norm(), norm_a=norm())
    assert folded_and_checked(module).folded == 2


def used_twice(self, x):
    y = self.conv(x)
    return self.norm(y) + y


@pytest.mark.parametrize(
    ('run', 'layers'),
    [
        (used_twice, dict(conv=conv(), norm=norm())),
        (lambda self, x: self.norm(self.conv(self.conv(x))), dict(conv=conv(), norm=norm())),
        (lambda self, x: self.norm(self.b(self.norm(self.a(x)))), dict(a=conv(), b=conv(), norm=norm())),
        (lambda self, x: self.norm(torch.relu(self.conv(x))), dict(conv=conv(), norm=norm())),
        (lambda self, x: self.conv(self.norm(x)), dict(norm=norm(), conv=conv())),
        (lambda self, x: self.norm(self.conv(x)), dict(conv=nn.ConvTranspose2d(6, 6, 3, groups=2), norm=norm())),
        (lambda self, x: self.norm(self.conv(x)), dict(conv=weight_norm(conv()), norm=norm())),
        (lambda self, x: self.norm(self.conv(x)), dict(conv=conv(), norm=nn.BatchNorm2d(6, track_running_stats=False))),
        (lambda self, x: self.norm(self.conv(x) if x.sum() > 0 else x), dict(conv=conv(), norm=norm())),
    ],
    ids=['output used twice', 'conv runs twice', 'norm runs twice', 'ReLU between', 'norm first', 'groups transposed',
         'weight norm', 'batch statistics', 'depends on data'],
)  # fmt: skip
def test_what_cannot_be_folded_stays(run, layers):
    folding = folded_and_checked(Block(run, **layers))
    assert (folding.folded, folding.left) == (0, ('norm',))


@pytest.mark.parametrize('name', VARIANTS)
def test_nothing_is_left_of_the_variants(name):
    model = variant(name)
    fast = accelerate(model)
    norms = sum(isinstance(module, nn.BatchNorm2d) for module in model.modules())
    assert (fast.folding.folded, fast.folding.left) == (norms, ()) and norms >= 25
    assert not any(isinstance(module, nn.BatchNorm2d) for module in fast.modules())


@pytest.mark.parametrize('options', [dict(deep_stem=True, avg_down=True), dict(frozen_stages=1, norm_eval=True)])
def test_other_forms_of_resnet(options):
    sizes = dict(in_channels=6, stem_channels=8, base_channels=8)
    backbone = ResNet(18, num_stages=2, strides=(1, 2), dilations=(1, 1), out_indices=(1,), **sizes, **options)
    backbone = randomised(backbone)
    backbone.eval()
    x = torch.randn(1, 6, 32, 32)
    with torch.no_grad():
        (expected,) = backbone(x)
        folding = fold_batch_norms(backbone)
        backbone.eval()  # freezes stages anew
        torch.testing.assert_close(backbone(x)[0], expected, rtol=1e-4, atol=1e-4)
    assert folding.left == () and folding.folded >= 10
