"""Train and test in several processes without a GPU.

Fault: mmengine's ``init_dist`` selects a CUDA device for every backend, which fails on a machine without one, and its
configs ask for nccl. And a process may abort ("terminate called without an active exception") when it ends right after
a collective: a thread of gloo then still gives back the collective's tensors, for which it needs the interpreter.
Versions: mmengine <= 0.10.7.
Can go: when ``init_dist(launcher='pytorch', backend='gloo')`` works on a CPU.
"""

from __future__ import annotations

import atexit
import time

import torch
from mmengine.config import Config
from torch import distributed


def init_process_group(launcher: str) -> bool:
    """Start the process group with gloo if torchrun started this process and there is no GPU.

    Args:
        launcher (str): ``'none'``, ``'pytorch'``, ``'slurm'`` or ``'mpi'``, as mmengine's ``Runner`` takes it.

    Returns:
        bool: Whether the group was started here. (mmengine's runner uses a group that exists already.)
    """
    if launcher != 'pytorch' or torch.cuda.is_available() or distributed.is_initialized():
        return False
    distributed.init_process_group(backend='gloo')
    atexit.register(_leave)
    return True


def _leave() -> None:
    if distributed.is_initialized():
        distributed.destroy_process_group()
        # DDP keeps the group's threads alive, so they cannot be joined: let them finish what they hold.
        time.sleep(0.2)


def wrap_on_cpu(cfg: Config) -> None:
    """Make mmengine's runner wrap the model without naming a device: it would name the local rank's CUDA device."""
    wrapper = dict(broadcast_buffers=False, find_unused_parameters=cfg.get('find_unused_parameters', False))
    cfg.model_wrapper_cfg = {**wrapper, **(cfg.get('model_wrapper_cfg') or {}), 'device_ids': None}
