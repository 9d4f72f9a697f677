"""Let ``resume=True`` of a runner find the newest checkpoint that can be used.

Fault: mmengine trusts the file ``last_checkpoint``. If that names a deleted or truncated checkpoint (the process was
killed at the wrong moment), auto-resume stops with an error, although older checkpoints lie beside it. If the work
directory was copied, the file names a checkpoint of the original. If it is missing, training starts from nothing, and
writes over the checkpoints that are there.
Versions: mmengine <= 0.10.7.
Can go: when ``find_latest_checkpoint`` looks at the checkpoints and falls back to the newest that can be read.
"""

from __future__ import annotations

from collections.abc import Callable

from mmtranspose.compat.patching import when_imported


def apply(find_latest_checkpoint: Callable[[str], str | None]) -> None:
    """Make the runner's auto-resume use another function.

    Args:
        find_latest_checkpoint (Callable): Takes the work directory, returns the checkpoint's file or None.
    """

    def replace() -> None:
        import mmengine.runner.runner as runner

        runner.find_latest_checkpoint = find_latest_checkpoint

    when_imported('mmengine.runner.runner', replace)
