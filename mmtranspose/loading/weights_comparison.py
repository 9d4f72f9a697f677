"""What a set of weights has of a model, and what not."""

from __future__ import annotations

import zlib
from dataclasses import dataclass

import numpy as np
from torch import Tensor, nn

from mmtranspose.models.released_weights import POSITION, adopt, lacks_position, released_name

SHOWN = 10


def shortlist(names: list[str]) -> str:
    """The first ten names, and how many more there are."""
    rest = len(names) - SHOWN
    return ', '.join(names[:SHOWN]) + (f', ... and {rest} more' if rest > 0 else '')


@dataclass(frozen=True)
class Comparison:
    """Names of parameters and buffers; as the release has them where the weights are in its names.

    Attributes:
        kept: In both, with the same shape.
        reshaped: In both, with another shape; each with both shapes.
        missing: In the model alone.
        unknown: In the weights alone.
    """

    kept: list[str]
    reshaped: list[str]
    missing: list[str]
    unknown: list[str]

    @property
    def complete(self) -> bool:
        """Whether the weights are the model's, no more and no less."""
        return self.distance == 0

    @property
    def distance(self) -> int:
        """The number of differences."""
        return len(self.reshaped) + len(self.missing) + len(self.unknown)

    @property
    def similarity(self) -> float:
        """The share of names that have the same shape in both, 0 to 1."""
        return len(self.kept) / (len(self.kept) + self.distance)

    def differences(self) -> str:
        """The differences in words, the first ten of each kind."""
        kinds = (
            ('of the model missing in it', self.missing),
            ('of another shape', self.reshaped),
            ('unknown to the model', self.unknown),
        )
        return '; '.join(f'{len(names)} {what}: {shortlist(names)}' for what, names in kinds if names)


def compare(model: nn.Module, weights: dict[str, Tensor]) -> Comparison:
    """Compare names and shapes of weights with a model's; the authors' names count as ours.

    ``num_batches_tracked``, which old checkpoints lack and evaluation does not use, is never missing.
    """
    ours = adopt(weights, model)
    shown = released_name if ours is not weights else str
    wanted = model.state_dict()
    shared = [name for name in wanted if name in ours]
    equal = {name for name in shared if ours[name].shape == wanted[name].shape}
    absent = [name for name in wanted if name not in ours and not name.endswith('num_batches_tracked')]
    return Comparison(
        kept=[shown(name) for name in shared if name in equal],
        reshaped=[
            f'{shown(name)} ({tuple(ours[name].shape)} instead of {tuple(wanted[name].shape)})'
            for name in shared
            if name not in equal
        ],
        missing=[POSITION] * lacks_position(weights, model) + [shown(name) for name in absent],
        unknown=[shown(name) for name in ours if name not in wanted],
    )


def weights_checksum(model: nn.Module) -> int:
    """CRC-32 of a model's parameters and buffers, as float32, in their order."""
    checksum = 0
    for tensor in model.state_dict().values():
        checksum = zlib.crc32(np.ascontiguousarray(tensor.cpu().float().numpy()).tobytes(), checksum)
    return checksum
