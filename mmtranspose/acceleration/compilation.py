"""``torch.compile`` that goes on without a compiler."""

from __future__ import annotations

import functools
import warnings
from collections.abc import Callable

import torch
from torch import Tensor

from mmtranspose.compat.upstream import mark_dynamic


def compile_or_eager(function: Callable, what: str, **options) -> Callable:
    """``torch.compile(function, **options)``, which runs ``function`` itself after its first failure.

    A compiled function raises at its first call where no C++ compiler (CPU) or Triton (GPU) is installed, or where its
    backend cannot translate it; PyTorch's own ``suppress_errors`` is a setting of the whole process.

    Args:
        function (Callable): What to compile; compiled at its first call.
        what (str): Its name in the one warning that a failure gives.
        **options: As in ``torch.compile``.

    Returns:
        Callable: With the same arguments and results.
    """
    compiled = torch.compile(function, **options)
    failed = False

    @functools.wraps(function)
    def call(*args, **kwargs):
        nonlocal failed
        if not failed:
            try:
                return compiled(*args, **kwargs)
            except torch.OutOfMemoryError:
                raise
            except Exception as error:  # whatever a backend raises; a fault of the arguments comes again below
                result = function(*args, **kwargs)
                failed = True
                cause = getattr(error, 'inner_exception', error)
                first_line = next(iter(str(cause).splitlines()), '')
                warnings.warn(
                    f'{what} cannot be compiled and runs uncompiled: {type(cause).__name__}: {first_line}', stacklevel=2
                )
                return result
        return function(*args, **kwargs)

    return call


def compile_any_batch(function: Callable, **options) -> Callable:
    """Compile ``function(inputs, tables)`` once for all batch sizes (a batch of one apart) of an image size.

    Args:
        function (Callable): Takes images (B, 3, H, W) and tables for (H, W).
        **options: As in ``torch.compile``.

    Returns:
        Callable: With the same arguments and results; where there is no compiler, it warns once and runs uncompiled.
    """
    compiled = compile_or_eager(function, 'the accelerated network', **options)

    def call(inputs: Tensor, tables: tuple[Tensor, ...]) -> Tensor:
        mark_dynamic(inputs, 0)
        return compiled(inputs, tables)

    return call
