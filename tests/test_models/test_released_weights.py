"""All the roads by which the authors' weights come in."""

import pytest
import torch
from mmengine.runner import load_checkpoint
from tiny import tiny_transpose

from mmtranspose.models.released_weights import convert_released, is_released, rename


def build(position_encoding='sine', grid=None):
    return tiny_transpose(1, dict(deconv_out_channels=(8,)), position_encoding=position_encoding, grid=grid)


def released_names(model):
    """The model's weights as the release names them, with its position table."""
    back = {'neck.projection.': 'reduce.', 'neck.encoder.': 'global_encoder.', 'head.': '', 'backbone.': ''}
    state = {'pos_embedding': torch.arange(4 * 3 * 8.0).reshape(12, 1, 8)}
    for name, value in model.state_dict().items():
        for ours, theirs in back.items():
            if name.startswith(ours):
                state[theirs + name[len(ours) :]] = value.clone()
    return state


@pytest.fixture
def source():
    torch.manual_seed(1)
    return build()


def same(a, b):
    return all(torch.equal(a[name], b[name]) for name in a) and a.keys() == b.keys()


def test_load_state_dict_strictly(source):
    model = build()
    model.load_state_dict(released_names(source), strict=True)
    assert same(model.state_dict(), source.state_dict())


def test_training_checkpoint_with_module_prefix(source, tmp_path):
    state = {f'module.{name}': value for name, value in released_names(source).items()}
    torch.save({'state_dict': state, 'optimizer': {}, 'epoch': 3}, tmp_path / 'checkpoint.pth')
    model = build()
    load_checkpoint(model, str(tmp_path / 'checkpoint.pth'), strict=True)
    assert same(model.state_dict(), source.state_dict())


def test_learnable_embedding_keeps_the_table():
    source = build('learnable', (4, 3))
    state = released_names(source)
    state.pop('neck.position_encoding.weight', None)
    model = build('learnable', (4, 3))
    model.load_state_dict(state, strict=True)
    assert torch.equal(model.neck.position_encoding.weight, torch.arange(4 * 3 * 8.0).reshape(12, 8))


def test_our_own_names_pass_untouched(source):
    model = build()
    model.load_state_dict(source.state_dict(), strict=True)
    assert same(model.state_dict(), source.state_dict())
    assert not is_released(source.state_dict())


def test_rename():
    assert rename('conv1.weight') == 'backbone.conv1.weight'
    assert rename('stage3.3.fuse_layers.0.1.0.weight') == 'backbone.stage3.3.fuse_layers.0.1.0.weight'
    assert rename('reduce.weight') == 'neck.projection.weight'
    assert rename('global_encoder.layers.2.norm1.bias') == 'neck.encoder.layers.2.norm1.bias'
    assert rename('deconv_layers.0.weight') == 'head.deconv_layers.0.weight'
    assert rename('final_layer.bias') == 'head.final_layer.bias'


def test_prefix_is_kept(source):
    state = {f'student.{name}': value for name, value in released_names(source).items()}
    state['other.weight'] = torch.zeros(1)
    convert_released(state, source, 'student.')
    assert 'student.backbone.conv1.weight' in state
    assert 'other.weight' in state
    assert 'student.pos_embedding' not in state
