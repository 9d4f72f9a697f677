"""Compile the network's parts during training."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from typing import Any

import torch
from mmengine.hooks import Hook
from mmengine.runner import Runner
from mmpose.registry import HOOKS
from torch import Tensor, nn

from mmtranspose.acceleration.compilation import compile_or_eager
from mmtranspose.errors import InputError
from mmtranspose.models.unwrapping import unwrapped

PARTS = ('backbone', 'neck.encoder', 'head.deconv_layers')


@HOOKS.register_module()
class CompileHook(Hook):
    """Compiles the forward functions of the network's parts for training, with ``torch.compile``.

    The modules stay the same objects, so checkpoints, moving averages and the optimiser are not affected. Validation
    runs uncompiled. If nothing can be compiled (no C++ compiler on a CPU, no Triton on a GPU), training runs uncompiled
    after one warning. The first steps take minutes. From a config::

        custom_hooks = [dict(type='CompileHook', mode='max-autotune-no-cudagraphs')]

    Args:
        parts (Sequence[str]): Names of modules in the model. Modules that the model does not have, or that have no
            parameters (TransPose-H's ``head.deconv_layers``), are skipped.
        **options: Arguments of ``torch.compile`` (``backend``, ``mode``, ``dynamic``, ...).
    """

    # Before hooks that copy the model for validation: the copy must not have the compiled functions.
    priority = 'VERY_HIGH'

    def __init__(self, parts: Sequence[str] = PARTS, **options: Any):
        self.parts = tuple(parts)
        self.options = options
        # Module, compiled forward function, and the forward function that was set on the module before, if any.
        self.compiled: list[tuple[nn.Module, Callable, Callable | None]] = []

    def before_train(self, runner: Runner) -> None:
        """Put the compiled functions in place.

        Raises:
            InputError: The model has none of the parts.
        """
        model: nn.Module = unwrapped(runner.model)
        found = dict(model.named_modules())
        modules = {name: found[name] for name in self.parts if name in found}
        if not modules:
            raise InputError(f'CompileHook: the model has none of parts={list(self.parts)}')
        if self._can_compile(next(model.parameters()).device):
            for name, module in modules.items():
                if next(module.parameters(), None) is not None:
                    compiled = compile_or_eager(module.forward, name, **self.options)
                    self.compiled.append((module, compiled, vars(module).get('forward')))
            self._put_in()

    def before_val(self, runner: Runner) -> None:
        """Take the compiled functions out."""
        self._take_out()

    def after_val(self, runner: Runner) -> None:
        """Put the compiled functions in again, if training goes on."""
        self._put_in()

    def after_train(self, runner: Runner) -> None:
        """Take the compiled functions out for good."""
        self._take_out()
        self.compiled = []

    def _can_compile(self, device: torch.device) -> bool:
        """Try to compile a trivial function; warn if that fails."""
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter('always')
            compile_or_eager(_double, 'the model', **self.options)(torch.ones(2, device=device))
        failures = [one.message for one in caught if 'cannot be compiled' in str(one.message)]
        for message in failures:
            warnings.warn(message, stacklevel=2)
        return not failures

    def _put_in(self) -> None:
        for module, compiled, _ in self.compiled:
            module.forward = compiled

    def _take_out(self) -> None:
        for module, _, before in self.compiled:
            vars(module).pop('forward', None)
            if before is not None:
                module.forward = before


def _double(x: Tensor) -> Tensor:
    return x + x
