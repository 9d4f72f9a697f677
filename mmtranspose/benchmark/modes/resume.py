"""What exact resume, the guard against non-finite losses and checkpoints that verify themselves cost a training run."""

from __future__ import annotations

import pickle
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import torch
from mmengine.device import get_device
from mmengine.fileio import LocalBackend
from mmengine.hooks import CheckpointHook
from mmengine.runner import EpochBasedTrainLoop, Runner

from mmtranspose.benchmark.benchmark_settings import BenchmarkSettings
from mmtranspose.benchmark.candidate import Candidate, Task, Tolerance
from mmtranspose.benchmark.image_set import image_files
from mmtranspose.benchmark.networks import load_model, weights_file
from mmtranspose.benchmark.part_times import Function, Part, PartTimes, replaced
from mmtranspose.benchmark.training_runs import ready_runner, training_config, write_annotations
from mmtranspose.benchmark.worker import timed
from mmtranspose.compat import checkpoint_files, partial_files
from mmtranspose.engine.hooks import DeferredRuntimeInfoHook, ResumableCheckpointHook, resumable_checkpoint_hook
from mmtranspose.engine.loops import ResumableTrainLoop, resumable_loader
from mmtranspose.engine.loops.resumable_loader import SampleIndex
from mmtranspose.engine.non_finite import LossGuard
from mmtranspose.errors import InputError
from mmtranspose.loading.checkpoint import Checkpoint

STEP, CHECKPOINT, READING = WORKS = ('step', 'checkpoint', 'reading')
LOADER = f'{STEP} (CPU of loader)'  # of the processes that load a step's samples, beside the steps
INDICES = f'{LOADER}: indices with seeds'  # made, sent, received
ADDED = {
    f'{STEP}: seeding': Part((Function(ResumableTrainLoop, 'run_iter'),), (Function(EpochBasedTrainLoop, 'run_iter'),)),
    f'{STEP}: signals, time to save': Part(
        (Function(ResumableCheckpointHook, 'after_train_iter'),), (Function(CheckpointHook, 'after_train_iter'),)
    ),
    f'{STEP}: guard of losses': Part((Function(LossGuard, 'check'),)),
    f'{LOADER}: seeding of samples': Part((Function(resumable_loader, 'seed_random_states'),), cpu=True),
    f'{CHECKPOINT}: numbers are finite': Part((Function(resumable_checkpoint_hook, 'require_finite_state'),)),
    f'{CHECKPOINT}: digest': Part((Function(resumable_checkpoint_hook, 'weights_digest'),)),
    f'{CHECKPOINT}: flushed, read back': Part(
        (Function(partial_files, '_require_on_disk'), Function(partial_files, 'flush'))
    ),
    f'{READING}: check sums': Part((Function(checkpoint_files, 'damage_of'),)),
    f'{READING}: digest': Part((Function(Checkpoint, 'require_as_written'),)),
    f'{READING}: numbers are finite': Part((Function(Checkpoint, 'require_finite'),)),
}
STOCK = {
    'train_cfg.type': 'EpochBasedTrainLoop',
    'default_hooks.checkpoint.type': 'CheckpointHook',
    'default_hooks.runtime_info': dict(type='DeferredRuntimeInfoHook'),
}
OURS = STOCK | {
    'train_cfg.type': 'ResumableTrainLoop',
    'default_hooks.checkpoint.type': 'ResumableCheckpointHook',
}


def resume_candidates(settings: BenchmarkSettings, batch: int, folder: Path) -> list[Candidate]:
    """The baseline trains with mmengine's loop and checkpoints and no guard; ours as our configs do.

    A call trains an epoch of ``settings.steps`` steps, then writes a checkpoint and reads it. That both train the same
    samples in the same order is checked; augmentation and dropout are drawn from other seeds.

    Raises:
        InputError: mmengine would train on another device than ``settings.device``.
    """
    if torch.device(settings.device).type != get_device():
        raise InputError(
            f'--device {settings.device}: mmengine trains on {get_device()} here; choose that, or hide the GPUs '
            '(CUDA_VISIBLE_DEVICES=)'
        )
    checkpoint = weights_file(settings, folder)
    model = load_model(settings.config, None, 'cpu')
    annotations = folder / f'{batch}x{settings.steps}.json'
    samples = batch * settings.steps
    write_annotations(annotations, image_files(settings, folder), samples, model.head.out_channels)
    shared: dict[str, Any] = dict(
        config=settings.config,
        checkpoint=checkpoint,
        annotations=str(annotations),
        batch=batch,
        device=settings.device,
    )
    work_dir = str(folder / str(batch))
    return [
        Candidate(
            name,
            build_training,
            dict(shared, ours=ours, work_dir=f'{work_dir}/{name}'),
            settings.device,
            tolerances=dict(samples=Tolerance(0)),
            starts_processes=True,
        )
        for name, ours in (('baseline', False), ('ours', True))
    ]


