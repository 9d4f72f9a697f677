"""All the roads by which the authors' weights come in."""

import pytest
import torch
from mmengine.runner import load_checkpoint
from tiny import tiny_transpose

from mmtranspose.models.layers import SinePositionEncoding
from mmtranspose.models.released_weights import (
    adopt,
    convert_released,
    is_released,
    is_sine_table,
    lacks_position,
    released_name,
    rename,
)


def build(position_encoding='sine', grid=None):
    return tiny_transpose(1, dict(deconv_out_channels=(8,)), position_encoding=position_encoding, grid=grid)


def released_names(model):
    """The model's weights as the release names them, with the sine table of 4 x 3 tokens."""
    back = {'neck.projection.': 'reduce.', 'neck.encoder.': 'global_encoder.', 'head.': '', 'backbone.': ''}
    state = {'pos_embedding': SinePositionEncoding(8).table(4, 3)[:, None]}
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
    state['pos_embedding'] = torch.arange(4 * 3 * 8.0).reshape(12, 1, 8)
    model = build('learnable', (4, 3))
    model.load_state_dict(state, strict=True)
    assert torch.equal(model.neck.position_encoding.weight, torch.arange(4 * 3 * 8.0).reshape(12, 8))


@pytest.mark.parametrize('position_encoding', ['sine', None])
def test_a_learnt_table_is_not_dropped(source, position_encoding):
    state = released_names(source)
    state['pos_embedding'] = torch.arange(4 * 3 * 8.0).reshape(12, 1, 8)
    with pytest.raises(RuntimeError, match='Unexpected key.*neck.position_encoding.weight'):
        build(position_encoding).load_state_dict(state, strict=True)


def test_the_sine_table_of_any_grid():
    encoding = SinePositionEncoding(8)
    assert is_sine_table(encoding.table(4, 3), encoding)
    assert is_sine_table(encoding.table(3, 4), encoding)
    assert not is_sine_table(encoding.table(4, 3).flip(0), encoding)
    assert not is_sine_table(SinePositionEncoding(16).table(4, 3), encoding)


def test_a_release_without_its_table(source):
    state = released_names(source)
    assert not lacks_position(state, source)
    del state['pos_embedding']
    assert lacks_position(state, source)
    assert not lacks_position(state, build(None))
    assert not lacks_position(source.state_dict(), source)


def test_adopt_leaves_others_alone(source):
    state = released_names(source)
    assert adopt(state, source).keys() == source.state_dict().keys()
    assert 'pos_embedding' in state
    assert adopt(state, torch.nn.Linear(1, 1)) is state
    own = source.state_dict()
    assert adopt(own, source) is own


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


def test_released_name_is_the_way_back(source):
    names = list(source.state_dict())
    assert [rename(released_name(name)) for name in names] == names
    assert released_name('neck.position_encoding.weight') == 'pos_embedding'


def test_prefix_is_kept(source):
    state = {f'student.{name}': value for name, value in released_names(source).items()}
    state['other.weight'] = torch.zeros(1)
    convert_released(state, source, 'student.')
    assert 'student.backbone.conv1.weight' in state
    assert 'other.weight' in state
    assert 'student.pos_embedding' not in state
