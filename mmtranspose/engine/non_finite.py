"""Stop a training whose loss or weights are NaN or infinite."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import torch
from mmengine.dist import all_reduce, get_world_size
from mmengine.optim import AmpOptimWrapper
from mmengine.runner import Runner
from torch import Tensor

from mmtranspose.engine.loops import ResumableTrainLoop
from mmtranspose.errors import InputError, TrainingError, require_choice
from mmtranspose.loading.weights_comparison import shortlist
from mmtranspose_cli.terminal import printable

CURE = (
    'Lower optim_wrapper.optimizer.lr or set optim_wrapper.clip_grad=dict(max_norm=1.0), and start again; --resume '
    'goes on from the last checkpoint'
)
LAST_WRITTEN = 'last_written_checkpoint'  # in the message hub
STOP, SKIP = 'stop', 'skip'
MOST_SKIPPED = 100  # steps in a row: the loss scale does not help any more
NEVER = 2**62  # a step


class Step(NamedTuple):
    """What a training step returned.

    Attributes:
        iteration (int): Of the run, counted from 0.
        batch (int): Of the epoch, counted from 0.
        values (dict): Losses and other logged values, by name; tensors on a device, or numbers once they are read.
    """

    iteration: int
    batch: int
    values: dict[str, Any]


class LossGuard:
    """Stops a training at the first step whose loss is NaN or infinite.

    It looks at losses when they are read for the log, so it makes no step wait for the device.

    Args:
        action (str): ``'stop'``; or ``'skip'``, for float16 with ``AmpOptimWrapper`` alone, whose loss scale leaves out
            the update of such a step: it is counted and logged, and training stops after 100 of them in a row.

    Attributes:
        skipped (int): Steps that were left out.

    Raises:
        InputError: ``action`` is unknown.
    """

    def __init__(self, action: str = STOP):
        require_choice('non_finite', action, (STOP, SKIP))
        self.action = action
        self.skipped = 0
        self._in_a_row = 0

    def before_train(self, runner: Runner) -> None:
        """Check that the optimiser's wrapper leaves out such steps, if they are to be skipped.

        Raises:
            InputError: It does not.
        """
        if self.action == SKIP and not isinstance(runner.optim_wrapper, AmpOptimWrapper):
            kind = type(runner.optim_wrapper).__name__
            raise InputError(
                f"non_finite='skip' needs optim_wrapper.type='AmpOptimWrapper', whose loss scale leaves out steps that "
                f"are not finite; {kind} would take them. Set non_finite='stop'"
            )

    def check(self, steps: list[Step], runner: Runner, together: bool = True) -> None:
        """Look at steps, in their order, whose values were read.

        Args:
            steps (list[Step]): With numbers as values.
            runner (Runner): The runner.
            together (bool): Whether all processes that train together call this now, so that they stop together.

        Raises:
            TrainingError: The loss of a step is not finite; names the step, its samples and the last checkpoint.
        """
        if together and self.action == STOP and get_world_size() > 1:
            first = torch.tensor(next((step.iteration for step in steps if _non_finite_losses(step)), NEVER))
            own = int(first)
            all_reduce(first, 'min')
            if first < own:
                raise TrainingError(f'training stopped: a loss of another process is not finite at step {first + 1}')
        for step in steps:
            bad = _non_finite_losses(step)
            self._in_a_row = self._in_a_row + 1 if bad else 0
            if bad:
                self._act(step, bad[-1], runner)

    def _act(self, step: Step, name: str, runner: Runner) -> None:
        where = f'step {step.iteration + 1} (epoch {runner.epoch + 1}, batch {step.batch + 1})'
        what = f'{name} is {step.values[name]} at {where}'
        if self.action == STOP or self._in_a_row >= MOST_SKIPPED:
            raise TrainingError(f'training stopped: {what}; {_samples(runner, step.batch)}{_last(runner)}. {CURE}')
        self.skipped += 1
        runner.message_hub.update_scalar('train/skipped_steps', self.skipped)
        runner.logger.warning(printable(f'{what}: the step was skipped, the {self.skipped}. of this run'))


def _non_finite_losses(step: Step) -> list[str]:
    return [name for name, value in step.values.items() if 'loss' in name and not math.isfinite(value)]


def require_finite_state(checkpoint: dict[str, Any], runner: Runner) -> None:
    """Check that a checkpoint that is about to be written has finite weights, moving averages and optimiser states.

    Raises:
        TrainingError: A tensor holds NaN or infinity; names it and the last checkpoint.
    """
    bad = [name for name, tensor in _tensors(checkpoint) if not torch.isfinite(tensor).all()]
    if bad:
        raise TrainingError(
            f'training stopped: NaN or infinity in {shortlist(bad)}, so this checkpoint was not written; '
            f'{_last(runner)}. {CURE}'
        )


def _tensors(checkpoint: dict[str, Any]) -> Iterator[tuple[str, Tensor]]:
    for part in ('state_dict', 'ema_state_dict'):
        for name, value in (checkpoint.get(part) or {}).items():
            if isinstance(value, Tensor):
                yield name if part == 'state_dict' else f'{part} {name}', value
    yield from _nested(checkpoint.get('optimizer'), 'optimizer')


def _nested(value: Any, name: str) -> Iterator[tuple[str, Tensor]]:
    """The tensors in dicts and lists, by their path: with several optimisers there is one more level."""
    if isinstance(value, Tensor):
        yield name, value
    elif isinstance(value, (dict, list, tuple)):
        for key, one in value.items() if isinstance(value, dict) else enumerate(value):
            yield from _nested(one, f'{name}.{key}')


def _samples(runner: Runner, batch: int) -> str:
    loop = runner.train_loop
    names = loop.sample_names(batch) if isinstance(loop, ResumableTrainLoop) else []
    return f'the samples of that batch: {shortlist(names)}; ' if names else ''


def _last(runner: Runner) -> str:
    """The last checkpoint that was written, in words."""
    noted = runner.message_hub.runtime_info
    path = noted.get(LAST_WRITTEN) or noted.get('last_ckpt')  # mmengine notes last_ckpt before it writes
    return f'last good checkpoint: {path}' if path and Path(path).exists() else 'no checkpoint was written before'
