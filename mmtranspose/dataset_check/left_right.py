"""Left and right: whether people, or a whole dataset, have them swapped.

For a body whose "up" points from hips to shoulders, seen from the front, the person's left is on the right of up in the
image (at larger x when upright); from behind it is on the left. One person's shoulders and hips turn together, so
they lie on the same side unless a label is wrong. Whether people are seen from the front, the face tells: nose and both
eyes show only then. So for a whole dataset, each pair can be counted against the face, or without faces against the
shoulders. More wrong than right, by more than chance, means that the labels are swapped.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from mmtranspose.dataset_check.annotation_file import Annotations
from mmtranspose.dataset_check.keypoint_definition import canonical, sided_pairs
from mmtranspose.dataset_check.problems import Problem

CLEAR = dict(left_shoulder=0.4, left_hip=0.3)
"""Distance of left and right across the body, in torso lengths, that no twist of the spine turns round."""


MIN_LATERAL = 0.1
"""Distance across the body, in lengths of the axis, below which a pair is edge-on and its side says nothing."""


MIN_PEOPLE = 5
"""Fewer people than this prove nothing about a dataset."""


MANY_PEOPLE = 50
"""From this many on, photographs that show people mostly from behind are unusual."""


TORSO = 'left_shoulder', 'left_hip'


def across(points: np.ndarray, pair: tuple[int, int], up: np.ndarray) -> np.ndarray:
    """How far left lies to the right of ``up`` from right, in lengths of ``up``, (N,); NaN without a direction.

    Args:
        points (np.ndarray): (N, K, 2) pixels, y down; NaN where not labelled.
        pair (tuple[int, int]): Keypoints (left, right).
        up (np.ndarray): (N, 2) pixels.
    """
    delta = points[:, pair[0]] - points[:, pair[1]]
    squared = (up**2).sum(1)
    squared = np.where(squared > 0, squared, np.nan)
    return (delta[:, 1] * up[:, 0] - delta[:, 0] * up[:, 1]) / squared


def _labelled_points(found: Annotations) -> np.ndarray:
    points = found.keypoints[..., :2]
    return np.where(found.labelled[..., None] & np.isfinite(points), points, np.nan)


def _middle(points: np.ndarray, pair: tuple[int, int]) -> np.ndarray:
    return (points[:, pair[0]] + points[:, pair[1]]) / 2


def check_people(found: Annotations, names: list[str]) -> Iterator[Problem]:
    """People whose shoulders and hips lie on opposite sides by more than a twist can do."""
    pairs = sided_pairs(names)
    if set(TORSO) <= set(pairs):
        shoulder, hip = torso_sides(found, pairs)
        opposite = (shoulder * hip < 0) & _clear(shoulder, hip)
        for index in np.flatnonzero(opposite):
            text = f'left - right shoulder {shoulder[index]:+.2f}, hip {hip[index]:+.2f} torso lengths'
            yield Problem('sides-contradict', f'{found.person(index)}: {text}')


def torso_sides(found: Annotations, pairs: dict[str, tuple[int, int]]) -> tuple[np.ndarray, np.ndarray]:
    """:func:`across` of shoulders and hips, (N,) each, in torso lengths."""
    points = _labelled_points(found)
    up = _middle(points, pairs['left_shoulder']) - _middle(points, pairs['left_hip'])
    return across(points, pairs['left_shoulder'], up), across(points, pairs['left_hip'], up)


def _clear(shoulder: np.ndarray, hip: np.ndarray) -> np.ndarray:
    # A torso seen along its axis is short: distances beyond its length say so
    wide = (np.abs(shoulder) > CLEAR['left_shoulder']) & (np.abs(hip) > CLEAR['left_hip'])
    return wide & (np.abs(shoulder) < 1.5) & (np.abs(hip) < 1)


def check_swapped(found: Annotations, names: list[str]) -> Iterator[Problem]:
    """Pairs that are swapped throughout the dataset."""
    pairs = sided_pairs(names)
    facing, up = seen_from_front(found, names, pairs)
    if facing.sum() >= MIN_PEOPLE:
        reference, what = np.where(facing, 1.0, np.nan), 'people who face the camera'
    elif set(TORSO) <= set(pairs):
        points = _labelled_points(found)
        up = _middle(points, pairs['left_shoulder']) - _middle(points, pairs['left_hip'])
        shoulder = torso_sides(found, pairs)[0]
        reference, what = np.sign(shoulder), 'people, against their shoulders'
        yield from _mostly_from_behind(shoulder)
    else:
        return
    points = _labelled_points(found)
    for pair in pairs.values():
        side = across(points, pair, up)
        agree = np.sign(side) * reference
        agree = agree[np.abs(side) > MIN_LATERAL]
        wrong, right = int((agree < 0).sum()), int((agree > 0).sum())
        if more_than_chance(wrong, right):
            yield Problem('sides-swapped', f'{names[pair[0]]}, {names[pair[1]]}: in {wrong} of {wrong + right} {what}')


def _mostly_from_behind(shoulder: np.ndarray) -> Iterator[Problem]:
    left, right = int((shoulder < -MIN_LATERAL).sum()), int((shoulder > MIN_LATERAL).sum())
    if left + right >= MANY_PEOPLE and more_than_chance(left, right):
        yield Problem('sides-behind', f'in {left} of {left + right} people the left shoulder is on the left')


def more_than_chance(wrong: int, right: int) -> bool:
    """Whether ``wrong`` outnumbers ``right`` by two standard deviations of a fair coin."""
    return wrong + right >= MIN_PEOPLE and wrong - right > 2 * (wrong + right) ** 0.5 - 1e-9


def seen_from_front(
    found: Annotations, names: list[str], pairs: dict[str, tuple[int, int]]
) -> tuple[np.ndarray, np.ndarray]:
    """Who shows nose and both eyes, (N,) bool, and the direction up, (N, 2) pixels: from the shoulders to the eyes."""
    index = {canonical(name): k for k, name in enumerate(names)}
    if 'nose' not in index or not {'left_eye', 'left_shoulder'} <= set(pairs):
        return np.zeros(len(found.ids), bool), np.zeros((len(found.ids), 2))
    points = _labelled_points(found)
    up = _middle(points, pairs['left_eye']) - _middle(points, pairs['left_shoulder'])
    face = found.visible[:, [index['nose'], *pairs['left_eye']]].all(1)
    return face & np.isfinite(up).all(1), up
