"""The arguments that say which detector finds people; without them it is MMPose's own person detector."""

from __future__ import annotations

import argparse
import sys
from typing import Any

from mmengine.dist import is_main_process

from mmtranspose.detection import PersonDetector
from mmtranspose.detection.detector_loading import PERSON_DETECTOR
from mmtranspose.errors import InputError


def add_detector(arguments: Any) -> None:
    """Add the arguments to a parser or to a group of one."""
    arguments.add_argument(
        '--det-config',
        metavar='CONFIG',
        help="detector that finds the people: a config file, a name from mmdet's model zoo, or "
        f"{PERSON_DETECTOR}, MMPose's own person detector RTMDet-m (default: {PERSON_DETECTOR})",
    )
    arguments.add_argument(
        '--det-checkpoint',
        metavar='FILE',
        help='checkpoint of the detector, a file or URL (default: the weights that belong to its name, fetched once)',
    )
    arguments.add_argument(
        '--det-cat-id', type=int, metavar='N', help="number of the detector's class of people (default: 'person')"
    )


def require_no_detector(args: argparse.Namespace) -> None:
    """Check that boxes and a detector are not given both.

    Raises:
        InputError: They are.
    """
    given = [name for name in ('det_config', 'det_checkpoint', 'det_cat_id') if getattr(args, name) is not None]
    if given:
        raise InputError(
            f'--bboxes and --{given[0].replace("_", "-")} exclude each other: boxes come from one of the two'
        )


def detector_of(args: argparse.Namespace, device: str, instead: str = '', **options: Any) -> PersonDetector:
    """Build the detector that the arguments name. If they name none, the standard error gets a line that says so.

    Args:
        args (argparse.Namespace): With those of :func:`add_detector`.
        device (str): ``'cpu'``, ``'cuda:0'``, ...
        instead (str): How else to say where people are, for that line.
        **options: Others of :class:`PersonDetector`.

    Raises:
        InputError: The detector cannot be fetched, built or used.
    """
    config = args.det_config or PERSON_DETECTOR
    if args.det_config is None and is_main_process():
        words = f"people are found by MMPose's person detector ({PERSON_DETECTOR}); --det-config names another{instead}"
        print(words, file=sys.stderr)
    try:
        return PersonDetector(config, args.det_checkpoint, device, args.det_cat_id, **options)
    except InputError as error:
        if args.det_config is not None:
            raise
        *first, last = error.args
        error.args = (*first, f'{last} (it is the default detector; --det-config names another{instead})')
        raise
