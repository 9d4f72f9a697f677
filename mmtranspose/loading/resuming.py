"""Find the checkpoint that a broken training goes on from."""

from __future__ import annotations

import logging
import math
import os
import re
from collections.abc import Sequence
from pathlib import Path

import torch
from mmengine.config import Config
from mmengine.logging import print_log

from mmtranspose.errors import InputError
from mmtranspose.loading.checkpoint import Checkpoint
from mmtranspose.typing import PathLike
from mmtranspose_cli.terminal import printable

REGULAR = re.compile(r'(?:epoch|iter)_\d+\.pth|mid_epoch\.pth')
BEST = re.compile(r'best_.*\.pth')
NUMBER = re.compile(r'(epoch|iter)_(\d+)(?!.*\d)')


def find_resumable(work_dir: PathLike) -> Path | None:
    """Find the newest checkpoint of a work directory that a training can be resumed from.

    Candidates are ``epoch_N.pth``, ``iter_N.pth`` and ``mid_epoch.pth``, the newest by its own step first, then
    ``best_*.pth`` likewise. Each is read and verified (:meth:`Checkpoint.read`); those that are passed over are logged
    with the reason. ``last_checkpoint`` is not looked at: it may name a file of a directory that this one was copied
    from. Nothing is changed on disk.

    Args:
        work_dir (str | Path): The work directory.

    Returns:
        Path | None: The checkpoint; None if the directory has no candidate.

    Raises:
        InputError: There are candidates and none can be used; gives the reason for each.
    """
    refused = []
    for path in _candidates(work_dir):
        try:
            Checkpoint.read(path).require_resumable()
        except InputError as error:
            refused.append(str(error))
            continue
        for reason in refused:
            _log(f'{reason}; trying the one before it', logging.WARNING)
        if BEST.fullmatch(path.name):
            _log(
                f'resuming from {path}, which has weights but no state of the optimizer: that starts anew, as after '
                'a restart with these weights at this step',
                logging.WARNING,
            )
        return path
    if refused:
        raise InputError(
            f'no training can be resumed in {work_dir}: none of its {len(refused)} checkpoints can be used, and '
            f'nothing was changed. {"; ".join(refused)}. To train from the beginning, choose another --work-dir'
        )
    _log(f'no checkpoint to resume from in {work_dir}; training starts from the beginning', logging.INFO)
    return None


def warn_of_newer(path: PathLike, work_dir: PathLike) -> None:
    """Log a warning if a training that is resumed from one checkpoint has newer ones in its work directory.

    Args:
        path (str | Path): The checkpoint.
        work_dir (str | Path): The folder that the training will write its checkpoints to.
    """
    steps = trained(Path(path))
    files = [file for file in sorted(Path(work_dir).glob('*.pth')) if REGULAR.fullmatch(file.name)]
    newer = [file.name for file in files if steps is not None and (trained(file) or steps) > steps]
    if newer:
        _log(
            f'resuming from {path}, though {", ".join(newer)} in {work_dir} is newer: this run replaces files of the '
            'same name, and --resume without a file goes on from the newest. To keep both runs, give this one another '
            '--work-dir',
            logging.WARNING,
        )


def tell_of_newest(work_dir: PathLike) -> None:
    """Log what an interrupted training leaves: the checkpoint that ``--resume`` goes on from, if there is one."""
    files = _candidates(work_dir)
    if not files:
        _log(
            f'nothing is saved in {work_dir} yet: --resume starts from the beginning. --save-every MINUTES saves in '
            'an epoch, too, and SIGTERM (kill) saves before it ends',
            logging.WARNING,
        )
        return
    steps = trained(files[0])
    step = '' if steps is None else f' (step {steps[0]:.0f})'
    _log(f'--resume goes on from {files[0]}{step}, the last that was saved', logging.WARNING)


def tell_of_finished(cfg: Config, max_iters: int) -> None:
    """Log a warning if the training that is to be resumed has no step left.

    Args:
        cfg (Config): With ``resume`` and ``load_from``.
        max_iters (int): Steps of the whole training.
    """
    source = cfg.get('load_from')
    steps = trained(Path(source)) if cfg.get('resume') and source else None
    if steps is not None and steps[0] >= max_iters:
        _log(
            f'{source} has all {max_iters} steps of this training: none is left. Raise train_cfg.max_epochs '
            '(or max_iters) to go on',
            logging.WARNING,
        )


def trained(path: Path) -> tuple[float, float] | None:
    """The steps and epochs that a checkpoint says were trained; its tensors are not read. None if it does not say."""
    try:
        meta = torch.load(path, map_location='meta', mmap=True, weights_only=True)['meta']
        return float(meta['iter']), float(meta['epoch'])
    except Exception:  # several types, depending on the damage; why is said when it is read in full
        return None


def _candidates(work_dir: PathLike) -> list[Path]:
    """The checkpoints of a work directory as they are tried: regular ones before the best, each the newest first."""
    files = [path for path in Path(work_dir).glob('*.pth') if path.is_file()]
    return [
        path
        for kind in (REGULAR, BEST)
        for path in _newest_first([path for path in files if kind.fullmatch(path.name)])
    ]


def _newest_first(paths: Sequence[Path]) -> list[Path]:
    """Sort checkpoints by their steps; those that cannot be read by the number in their names."""
    steps = {path: trained(path) for path in paths}
    per_epoch = max((step[0] / step[1] for step in steps.values() if step and step[1]), default=1.0)
    return sorted(paths, key=lambda path: steps[path] or _step_in_name(path.name, per_epoch), reverse=True)


def _step_in_name(name: str, per_epoch: float) -> tuple[float, float]:
    """The step in a file's name as steps and epochs; a name without one counts as newest."""
    match = NUMBER.search(name)
    if match is None:
        return math.inf, math.inf
    number = float(match[2])
    return (number, 0.0) if match[1] == 'iter' else (number * per_epoch, number)


def _log(message: str, level: int) -> None:
    """Log on the first of several processes; they have no process group yet."""
    if os.environ.get('RANK', os.environ.get('SLURM_PROCID', '0')) == '0':
        print_log(printable(message), 'current', level)
