"""The authors' augmentation and crop of a person's bounding box."""

from __future__ import annotations

import numpy as np
from mmcv.transforms.utils import cache_randomness
from mmpose.datasets.transforms import RandomBBoxTransform, TopdownAffine
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


@TRANSFORMS.register_module()
class UnbiasedTopdownAffine(TopdownAffine):
    """MMPose's :class:`TopdownAffine` with ``use_udp=True``, in the release's pixel convention.

    A box of n pixels runs from the middle of its first to the middle of its last, n - 1 apart, and its middle is
    x + (w - 1) / 2; one factor, (input width - 1) / (box width - 1), scales both axes. (MMPose's UDP spans n pixels
    about x + w / 2, half a pixel away.)

    Args:
        input_size (tuple[int, int]): (w, h) of the network's input.
    """

    def __init__(self, input_size: tuple[int, int]):
        super().__init__(input_size, use_udp=True)

    def transform(self, results: dict) -> dict:
        """Crop ``img``; ``input_center`` and ``input_scale`` become the middle and the (w, h) span in image pixels."""
        # MMPose mirrors about (w - 1) / 2, so the half pixel points the other way in a mirrored image.
        mirrored = results.get('flip_direction') or ''
        half = [0.5 if mirrored in (way, 'diagonal') else -0.5 for way in ('horizontal', 'vertical')]
        results['bbox_center'] = results['bbox_center'] + np.array(half, results['bbox_center'].dtype)
        return super().transform(results)

    def _fix_aspect_ratio(self, bbox_scale: np.ndarray, aspect_ratio: float) -> np.ndarray:
        """Sizes (n, 2) of boxes widened to the aspect ratio, as spans between the middles of their outer pixels."""
        width = np.maximum(super()._fix_aspect_ratio(bbox_scale, aspect_ratio)[:, :1] - 1, 1)
        w, h = self.input_size
        return width * np.array([1, (h - 1) / (w - 1)], width.dtype)
