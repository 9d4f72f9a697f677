"""Large batches in parts."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

CPU, ELSEWHERE = 16, 64  # pictures: on a CPU more of them take memory and no less time each


def default_size(device: torch.device) -> int:
    """Pictures that go through a network together on the device."""
    return CPU if device.type == 'cpu' else ELSEWHERE


def in_parts(function: Callable, size: int) -> Callable:
    """``function(inputs, tables)`` for at most ``size`` pictures at once, its results put together."""

    def call(inputs: Tensor, tables: tuple[Tensor, ...]) -> Tensor:
        results = [function(part, tables) for part in inputs.split(size)]
        return results[0] if len(results) == 1 else torch.cat(results)

    return call