def build_training(
    config: str, checkpoint: str, annotations: str, batch: int, device: str, ours: bool, work_dir: str
) -> Task:
    """A runner of mmengine before its first epoch."""
    cfg = training_config(config, checkpoint, annotations, batch, Path(work_dir), OURS if ours else STOCK)
    if not ours:
        cfg.default_hooks.checkpoint.pop('save_every', None)
    training = Training(ready_runner(cfg), device, ours)
    return Task(training.run, training.outputs, training.parts)


class Training:
    """A training run that is timed epoch by epoch.

    Args:
        runner (Runner): From :func:`ready_runner`.
        device (str): Where it trains.
        ours (bool): Whether its loop and hooks are ours, whose additions are measured.
    """

    def __init__(self, runner: Runner, device: str, ours: bool):
        self.runner, self.device, self.ours = runner, device, ours
        self.loop = runner.train_loop
        self.loop.run_iter = self._run_iter
        self.saving = next(hook for hook in runner.hooks if isinstance(hook, CheckpointHook))
        self.added = PartTimes(ADDED if ours else {})
        self.began = 0.0  # the epoch's first step; before it the loader starts
        self.calls: list[dict[str, float]] = []
        if not ours:
            for hook in runner.hooks:
                if isinstance(hook, DeferredRuntimeInfoHook):
                    hook.guard = NoGuard()

    def run(self) -> None:
        """Train an epoch, write a checkpoint and read it."""
        with self.added.measured() if self.ours else plain_writes():
            step = self._epoch()
            writing, path = self._written()
            reading, _ = timed(lambda: self._read(path), 'cpu')
        steps = len(self.loop.dataloader)
        seconds = {STEP: step, CHECKPOINT: writing, READING: reading}
        for name, spent in self.added.take().items():
            seconds[name] = spent / steps if name.startswith(STEP) else spent
        if self.ours:
            seconds[INDICES] = seconds_of_indices(self.loop.sampler.handed_out[: self.loop.layout.batch_size])
        self.calls.append(seconds)

    def outputs(self, result: None) -> dict[str, np.ndarray]:  # noqa: ARG002  all tasks take it
        """The samples of the last epoch, in their order."""
        sampler = self.loop.dataloader.sampler
        return dict(samples=np.array(sampler.handed_out if self.ours else list(sampler), int))

    def parts(self) -> dict[str, list[float]]:
        """Seconds of a step, a checkpoint, its reading, and of what we added to them; an entry for each call."""
        return {name: [call[name] for call in self.calls] for name in self.calls[0]}

    def _epoch(self) -> float:
        """Train an epoch; returns the mean time of a step, with the wait for its batch but that of the first."""
        self.began = 0.0
        timed(self.loop.run_epoch, self.device)
        return (time.perf_counter() - self.began) / len(self.loop.dataloader)

    def _run_iter(self, idx: int, data_batch: Any) -> None:
        self.began = self.began or time.perf_counter()
        type(self.loop).run_iter(self.loop, idx, data_batch)

    def _written(self) -> tuple[float, str]:
        """Let the hook write a checkpoint, as at the end of an epoch."""
        self.saving.interval = 1
        seconds, _ = timed(lambda: self.saving.after_train_epoch(self.runner), self.device)
        self.saving.interval = -1
        return seconds, self.saving.last_ckpt

    def _read(self, path: str) -> None:
        if self.ours:
            Checkpoint.read(path).require_as_written()
        else:
            torch.load(path, map_location='cpu', weights_only=True)


class NoGuard(LossGuard):
    """A guard that looks at nothing."""

    def check(self, *arguments: Any, **options: Any) -> None:
        """Do nothing."""


@contextmanager
def plain_writes() -> Iterator[None]:
    """Let mmengine write files in place and leave them to the system's cache, as it does without this package."""

    def original(write: Callable) -> Callable:
        return write.__wrapped__  # type: ignore[attr-defined]  # of compat.atomic_write

    with replaced(Function(LocalBackend, 'put'), original):
        yield


def seconds_of_indices(indices: list[int]) -> float:
    """The time to make indices that carry seeds and send them to a loader's process, beyond that of plain ones."""
    start = time.perf_counter()
    pickle.loads(pickle.dumps([SampleIndex(index, seed=0, epoch=1) for index in indices]))
    middle = time.perf_counter()
    pickle.loads(pickle.dumps(list(indices)))
    return 2 * middle - start - time.perf_counter()
