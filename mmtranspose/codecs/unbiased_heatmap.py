"""The codec of TransPose's paper: UDP's heatmaps, decoded exactly as the authors' released code decodes them."""

from __future__ import annotations

import numpy as np
import torch
from mmpose.codecs import UDPHeatmap
from mmpose.codecs.utils import get_heatmap_maximum, refine_keypoints_dark
from mmpose.registry import KEYPOINT_CODECS
from torch import Tensor

from mmtranspose.codecs.precision import precise
from mmtranspose.errors import InputError, require_at_least, require_positive, require_size


@KEYPOINT_CODECS.register_module()
class UnbiasedHeatmap(UDPHeatmap):
    """MMPose's :class:`UDPHeatmap` with TransPose's decoding.

    Targets are UDP's: Gaussians that are not rounded to cells, at v = u * (n_heatmap - 1) / (n_input - 1) for u in
    input pixels. Decoding differs from UDP's in two ways, both inferred from the release's numbers. First, DARK's
    refinement scales the blurred map to the peak's height and moves only peaks away from the border (MMPose's
    ``refine_keypoints_dark``). Second, one factor converts cells to pixels on both axes, (input width - 1) / (heatmap
    width - 1), relative to the middle of the crop.

    Args:
        input_size (tuple[int, int]): (w, h) of the network's input, in pixels.
        heatmap_size (tuple[int, int]): (W, H), in cells.
        sigma (float): Standard deviation of the Gaussian targets, in cells.
        blur_kernel_size (int): Kernel size of DARK's blur, in cells, odd.

    Raises:
        InputError: A size is no pair of numbers from 2 on, or ``sigma`` or ``blur_kernel_size`` is out of its range.
    """

    def __init__(
        self,
        input_size: tuple[int, int],
        heatmap_size: tuple[int, int],
        sigma: float = 2.0,
        blur_kernel_size: int = 11,
    ):
        require_size('input_size', input_size, 2)  # coordinates are divided by the size - 1
        require_size('heatmap_size', heatmap_size, 2)
        require_positive('sigma', sigma)
        require_at_least('blur_kernel_size', blur_kernel_size, 1)
        if blur_kernel_size % 2 == 0:
            raise InputError(f'blur_kernel_size={blur_kernel_size} must be odd')
        super().__init__(input_size, heatmap_size, sigma=sigma, blur_kernel_size=blur_kernel_size)

    def encode(self, keypoints: np.ndarray, keypoints_visible: np.ndarray | None = None) -> dict[str, np.ndarray]:
        """Encode one person's keypoints as target heatmaps.

        If 3 sigma is odd, MMPose's own drawing is a cell off near two borders; this one is not.

        Args:
            keypoints (np.ndarray): (1, K, 2) as (x, y), in pixels of the input.
            keypoints_visible (np.ndarray | None): Visibility, (1, K); None: all are visible.

        Returns:
            dict: ``heatmaps`` (K, H, W) and ``keypoint_weights`` (1, K), both float32, as from :meth:`render`.

        Raises:
            InputError: There is not exactly one person.
        """
        if len(keypoints) != 1:
            raise InputError(f'UnbiasedHeatmap encodes one person at a time, not {len(keypoints)}')
        if keypoints_visible is None:
            keypoints_visible = np.ones(keypoints.shape[:2], np.float32)
        points = keypoints if keypoints.dtype.kind == 'f' else keypoints.astype(float)
        heatmaps, weights = self.render(*(torch.from_numpy(given.copy()) for given in (points, keypoints_visible)))
        return dict(heatmaps=heatmaps[0].numpy(), keypoint_weights=weights.numpy())

    def render(self, keypoints: Tensor, visible: Tensor) -> tuple[Tensor, Tensor]:
        """Draw the target heatmaps of a batch, on the keypoints' device.

        Args:
            keypoints (Tensor): (B, K, 2) as (x, y), in pixels of the input.
            visible (Tensor): Visibility of the keypoints, (B, K).

        Returns:
            tuple[Tensor, Tensor]: Heatmaps (B, K, H, W), float32: Gaussians cut off at 3 sigma where the visibility is
            at least 0.5, otherwise 0. And weights (B, K), float32: the visibility, or 0 where no cell is within 3
            sigma.
        """
        points = keypoints.to(precise(keypoints.device))
        columns, rows = (self._gaussians(points, axis).to(keypoints.device) for axis in (0, 1))
        weights = visible.float() * (columns.any(-1) & rows.any(-1))
        columns = columns * (weights >= 0.5).unsqueeze(-1)
        return rows.unsqueeze(-1) * columns.unsqueeze(-2), weights

    def _gaussians(self, keypoints: Tensor, axis: int) -> Tensor:
        """The Gaussians' factors on an axis: (B, K, W) for x (axis 0), (B, K, H) for y (axis 1), float32."""
        points = keypoints[..., axis]
        middles = points / torch.full_like(points, float(self.scale_factor[axis]))
        cells = torch.arange(self.heatmap_size[axis], dtype=torch.float64, device=points.device)
        near = (cells - (middles + 0.5).floor().unsqueeze(-1)).abs() <= 3 * self.sigma
        distance = cells - middles.unsqueeze(-1)
        return torch.where(near, (-(distance**2) / (2 * self.sigma**2)).exp(), 0).float()

    def decode(self, encoded: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Decode one person's heatmaps.

        Args:
            encoded (np.ndarray): (K, H, W).

        Returns:
            tuple[np.ndarray, np.ndarray]: Keypoints (1, K, 2) as (x, y), in MMPose's input frame: 0 to ``input_size``
            from edge to edge of the crop. And scores (1, K), the heights of the peaks.
        """
        peaks, scores = get_heatmap_maximum(encoded)
        cells = refine_keypoints_dark(peaks[None], encoded.copy(), blur_kernel_size=self.blur_kernel_size)
        return self.cells_to_input(cells), scores[None]

    def cells_to_input(self, cells: np.ndarray) -> np.ndarray:
        """Convert cells of the heatmap, (..., 2) as (x, y), to the input frame of :meth:`decode`."""
        middle = (np.array(self.heatmap_size) - 1) / 2
        pixels = (cells - middle) * self.scale_factor[0]
        return (pixels / (np.array(self.input_size) - 1) + 0.5) * self.input_size
