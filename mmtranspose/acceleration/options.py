"""Options of an accelerated model: switches, and the number format the network computes in."""

from __future__ import annotations

import platform
import warnings
from dataclasses import dataclass

import torch

from mmtranspose.compat.upstream import cpu_computes_natively, cpu_has
from mmtranspose.errors import InputError

DTYPES = {'fp32': torch.float32, 'bf16': torch.bfloat16, 'fp16': torch.float16}


def compute_dtype(name: str, device: torch.device) -> torch.dtype:
    """The dtype called ``name``, or float32 (with a warning) on a device that would only emulate it.

    Args:
        name (str): A key of :data:`DTYPES`.
        device (torch.device): Where the network runs.
    """
    if name == 'fp32' or native(name, device):
        return DTYPES[name]
    other = 'fp16' if name == 'bf16' else 'bf16'
    cure = f"; dtype='{other}' is computed natively here" if native(other, device) else ''
    warnings.warn(f'this {device.type} has no native {name}: the network runs in fp32{cure}', stacklevel=2)
    return torch.float32


def native(name: str, device: torch.device) -> bool:
    """Whether the hardware multiplies ``'bf16'`` or ``'fp16'`` itself; emulated, they are slower than float32."""
    if device.type == 'cuda':
        return name == 'fp16' or torch.cuda.is_bf16_supported(including_emulation=False)
    if device.type == 'cpu':
        return _cpu_bf16() if name == 'bf16' else _cpu_fp16()
    return True


def _cpu_bf16() -> bool:
    """oneDNN's own check asks x86 for AVX-512 alone, with which it emulates bfloat16."""
    if platform.machine().lower() in ('x86_64', 'amd64'):
        return cpu_has('avx512_bf16') or cpu_has('amx_tile')
    return cpu_computes_natively('bf16')


def _cpu_fp16() -> bool:
    return cpu_computes_natively('fp16') or cpu_has('amx_fp16')


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
            raise InputError(f'max_batch_size={size!r} must be a whole number of images, 1 or more')
