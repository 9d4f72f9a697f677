"""The share of an intervention's effect that lies where a map is highest."""

import pytest
import torch

from mmtranspose.errors import InputError
from mmtranspose.explain.metrics import effect_share

EFFECTS = torch.tensor([[4.0, 0.0, -2.0], [3.0, -1.0, 0.0]])[None, None]  # 10 in all, gains and losses alike


def test_by_hand():
    ranked = torch.tensor([[5.0, 1.0, 6.0], [4.0, 2.0, 3.0]])[None, None]  # effects in this order: 2, 4, 3, 0, 1, 0
    shares = [effect_share(ranked, EFFECTS, share).item() for share in (0.1, 1 / 6, 1 / 3, 0.5, 1)]
    assert shares == pytest.approx([0.2, 0.2, 0.6, 0.9, 1])  # 0.1 of 6 cells is one cell


def test_effects_themselves_are_best_and_chance_is_the_share():
    effects = torch.rand(3, 4, 10, 10) - 0.3
    best = effect_share(effects.abs(), effects)
    for seed in range(20):
        other = torch.rand(3, 4, 10, 10, generator=torch.Generator().manual_seed(seed))
        assert (effect_share(other, effects) <= best).all()
    flat = torch.zeros(1, 400, 10, 10)
    assert effect_share(flat, torch.rand(1, 400, 10, 10)).mean().item() == pytest.approx(0.1, abs=0.005)


def test_no_effect():
    assert effect_share(torch.rand(1, 1, 2, 3), torch.zeros(1, 1, 2, 3)).isnan().all()


@pytest.mark.parametrize('share', [0, 1.1])
def test_shares_out_of_range(share):
    with pytest.raises(InputError, match='share='):
        effect_share(EFFECTS, EFFECTS, share)


def test_other_shapes():
    with pytest.raises(InputError, match='one shape'):
        effect_share(EFFECTS, EFFECTS[..., :2])
