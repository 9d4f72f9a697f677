"""Keypoints by name and number, as MMPose's dataset meta has them."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from typing import Any

from mmtranspose.errors import InputError

HAND = {'finger', 'forefinger', 'hand', 'palm', 'pinky', 'thumb'}
JOINTS = {'cmc', 'dip', 'ip', 'mcp', 'pip', 'tip'}  # of a finger
MAYBE_HAND = {'index', 'middle', 'ring'}  # with a finger's joint, or with nothing but a side or a number
FEET = {'feet', 'foot', 'heel', 'sole', 'toe'}
SIDES = {'left': 'left ', 'l': 'left ', 'right': 'right ', 'r': 'right '}


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


def keypoint_groups(names: Sequence[str]) -> dict[str, list[int]]:
    """Group the keypoints of a body by the words in their names: the hand of each side, the feet, and the rest.

    Names that differ in their last number alone (``face-0`` to ``face-67``) are a group by what is before it, unless
    they belong to a hand or foot (``left_thumb1``). COCO-WholeBody has body, feet, face, left hand and right hand.
    ``L_Ring_1`` and ``index_mcp`` belong to a hand, ``back_middle`` and ``body_middle_left`` to none.

    Args:
        names (Sequence[str]): Names of the K keypoints.

    Returns:
        dict[str, list[int]]: Numbers of each group's keypoints, by the group's name; every keypoint is in one group.
    """
    stems = [re.sub(r'[\W_]*\d+$', '', name) for name in names]
    shared = Counter(stem for stem, name in zip(stems, names) if stem != name)
    groups: dict[str, list[int]] = {}
    for number, (name, stem) in enumerate(zip(names, stems)):
        words = re.findall('[a-z]+', name.lower())
        group = 'body' if shared[stem] < 2 else stem.replace('_', ' ')
        if _is_hand({*words}, numbered=stem != name):
            group = next((SIDES[word] for word in words if word in SIDES), '') + 'hand'
        elif FEET & {*words}:
            group = 'feet'
        groups.setdefault(group, []).append(number)
    return groups


def _is_hand(words: set[str], numbered: bool) -> bool:
    """Whether the words of a name, which may end in a number, are those of a keypoint of a hand."""
    if words & HAND:
        return True
    others = words - MAYBE_HAND
    return others != words and bool(others & JOINTS or (others <= SIDES.keys() and (others or numbered)))
