"""The network's parts compiled while it is trained."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence

import torch
from mmengine.hooks import Hook
from mmengine.model import is_model_wrapper
from mmpose.registry import HOOKS
from torch import nn

from mmtranspose.acceleration.compilation import compile_or_eager
from mmtranspose.errors import InputError

PARTS = ('backbone', 'neck.encoder', 'head.deconv_layers')


@HOOKS.register_module()
class CompileHook(Hook):
    """Compiles the forward functions of the network's parts for training, with ``torch.compile``.

    The modules stay the same objects, so checkpoints, moving averages and the optimiser know nothing of it; validation
    runs uncompiled. Where nothing can be compiled (no C++ compiler on a CPU, no Triton on a GPU), training goes on
    without, after one warning. The first steps take minutes. From a config::

        custom_hooks = [dict(type='CompileHook', mode='max-autotune-no-cudagraphs')]

    Args:
        parts (Sequence[str]): Names of modules in the model. Those that it does not have, or that hold no parameters
            (TransPose-H's ``head.deconv_layers``), are left out.
        **options: As in ``torch.compile`` (``backend``, ``mode``, ``dynamic``, ...).
    """

    priority = 'VERY_HIGH'  # before hooks that copy the model for validation, which must not copy what this one put in

    def __init__(self, parts: Sequence[str] = PARTS, **options):
        self.parts = tuple(parts)
        self.options = options
        self.compiled: list[tuple[nn.Module, Callable, Callable | None]] = []  # and what may have been set before

    def before_train(self, runner) -> None:
        """Put the compiled functions in place.

        Raises:
            InputError: The model has none of the parts.
        """
        model = runner.model.module if is_model_wrapper(runner.model) else runner.model
        found = dict(model.named_modules())
        modules = {name: found[name] for name in self.parts if name in found}
        if not modules:
            raise InputError(f'CompileHook: the model has none of parts={list(self.parts)}')
        modules = {name: module for name, module in modules.items() if next(module.parameters(), None) is not None}
        device = next(model.parameters()).device
        if self._can_compile(device):
            for name, module in modules.items():
                compiled = compile_or_eager(module.forward, name, **self.options)
                self.compiled.append((module, compiled, vars(module).get('forward')))
            self._put_in()

    def before_val(self, runner) -> None:
        """Take the compiled functions out."""
        self._take_out()

    def after_val(self, runner) -> None:
        """Put them in again, if training goes on."""
        self._put_in()

    def after_train(self, runner) -> None:
        """Take the compiled functions out for good."""
        self._take_out()
        self.compiled = []

    def _can_compile(self, device: torch.device) -> bool:
        """Try on the smallest function there is; warns if not."""
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


def _double(x: torch.Tensor) -> torch.Tensor:
    return x + x
