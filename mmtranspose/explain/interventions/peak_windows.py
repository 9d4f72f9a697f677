"""Read heatmaps at given peaks from the few tokens that decide them, without computing whole heatmaps."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from mmtranspose.explain.interventions.deconvolved_peak import DeconvolvedPeak
from mmtranspose.explain.recording import take_tokens
from mmtranspose.explain.target import Target

LARGEST_SHARE = 0.5  # of the grid: larger windows save nothing
TOLERANCE = 1e-5  # of the largest value of the heatmaps


class PeakWindows:
    """The square of tokens around each peak of a batch, from which the head computes the peak's value.

    A head of convolutions reads few tokens for one cell of its heatmap: one in TransPose-H, 2 x 2 in TransPose-R. How
    many is found by trying: the smallest windows whose values are those of the whole heatmaps. A head that reads far,
    or whose heatmap is no multiple of the token grid, gets the whole grid as its window.

    Args:
        head (nn.Module): Its ``forward`` takes a tuple with a feature map (B, d, h, w) and gives (B, K, H, W).
        features (Tensor): (B, d, h, w), the unperturbed ones.
        target (Target): The peaks.

    Attributes:
        cells (Tensor): (B, K, n, m), numbers of the tokens in each window.
        values (Tensor): (B, K), unperturbed, float32.
    """

    def __init__(self, head: nn.Module, features: Tensor, target: Target):
        self.head, self.target = head, target
        self.peak: DeconvolvedPeak | None = None
        heatmaps = head.forward((features,)).float()
        self.values = target.values(heatmaps)
        self.cells, self.inside = self._placed(target.grid)
        tokens, tolerance = features.flatten(2).transpose(1, 2), TOLERANCE * float(heatmaps.abs().amax())
        every = torch.arange(len(tokens), device=tokens.device)
        for side in self._sides():
            self.cells, self.inside = self._placed((side, side))
            if (self.read(self.taken(tokens, every), every) - self.values).abs().amax() <= tolerance:
                self.peak = DeconvolvedPeak.of(head)
                if (self.read(self.taken(tokens, every), every) - self.values).abs().amax() > tolerance:
                    self.peak = None
                return
        self.cells, self.inside = self._placed(target.grid)

    def _sides(self) -> range:
        """Sides of the windows that are worth trying."""
        (rows, cols), (height, width) = self.target.grid, self.target.heatmap_size
        if height % rows or width % cols:
            return range(0)
        return range(1, 1 + min(rows, cols, int((LARGEST_SHARE * rows * cols) ** 0.5)))

    def _placed(self, size: tuple[int, int]) -> tuple[Tensor, Tensor]:
        """Put windows of ``size`` around the peaks, inside the grid: the windows' tokens, and the peaks inside them."""
        tokens, inside = [], []
        for peak, side, length, cells in zip(
            self.target.peaks.unbind(-1), size, self.target.grid, self.target.heatmap_size
        ):
            scale = cells / length
            start = ((peak + 0.5) / scale - side / 2).round().long().clamp(0, length - side)
            tokens.append(start.unsqueeze(-1) + torch.arange(side, device=peak.device))
            inside.append(peak - (start * scale).long())
        rows, cols = tokens
        return rows.unsqueeze(-1) * self.target.grid[1] + cols.unsqueeze(-2), torch.stack(inside, -1)

    def of(self, image: Tensor, keypoint: Tensor | None = None) -> Tensor:
        """Numbers of the tokens in windows of crops ``image`` (V,): (V, K, n, m); (V, 1, n, m) of one ``keypoint``."""
        return self.cells[image] if keypoint is None else self.cells[image, keypoint].unsqueeze(1)

    def taken(self, tokens: Tensor, image: Tensor, keypoint: Tensor | None = None) -> Tensor:
        """Take the tokens of windows, see :meth:`of`: from (V, N, d) to (V, K, n, m, d)."""
        cells = self.of(image, keypoint)
        return take_tokens(tokens, cells.flatten(1)).unflatten(1, cells.shape[1:])

    def read(self, tokens: Tensor, image: Tensor, keypoint: Tensor | None = None) -> Tensor:
        """Compute the values at peaks from their windows.

        Args:
            tokens (Tensor): (V, K, n, m, d), encoded; (V, 1, n, m, d) of one keypoint each.
            image (Tensor): (V,), which of the B crops each belongs to.
            keypoint (Tensor | None): (V,), which keypoint each is; None: all, in order.

        Returns:
            Tensor: (V, K) or (V, 1), float32.
        """
        number, keypoints = tokens.shape[:2]
        windows = tokens.flatten(0, 1)
        every = torch.arange(len(windows), device=windows.device)
        own = every % keypoints if keypoint is None else keypoint
        inside = self.inside[image.repeat_interleave(keypoints), own]
        if self.peak is not None:
            return self.peak.read(windows, inside, own).float().view(number, keypoints)
        maps = self.head.forward((windows.permute(0, 3, 1, 2),)).float()
        row, col = inside.unbind(-1)
        return maps[every, own, row, col].view(number, keypoints)
