"""The authors' crop of a person's box."""

from __future__ import annotations

import numpy as np
from mmpose.datasets.transforms import TopdownAffine
from mmpose.registry import TRANSFORMS


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
        # MMPose mirrors about (w - 1) / 2, so the half pixel points the other way in a mirrored picture.
        mirrored = results.get('flip_direction') or ''
        half = [0.5 if mirrored in (way, 'diagonal') else -0.5 for way in ('horizontal', 'vertical')]
        results['bbox_center'] = results['bbox_center'] + np.array(half, results['bbox_center'].dtype)
        return super().transform(results)

    def _fix_aspect_ratio(self, bbox_scale: np.ndarray, aspect_ratio: float) -> np.ndarray:
        """Sizes (n, 2) of boxes widened to the aspect ratio, as spans between the middles of their outer pixels."""
        width = np.maximum(super()._fix_aspect_ratio(bbox_scale, aspect_ratio)[:, :1] - 1, 1)
        w, h = self.input_size
        return width * np.array([1, (h - 1) / (w - 1)], width.dtype)
