"""Bring schedules to the step that a run is resumed at, if its checkpoint has no state of them.

Fault: mmengine's ``Runner.resume`` restores the schedulers of the learning rate and so on if the checkpoint has their
state. The best checkpoint (``best_*.pth``) has none: the run goes on at its epoch, but with the learning rates of the
first.
Versions: mmengine <= 0.10.7.
Can go: when ``Runner.resume`` advances schedulers that it does not restore.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

from mmtranspose.compat.patching import replace_once


def apply() -> None:
    """Make ``Runner.resume`` call :func:`fast_forward_schedulers`."""
    from mmengine.runner import runner

    replace_once(runner.Runner, 'resume', _fast_forwarding)


def _fast_forwarding(resume: Callable) -> Callable:
    def wrapper(self: Any, *args: Any, **kwargs: Any) -> None:
        resume(self, *args, **kwargs)
        fast_forward_schedulers(self)

    return wrapper


def fast_forward_schedulers(runner: Any) -> None:
    """Step the schedulers of a runner as if it had trained up to its epoch and step.

    Schedulers that were restored are there already and stay. So do those that follow a metric
    (``ReduceOnPlateau``), whose values nobody knows.

    Args:
        runner (Runner): A runner whose schedulers are built.
    """
    from mmengine.optim import _ParamScheduler

    built = runner.param_schedulers or []
    lists = built.values() if isinstance(built, dict) else [built]
    schedulers = [one for some in lists for one in some if isinstance(one, _ParamScheduler)]
    behind = [
        scheduler
        for scheduler in schedulers
        if scheduler._global_step < (runner.epoch if scheduler.by_epoch else runner.iter)
        and not getattr(scheduler, 'need_val_args', False)
    ]
    of_epochs, of_steps = ([one for one in behind if one.by_epoch is by_epoch] for by_epoch in (True, False))
    if not behind:
        return
    length = max(1, runner.max_iters // max(1, runner.max_epochs))
    epochs = 0
    with warnings.catch_warnings():
        warnings.filterwarnings('ignore', message='Detected call of `scheduler.step')
        for step in range(1, runner.iter + 1):
            _step(of_steps)
            if step % length == 0 and epochs < runner.epoch:
                _step(of_epochs)
                epochs += 1
        for _ in range(epochs, runner.epoch):
            _step(of_epochs)


def _step(schedulers: list[Any]) -> None:
    for scheduler in schedulers:
        scheduler.step()
