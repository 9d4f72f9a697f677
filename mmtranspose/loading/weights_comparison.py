"""Compare a state dict with a model; digests of weights."""

from __future__ import annotations

import hashlib
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor, nn

from mmtranspose.models.released_weights import POSITION, adopt, lacks_position, released_name
from mmtranspose.typing import PoseEstimator

SHOWN = 10


def shortlist(names: list[str]) -> str:
    """The first ten names, and how many more there are."""
    rest = len(names) - SHOWN
    return ', '.join(names[:SHOWN]) + (f', ... and {rest} more' if rest > 0 else '')


@dataclass(frozen=True)
class WeightsComparison:
    """Names of the parameters and buffers that a state dict and a model have in common, and of those that differ.

    Where the state dict has the names of the authors' release, so have these lists.

    Attributes:
        matching (list[str]): In both, with the same shape.
        reshaped (list[str]): In both, with different shapes, which follow the name.
        missing (list[str]): In the model alone.
        unexpected (list[str]): In the state dict alone.
        retyped (list[str]): In both, with the same shape, but numbers of different kinds: floating-point, complex,
            integer or boolean. The dtypes follow the name.
    """

    matching: list[str]
    reshaped: list[str]
    missing: list[str]
    unexpected: list[str]
    retyped: list[str] = field(default_factory=list)

    @property
    def exact(self) -> bool:
        """Whether the state dict has all entries of the model and no others."""
        return self.distance == 0

    @property
    def distance(self) -> int:
        """The number of entries that differ."""
        return len(self.reshaped) + len(self.retyped) + len(self.missing) + len(self.unexpected)

    @property
    def similarity(self) -> float:
        """The share of all names that have the same shape in both, 0 to 1."""
        return len(self.matching) / (len(self.matching) + self.distance)

    def differences(self) -> str:
        """The differences in words: the number and the first ten names of each kind."""
        kinds = (
            ('of the model missing in it', self.missing),
            ('of another shape', self.reshaped),
            ('of another kind of number', self.retyped),
            ('unknown to the model', self.unexpected),
        )
        return '; '.join(f'{len(names)} {what}: {shortlist(names)}' for what, names in kinds if names)


def compare(model: nn.Module | PoseEstimator, weights: dict[str, Tensor]) -> WeightsComparison:
    """Compare the names and shapes in a state dict, and the kinds of numbers, with those of a model.

    Names of the authors' release count as the model's. ``num_batches_tracked``, which old checkpoints lack, those in
    float16 have as float16, and evaluation does not use, never counts as missing or as another kind of number.

    Args:
        model (nn.Module): The model; one without memory (torch's meta device) will do.
        weights (dict[str, Tensor]): The state dict.
    """
    renamed = adopt(weights, model)
    shown = released_name if renamed is not weights else str
    wanted = model.state_dict()
    shared = [name for name in wanted if name in renamed]
    equal = {name for name in shared if renamed[name].shape == wanted[name].shape}
    retyped = {
        name
        for name in equal
        if _kind(renamed[name]) != _kind(wanted[name]) and not name.endswith('num_batches_tracked')
    }
    absent = [name for name in wanted if name not in renamed and not name.endswith('num_batches_tracked')]
    return WeightsComparison(
        matching=[shown(name) for name in shared if name in equal - retyped],
        reshaped=[
            f'{shown(name)} ({tuple(renamed[name].shape)} instead of {tuple(wanted[name].shape)})'
            for name in shared
            if name not in equal
        ],
        missing=[POSITION] * lacks_position(weights, model) + [shown(name) for name in absent],
        unexpected=[shown(name) for name in renamed if name not in wanted],
        retyped=[
            f'{shown(name)} ({_dtype(renamed[name])} instead of {_dtype(wanted[name])})'
            for name in shared
            if name in retyped
        ],
    )


def _kind(tensor: Tensor) -> str:
    if tensor.is_floating_point():
        return 'floating-point'
    if tensor.is_complex():
        return 'complex'
    return 'boolean' if tensor.dtype == torch.bool else 'integer'


def _dtype(tensor: Tensor) -> str:
    return str(tensor.dtype).removeprefix('torch.')


def non_finite(weights: Mapping[str, object]) -> list[str]:
    """The names of the tensors in which a number is NaN or infinite."""
    tensors = {name: value for name, value in weights.items() if isinstance(value, Tensor)}
    return [name for name, value in tensors.items() if not _is_finite(value)]


def _is_finite(tensor: Tensor) -> bool:
    if tensor.dtype.itemsize == 1 and tensor.is_floating_point():
        tensor = tensor.float()  # torch.isfinite does not know the dtypes of 8 bits
    return bool(torch.isfinite(tensor).all())


def weights_digest(state_dict: Mapping[str, object]) -> str:
    """Compute the SHA-256 of a state dict: of the name, dtype, shape and numbers of each tensor, in their order.

    It depends neither on the device nor on the layout of a tensor in memory (``channels_last``). Entries that are not
    dense tensors are left out.

    Args:
        state_dict (Mapping[str, Tensor]): Tensors by name.

    Returns:
        str: 64 hexadecimal digits.
    """
    digest = hashlib.sha256()
    for name, value in state_dict.items():
        if isinstance(value, Tensor) and value.layout is torch.strided:
            tensor = value.detach().cpu().resolve_conj().resolve_neg().contiguous()
            digest.update(f'{name} {_dtype(tensor)} {tuple(tensor.shape)}\n'.encode())
            digest.update(tensor.reshape(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()


def weights_checksum(model: nn.Module | PoseEstimator) -> int:
    """Compute the CRC-32 of a model's parameters and buffers, as float32, in the order of its state dict."""
    checksum = 0
    for tensor in model.state_dict().values():
        checksum = zlib.crc32(np.ascontiguousarray(tensor.cpu().float().numpy()).tobytes(), checksum)
    return checksum
