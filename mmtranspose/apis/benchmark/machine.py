"""The machine that figures belong to."""

from __future__ import annotations

import os
import platform
from pathlib import Path

import torch


def describe_machine(device: str, threads: int | None = None) -> dict[str, str | int]:
    """Processor, cores, threads of PyTorch, versions, and the GPU if that is the device.

    Args:
        device (str): ``'cpu'``, ``'cuda:0'``, ...
        threads (int | None): What was asked for; None: PyTorch's choice.
    """
    machine = dict(
        cpu=_processor(),
        cores=os.cpu_count(),
        threads=threads or torch.get_num_threads(),
        torch=torch.__version__,
        python=platform.python_version(),
    )
    if torch.device(device).type == 'cuda':
        machine.update(gpu=torch.cuda.get_device_name(device), cuda=torch.version.cuda)
    return machine


def _processor() -> str:
    info = Path('/proc/cpuinfo')
    lines = info.read_text().splitlines() if info.is_file() else []
    names = [line.partition(':')[2].strip() for line in lines if line.startswith('model name')]
    return names[0] if names else platform.processor() or platform.machine()
