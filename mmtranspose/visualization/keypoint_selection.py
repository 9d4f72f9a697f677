"""Which keypoint and which layer is meant."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mmtranspose.explain import PoseExplanation


def joint_index(explanation: PoseExplanation, joint: int | str) -> int:
    """Number of a keypoint given by its number (from 0 on) or name.

    Raises:
        IndexError: There is no such number.
        ValueError: There is no such name.
    """
    names = explanation.names
    if isinstance(joint, str):
        if joint not in names:
            raise ValueError(f'joint {joint!r} is unknown; choose one of {", ".join(names)}')
        return names.index(joint)
    if not 0 <= joint < len(names):
        raise IndexError(f'joint {joint} is not there: there are {len(names)}, numbered from 0')
    return int(joint)


def joint_indices(explanation: PoseExplanation, joints: Sequence[int | str] | None) -> list[int]:
    """Numbers of keypoints; None means all.

    Raises:
        IndexError: There is no such number.
        ValueError: There is no such name, or ``joints`` is empty.
    """
    if joints is None:
        return list(range(len(explanation.names)))
    if isinstance(joints, str):
        joints = [joints]
    if len(joints) == 0:
        raise ValueError('joints is empty; give at least one, or None for all')
    return [joint_index(explanation, joint) for joint in joints]


def layer_index(explanation: PoseExplanation, layer: int) -> int:
    """The layer's number, checked.

    Raises:
        IndexError: There is no such layer.
    """
    if not 0 <= layer < explanation.num_layers:
        raise IndexError(f'layer {layer} is not there: there are {explanation.num_layers}, numbered from 0')
    return int(layer)
