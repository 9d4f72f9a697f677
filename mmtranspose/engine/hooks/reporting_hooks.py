"""Hooks that report on a run: a progress bar, and a file of test metrics."""

from __future__ import annotations

import mmengine
from mmengine.dist import is_main_process
from mmengine.hooks import Hook
from mmengine.runner import Runner
from mmpose.registry import HOOKS
from tqdm import tqdm

from mmtranspose.typing import Batch, PathLike


@HOOKS.register_module()
class ProgressBarHook(Hook):
    """Shows a progress bar of all training iterations, with the loss, and one of each test.

    The loss is the mean over the last 50 steps in the message hub. With ``DeferredRuntimeInfoHook`` it changes when the
    log does, so showing it never makes the host wait for the device.

    Use it with ``log_level='WARNING'``, which removes the log from the screen; the work directory still gets the
    numbers.
    """

    priority = 'LOW'

    def __init__(self) -> None:
        self.bar: tqdm | None = None

    def before_train(self, runner: Runner) -> None:
        """Show the bar of training."""
        self._open(runner.max_iters, 'training', 'step', initial=runner.iter)

    def after_train_iter(
        self, runner: Runner, batch_idx: int, data_batch: Batch | None = None, outputs: dict | None = None
    ) -> None:
        """Advance by one step, and show epoch and loss."""
        loss = runner.message_hub.get_scalar('train/loss').mean(50)
        self._advance(epoch=runner.epoch + 1, loss=f'{loss:.5f}')

    def after_train(self, runner: Runner) -> None:
        """Close the bar."""
        self._close()

    def before_test_epoch(self, runner: Runner) -> None:
        """Show the bar of a test."""
        self._open(len(runner.test_dataloader), 'evaluation', 'batch')

    def after_test_iter(
        self, runner: Runner, batch_idx: int, data_batch: Batch | None = None, outputs: list | None = None
    ) -> None:
        """Advance by one batch."""
        self._advance()

    def after_test_epoch(self, runner: Runner, metrics: dict[str, float] | None = None) -> None:
        """Close the bar."""
        self._close()

    def _open(self, total: int, title: str, unit: str, initial: int = 0) -> None:
        self._close()
        if is_main_process():
            self.bar = tqdm(total=total, desc=title, unit=unit, initial=initial, mininterval=0.5)

    def _advance(self, **postfix: object) -> None:
        if self.bar is not None:
            self.bar.set_postfix(postfix, refresh=False)
            self.bar.update()

    def _close(self) -> None:
        if self.bar is not None:
            self.bar.close()
            self.bar = None


@HOOKS.register_module()
class SaveMetricsHook(Hook):
    """Writes the metrics of a test run to a file, from the main process.

    Args:
        path (str | Path): The file, ending in ``.json``, ``.yaml`` or ``.pkl``.
    """

    priority = 'LOWEST'

    def __init__(self, path: PathLike):
        self.path = path

    def after_test_epoch(self, runner: Runner, metrics: dict[str, float] | None = None) -> None:
        """Write ``metrics``."""
        if metrics is not None and runner.rank == 0:
            mmengine.dump(metrics, self.path)
