"""Keypoints by name and number, as MMPose's dataset meta has them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from mmtranspose.errors import InputError


def keypoint_names(dataset_meta: dict[str, Any]) -> list[str]:
    """Names of a dataset's keypoints, in order of their numbers; none where the meta has none."""
    return [name for _, name in sorted(dataset_meta.get('keypoint_id2name', {}).items())]


def keypoint_index(names: Sequence[str], keypoint: int | str) -> int:
    """The number of a keypoint that is given by its name or its number, from 0 on (as text, too).

    Raises:
        InputError: There is no such keypoint; the message lists the keypoints.
    """
    if isinstance(keypoint, str) and keypoint in names:
        return list(names).index(keypoint)
    number = int(keypoint) if not isinstance(keypoint, str) or keypoint.isdecimal() else -1
    if not 0 <= number < len(names):
        raise InputError(
            f'keypoint {keypoint!r} is unknown; choose from {", ".join(names)}, or a number from 0 to {len(names) - 1}'
        )
    return number


def keypoint_indices(names: Sequence[str], keypoints: Sequence[int | str] | None) -> list[int]:
    """The numbers of several keypoints, each given as for :func:`keypoint_index`; None stands for all.

    Raises:
        InputError: There is no such keypoint, or ``keypoints`` is empty.
    """
    if keypoints is None:
        return list(range(len(names)))
    keypoints = [keypoints] if isinstance(keypoints, str) else keypoints
    if len(keypoints) == 0:
        raise InputError('keypoints is empty; give at least one, or None for all')
    return [keypoint_index(names, keypoint) for keypoint in keypoints]
