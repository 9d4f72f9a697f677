"""Check whether people, or a whole dataset, have left and right swapped.

For a body whose "up" points from hips to shoulders, seen from the front, the person's left is on the right of up in the
image (at larger x when upright); from behind it is on the left. One person's shoulders and hips turn together, so
they lie on the same side unless a label is wrong. The face tells whether a person is seen from the front: nose and both
eyes are visible only then. So for a whole dataset, each left-right pair is compared with the face, or without faces
with the shoulders. If more people disagree than agree, by more than chance, the labels of the pair are swapped.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from mmtranspose.dataset_check.annotations import Annotations
from mmtranspose.dataset_check.keypoint_definition import canonical_index, left_right_pairs
from mmtranspose.dataset_check.problems import Problem

TORSO = 'left_shoulder', 'left_hip'
# Distances of left and right across the body, in torso lengths: above the first no twist of the spine turns them
# round; above the second the torso is seen along its axis
CLEAR = dict(left_shoulder=0.4, left_hip=0.3)
ALONG_AXIS = dict(left_shoulder=1.5, left_hip=1.0)
MIN_LATERAL = 0.1  # distance across the body, in lengths of the axis, below which a pair is edge-on and tells nothing
MIN_PEOPLE = 5  # fewer people than this prove nothing about a dataset
CERTAIN = 4.0  # standard deviations of a fair coin from which on training is stopped; 16 people who all disagree
MANY_PEOPLE = 50  # from this many people on, photographs that show most of them from behind are unusual


def check_people(found: Annotations, names: list[str]) -> Iterator[Problem]:
    """Check for people whose shoulders and hips disagree about left and right by more than a twisted torso explains."""
    pairs = left_right_pairs(names)
    if set(TORSO) <= set(pairs):
        shoulder, hip = torso_across(found, pairs)
        opposite = (shoulder * hip < 0) & _clear(shoulder, hip)
        for index in np.flatnonzero(opposite):
            text = f'left - right shoulder {shoulder[index]:+.2f}, hip {hip[index]:+.2f} torso lengths'
            yield Problem('left-right-contradict', f'{found.person(index)}: {text}')


def _clear(shoulder: np.ndarray, hip: np.ndarray) -> np.ndarray:
    """Whether shoulders and hips are both wide enough to tell, and the torso is not seen along its axis, (N,) bool."""
    shoulder, hip = np.abs(shoulder), np.abs(hip)
    wide = (shoulder > CLEAR['left_shoulder']) & (hip > CLEAR['left_hip'])
    return wide & (shoulder < ALONG_AXIS['left_shoulder']) & (hip < ALONG_AXIS['left_hip'])


def check_swapped(found: Annotations, names: list[str]) -> Iterator[Problem]:
    """Check for left-right pairs that are swapped throughout the dataset."""
    pairs = left_right_pairs(names)
    facing, up = seen_from_front(found, names, pairs)
    if facing.sum() >= MIN_PEOPLE:
        reference, who = np.where(facing, 1.0, np.nan), 'people who face the camera'
    elif set(TORSO) <= set(pairs):
        up = _torso_up(_labelled_points(found), pairs)
        shoulder = torso_across(found, pairs)[0]
        reference, who = np.sign(shoulder), 'people, against their shoulders'
        yield from _mostly_from_behind(shoulder)
    else:
        return
    points = _labelled_points(found)
    for pair in pairs.values():
        distance = across(points, pair, up)
        agree = np.sign(distance) * reference
        agree = agree[np.abs(distance) > MIN_LATERAL]
        wrong, right = int((agree < 0).sum()), int((agree > 0).sum())
        if more_than_chance(wrong, right):
            text = f'{names[pair[0]]}, {names[pair[1]]}: in {wrong} of {wrong + right} {who}'
            certain = more_than_chance(wrong, right, CERTAIN)
            yield Problem('left-right-swapped' if certain else 'left-right-suspect', text)


def _mostly_from_behind(shoulder: np.ndarray) -> Iterator[Problem]:
    left, right = int((shoulder < -MIN_LATERAL).sum()), int((shoulder > MIN_LATERAL).sum())
    if left + right >= MANY_PEOPLE and more_than_chance(left, right):
        yield Problem('seen-from-behind', f'in {left} of {left + right} people the left shoulder is on the left')


def more_than_chance(wrong: int, right: int, deviations: float = 2.0) -> bool:
    """Whether ``wrong`` outnumbers ``right`` by some standard deviations of a fair coin."""
    return wrong + right >= MIN_PEOPLE and wrong - right > deviations * (wrong + right) ** 0.5 - 1e-9


def across(points: np.ndarray, pair: tuple[int, int], up: np.ndarray) -> np.ndarray:
    """Measure how far the left keypoint lies to the right of the right one, seen along ``up``.

    Args:
        points (np.ndarray): (N, K, 2) pixels, y down; NaN where not labelled.
        pair (tuple[int, int]): Numbers of the keypoints (left, right).
        up (np.ndarray): (N, 2) pixels, the direction up along the body.

    Returns:
        np.ndarray: (N,), in lengths of ``up``; NaN where that is 0 or a keypoint is not labelled.
    """
    delta = points[:, pair[0]] - points[:, pair[1]]
    squared = (up**2).sum(1)
    squared = np.where(squared > 0, squared, np.nan)
    return (delta[:, 1] * up[:, 0] - delta[:, 0] * up[:, 1]) / squared


def torso_across(found: Annotations, pairs: dict[str, tuple[int, int]]) -> tuple[np.ndarray, np.ndarray]:
    """Measure :func:`across` for shoulders and for hips, (N,) each, in torso lengths."""
    points = _labelled_points(found)
    up = _torso_up(points, pairs)
    return across(points, pairs['left_shoulder'], up), across(points, pairs['left_hip'], up)


def seen_from_front(
    found: Annotations, names: list[str], pairs: dict[str, tuple[int, int]]
) -> tuple[np.ndarray, np.ndarray]:
    """Find the people who show nose and both eyes.

    Args:
        found (Annotations): The file's content.
        names (list[str]): Names of the K keypoints.
        pairs (dict): From :func:`left_right_pairs`.

    Returns:
        tuple: Who faces the camera, (N,) bool, and the direction from the shoulders to the eyes, (N, 2) pixels.
    """
    index = canonical_index(names)
    if 'nose' not in index or not {'left_eye', 'left_shoulder'} <= set(pairs):
        return np.zeros(len(found.people), bool), np.zeros((len(found.people), 2))
    points = _labelled_points(found)
    up = _middle(points, pairs['left_eye']) - _middle(points, pairs['left_shoulder'])
    face = found.visible[:, [index['nose'], *pairs['left_eye']]].all(1)
    return face & np.isfinite(up).all(1), up


def _torso_up(points: np.ndarray, pairs: dict[str, tuple[int, int]]) -> np.ndarray:
    return _middle(points, pairs['left_shoulder']) - _middle(points, pairs['left_hip'])


def _middle(points: np.ndarray, pair: tuple[int, int]) -> np.ndarray:
    return (points[:, pair[0]] + points[:, pair[1]]) / 2


def _labelled_points(found: Annotations) -> np.ndarray:
    """(N, K, 2) pixels; NaN where not labelled."""
    points = found.keypoints[..., :2]
    return np.where(found.labelled[..., None] & np.isfinite(points), points, np.nan)
