"""Compile functions with ``torch.compile``, or run them uncompiled where there is no compiler."""

from __future__ import annotations

import functools
import warnings
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from mmtranspose.compat.upstream import mark_dynamic


def compile_or_eager(function: Callable[..., Any], what: str, **options: Any) -> Callable[..., Any]:
    """Compile a function with ``torch.compile``, and run the function itself after the first failure.

    A compiled function raises at its first call if no C++ compiler (CPU) or Triton (GPU) is installed, or if its
    backend cannot translate it. PyTorch's own ``suppress_errors`` is a setting of the whole process.

    Args:
        function (Callable): The function; it is compiled at its first call.
        what (str): Its name in the warning that is given once, after a failure.
        **options: Arguments of ``torch.compile``.

    Returns:
        Callable: With the same arguments and results.
    """
    compiled = torch.compile(function, **options)
    failed = False

    @functools.wraps(function)
    def call(*args: Any, **kwargs: Any) -> Any:
        nonlocal failed
        if not failed:
            try:
                return compiled(*args, **kwargs)
            except torch.OutOfMemoryError:
                raise
            except Exception as error:  # a backend may raise any type
                result = function(*args, **kwargs)  # raises again if the arguments were at fault
                failed = True
                cause = getattr(error, 'inner_exception', error)
                first_line = next(iter(str(cause).splitlines()), '')
                warnings.warn(
                    f'{what} cannot be compiled and runs uncompiled: {type(cause).__name__}: {first_line}', stacklevel=2
                )
                return result
        return function(*args, **kwargs)

    return call


def compile_any_batch(
    function: Callable[[Tensor, tuple[Tensor, ...]], Tensor], **options: Any
) -> Callable[[Tensor, tuple[Tensor, ...]], Tensor]:
    """Compile a function of images so that one compilation serves every batch size of an image size.

    A batch of one image is compiled separately.

    Args:
        function (Callable): Takes images (B, 3, H, W) and tables for (H, W).
        **options: Arguments of ``torch.compile``.

    Returns:
        Callable: With the same arguments and results; without a compiler, it warns once and runs uncompiled.
    """
    compiled = compile_or_eager(function, 'the accelerated network', **options)

    def call(inputs: Tensor, tables: tuple[Tensor, ...]) -> Tensor:
        mark_dynamic(inputs, 0)
        return compiled(inputs, tables)

    return call
