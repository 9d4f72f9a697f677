"""The check of a config's data before a run: that of ``mmtranspose check-dataset``, but few images are read."""

from __future__ import annotations

from collections.abc import Sequence

from mmengine.config import Config

from mmtranspose.dataset_check.check import check_dataset
from mmtranspose.dataset_check.findings import Report
from mmtranspose.errors import InputError

IMAGES_READ = 64  # of each split, spread evenly: images of another size than annotated are rarely few


def check_data(cfg: Config, loaders: Sequence[str], evaluation: bool = True) -> Report:
    """Check the data that the data loaders of a config name.

    The annotations are looked at as ``mmtranspose check-dataset`` does; of the images, whether they are there, and a
    few are read. A dataset of a class that has nothing of MMPose's for annotation files, or that MMPose cannot build,
    is left out: the runner says why.

    Args:
        cfg (Config): The config.
        loaders (Sequence[str]): Of ``'train_dataloader'``, ``'val_dataloader'``, ``'test_dataloader'``; one that the
            config lacks is left out.
        evaluation (bool): Check what the loaders' metrics read, too.

    Returns:
        Report: What was found; it has warnings at most.

    Raises:
        InputError: A file is missing or cannot be read, or the data would stop or falsify the run.
    """
    report = look_at_data(cfg, loaders, evaluation)
    require_usable(cfg, report)
    return report


def look_at_data(cfg: Config, loaders: Sequence[str], evaluation: bool = True, num_examples: int = 1) -> Report:
    """Look for what :func:`check_data` refuses, and refuse nothing but a file that cannot be read at all.

    Args:
        cfg, loaders, evaluation: As for :func:`check_data`.
        num_examples (int): Examples of a kind of problem that the report keeps.

    Raises:
        InputError: An annotation file is missing or cannot be read.
    """
    splits = [name.removesuffix('_dataloader') for name in loaders]
    return check_dataset(
        cfg, splits, max_images=IMAGES_READ, num_examples=num_examples, only_known=True, evaluation=evaluation
    )


def require_usable(cfg: Config, report: Report) -> None:
    """Check that a report of :func:`look_at_data` has no errors.

    Raises:
        InputError: It has; the message lists them.
    """
    if not report.ok():
        raise InputError(
            f'the data of config {cfg.filename} cannot be used (mmtranspose check-dataset shows more of it, '
            '--no-data-check leaves this check out):',
            details=report.lines('error'),
        )
