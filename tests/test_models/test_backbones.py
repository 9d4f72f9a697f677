import pytest
import torch
from mmpose.models.backbones import HRNet, ResNet
from mmpose.registry import MODELS

from mmtranspose.errors import InputError
from mmtranspose.models import HRNetSmall, ResNetSmall

TINY = dict(
    stage1=dict(num_modules=1, num_branches=1, block='BOTTLENECK', num_blocks=(1,), num_channels=(8,)),
    stage2=dict(num_modules=1, num_branches=2, block='BASIC', num_blocks=(1, 1), num_channels=(8, 16)),
    stage3=dict(num_modules=2, num_branches=3, block='BASIC', num_blocks=(1, 1, 1), num_channels=(8, 16, 32)),
)
STAGE4 = dict(num_modules=1, num_branches=4, block='BASIC', num_blocks=(1,) * 4, num_channels=(8, 16, 32, 64))


def test_resnet_small_is_resnet_cut_short():
    torch.manual_seed(0)
    whole, small = ResNet(depth=50, out_indices=(1,)), ResNetSmall(depth=50)
    whole.eval(), small.eval()
    left_over = small.load_state_dict(whole.state_dict(), strict=False)
    assert left_over.missing_keys == []
    assert {name.split('.')[0] for name in left_over.unexpected_keys} == {'layer3', 'layer4'}
    x = torch.randn(1, 3, 64, 48)
    (ours,), (theirs,) = small(x), whole(x)
    assert ours.shape == (1, 512, 8, 6)
    assert torch.equal(ours, theirs)


@pytest.mark.parametrize(('stages', 'shape'), [(1, (1, 64, 16, 12)), (3, (1, 256, 4, 3)), (4, (1, 512, 2, 2))])
def test_resnet_small_stages(stages, shape):
    (out,) = ResNetSmall(depth=18, num_stages=stages)(torch.zeros(1, 3, 64, 48))
    assert out.shape == shape


def test_hrnet_small_is_hrnet_up_to_stage_3():
    """The whole HRNet's stage 3 fuses into all branches; its first branch is what the small one computes."""
    torch.manual_seed(0)
    whole, small = HRNet(extra=dict(**TINY, stage4=STAGE4), init_cfg=None), HRNetSmall(arch=TINY, init_cfg=None)
    whole.eval(), small.eval()
    left_over = small.load_state_dict(whole.state_dict(), strict=False)
    assert left_over.missing_keys == []
    heads = {name.split('.')[0] for name in left_over.unexpected_keys}
    assert heads == {'transition3', 'stage4', 'stage3'}
    assert all('.fuse_layers.' in name for name in left_over.unexpected_keys if name.startswith('stage3'))
    seen = []
    whole.stage3.register_forward_hook(lambda module, args, output: seen.append(output[0]))
    x = torch.randn(2, 3, 64, 64)
    whole(x)
    (ours,) = small(x)
    assert ours.shape == (2, 8, 16, 16)
    assert torch.allclose(ours, seen[0], atol=1e-6)


def test_every_parameter_gets_a_gradient():
    for backbone in (ResNetSmall(depth=18), HRNetSmall(arch=TINY, init_cfg=None)):
        backbone(torch.randn(2, 3, 64, 48))[0].square().mean().backward()
        assert [name for name, p in backbone.named_parameters() if p.grad is None] == []


@pytest.mark.parametrize(
    ('config', 'words'),
    [
        (dict(type='HRNetSmall', arch='w40'), "arch='w40' is unknown; choose 'w32' or 'w48'"),
        (dict(type='HRNetSmall', arch=dict(stage1={}, stage2={})), 'arch lacks stage3'),
        (dict(type='ResNetSmall', depth=49), 'depth=49 is unknown; choose 18 or 34 or'),
        (dict(type='ResNetSmall', depth=50, num_stages=5), 'num_stages=5 is unknown; choose 1 or 2 or 3 or 4'),
    ],
)
def test_unknown_variants(config, words):
    with pytest.raises(InputError) as error:
        MODELS.build(config)
    assert words in str(error.value)
