"""The numbered parts of a body and which of them show a keypoint.

Each pixel of a drawn person carries the number of its part, so that a keypoint's visibility is read from the image.
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


def _split(keypoint):
    side, _, name = keypoint.rpartition('_')
    return side, name


def _showing_table() -> np.ndarray:
    table = np.zeros((len(COCO_KEYPOINTS), len(PARTS)), bool)
    for row, keypoint in enumerate(COCO_KEYPOINTS):
        side, name = _split(keypoint)
        table[row, [PART_ID[part.format(side)] for part in _SHOWN_BY[name]]] = True
    return table


SHOWS = _showing_table()
"""(17, number of parts) bool: whether the part's surface shows the keypoint."""


DEPTH_BELOW_SURFACE = np.array([_DEPTHS[_split(keypoint)[1]] for keypoint in COCO_KEYPOINTS])
"""(17,) How far behind the surface that shows it a keypoint may lie, as a share of a 1 m tall body."""
