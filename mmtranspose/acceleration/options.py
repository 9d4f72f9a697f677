"""What an accelerated model does to be fast."""

from __future__ import annotations

from dataclasses import dataclass

from mmtranspose.acceleration.precision import DTYPES
from mmtranspose.errors import InputError

SWITCHES = ('fold_batch_norm', 'channels_last', 'fuse_encoder', 'flip_in_one_pass', 'cuda_graphs')


@dataclass(frozen=True)
class AccelerationOptions:
    """The switches of :func:`~mmtranspose.acceleration.accelerate`, which describes them.

    Raises:
        InputError: A value is not one of those that the option takes.
    """

    dtype: str = 'fp32'
    fold_batch_norm: bool = True
    channels_last: bool = True
    fuse_encoder: bool = True
    flip_in_one_pass: bool = True
    compile: bool | dict = False
    cuda_graphs: bool = True
    max_batch_size: int | None = None

    def __post_init__(self):
        if self.dtype not in DTYPES:
            raise InputError(f'dtype={self.dtype!r} is unknown; choose from {", ".join(DTYPES)}')
        for name in SWITCHES:
            if not isinstance(getattr(self, name), bool):
                raise InputError(f'{name}={getattr(self, name)!r} must be True or False')
        if not isinstance(self.compile, (bool, dict)):
            raise InputError(f'compile={self.compile!r} must be True, False or a dict of arguments of torch.compile')
        size = self.max_batch_size
        if size is not None and (isinstance(size, bool) or not isinstance(size, int) or size < 1):
            raise InputError(f'max_batch_size={size!r} must be a whole number of pictures, 1 or more')
