"""A stand-in for Apple's device: tensors that say they are on ``mps``, and refuse float64 and tensors of the CPU."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from torch.overrides import TorchFunctionMode
from torch.utils._pytree import tree_flatten, tree_map

MPS = torch.device('mps')
MOVES = (torch.Tensor.to, torch.Tensor.cpu, torch.Tensor.numpy, torch.Tensor.tolist, torch.Tensor.item)


class OnMps(torch.Tensor):
    """A tensor of the CPU that says it is on ``mps``."""


class StandInMps(TorchFunctionMode):
    """While this is active, ``mps`` is a device without float64."""

    def __torch_function__(self, func: Any, types: Any, args: tuple = (), kwargs: dict | None = None) -> Any:
        flat = tree_flatten((args, kwargs or {}))[0]
        tensors = [one for one in flat if isinstance(one, torch.Tensor)]
        mine = [one for one in tensors if isinstance(one, OnMps)]
        if func == torch.Tensor.device.__get__:
            return MPS if mine else torch.device('cpu')
        if mine and func not in MOVES and any(one.dim() and not isinstance(one, OnMps) for one in tensors):
            raise RuntimeError(
                f'{func.__name__}: expected all tensors to be on the same device, mps and cpu were found'
            )
        wanted = list(_devices(flat))
        there = wanted[0].type == 'mps' if wanted else bool(mine) and func is not torch.Tensor.cpu
        if func is torch.Tensor.to and not wanted and len(tensors) > 1:  # x.to(y)
            there = isinstance(tensors[1], OnMps)
        with torch._C.DisableTorchFunctionSubclass():
            args, kwargs = tree_map(_plain, (args, kwargs or {}))
            found = func(*args, **kwargs)
        return tree_map(_on_mps, found) if there else found


def _devices(flat: list) -> Iterator[torch.device]:
    for one in flat:
        if isinstance(one, torch.device) or (isinstance(one, str) and one in ('cpu', 'mps')):
            yield torch.device(one)


def _plain(one: Any) -> Any:
    if isinstance(one, OnMps):
        return one.as_subclass(torch.Tensor)
    return torch.device('cpu') if isinstance(one, torch.device) or (isinstance(one, str) and one == 'mps') else one


def _on_mps(one: Any) -> Any:
    if not isinstance(one, torch.Tensor):
        return one
    if one.dtype in (torch.float64, torch.complex128):
        raise TypeError("Cannot convert a MPS Tensor to float64 dtype as the MPS framework doesn't support float64")
    return one.as_subclass(OnMps)
