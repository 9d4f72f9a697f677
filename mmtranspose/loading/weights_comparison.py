"""Compare a state dict with a model; a checksum of a model's weights."""

from __future__ import annotations

import zlib
from dataclasses import dataclass

import numpy as np
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
    """

    matching: list[str]
    reshaped: list[str]
    missing: list[str]
    unexpected: list[str]

    @property
    def exact(self) -> bool:
        """Whether the state dict has all entries of the model and no others."""
        return self.distance == 0

    @property
    def distance(self) -> int:
        """The number of entries that differ."""
        return len(self.reshaped) + len(self.missing) + len(self.unexpected)

    @property
    def similarity(self) -> float:
        """The share of all names that have the same shape in both, 0 to 1."""
        return len(self.matching) / (len(self.matching) + self.distance)

    def differences(self) -> str:
        """The differences in words: the number and the first ten names of each kind."""
        kinds = (
            ('of the model missing in it', self.missing),
            ('of another shape', self.reshaped),
            ('unknown to the model', self.unexpected),
        )
        return '; '.join(f'{len(names)} {what}: {shortlist(names)}' for what, names in kinds if names)


def compare(model: nn.Module | PoseEstimator, weights: dict[str, Tensor]) -> WeightsComparison:
    """Compare the names and shapes in a state dict with those of a model.

    Names of the authors' release count as the model's. ``num_batches_tracked``, which old checkpoints lack and
    evaluation does not use, never counts as missing.

    Args:
        model (nn.Module): The model; one without memory (torch's meta device) will do.
        weights (dict[str, Tensor]): The state dict.
    """
    renamed = adopt(weights, model)
    shown = released_name if renamed is not weights else str
    wanted = model.state_dict()
    shared = [name for name in wanted if name in renamed]
    equal = {name for name in shared if renamed[name].shape == wanted[name].shape}
    absent = [name for name in wanted if name not in renamed and not name.endswith('num_batches_tracked')]
    return WeightsComparison(
        matching=[shown(name) for name in shared if name in equal],
        reshaped=[
            f'{shown(name)} ({tuple(renamed[name].shape)} instead of {tuple(wanted[name].shape)})'
            for name in shared
            if name not in equal
        ],
        missing=[POSITION] * lacks_position(weights, model) + [shown(name) for name in absent],
        unexpected=[shown(name) for name in renamed if name not in wanted],
    )


def weights_checksum(model: nn.Module | PoseEstimator) -> int:
    """Compute the CRC-32 of a model's parameters and buffers, as float32, in the order of its state dict."""
    checksum = 0
    for tensor in model.state_dict().values():
        checksum = zlib.crc32(np.ascontiguousarray(tensor.cpu().float().numpy()).tobytes(), checksum)
    return checksum
