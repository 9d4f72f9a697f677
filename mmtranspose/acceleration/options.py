"""Options of an accelerated model, and the number format in which its network computes."""

from __future__ import annotations

import platform
import warnings
from dataclasses import dataclass, fields
from typing import Any

import torch

from mmtranspose.compat.upstream import cpu_computes_natively, cpu_has
from mmtranspose.errors import InputError, require_choice, require_known

DTYPES = {'fp32': torch.float32, 'bf16': torch.bfloat16, 'fp16': torch.float16}
BACKENDS = ('torch', 'openvino')
SWITCHES = ('fold_batch_norm', 'channels_last', 'fuse_encoder', 'flip_in_one_pass', 'cuda_graphs')


@dataclass(frozen=True)
class AccelerationOptions:
    """Options of :func:`~mmtranspose.acceleration.accelerate`.

    Args:
        dtype (str): The network's number format: ``'fp32'``, ``'bf16'`` or ``'fp16'``. Heatmaps are always decoded in
            float32. If the processor would only emulate the format, fp32 is used and a warning says so.
        fold_batch_norm (bool): Fold batch normalisations into the weights of the convolutions before them.
        channels_last (bool): Run convolutions in NHWC memory order.
        fuse_encoder (bool): Compute queries, keys and values of a layer in one matrix product, and keep the position
            embeddings' part of it for the last four token grids.
        flip_in_one_pass (bool): In the flip test, put images and mirrored images into one batch.
        compile (bool | dict): Use ``torch.compile``; a dict holds its arguments. The network is compiled once for all
            batch sizes of an image size (a second time for batches of one). If there is no compiler, the network runs
            uncompiled after one warning.
        cuda_graphs (bool): On a GPU, record the network for batches of 1, 2, 4, ... images and replay the recordings.
        backend (str): What runs the network: ``'torch'``, or ``'openvino'`` on a CPU, which is faster there (the
            options of PyTorch's own kernels then have no effect). If OpenVINO is missing or cannot run the network,
            PyTorch does after one warning.
        max_batch_size (int | None): Images that go through the network together; larger batches are split. (The flip
            test in one pass has two images for each person.) None: 16 on a CPU, where more images need more memory
            but no less time each, and 64 elsewhere.

    Raises:
        InputError: An option has a value that it does not take.
    """

    dtype: str = 'fp32'
    fold_batch_norm: bool = True
    channels_last: bool = True
    fuse_encoder: bool = True
    flip_in_one_pass: bool = True
    compile: bool | dict[str, Any] = False
    cuda_graphs: bool = True
    backend: str = 'torch'
    max_batch_size: int | None = None

    def __post_init__(self) -> None:
        require_choice('dtype', self.dtype, DTYPES)
        require_choice('backend', self.backend, BACKENDS)
        for name in SWITCHES:
            if not isinstance(getattr(self, name), bool):
                raise InputError(f'{name}={getattr(self, name)!r} must be True or False')
        if not isinstance(self.compile, (bool, dict)):
            raise InputError(f'compile={self.compile!r} must be True, False or a dict of arguments of torch.compile')
        size = self.max_batch_size
        if size is not None and (isinstance(size, bool) or not isinstance(size, int) or size < 1):
            raise InputError(f'max_batch_size={size!r} must be a whole number of images, 1 or more')

    @classmethod
    def by_name(cls, **options: Any) -> AccelerationOptions:
        """Make options from names that a user gave; options that are not given keep their defaults.

        Raises:
            InputError: A name is unknown (the message lists the known ones), or a value is.
        """
        require_known('option', options, [field.name for field in fields(cls)])
        return cls(**options)


def compute_dtype(name: str, device: torch.device) -> torch.dtype:
    """Choose the dtype in which a network computes: the one asked for, or float32 if the device would emulate it.

    Args:
        name (str): A key of :data:`DTYPES`.
        device (torch.device): Where the network runs.

    Returns:
        torch.dtype: ``DTYPES[name]``, or float32 after a warning.
    """
    if name == 'fp32' or is_native(name, device):
        return DTYPES[name]
    other = 'fp16' if name == 'bf16' else 'bf16'
    cure = f"; dtype='{other}' is computed natively here" if is_native(other, device) else ''
    warnings.warn(f'this {device.type} has no native {name}: the network runs in fp32{cure}', stacklevel=2)
    return torch.float32


def is_native(name: str, device: torch.device) -> bool:
    """Whether a device's hardware computes in ``'bf16'`` or ``'fp16'``; emulation would be slower than float32."""
    if device.type == 'cuda':
        return name == 'fp16' or torch.cuda.is_bf16_supported(including_emulation=False)
    if device.type == 'cpu':
        return _cpu_bf16() if name == 'bf16' else _cpu_fp16()
    return True


def _cpu_bf16() -> bool:
    if platform.machine().lower() in ('x86_64', 'amd64'):
        return cpu_has('avx512_bf16') or cpu_has('amx_tile')
    return cpu_computes_natively('bf16')


def _cpu_fp16() -> bool:
    return cpu_computes_natively('fp16') or cpu_has('amx_fp16')
