"""ImageNet starts of the stems."""

from unittest import mock

import pytest
import torch
from mmpose.models.backbones import HRNet
from mmpose.registry import MODELS
from torchvision.models import resnet50

from mmtranspose.errors import InputError


def stage(modules, branches, block='BASIC', width=8):
    channels = tuple(width * 2**k for k in range(branches))
    return dict(
        num_modules=modules, num_branches=branches, block=block, num_blocks=(1,) * branches, num_channels=channels
    )


# Two modules in stage 3: one fuses into all branches, the last of HRNetSmall into the first only
NARROW = dict(stage1=stage(1, 1, 'BOTTLENECK', width=64), stage2=stage(1, 2), stage3=stage(2, 3))


@pytest.fixture(scope='module')
def resnet_file(tmp_path_factory):
    """ResNet-50 as torchvision names it, classifier included."""
    path = tmp_path_factory.mktemp('imagenet') / 'resnet50.pth'
    torch.save({name: value + 1 for name, value in resnet50(weights=None).state_dict().items()}, path)
    return path


@pytest.fixture(scope='module')
def hrnet_file(tmp_path_factory):
    """A narrow HRNet with four stages and a classifier's layers, as HRNet's ImageNet files have them."""
    weights = HRNet(extra=dict(NARROW, stage4=stage(1, 4))).state_dict()
    # As MMPose's W48 file; and not the numbers that the same seed gives a network that is not loaded
    weights = {name: value + 1 for name, value in weights.items() if 'num_batches' not in name}
    weights.update({'head.0.0.0.conv1.weight': torch.zeros(1), 'classifier.bias': torch.zeros(1000)})
    path = tmp_path_factory.mktemp('imagenet') / 'hrnet.pth'
    torch.save(weights, path)
    return path


def build(kind, file, **options):
    init_cfg = dict(type='Pretrained', checkpoint=str(file), **options.pop('start', {}))
    return MODELS.build(dict(type=kind, init_cfg=init_cfg, **options))


def test_resnet(resnet_file):
    backbone = build('ResNetSmall', resnet_file, depth=50)
    backbone.init_weights()
    file = torch.load(resnet_file, weights_only=True)
    assert len(backbone.state_dict()) > 100
    for name, value in backbone.state_dict().items():
        torch.testing.assert_close(value, file[name], rtol=0, atol=0)


def test_hrnet(hrnet_file):
    backbone = build('HRNetSmall', hrnet_file, arch=NARROW)
    backbone.init_weights()
    file = torch.load(hrnet_file, weights_only=True)
    for name, value in backbone.state_dict().items():
        if 'num_batches' not in name:
            torch.testing.assert_close(value, file[name], rtol=0, atol=0)


def test_part_of_a_pose_model(resnet_file, tmp_path):
    weights = {f'backbone.{name}': value for name, value in torch.load(resnet_file, weights_only=True).items()}
    torch.save({'state_dict': {**weights, 'head.final_layer.bias': torch.zeros(17)}}, tmp_path / 'pose.pth')
    backbone = build('ResNetSmall', tmp_path / 'pose.pth', depth=50, start=dict(prefix='backbone.'))
    backbone.init_weights()
    torch.testing.assert_close(backbone.conv1.weight, weights['backbone.conv1.weight'], rtol=0, atol=0)


@pytest.mark.parametrize('kind', ['module.', 'prefix without dot', 'list of starts'])
def test_forms_that_mmengine_takes(resnet_file, tmp_path, kind):
    weights = torch.load(resnet_file, weights_only=True)
    prefix = {'module.': 'module.', 'prefix without dot': 'backbone.', 'list of starts': ''}[kind]
    torch.save({prefix + name: value for name, value in weights.items()}, tmp_path / 'a.pth')
    start = dict(prefix='backbone') if kind == 'prefix without dot' else {}
    backbone = build('ResNetSmall', tmp_path / 'a.pth', depth=50, start=start)
    if kind == 'list of starts':
        backbone.init_cfg = [backbone.init_cfg]
    backbone.init_weights()
    torch.testing.assert_close(backbone.conv1.weight, weights['conv1.weight'], rtol=0, atol=0)
    del weights['conv1.weight']
    torch.save({prefix + name: value for name, value in weights.items()}, tmp_path / 'a.pth')
    backbone._is_init = False
    with pytest.raises(InputError, match='does not set conv1.weight'):
        backbone.init_weights()


def test_a_file_without_a_dict(tmp_path):
    torch.save([torch.zeros(1)], tmp_path / 'a.pth')
    with pytest.raises(InputError, match='a.pth holds no dict of weights'):
        build('ResNetSmall', tmp_path / 'a.pth', depth=50).init_weights()


def test_another_resnet(resnet_file):
    with pytest.raises(InputError, match=f'{resnet_file} does not set layer1.0.conv1.weight, .*ResNetSmall'):
        build('ResNetSmall', resnet_file, depth=18).init_weights()


def test_another_width_of_hrnet(hrnet_file):
    wider = {name: {**one, 'num_channels': tuple(4 * c for c in one['num_channels'])} for name, one in NARROW.items()}
    with pytest.raises(InputError, match='does not set transition1.0.0.weight, .* in all\\) of HRNetSmall'):
        build('HRNetSmall', hrnet_file, arch=wider | dict(stage1=NARROW['stage1'])).init_weights()


def test_unknown_tensors(resnet_file, tmp_path):
    weights = torch.load(resnet_file, weights_only=True)
    torch.save({**weights, 'layer2.4.conv1.weight': torch.zeros(1)}, tmp_path / 'more.pth')
    with pytest.raises(InputError, match=r'brings unknown layer2.4.conv1.weight \(1 in all\)'):
        build('ResNetSmall', tmp_path / 'more.pth', depth=50).init_weights()


@pytest.mark.parametrize(('name', 'warned'), [('neck.weight', True), ('head.fc.weight', False), ('layer4.x', False)])
def test_others_get_a_warning(resnet_file, tmp_path, name, warned):
    weights = torch.load(resnet_file, weights_only=True)
    torch.save({**weights, name: torch.zeros(1)}, tmp_path / 'more.pth')
    backbone = build('ResNetSmall', tmp_path / 'more.pth', depth=50)
    with mock.patch('mmtranspose.models.backbones.pretrained.print_log') as log:
        backbone.init_weights()
    assert [call.args[0].endswith(f"1 tensors that no ResNetSmall knows: ['{name}']") for call in log.mock_calls] == (
        [True] * warned
    )


@pytest.mark.parametrize('content', [None, b'', b'<html>'], ids=str)
def test_files_that_cannot_be_loaded(tmp_path, content):
    if content is not None:
        (tmp_path / 'a.pth').write_bytes(content)
    with pytest.raises(InputError, match=f'init_cfg: {tmp_path}/a.pth cannot be loaded .*; give the path'):
        build('ResNetSmall', tmp_path / 'a.pth', depth=50).init_weights()


def test_other_starts_are_left_alone():
    backbone = MODELS.build(dict(type='ResNetSmall', depth=18, init_cfg=dict(type='Constant', layer='Conv2d', val=2)))
    backbone.init_weights()
    assert backbone.conv1.weight.unique().tolist() == [2]
