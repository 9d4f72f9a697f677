"""Heatmaps to keypoints as the authors' release does it, to the last digit."""

from __future__ import annotations

import numpy as np
from mmpose.codecs import UDPHeatmap
from mmpose.codecs.utils import get_heatmap_maximum, refine_keypoints_dark
from mmpose.registry import KEYPOINT_CODECS


@KEYPOINT_CODECS.register_module()
class UnbiasedHeatmap(UDPHeatmap):
    """MMPose's :class:`UDPHeatmap` with TransPose's decoding.

    Targets are UDP's: unquantised Gaussians at v = u * (n_heatmap - 1) / (n_input - 1), u in input pixels. Decoding
    differs from UDP's in two ways, both found in the release's numbers. DARK's refinement scales the blurred map to
    the peak's height and steps only from peaks off the border (MMPose's ``refine_keypoints_dark``). And one factor
    maps cells to pixels in both axes, (input width - 1) / (heatmap width - 1), about the middle of the crop.

    Args:
        input_size (tuple[int, int]): (w, h) of the network's input.
        heatmap_size (tuple[int, int]): (W, H).
        sigma (float): Of the Gaussian targets, in cells.
        blur_kernel_size (int): Of DARK's blur, in cells.
    """

    def __init__(
        self,
        input_size: tuple[int, int],
        heatmap_size: tuple[int, int],
        sigma: float = 2.0,
        blur_kernel_size: int = 11,
    ):
        super().__init__(input_size, heatmap_size, sigma=sigma, blur_kernel_size=blur_kernel_size)

    def encode(self, keypoints: np.ndarray, keypoints_visible: np.ndarray | None = None) -> dict:
        """Encode one person's keypoints. (MMPose's own drawing is a cell off near two borders where 3 sigma is odd.)

        Args:
            keypoints (np.ndarray): (1, K, 2) as (x, y), in pixels of the input.
            keypoints_visible (np.ndarray | None): (1, K).

        Returns:
            dict: ``heatmaps`` (K, H, W), Gaussians cut at 3 sigma; ``keypoint_weights`` (1, K), the visibility, 0 where
            no cell is within 3 sigma.
        """
        weights = np.ones(keypoints.shape[:2], np.float32) if keypoints_visible is None else keypoints_visible.copy()
        cells = keypoints[0] / self.scale_factor
        columns, rows = (self._gaussians(cells[:, axis], size) for axis, size in enumerate(self.heatmap_size))
        weights[0, ~(columns.any(1) & rows.any(1))] = 0
        drawn = (weights[0] >= 0.5)[:, None, None]
        return dict(heatmaps=rows[:, :, None] * columns[:, None, :] * drawn, keypoint_weights=weights)

    def _gaussians(self, middles: np.ndarray, size: int) -> np.ndarray:
        """(K, size), float32: along one axis, about each of the middles (K,)."""
        distance = np.arange(size) - middles[:, None]
        near = np.abs(np.arange(size) - np.floor(middles[:, None] + 0.5)) <= 3 * self.sigma
        return (np.exp(-(distance**2) / (2 * self.sigma**2)) * near).astype(np.float32)

    def decode(self, encoded: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Decode one person's heatmaps.

        Args:
            encoded (np.ndarray): (K, H, W).

        Returns:
            tuple: keypoints (1, K, 2) as (x, y), in MMPose's input frame: 0 to ``input_size`` from edge to edge of the
            crop; scores (1, K), the heights of the peaks.
        """
        peaks, scores = get_heatmap_maximum(encoded)
        cells = refine_keypoints_dark(peaks[None], encoded.copy(), blur_kernel_size=self.blur_kernel_size)
        middle = (np.array(self.heatmap_size) - 1) / 2
        pixels = (cells - middle) * self.scale_factor[0]
        keypoints = (pixels / (np.array(self.input_size) - 1) + 0.5) * self.input_size
        return keypoints, scores[None]
