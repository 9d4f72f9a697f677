"""Which of our models a file of weights is said to be."""

import numpy as np
import pytest
import torch
from golden import CONFIG_OF, fill, released_state_dict

from mmtranspose.errors import InputError
from mmtranspose.loading import zoo
from mmtranspose.loading.closest_model import build_empty, closest_model, looks_like
from mmtranspose.loading.init_model import init_model
from mmtranspose.models.released_weights import released_name

VARIANTS = list(CONFIG_OF)


def released(variant: str) -> dict:
    """A variant's weights in the release's names: golden ones if we have them, else zeros of the right shapes."""
    if variant in ('r-a3', 'h-s'):
        return dict(released_state_dict(variant))
    model = build_empty(zoo.find_config(f'transpose-{variant}'))
    weights = {released_name(name): torch.zeros(value.shape) for name, value in model.state_dict().items()}
    grid = (32, 24) if variant.startswith('r') else (64, 48)
    return {**weights, 'pos_embedding': model.neck.position_encoding.table(*grid)[:, None]}


@pytest.mark.parametrize('variant', VARIANTS)
def test_every_variant_is_recognised(variant):
    entry, found = closest_model(released(variant))
    assert zoo.relative(entry['Config']).endswith(CONFIG_OF[variant])
    assert found.exact and found.similarity == 1


def test_names_alone_take_no_memory():
    model = build_empty(zoo.find_config('transpose-h-a6'))
    assert all(value.device.type == 'meta' for value in model.state_dict().values())


@pytest.mark.parametrize(('variant', 'other'), [('r-a3', 'h-s'), ('h-s', 'r-a3'), ('h-a4', 'h-a6'), ('r-a4', 'r-a3')])
def test_swapped_files_name_the_right_config(variant, other, tmp_path):
    torch.save(released(variant), tmp_path / 'a.pth')
    with pytest.raises(InputError) as caught:
        init_model(f'transpose-{other}', str(tmp_path / 'a.pth'))
    words = str(caught.value)
    assert f'It looks like transpose-{variant}, whose config is configs/' in words
    assert CONFIG_OF[variant] in words


def test_a_file_with_a_hole():
    weights = released('r-a3')
    del weights['reduce.weight']
    total = len(weights)  # one less, and the sine table that our model computes
    words = looks_like(weights)
    assert words.startswith(f'It looks like transpose-r-a3 ({total - 1} of {total} tensors), whose config is configs/')


def test_without_positions_it_is_the_ablation():
    weights = released('r-a3')
    del weights['pos_embedding']
    assert looks_like(weights).startswith('It looks like transpose-r-a3_no-position, whose')


def test_other_keypoints_are_their_own_model():
    weights = released('r-a3')
    weights['final_layer.weight'], weights['final_layer.bias'] = torch.zeros(16, 256, 1, 1), torch.zeros(16)
    assert looks_like(weights).startswith('It looks like transpose-r-a3_mpii, whose')


@pytest.mark.parametrize(
    'weights',
    [{'fc.weight': torch.zeros(3, 3)}, {f'backbone.conv{i}.weight': torch.zeros(1) for i in range(200)}],
    ids=['fc', 'convolutions'],
)
def test_other_models(weights):
    assert looks_like(weights) == 'It looks like no model of mmtranspose.'


def test_a_stem_alone_is_not_enough():
    stem = {name: value for name, value in released('h-a4').items() if name.startswith(('stage', 'layer', 'conv'))}
    assert closest_model(stem) is None


@pytest.mark.parametrize('variant', VARIANTS)
def test_a_released_file_of_every_variant_loads_in_one_call(variant, tmp_path):
    """Filled by the reference's rule (its scales are known for two variants alone); every value arrives."""
    shapes = {name: list(value.shape) for name, value in released(variant).items()}
    weights = {name: torch.from_numpy(np.asarray(fill(name, shape, {}))) for name, shape in shapes.items()}
    weights = {name: value if value.dtype == torch.int64 else value.float() for name, value in weights.items()}
    weights['pos_embedding'] = released(variant)['pos_embedding']
    torch.save(weights, tmp_path / 'released.pth')
    model = init_model(f'transpose-{variant}', str(tmp_path / 'released.pth'))
    ours = {released_name(name): value for name, value in model.state_dict().items()}
    del weights['pos_embedding']
    assert ours.keys() == weights.keys()
    assert all(torch.equal(ours[name], weights[name]) for name in weights)
