"""Augment and crop a person's bounding box as the authors of TransPose do."""

from __future__ import annotations

import numpy as np
from mmcv.transforms.utils import cache_randomness
from mmpose.datasets.transforms import RandomBBoxTransform, TopdownAffine
from mmpose.registry import TRANSFORMS

from mmtranspose.errors import require_at_least, require_probability, require_size


@TRANSFORMS.register_module()
class ClippedRandomBBoxTransform(RandomBBoxTransform):
    """Scale and rotate boxes at random, with TransPose's distributions in MMPose's :class:`RandomBBoxTransform`.

    The size of a box is multiplied by 1 + N(0, ``scale_std``) clipped to 1 +- ``scale_std``. With probability
    ``rotate_prob`` the box is rotated by N(0, ``rotate_std``) clipped to +-2 ``rotate_std``. It is not shifted. (MMPose
    shifts boxes, and draws from normal distributions that are cut at one standard deviation.)

    Args:
        scale_std (float): Standard deviation of the factor of the size.
        rotate_std (float): Standard deviation of the rotation, in degrees.
        rotate_prob (float): Probability of a rotation, in [0, 1].

    Raises:
        InputError: ``scale_std`` is not in [0, 1), ``rotate_std`` is negative, or ``rotate_prob`` is not in [0, 1].
    """

    def __init__(self, scale_std: float = 0.35, rotate_std: float = 45.0, rotate_prob: float = 0.6):
        require_probability('scale_std', scale_std, one=False)
        require_at_least('rotate_std', rotate_std, 0)
        require_probability('rotate_prob', rotate_prob)
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
        """Draw offsets (n, 2), all zero, factors of the size (n, 1) and rotations (n,) in degrees."""
        scale = 1 + np.clip(np.random.randn(num_bboxes, 1) * self.scale_std, -self.scale_std, self.scale_std)
        limit = 2 * self.rotate_std
        rotate = np.clip(np.random.randn(num_bboxes) * self.rotate_std, -limit, limit)
        rotate = np.where(np.random.rand(num_bboxes) < self.rotate_prob, rotate, 0.0)
        return np.zeros((num_bboxes, 2), np.float32), scale.astype(np.float32), rotate.astype(np.float32)


@TRANSFORMS.register_module()
class UnbiasedTopdownAffine(TopdownAffine):
    """Crop boxes like MMPose's :class:`TopdownAffine` with ``use_udp=True``, in the release's pixel convention.

    A box n pixels wide extends from the centre of its first pixel to the centre of its last, a distance of n - 1, and
    its centre is x + (w - 1) / 2. Both axes are scaled by (input width - 1) / (box width - 1). (MMPose's UDP extends
    n pixels about x + w / 2, which is half a pixel away.)

    Args:
        input_size (tuple[int, int]): Size (w, h) of the network's input.

    Raises:
        InputError: ``input_size`` is not two numbers from 2 on.
    """

    def __init__(self, input_size: tuple[int, int]):
        require_size('input_size', input_size, 2)
        super().__init__(input_size, use_udp=True)

    def transform(self, results: dict) -> dict:
        """Crop ``img``; ``input_center`` and ``input_scale`` become the centre and extent (w, h) in image pixels."""
        # MMPose mirrors about (w - 1) / 2, so the half pixel has the opposite sign in a mirrored image.
        mirrored = results.get('flip_direction') or ''
        half = [0.5 if mirrored in (axis, 'diagonal') else -0.5 for axis in ('horizontal', 'vertical')]
        results['bbox_center'] = results['bbox_center'] + np.array(half, results['bbox_center'].dtype)
        return super().transform(results)

    def _fix_aspect_ratio(self, bbox_scale: np.ndarray, aspect_ratio: float) -> np.ndarray:
        """Widen boxes to the aspect ratio; returns extents (n, 2) between the centres of their outer pixels."""
        width = np.maximum(super()._fix_aspect_ratio(bbox_scale, aspect_ratio)[:, :1] - 1, 1)
        w, h = self.input_size
        return width * np.array([1, (h - 1) / (w - 1)], width.dtype)
