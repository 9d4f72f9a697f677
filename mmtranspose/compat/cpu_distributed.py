"""Distributed training and testing without a GPU.

Fault: mmengine's ``init_dist`` selects a CUDA device whatever the backend, which fails on a machine that has none, and
its configs ask for nccl.
Versions: mmengine <= 0.10.7.
Can go: when ``init_dist(launcher='pytorch', backend='gloo')`` works on a CPU.
"""

from __future__ import annotations

import atexit

import torch
from torch import distributed


def init_process_group(launcher: str) -> bool:
    """Start the process group with gloo where torchrun launched us and there is no GPU; else leave it to mmengine.

    Args:
        launcher (str): ``'none'``, ``'pytorch'``, ``'slurm'`` or ``'mpi'``, as ``Runner`` takes it.

    Returns:
        bool: Whether the group was started here (mmengine's runner uses a group that is there already).
    """
    if launcher != 'pytorch' or torch.cuda.is_available() or distributed.is_initialized():
        return False
    distributed.init_process_group(backend='gloo')
    atexit.register(_leave)
    return True


def _leave() -> None:
    # gloo's threads abort a process that ends while they run.
    if distributed.is_initialized():
        distributed.destroy_process_group()


def wrap_on_cpu(cfg) -> None:
    """Let mmengine's runner wrap the model for a CPU: it names the local rank as a CUDA device otherwise."""
    wrapper = dict(broadcast_buffers=False, find_unused_parameters=cfg.get('find_unused_parameters', False))
    cfg.model_wrapper_cfg = {**wrapper, **(cfg.get('model_wrapper_cfg') or {}), 'device_ids': None}
