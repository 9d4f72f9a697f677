"""Decode the heatmaps of a whole batch to keypoints, on the heatmaps' device."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from mmpose.codecs import MSRAHeatmap, UDPHeatmap
from mmpose.codecs.base import BaseKeypointCodec
from torch import Tensor

from mmtranspose.codecs.peaks import find_peaks
from mmtranspose.codecs.precision import precise
from mmtranspose.codecs.refinement import QuarterStep, Refinement, dark, dark_udp
from mmtranspose.codecs.unbiased_heatmap import UnbiasedHeatmap


def batch_decoder(codec: BaseKeypointCodec | None) -> BatchDecoder | None:
    """Make a decoder that returns for a whole batch what ``codec.decode`` returns for each person.

    Supported are :class:`UnbiasedHeatmap`, MMPose's ``UDPHeatmap`` with ``heatmap_type='gaussian'``, and
    ``MSRAHeatmap`` with or without ``unbiased``. Subclasses are not, since they may decode differently.

    Args:
        codec (BaseKeypointCodec | None): The codec of one person; None gives None.

    Returns:
        BatchDecoder | None: None if the codec is not supported, or has a blur kernel of even size, with which MMPose
        refuses to decode.
    """
    kind = type(codec)
    if codec is None or kind not in (UnbiasedHeatmap, UDPHeatmap, MSRAHeatmap) or codec.blur_kernel_size % 2 == 0:
        return None
    if kind is UnbiasedHeatmap:
        return BatchDecoder(dark(codec.blur_kernel_size), codec.cells_to_input)
    if kind is MSRAHeatmap:
        refinement = dark(codec.blur_kernel_size) if codec.unbiased else QuarterStep()
        return BatchDecoder(refinement, lambda cells: cells * codec.scale_factor)
    if codec.heatmap_type != 'gaussian':
        return None
    last, size = np.array(codec.heatmap_size) - 1, np.array(codec.input_size)
    return BatchDecoder(dark_udp(codec.blur_kernel_size), lambda cells: cells / last * size)


@dataclass(frozen=True)
class BatchDecoder:
    """Decodes the heatmaps of a batch of people.

    Keypoints equal those that MMPose's codec decodes for each person, to 0.01 px of the network's input, if the refined
    position is at most five cells from the peak. Longer steps come from almost singular Hessians, which flat or purely
    random maps may have; MMPose's float32 rounding grows with the step. If a Hessian is singular but for rounding,
    MMPose's step is a quotient of two rounding errors; this decoder takes no step then.

    A map without a positive value has no peak: its keypoint is cell (-1, -1) and its score is its maximum. (For
    ``UDPHeatmap`` MMPose moves such a keypoint, by values read from the neighbouring map, or to NaN; here it stays.) A
    map that contains NaN or positive infinity gets cell (-1, -1) and score 0, and does not affect the other maps.
    Negative infinity is a very low value, next to which a peak is not refined.

    Args:
        refinement (Refinement): Computes the steps from the highest cells to positions between cells.
        to_input (Callable[[np.ndarray], np.ndarray]): Converts cells (..., 2) as (x, y) to coordinates of the input.
    """

    refinement: Refinement
    to_input: Callable[[np.ndarray], np.ndarray]

    def __call__(self, heatmaps: Tensor) -> tuple[np.ndarray, np.ndarray]:
        """Decode heatmaps to keypoints and scores.

        Args:
            heatmaps (Tensor): (B, K, H, W), of any floating dtype and memory format.

        Returns:
            tuple[np.ndarray, np.ndarray]: Keypoints (B, 1, K, 2) as (x, y), in the codec's input frame; and scores
            (B, 1, K), float32, the heights of the peaks.
        """
        persons, keypoints, *size = heatmaps.shape
        if heatmaps.numel() == 0:
            nothing = np.zeros((persons, 1, keypoints, 3), np.float32)
            return self.to_input(nothing[..., :2]), nothing[..., 2]
        heatmaps = heatmaps.detach().float().to(precise(heatmaps.device))
        found = self._locate(heatmaps.reshape(-1, *size).contiguous())
        cells = found[:, :2].reshape(persons, 1, keypoints, 2)
        return self.to_input(cells), found[:, 2].reshape(persons, 1, keypoints).copy()

    def traceable(self, heatmaps: Tensor) -> tuple[Tensor, Tensor]:
        """Decode as :meth:`__call__` does, in float32 and by operations that an exported graph has.

        Args:
            heatmaps (Tensor): (B, K, H, W), float32.

        Returns:
            tuple[Tensor, Tensor]: Keypoints (B, K, 2) as (x, y), in the codec's input frame; and scores (B, K).
        """
        maps = heatmaps.flatten(0, 1)
        peaks = find_peaks(maps)
        finite = peaks.heights.isfinite()
        steps = self.refinement.traceable(maps, peaks)
        middles = torch.stack([peaks.cols, peaks.rows], dim=1)
        cells = torch.where((finite & (peaks.heights > 0)).unsqueeze(1), middles + steps, -1.0)
        scores = torch.where(finite, peaks.heights, 0.0)
        # from cells to the input it is a scale and a shift on each axis
        first, second = self.to_input(np.array([[0.0, 0.0], [1.0, 1.0]]))
        shift, scale = (torch.from_numpy(part).float().to(cells.device) for part in (first, second - first))
        keypoints = cells * scale + shift
        return keypoints.unflatten(0, heatmaps.shape[:2]), scores.unflatten(0, heatmaps.shape[:2])

    def _locate(self, maps: Tensor) -> np.ndarray:
        """Columns, rows and scores (N, 3), float32, of the maps (N, H, W), which are contiguous and float32."""
        peaks = find_peaks(maps)
        finite = peaks.heights.isfinite()  # a map's NaN is its highest value
        peaked = finite & (peaks.heights > 0)
        steps, inexact = self.refinement.quick(maps, peaks)
        middles = torch.stack([peaks.cols, peaks.rows], dim=1)
        cells = torch.where(peaked.unsqueeze(1), middles + steps, -1.0)
        scores = torch.where(finite, peaks.heights, 0.0)
        columns = [cells, scores.unsqueeze(1), (inexact & peaked).unsqueeze(1)]
        found = torch.cat([column.float() for column in columns], dim=1).cpu().numpy()  # the only wait for the device
        if again := found[:, 3].nonzero()[0].tolist():
            which = torch.tensor(again, device=maps.device)
            exact = middles[which] + self.refinement.exact(maps[which], peaks.select(which))
            found[again, :2] = exact.float().cpu().numpy()
        return found[:, :3]
