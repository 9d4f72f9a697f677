"""Read what training logs from the device only when the log is written."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any

import torch
from mmengine.hooks import LoggerHook, RuntimeInfoHook
from mmengine.runner import Runner
from mmpose.registry import HOOKS
from torch import Tensor

from mmtranspose.engine.non_finite import STOP, LossGuard, Step
from mmtranspose.errors import InputError
from mmtranspose.models.unwrapping import unwrapped
from mmtranspose.typing import Batch

DEFAULT_INTERVAL = 50  # steps, if the runner has no LoggerHook


@HOOKS.register_module()
class DeferredRuntimeInfoHook(RuntimeInfoHook):
    """A :class:`RuntimeInfoHook` that does not make the host wait for the device at every step.

    mmengine's hook reads every loss at every step (``Tensor.item``), so the host can never run ahead of the device.
    This hook leaves the losses on the device and hands them to the message hub, in one copy, before they are read: at
    every ``interval``-th step of an epoch, at the first step of a run, at the end of an epoch, before validation,
    before a checkpoint is saved and after training. The hub then holds the same values in the same order. From a
    config::

        default_hooks = dict(runtime_info=dict(type='DeferredRuntimeInfoHook'))

    The accuracy is computed only at those steps. Its value in the log is that of the last step, as with mmengine's
    hook; its history in the hub has only those steps. ``model.train_cfg=dict(compute_acc=False)`` keeps its meaning.

    When the losses are read, a loss that is NaN or infinite stops the training; the message names the step and the
    samples of its batch.

    If an exception ends training, the values that were not handed over are lost: fewer than ``interval`` steps, which
    the log would not have shown either.

    Args:
        interval (int | None): Steps from one reading to the next. None: that of the runner's ``LoggerHook``, or 50 if
            there is none.
        non_finite (str): ``'stop'``: stop at a loss that is not finite; ``'skip'``, with ``AmpOptimWrapper`` alone:
            count and log such steps, which its loss scale leaves out, and stop after 100 in a row.

    Raises:
        InputError: ``interval`` is less than 1, ``non_finite`` is unknown, or it is ``'skip'`` with another wrapper.
        TrainingError: In training: a loss is not finite.
    """

    def __init__(self, interval: int | None = None, non_finite: str = STOP):
        if interval is not None and interval < 1:
            raise InputError(f'interval={interval} must be at least 1')
        self.interval = interval
        self.guard = LossGuard(non_finite)
        self.steps: list[Step] = []  # whose losses were not handed over yet
        self.first = True
        self.train_cfg: dict | None = None

    def before_train(self, runner: Runner) -> None:
        """Find the interval, and remember the model's ``train_cfg``."""
        super().before_train(runner)
        self.guard.before_train(runner)
        if self.interval is None:
            loggers = (hook.interval for hook in runner.hooks if isinstance(hook, LoggerHook))
            self.interval = next(loggers, DEFAULT_INTERVAL)
        self.first = True
        self.train_cfg = getattr(unwrapped(runner.model), 'train_cfg', None)

    def before_train_iter(self, runner: Runner, batch_idx: int, data_batch: Batch | None = None) -> None:
        """Let the model compute the accuracy only if its value will be read."""
        super().before_train_iter(runner, batch_idx, data_batch)
        if self.train_cfg is not None and self.train_cfg.get('compute_acc', True):
            train_cfg = copy.copy(self.train_cfg)
            train_cfg['compute_acc'] = self._is_due(runner, batch_idx)
            unwrapped(runner.model).train_cfg = train_cfg

    def after_train_iter(
        self, runner: Runner, batch_idx: int, data_batch: Batch | None = None, outputs: dict | None = None
    ) -> None:
        """Keep the step's losses, and hand over all that were kept if they are due."""
        values = {key: _kept(value) for key, value in (outputs or {}).items()}
        self.steps.append(Step(runner.iter, batch_idx, values))
        if self._is_due(runner, batch_idx):
            self._hand_over(runner)
        self.first = False

    def after_train_epoch(self, runner: Runner) -> None:
        """Hand the losses over."""
        self._hand_over(runner)

    def before_val(self, runner: Runner) -> None:
        """Hand the losses over."""
        self._hand_over(runner)
        super().before_val(runner)

    def before_save_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Hand the losses over, and update the checkpoint's copy of the hub, which is older."""
        if self.steps:
            self._hand_over(runner, together=False)
            checkpoint['message_hub'] = runner.message_hub.state_dict()

    def after_train(self, runner: Runner) -> None:
        """Hand the losses over, and give the model its own ``train_cfg`` back."""
        self._hand_over(runner)
        if self.train_cfg is not None:
            unwrapped(runner.model).train_cfg = self.train_cfg
        super().after_train(runner)

    def _is_due(self, runner: Runner, batch_idx: int) -> bool:
        """Whether this step's values are read when it ends."""
        return (
            self.first
            or self.every_n_inner_iters(batch_idx, self.interval)
            or self.end_of_epoch(runner.train_dataloader, batch_idx)
        )

    def _hand_over(self, runner: Runner, together: bool = True) -> None:
        steps, self.steps = self.steps, []
        values = _on_host([value for step in steps for value in step.values.values()])
        steps = [step._replace(values={key: next(values) for key in step.values}) for step in steps]
        for step in steps:
            super().after_train_iter(runner, step.batch, outputs=step.values)
        self.guard.check(steps, runner, together)


def _kept(value: Any) -> Any:
    """A copy of a tensor, because the next step of compiled code overwrites what a step returned."""
    return value.detach().clone() if isinstance(value, Tensor) else value


def _on_host(values: list[Any]) -> Iterator[Any]:
    """The values in order, tensors as numbers; one copy from the device for each dtype."""
    kinds: dict[tuple[torch.device, torch.dtype], list[int]] = {}
    for index, value in enumerate(values):
        if isinstance(value, Tensor):
            kinds.setdefault((value.device, value.dtype), []).append(index)
    numbers = list(values)
    for indices in kinds.values():
        read = torch.cat([values[index].reshape(1) for index in indices]).tolist()
        for index, number in zip(indices, read):
            numbers[index] = number
    return iter(numbers)
