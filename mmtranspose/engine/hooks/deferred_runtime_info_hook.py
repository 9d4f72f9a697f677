"""What training logs, read from the device only when it is to be written."""

from __future__ import annotations

import copy
from collections.abc import Iterator

import torch
from mmengine.hooks import LoggerHook, RuntimeInfoHook
from mmengine.model import is_model_wrapper
from mmpose.registry import HOOKS
from torch import Tensor, nn

WITHOUT_LOGGER = 50  # steps whose values are kept at most


@HOOKS.register_module()
class DeferredRuntimeInfoHook(RuntimeInfoHook):
    """mmengine's :class:`RuntimeInfoHook`, which does not make the host wait for the device at every step.

    mmengine's reads each loss of each step (``Tensor.item``), so that the host can never run ahead. This one keeps the
    losses where they are, and hands them to the message hub, in one copy, when somebody is about to read: at every
    ``interval``-th step of an epoch, at the first step of a run, at the end of an epoch, before validation, before a
    checkpoint is saved and after training. The hub then holds the same values in the same order. From a config::

        default_hooks = dict(runtime_info=dict(type='DeferredRuntimeInfoHook'))

    The accuracy is computed at those steps of training alone: its value in the log is as always that of the last step,
    its history in the hub has these steps only. ``model.train_cfg=dict(compute_acc=False)`` stays as it is.

    An exception that ends training loses what was not handed over yet, less than ``interval`` steps, which the log
    would not have shown either.

    Args:
        interval (int | None): Steps from one reading to the next. None: as the runner's ``LoggerHook``, or 50
            where there is none.
    """

    def __init__(self, interval: int | None = None):
        if interval is not None and interval < 1:
            raise ValueError(f'interval={interval} must be at least 1')
        self.interval = interval
        self.steps: list[dict] = []  # what training gave, not handed over yet; one entry a step
        self.first = True
        self.train_cfg: dict | None = None

    def before_train(self, runner) -> None:
        """Find the interval, and remember whether the accuracy is wanted."""
        super().before_train(runner)
        if self.interval is None:
            loggers = (hook.interval for hook in runner.hooks if isinstance(hook, LoggerHook))
            self.interval = next(loggers, WITHOUT_LOGGER)
        self.first = True
        self.train_cfg = getattr(_estimator(runner), 'train_cfg', None)

    def before_train_iter(self, runner, batch_idx: int, data_batch=None) -> None:
        """Ask for the accuracy if its value will be read."""
        super().before_train_iter(runner, batch_idx, data_batch)
        if self.train_cfg is not None and self.train_cfg.get('compute_acc', True):
            train_cfg = copy.copy(self.train_cfg)
            train_cfg['compute_acc'] = self._is_due(runner, batch_idx)
            _estimator(runner).train_cfg = train_cfg

    def after_train_iter(self, runner, batch_idx: int, data_batch=None, outputs: dict | None = None) -> None:
        """Keep what training gave, or hand it over with what was kept."""
        self.steps.append({key: _kept(value) for key, value in (outputs or {}).items()})
        if self._is_due(runner, batch_idx):
            self._hand_over(runner)
        self.first = False

    def after_train_epoch(self, runner) -> None:
        """Hand over."""
        self._hand_over(runner)

    def before_val(self, runner) -> None:
        """Hand over."""
        self._hand_over(runner)
        super().before_val(runner)

    def before_save_checkpoint(self, runner, checkpoint: dict) -> None:
        """Hand over, and write that into the checkpoint, whose copy of the hub is older."""
        if self.steps:
            self._hand_over(runner)
            checkpoint['message_hub'] = runner.message_hub.state_dict()

    def after_train(self, runner) -> None:
        """Hand over; the model's ``train_cfg`` is the config's again."""
        self._hand_over(runner)
        if self.train_cfg is not None:
            _estimator(runner).train_cfg = self.train_cfg
        super().after_train(runner)

    def _is_due(self, runner, batch_idx: int) -> bool:
        """Whether this step's values are read when it ends."""
        return (
            self.first
            or self.every_n_inner_iters(batch_idx, self.interval)
            or self.end_of_epoch(runner.train_dataloader, batch_idx)
        )

    def _hand_over(self, runner) -> None:
        steps, self.steps = self.steps, []
        values = _on_host([value for step in steps for value in step.values()])
        for step in steps:
            super().after_train_iter(runner, 0, outputs={key: next(values) for key in step})


def _estimator(runner) -> nn.Module:
    return runner.model.module if is_model_wrapper(runner.model) else runner.model


def _kept(value):
    """A copy: what a compiled step returned is overwritten by the next."""
    return value.detach().clone() if isinstance(value, Tensor) else value


def _on_host(values: list) -> Iterator:
    """The values in order, tensors as numbers; one copy from the device for each dtype."""
    kinds: dict[tuple, list[int]] = {}
    for index, value in enumerate(values):
        if isinstance(value, Tensor):
            kinds.setdefault((value.device, value.dtype), []).append(index)
    numbers = list(values)
    for indices in kinds.values():
        read = torch.cat([values[index].reshape(1) for index in indices]).tolist()
        for index, number in zip(indices, read):
            numbers[index] = number
    return iter(numbers)
