"""Import modules and try them out, in a process of its own that may crash or hang: the child process of ``probing``.

It writes a line of JSON when it begins with a module and another when it is done with it, and it ends at the first that
fails: what a failed import leaves behind would spoil the message of the next one.
"""

from __future__ import annotations

import json
import os
import sys
import traceback
from collections.abc import Callable
from importlib import import_module
from importlib.util import find_spec
from typing import Any


def last_line(error: BaseException) -> str:
    """Write an error on one line: 'ImportError: libGL.so.1: cannot open ...'."""
    return ' '.join(''.join(traceback.format_exception_only(type(error), error)).split())


def try_torch(torch: Any) -> dict[str, Any]:
    """Compute on the CPU; returns the CUDA and ROCm versions that torch was built for."""
    torch.zeros(1).add(1)
    return {'cuda': torch.version.cuda or '', 'rocm': getattr(torch.version, 'hip', None) or ''}


def try_cuda(torch: Any) -> dict[str, Any]:
    """Compute on the GPU, if there is one, since a build without kernels for it fails only then; returns the GPUs."""
    if not torch.cuda.is_available():
        return {'gpus': []}
    torch.zeros(1, device='cuda').add(1).item()
    return {'gpus': [torch.cuda.get_device_name(index) for index in range(torch.cuda.device_count())]}


def try_torchvision(torchvision: Any) -> dict[str, Any]:
    """Call a compiled operator of torchvision."""
    import torch

    torchvision.ops.nms(torch.tensor([[0.0, 0.0, 1.0, 1.0]]), torch.ones(1), 0.5)
    return {}


def try_mmcv(_: Any) -> dict[str, Any]:
    """Look whether mmcv has compiled operators; returns the error where they do not load."""
    if find_spec('mmcv._ext') is None:
        return {'compiled': False, 'operators': ''}
    try:
        import_module('mmcv._ext')
    except Exception as error:
        return {'compiled': True, 'operators': last_line(error)}
    return {'compiled': True, 'operators': ''}


def try_pycocotools(_: Any) -> dict[str, Any]:
    """Import its compiled part."""
    import_module('pycocotools.mask')
    return {}


def try_mmtranspose(_: Any) -> dict[str, Any]:
    """Import MMPose's models and functions beside ours, as every command of ours does."""
    import_module('mmpose.apis')
    if import_module('mmpose.registry').MODELS.get('TransPoseHead') is None:
        raise ImportError('import mmtranspose did not register TransPoseHead in mmpose.registry.MODELS')
    return {}


TRIALS: dict[str, Callable[[Any], dict[str, Any]]] = {
    'torch': try_torch,
    'cuda': try_cuda,
    'torchvision': try_torchvision,
    'mmcv': try_mmcv,
    'pycocotools': try_pycocotools,
    'mmtranspose': try_mmtranspose,
}


def try_module(name: str) -> dict[str, Any]:
    """Import a module and try it out; returns its ``__version__`` and what the trial found."""
    module = import_module('torch' if name == 'cuda' else name)
    found = TRIALS[name](module) if name in TRIALS else {}
    return {'version': str(getattr(module, '__version__', '')), **found}


def main(names: list[str]) -> None:
    """Try modules in order and write the results to standard output."""
    lines = os.fdopen(os.dup(1), 'w', encoding='utf-8')
    os.dup2(2, 1)  # what modules print must not come between

    def tell(**line: object) -> None:
        print(json.dumps(line), file=lines, flush=True)

    for name in names:
        tell(name=name, state='begun')
        try:
            info = try_module(name)
        except BaseException as error:  # SystemExit too
            tell(name=name, state='failed', error=last_line(error))
            break
        tell(name=name, state='ok', info=info)
    lines.close()
    sys.stdout.flush()
    os._exit(0)  # no destructors: what fails there is of no interest
