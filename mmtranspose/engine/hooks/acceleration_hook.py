"""Fast validation and tests."""

from __future__ import annotations

from mmengine.hooks import Hook
from mmengine.model import is_model_wrapper
from mmpose.registry import HOOKS

from mmtranspose.acceleration import AccelerationOptions, accelerate
from mmtranspose.errors import InputError


@HOOKS.register_module()
class AccelerationHook(Hook):
    """During validation and tests, the runner's model is the accelerated one, made anew from the weights of the moment.

    It comes after EMAHook has put its averages in place, and the runner has its own model again before CheckpointHook
    looks at it. Making it takes under a second; CUDA graphs are recorded anew, and compiled code is used again (PyTorch
    finds that it fits). From a config::

        custom_hooks = [dict(type='AccelerationHook', dtype='bf16')]

    Args:
        **options: As in :func:`~mmtranspose.acceleration.accelerate`.

    Raises:
        InputError: An option's value is not one of those that it takes; or, when validation begins, the model cannot be
            accelerated.
    """

    priority = 'LOW'  # EMAHook: NORMAL; CheckpointHook: VERY_LOW

    def __init__(self, **options):
        AccelerationOptions(**options)
        self.options = options
        self.model = None

    def before_val_epoch(self, runner) -> None:
        """Put the accelerated model in place."""
        self._accelerate(runner)

    def after_val_epoch(self, runner, metrics: dict | None = None) -> None:
        """Put the runner's own model back."""
        self._restore(runner)

    def before_test_epoch(self, runner) -> None:
        """Put the accelerated model in place."""
        self._accelerate(runner)

    def after_test_epoch(self, runner, metrics: dict | None = None) -> None:
        """Put the runner's own model back."""
        self._restore(runner)

    def _accelerate(self, runner) -> None:
        self.model = runner.model
        self.model.eval()  # as the loops do next
        model = self.model.module if is_model_wrapper(self.model) else self.model
        try:
            runner.model = accelerate(model, **self.options)
        except TypeError as error:
            raise InputError(f'AccelerationHook: {error}') from error

    def _restore(self, runner) -> None:
        runner.model, self.model = self.model, None
