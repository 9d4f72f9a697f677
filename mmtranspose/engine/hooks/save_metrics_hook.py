"""Test metrics into a file."""

import mmengine
from mmengine.hooks import Hook
from mmpose.registry import HOOKS


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
