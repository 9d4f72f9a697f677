"""Validate and test with the accelerated model."""

from __future__ import annotations

from typing import Any

from mmengine.hooks import Hook
from mmengine.runner import Runner
from mmpose.registry import HOOKS
from torch import nn

from mmtranspose.acceleration import AccelerationOptions, accelerate
from mmtranspose.models.unwrapping import unwrapped


@HOOKS.register_module()
class AccelerationHook(Hook):
    """Gives the runner an accelerated model for each validation and test, made from the weights of that moment.

    The accelerated model is put in place after EMAHook's averages, and taken out before CheckpointHook saves. Making it
    takes less than a second. CUDA graphs are recorded anew each time; compiled code is used again. From a config::

        custom_hooks = [dict(type='AccelerationHook', dtype='bf16')]

    If the model cannot be accelerated, the validation or test raises ``UnsupportedModelError`` when it begins.

    Args:
        **options: The fields of :class:`~mmtranspose.acceleration.AccelerationOptions`.

    Raises:
        InputError: An option or its value is unknown.
    """

    priority = 'LOW'  # EMAHook: NORMAL; CheckpointHook: VERY_LOW

    def __init__(self, **options: Any):
        AccelerationOptions.by_name(**options)
        self.options = options
        self.model: nn.Module | None = None

    def before_val_epoch(self, runner: Runner) -> None:
        """Put the accelerated model in place."""
        self._accelerate(runner)

    def after_val_epoch(self, runner: Runner, metrics: dict[str, float] | None = None) -> None:
        """Put the runner's own model back."""
        self._restore(runner)

    def before_test_epoch(self, runner: Runner) -> None:
        """Put the accelerated model in place."""
        self._accelerate(runner)

    def after_test_epoch(self, runner: Runner, metrics: dict[str, float] | None = None) -> None:
        """Put the runner's own model back."""
        self._restore(runner)

    def _accelerate(self, runner: Runner) -> None:
        self.model = runner.model
        runner.model.eval()  # as the loops do next
        runner.model = accelerate(unwrapped(runner.model), **self.options)

    def _restore(self, runner: Runner) -> None:
        runner.model, self.model = self.model, None
