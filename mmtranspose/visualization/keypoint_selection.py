"""Which keypoint and which layer is meant."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mmtranspose.explain import PoseExplanation


def keypoint_index(explanation: PoseExplanation, keypoint: int | str) -> int:
    """Number of a keypoint given by its number (from 0 on) or name.

    Raises:
        IndexError: There is no such number.
        ValueError: There is no such name.
    """
    names = explanation.names
    if isinstance(keypoint, str):
        if keypoint not in names:
            raise ValueError(f'keypoint {keypoint!r} is unknown; choose one of {", ".join(names)}')
        return names.index(keypoint)
    if not 0 <= keypoint < len(names):
        raise IndexError(f'keypoint {keypoint} is not there: there are {len(names)}, numbered from 0')
    return int(keypoint)


def keypoint_indices(explanation: PoseExplanation, keypoints: Sequence[int | str] | None) -> list[int]:
    """Numbers of keypoints; None means all.

    Raises:
        IndexError: There is no such number.
        ValueError: There is no such name, or ``keypoints`` is empty.
    """
    if keypoints is None:
        return list(range(len(explanation.names)))
    if isinstance(keypoints, str):
        keypoints = [keypoints]
    if len(keypoints) == 0:
        raise ValueError('keypoints is empty; give at least one, or None for all')
    return [keypoint_index(explanation, keypoint) for keypoint in keypoints]


def layer_index(explanation: PoseExplanation, layer: int) -> int:
    """The layer's number, checked.

    Raises:
        IndexError: There is no such layer.
    """
    if not 0 <= layer < explanation.num_layers:
        raise IndexError(f'layer {layer} is not there: there are {explanation.num_layers}, numbered from 0')
    return int(layer)
