"""The authors' random scale and rotation of a person's box."""

from __future__ import annotations

import numpy as np
from mmcv.transforms.utils import cache_randomness
from mmpose.datasets.transforms import RandomBBoxTransform
from mmpose.registry import TRANSFORMS


@TRANSFORMS.register_module()
class ClippedRandomBBoxTransform(RandomBBoxTransform):
    """MMPose's :class:`RandomBBoxTransform` with TransPose's distributions.

    The box's size is multiplied by 1 + N(0, ``scale_std``) clipped to 1 +- ``scale_std``, and with probability
    ``rotate_prob`` the box is turned by N(0, ``rotate_std``) clipped to +-2 ``rotate_std``; it is not shifted. (MMPose
    draws from normal distributions cut at one standard deviation instead, and shifts.)

    Args:
        scale_std (float): Of the size's factor.
        rotate_std (float): Degrees.
        rotate_prob (float): In [0, 1].
    """

    def __init__(self, scale_std: float = 0.35, rotate_std: float = 45.0, rotate_prob: float = 0.6):
        super().__init__(
            shift_prob=0.0,
            scale_factor=(1 - scale_std, 1 + scale_std),
            rotate_factor=2 * rotate_std,
            rotate_prob=rotate_prob,
        )
        self.scale_std = scale_std
        self.rotate_std = rotate_std

    @cache_randomness
    def _get_transform_params(self, num_bboxes: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Offsets (n, 2), all zero, size factors (n, 1) and rotations (n,) in degrees."""
        scale = 1 + np.clip(np.random.randn(num_bboxes, 1) * self.scale_std, -self.scale_std, self.scale_std)
        limit = 2 * self.rotate_std
        rotate = np.clip(np.random.randn(num_bboxes) * self.rotate_std, -limit, limit)
        rotate = np.where(np.random.rand(num_bboxes) < self.rotate_prob, rotate, 0.0)
        return np.zeros((num_bboxes, 2), np.float32), scale.astype(np.float32), rotate.astype(np.float32)
