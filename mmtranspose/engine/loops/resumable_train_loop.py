"""Train by epochs such that a run that was broken off ends with the weights of one that was not."""

from __future__ import annotations

import logging
from typing import Any, NamedTuple

from mmengine.dist import get_rank, get_world_size
from mmengine.logging import print_log
from mmengine.runner import EpochBasedTrainLoop, Runner
from mmpose.registry import LOOPS

from mmtranspose.engine.loops.resumable_loader import STEPS, ResumableSampler, resumable_loader, seed_random_states
from mmtranspose.errors import TrainingError, require_at_least


class Layout(NamedTuple):
    """How an epoch is cut into steps; a run can go on in the middle of an epoch only if this stays the same.

    Attributes:
        samples (int): Of the dataset.
        batch_size (int): Of one process.
        processes (int): That train together.
    """

    samples: int
    batch_size: int
    processes: int


@LOOPS.register_module()
class ResumableTrainLoop(EpochBasedTrainLoop):
    """An :class:`EpochBasedTrainLoop` whose random numbers do not depend on where the run was broken off.

    Before each step all random states (Python, NumPy, PyTorch on CPU and GPU) are seeded from the seed of the run, the
    step and the rank, and before each sample from the seed of the run, the epoch, the sample's index and its
    repetition. So there is no random state to restore: dropout and augmentation of a step are the same in a run that
    was resumed, with any number of workers. A run can be resumed in the middle of an epoch if its checkpoint is from
    :class:`~mmtranspose.engine.hooks.ResumableCheckpointHook`; samples that were seen already are not loaded again.
    From a config::

        train_cfg = dict(type='ResumableTrainLoop', max_epochs=230, val_interval=10)

    Args:
        runner (Runner): The runner.
        dataloader (dict): Config of the data loader.
        max_epochs (int): Epochs to train.
        val_begin (int): The first epoch that is followed by a validation.
        val_interval (int): Epochs from one validation to the next.
        dynamic_intervals (list[tuple[int, int]] | None): Other intervals from given epochs on.

    Raises:
        InputError: A number is less than 1, or the data loader cannot be resumed.
    """

    def __init__(
        self,
        runner: Runner,
        dataloader: dict,
        max_epochs: int,
        val_begin: int = 1,
        val_interval: int = 1,
        dynamic_intervals: list[tuple[int, int]] | None = None,
    ):
        for name, value in (('max_epochs', max_epochs), ('val_begin', val_begin), ('val_interval', val_interval)):
            require_at_least(f'train_cfg.{name}', value, 1)
        super().__init__(runner, resumable_loader(dataloader), max_epochs, val_begin, val_interval, dynamic_intervals)
        self.done = 0  # batches of this epoch that were trained before the run was broken off
        self.validated = False  # before the run was broken off, after its last epoch
        self.diff_rank_seed = bool((runner.cfg.get('randomness') or {}).get('diff_rank_seed'))

    @property
    def sampler(self) -> ResumableSampler:
        """The sampler of the data loader."""
        return self.dataloader.sampler

    @property
    def seed(self) -> int:
        """The seed of the run, the same in all processes; of a resumed run, that with which it began."""
        return self.runner.seed - (get_rank() if self.diff_rank_seed else 0)

    @property
    def layout(self) -> Layout:
        """How the epochs of this run are cut into steps."""
        return Layout(len(self.dataloader.dataset), self.dataloader.batch_size, get_world_size())

    def position(self, batches: int, validated: bool = False) -> dict[str, Any]:
        """Describe the place in an epoch, for a checkpoint.

        Args:
            batches (int): Batches of the current epoch that were trained.
            validated (bool): Whether the validation after the epoch before is done.
        """
        return dict(batches=batches, of=len(self.dataloader), layout=list(self.layout), validated=validated)

    def resume_at(self, position: dict[str, Any]) -> None:
        """Go on from a place in an epoch; call it before the loop runs.

        Args:
            position (dict): From :meth:`position`. If the epochs of that run were cut into steps in another way, an
                epoch that is not complete starts over, and the log says so.
        """
        batches, then = position['batches'], Layout(*position['layout'])
        self.validated = batches > 0 or position['validated']
        complete = batches == position['of']
        if then == self.layout:
            self.done = batches
        else:
            self.done = len(self.dataloader) if complete else 0
            starts_over = ', and its current epoch starts over' if batches and not complete else ''
            print_log(
                f'resumed with {self.layout} after {then}: the run is not continued exactly{starts_over}',
                logger='current',
                level=logging.WARNING,
            )

    def run_epoch(self) -> None:
        """Train one epoch, or the rest of one."""
        self.sampler.begin(self.seed, self.epoch, self.done * self.layout.batch_size)
        super().run_epoch()
        self.done = 0

    def run_iter(self, idx: int, data_batch: Any) -> None:
        """Train one step.

        Args:
            idx (int): Of the batch among those that this process has loaded in this epoch.
            data_batch (Any): The batch.

        Raises:
            TrainingError: The learning rate is so large that PyTorch cannot represent the update.
        """
        seed_random_states(STEPS, self.seed, self.iter, get_rank())
        try:
            super().run_iter(self.done + idx, data_batch)
        except RuntimeError as error:
            if 'converted to type float without overflow' not in str(error):
                raise
            raise TrainingError(
                f'training stopped at step {self.iter + 1}: its learning rate is too large for float32; lower '
                'optim_wrapper.optimizer.lr'
            ) from error

    def run_missed_validation(self) -> None:
        """Validate if the run was broken off between the end of an epoch and the validation that follows it."""
        self._decide_current_val_interval()
        is_due = self.epoch >= self.val_begin and (self.epoch % self.val_interval == 0 or self.epoch == self.max_epochs)
        if self.runner.val_loop is not None and self.epoch > 0 and is_due and not self.validated:
            self.runner.val_loop.run()

    def sample_names(self, batch: int) -> list[str]:
        """Name the samples of a batch of this epoch and process, by the image and the id of the annotation.

        Args:
            batch (int): Counted from 0 in the epoch.
        """
        first = (batch - self.done) * self.layout.batch_size
        indices = self.sampler.handed_out[first : first + self.layout.batch_size]
        info_of = getattr(self.dataloader.dataset, 'get_data_info', None)  # of mmengine's datasets
        infos = [{} if info_of is None else info_of(index) for index in indices]
        return [
            f'{info.get("img_path", f"sample {index}")} (id {info.get("id", "unknown")})'
            for index, info in zip(indices, infos)
        ]
