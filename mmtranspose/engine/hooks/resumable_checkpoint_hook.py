"""Checkpoints from which a run goes on exactly, also in the middle of an epoch."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from mmengine.dist import gather_object, get_rank, get_world_size, is_main_process
from mmengine.hooks import CheckpointHook, EarlyStoppingHook, EMAHook
from mmengine.runner import EpochBasedTrainLoop, Runner
from mmpose.registry import HOOKS
from torch import Tensor

from mmtranspose.compat.partial_files import remove_abandoned_partials
from mmtranspose.engine.loops import ResumableTrainLoop
from mmtranspose.engine.non_finite import LAST_WRITTEN, require_finite_state
from mmtranspose.engine.preemption import Agreement, PreemptionSignals, spare_workers
from mmtranspose.errors import InputError, Preempted
from mmtranspose.loading.resuming import trained
from mmtranspose.loading.weights_comparison import weights_digest
from mmtranspose.models.unwrapping import unwrapped
from mmtranspose.typing import Batch

MID_EPOCH = 'mid_epoch.pth'
SUPERSEDED = (
    'superseded_checkpoints'  # in the message hub: files that may go once the checkpoint with this note is there
)


@HOOKS.register_module()
class ResumableCheckpointHook(CheckpointHook):
    """A :class:`CheckpointHook` whose checkpoints hold all that a run needs to go on as if it had not been broken off.

    Beside mmengine's content, a checkpoint says how many batches of its epoch were trained, and holds what differs
    between processes that train together (running statistics of batch normalisation, accumulated gradients) and a
    digest of the weights. A checkpoint with weights that are not finite is not written.

    Three events make this hook write ``mid_epoch.pth``, which the next regular checkpoint replaces: ``save_every``
    minutes have passed; the process receives SIGTERM or SIGUSR1, after which it exits with status 75; a validation
    begins and the epoch's end is not saved yet. From a config::

        default_hooks = dict(checkpoint=dict(type='ResumableCheckpointHook', interval=10, save_every=15))

    It needs :class:`ResumableTrainLoop` to go on in the middle of an epoch, and works with mmengine's loops as
    ``CheckpointHook`` does.

    Args:
        save_every (float | None): Minutes after which to save if nothing was saved meanwhile.
        **options: Arguments of ``CheckpointHook``.

    Raises:
        InputError: ``save_every`` is 0 or less.
    """

    def __init__(self, save_every: float | None = None, **options: Any):
        if save_every is not None and not save_every > 0:
            raise InputError(f'save_every={save_every} must be a number of minutes above 0')
        super().__init__(**options)
        self.save_every = save_every
        self.signals = PreemptionSignals()
        self.agreement: Agreement | None = None
        self.batches = 0  # of the current epoch that were trained
        self.per_process: list[dict[str, Any]] = []  # for the checkpoint that is about to be written
        self.loaded: dict[str, Any] = {}  # of the checkpoint that the run begins with
        self.saved_at, self.saved_iter = 0.0, -1
        self.best_saved = False  # a best checkpoint was written in this validation, and the run's own not yet after it

    def after_load_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Keep what a checkpoint says about its place in an epoch and about each process."""
        meta, processes = checkpoint.get('meta', {}), checkpoint.get('per_process') or []
        self.loaded = dict(
            position=meta.get('position', {}),
            early_stopping=meta.get('early_stopping', []),
            process=processes[get_rank()] if len(processes) == get_world_size() else {},
        )

    def before_train(self, runner: Runner) -> None:
        """Prepare to save; go on where the checkpoint was written, if the run is resumed."""
        super().before_train(runner)
        if runner.iter > 0 and self.loaded:
            self._go_on(runner)
        self.loaded = {}
        if is_main_process():
            self._remove_superseded(runner)
            remove_abandoned_partials(self.out_dir)
        self.agreement = Agreement()
        self.signals.install()
        for loop in (runner.train_loop, runner.val_loop):
            if loop is not None:
                spare_workers(loop.dataloader)
        self.saved_at = time.monotonic()
        if isinstance(runner.train_loop, ResumableTrainLoop):
            runner.train_loop.run_missed_validation()

    def _go_on(self, runner: Runner) -> None:
        self.saved_iter = runner.iter
        if 'last_ckpt' in runner.message_hub.runtime_info:  # the folder may be a copy
            name = Path(runner.message_hub.get_info('last_ckpt')).name
            self.last_ckpt = self.file_backend.join_path(self.out_dir, name)
        loop, position, process = runner.train_loop, self.loaded['position'], self.loaded['process']
        if isinstance(loop, ResumableTrainLoop) and 'layout' in position:
            loop.resume_at(position)
        elif isinstance(loop, ResumableTrainLoop):
            runner.logger.warning('the checkpoint does not say where in its epoch it was written')
        elif isinstance(loop, EpochBasedTrainLoop) and position.get('batches'):
            kind = type(loop).__name__
            runner.logger.warning(
                f'epoch {runner.epoch + 1} starts over, because {kind} cannot go on in the middle of an epoch; '
                "train_cfg.type='ResumableTrainLoop' can"
            )
        for hook, state in zip(_early_stopping(runner), self.loaded['early_stopping']):
            hook.wait_count, hook.best_score, loop.stop_training = state
        for name, value in _buffers(runner).items():
            if name in process.get('buffers', {}):
                value.copy_(process['buffers'][name])
        for name, parameter in unwrapped(runner.model).named_parameters():
            if name in process.get('gradients', {}):
                parameter.grad = process['gradients'][name].to(parameter.device)
        if process.get('gradients'):
            runner.logger.info('no gradient is lost: those that are being accumulated were in the checkpoint')

    def after_train_iter(
        self, runner: Runner, batch_idx: int, data_batch: Batch | None = None, outputs: dict | None = None
    ) -> None:
        """Save and, if the job is to end, end the process."""
        self.batches = batch_idx + 1
        super().after_train_iter(runner, batch_idx, data_batch, outputs)
        is_time = self.save_every is not None and time.monotonic() - self.saved_at >= 60 * self.save_every
        assert self.agreement is not None  # from before_train
        stop, save = self.agreement(self.signals.received, is_time)
        if stop or save:
            self._save_now(runner, runner.iter + 1)
        if stop:
            self._stop(runner)

    def after_train_epoch(self, runner: Runner) -> None:
        """Save if the interval says so."""
        self.batches = 0
        super().after_train_epoch(runner)

    def before_val(self, runner: Runner) -> None:
        """Save before a validation, which may take long and may fail; do not begin it if the job is to end."""
        if self.agreement is None:
            return
        self._save_now(runner, runner.iter)
        if any(self.agreement.now(self.signals.received)):
            self._stop(runner)

    def after_val_iter(
        self, runner: Runner, batch_idx: int, data_batch: Batch | None = None, outputs: Sequence | None = None
    ) -> None:
        """End the process if the job is to end; everything is saved, so processes need not do it together."""
        if self.signals.received:
            self._stop(runner)

    def after_val(self, runner: Runner) -> None:
        """Save after a validation with a new best score, which is noted in the checkpoint."""
        if self.best_saved:
            step = runner.epoch if self.by_epoch else runner.iter
            self._save_checkpoint_with_step(runner, step, dict(epoch=runner.epoch, iter=runner.iter))
        self.best_saved = False

    def after_train(self, runner: Runner) -> None:
        """Publish checkpoints as mmengine does, and let signals end the process again."""
        super().after_train(runner)
        if self.agreement is not None:
            self.agreement.wait()
        self.agreement = None
        self.signals.restore()

    def before_save_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Add what a run needs to go on, after all other hooks have added theirs, and check what is to be written.

        Raises:
            TrainingError: A weight, a moving average or a state of the optimiser is not finite.
        """
        require_finite_state(checkpoint, runner)
        checkpoint['meta']['weights_digest'] = weights_digest(checkpoint['state_dict'])
        loop = runner.train_loop
        resumable = isinstance(loop, ResumableTrainLoop)
        position = loop.position(self.batches, self.best_saved) if resumable else dict(batches=self.batches)
        checkpoint['meta']['position'] = position
        if stopping := _early_stopping(runner):
            stopped = loop.stop_training
            checkpoint['meta']['early_stopping'] = [(hook.wait_count, hook.best_score, stopped) for hook in stopping]
        if self.per_process:
            checkpoint['per_process'] = self.per_process

    def _save_now(self, runner: Runner, step: int) -> None:
        """Save at any step, unless this step is saved already."""
        if self.saved_iter == step:
            return
        runner.message_hub.update_info(SUPERSEDED, [])
        self.per_process = self._states_of_processes(runner)
        runner.save_checkpoint(
            self.out_dir,
            MID_EPOCH,
            save_optimizer=self.save_optimizer,
            save_param_scheduler=self.save_param_scheduler,
            meta=dict(epoch=runner.epoch, iter=step),
            by_epoch=False,
            backend_args=self.backend_args,
            **self.args,
        )
        self._note_saved(runner, step, MID_EPOCH)

    def _save_checkpoint_with_step(self, runner: Runner, step: int, meta: dict) -> None:
        iteration = meta['iter']  # mmengine adds to meta
        kept = list(getattr(self, 'keep_ckpt_ids', ()))
        oldest = kept[:1] if 0 < self.max_keep_ckpts == len(kept) and kept[-1] != step else []
        self._note_superseded(runner, [MID_EPOCH, *map(self.filename_tmpl.format, oldest)])
        self.per_process = self._states_of_processes(runner)
        super()._save_checkpoint_with_step(runner, step, meta)
        self._note_saved(runner, iteration, self.filename_tmpl.format(step))
        if is_main_process():
            self._remove(MID_EPOCH)

    def _save_best_checkpoint(self, runner: Runner, metrics: dict) -> None:
        self._note_superseded(runner, self._best_names())
        before, last, self.last_ckpt = self._best_names(), self.last_ckpt, None
        super()._save_best_checkpoint(runner, metrics)  # without last_ckpt, mmengine does not save the run again
        self.last_ckpt = last
        self.best_saved = last is not None and self._best_names() != before

    def _note_saved(self, runner: Runner, step: int, name: str) -> None:
        runner.message_hub.update_info(SUPERSEDED, [])
        runner.message_hub.update_info(LAST_WRITTEN, self.file_backend.join_path(self.out_dir, name))
        self.per_process = []
        self.saved_at, self.saved_iter = time.monotonic(), step

    def _stop(self, runner: Runner) -> None:
        runner.logger.info(f'asked to stop: saved at step {self.saved_iter}; go on with --resume')
        raise Preempted

    def _states_of_processes(self, runner: Runner) -> list[dict[str, Any]]:
        """What differs between the processes that train together, by rank; on rank 0, and empty if there is nothing."""
        named = unwrapped(runner.model).named_parameters()
        gradients = {name: p.grad.detach().cpu() for name, p in named if p.grad is not None}
        if get_world_size() == 1 and not gradients:
            return []
        buffers = {name: value.detach().cpu() for name, value in _buffers(runner).items()}
        group = None if self.agreement is None else self.agreement.group
        return gather_object(dict(buffers=buffers, gradients=gradients), group=group) or []

    def _note_superseded(self, runner: Runner, names: list[str]) -> None:
        """Note in the message hub, and so in the next checkpoint, files that may go once that checkpoint is there.

        If the process is killed before it can remove them, the run that goes on from the checkpoint does.
        """
        noted = runner.message_hub.runtime_info.get(SUPERSEDED, [])
        runner.message_hub.update_info(SUPERSEDED, sorted({*noted, *names}))

    def _remove_superseded(self, runner: Runner) -> None:
        """Remove what the last run noted as superseded, as far as it is not in use and no other run has replaced it."""
        kept = {self.filename_tmpl.format(step) for step in getattr(self, 'keep_ckpt_ids', ())}
        kept |= set(self._best_names())
        for name in runner.message_hub.runtime_info.get(SUPERSEDED, []):
            steps = trained(Path(self.out_dir, name))
            if name not in kept and (steps is None or steps[0] <= runner.iter):
                self._remove(name)

    def _best_names(self) -> list[str]:
        best = [getattr(self, 'best_ckpt_path', None), *(getattr(self, 'best_ckpt_path_dict', None) or {}).values()]
        return [Path(path).name for path in best if path]

    def _remove(self, name: str) -> None:
        path = self.file_backend.join_path(self.out_dir, name)
        if self.file_backend.isfile(path):
            self.file_backend.remove(path)


def _early_stopping(runner: Runner) -> list[EarlyStoppingHook]:
    return [hook for hook in runner.hooks if isinstance(hook, EarlyStoppingHook)]


def _buffers(runner: Runner) -> dict[str, Tensor]:
    """All buffers of the model and of its moving averages, by name.

    Also those that no state dict has: SyncBuffersHook averages them over the processes, which rounds them.
    """
    averages = [hook.ema_model for hook in runner.hooks if isinstance(hook, EMAHook)]
    networks = [unwrapped(runner.model), *averages]
    return {f'{n} {name}': value for n, network in enumerate(networks) for name, value in network.named_buffers()}
