"""Hooks that tell how a run goes: a progress bar, and test metrics in a file."""

import mmengine
from mmengine.dist import is_main_process
from mmengine.hooks import Hook
from mmpose.registry import HOOKS
from tqdm import tqdm


@HOOKS.register_module()
class ProgressBarHook(Hook):
    """Shows one bar over all training iterations, with the loss, and one for each evaluation.

    The loss is that of the last 50 steps in the message hub: with ``DeferredRuntimeInfoHook`` it changes when the log
    does, and the host never waits for it.

    Meant to go with ``log_level='WARNING'``, which quiets the log on the screen; the numbers are still written to the
    work directory.
    """

    priority = 'LOW'

    def __init__(self):
        self.bar = None

    def before_train(self, runner) -> None:
        self._open(runner.max_iters, 'training', 'step', initial=runner.iter)

    def after_train_iter(self, runner, batch_idx, data_batch=None, outputs=None) -> None:
        loss = runner.message_hub.get_scalar('train/loss').mean(50)
        self._advance(epoch=runner.epoch + 1, loss=f'{loss:.5f}')

    def after_train(self, runner) -> None:
        self._close()

    def before_test_epoch(self, runner) -> None:
        self._open(len(runner.test_dataloader), 'evaluation', 'batch')

    def after_test_iter(self, runner, batch_idx, data_batch=None, outputs=None) -> None:
        self._advance()

    def after_test_epoch(self, runner, metrics=None) -> None:
        self._close()

    def _open(self, total: int, title: str, unit: str, initial: int = 0) -> None:
        self._close()
        if is_main_process():
            self.bar = tqdm(total=total, desc=title, unit=unit, initial=initial, mininterval=0.5)

    def _advance(self, **postfix) -> None:
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
        path (str): The file; ``.json``, ``.yaml`` or ``.pkl``.
    """

    priority = 'LOWEST'

    def __init__(self, path: str):
        self.path = path

    def after_test_epoch(self, runner, metrics: dict | None = None) -> None:
        """Write ``metrics``."""
        if metrics is not None and runner.rank == 0:
            mmengine.dump(metrics, self.path)
