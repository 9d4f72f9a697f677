"""How much of the effect of interventions lies where a map is highest."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from mmtranspose.errors import InputError
from mmtranspose.explain.metrics.perturbed_images import cell_ranks


def effect_share(maps: Tensor, effects: Tensor, share: float = 0.1, seed: int = 0) -> Tensor:
    """Compute the share of the summed effect that lies in the cells that a map ranks highest.

    Unlike a rank correlation, it weighs each cell by its effect: most cells have next to none. A map of the
    effects' sizes has the largest value that there can be; a random one has ``share`` on average.

    Args:
        maps (Tensor): (B, K, h, w); the higher, the more relevant.
        effects (Tensor): (B, K, h, w), how much the keypoint's value changes by an intervention at each cell, such as
            :func:`~mmtranspose.explain.token_ablation` gives. A loss and a gain of one size count the same: the
            keypoint depends on both places.
        share (float): Of the cells, above 0 and up to 1; rounded up to whole cells.
        seed (int): Of the order of cells that are equally relevant.

    Returns:
        Tensor: (B, K), from 0 to 1; NaN where no cell has an effect.

    Raises:
        InputError: The shapes differ, or ``share`` is out of range.
    """
    if maps.shape != effects.shape:
        raise InputError(f'maps are {tuple(maps.shape)}, effects {tuple(effects.shape)}: they must be of one shape')
    if not 0 < share <= 1:
        raise InputError(f'share={share} must lie above 0 and up to 1, such as 0.1')
    changed = effects.abs().double()
    highest = cell_ranks(maps, seed) < math.ceil(share * maps[0, 0].numel())
    total = changed.sum((-1, -2))
    return ((changed * highest).sum((-1, -2)) / total.where(total > 0, torch.nan)).float()
