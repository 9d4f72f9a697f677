"""The numbered parts of a drawn body, and which parts show which keypoint.

Each pixel of a drawn person carries the number of its part, from which the visibility of keypoints is read.
"""

import numpy as np

from mmtranspose.datasets.synthetic.skeleton import COCO_KEYPOINTS

_SIDED = ('upper_arm', 'forearm', 'hand', 'thigh', 'shin', 'foot', 'ear')
PARTS = (
    'torso',
    'pelvis',
    'neck',
    'skull',
    'hair',
    'nose',
    'skirt',
    'backpack',
    *(f'{side}_{name}' for side in ('left', 'right') for name in _SIDED),
)
PART_ID = {name: number for number, name in enumerate(PARTS)}

# Keypoint: parts whose surface shows it.
_SHOWN_BY = {
    'nose': ('nose', 'skull'),
    'eye': ('skull',),
    'ear': ('{}_ear', 'skull'),
    'shoulder': ('{}_upper_arm', 'torso'),
    'elbow': ('{}_upper_arm', '{}_forearm'),
    'wrist': ('{}_forearm', '{}_hand'),
    'hip': ('{}_thigh', 'pelvis', 'torso', 'skirt'),
    'knee': ('{}_thigh', '{}_shin', 'skirt'),
    'ankle': ('{}_shin', '{}_foot'),
}
# Keypoint: depth below the surface that shows it, as a share of the body's height.
_DEPTHS = {
    'nose': 0.02,
    'eye': 0.016,
    'ear': 0.02,
    'shoulder': 0.08,
    'elbow': 0.055,
    'wrist': 0.045,
    'hip': 0.115,
    'knee': 0.075,
    'ankle': 0.06,
}


def _split(keypoint: str) -> tuple[str, str]:
    side, _, name = keypoint.rpartition('_')
    return side, name


def _showing_table() -> np.ndarray:
    table = np.zeros((len(COCO_KEYPOINTS), len(PARTS)), bool)
    for row, keypoint in enumerate(COCO_KEYPOINTS):
        side, name = _split(keypoint)
        table[row, [PART_ID[part.format(side)] for part in _SHOWN_BY[name]]] = True
    return table


SHOWS = _showing_table()
"""(17, number of parts), bool: whether the part's surface shows the keypoint."""

DEPTH_BELOW_SURFACE = np.array([_DEPTHS[_split(keypoint)[1]] for keypoint in COCO_KEYPOINTS])
"""(17,): how far a visible keypoint may lie behind the surface that shows it, as a share of the body's height."""
