"""Which number format the network computes in, where the processor has it."""

from __future__ import annotations

import platform
import warnings

import torch

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
        return _cpu_has('avx512_bf16') or _cpu_has('amx_tile')
    return torch.ops.mkldnn._is_mkldnn_bf16_supported()


def _cpu_fp16() -> bool:
    return torch.ops.mkldnn._is_mkldnn_fp16_supported() or _cpu_has('amx_fp16')


def _cpu_has(feature: str) -> bool:
    return getattr(torch.cpu, f'_is_{feature}_supported', lambda: False)()
