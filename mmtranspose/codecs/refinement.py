"""From the highest cell of a heatmap to a position between cells: DARK, UDP's DARK and the quarter step."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from math import inf
from typing import Protocol

import torch
from torch import Tensor

from mmtranspose.codecs.blur import blur_around, blurred_maximum
from mmtranspose.codecs.peaks import Peaks


@lru_cache(maxsize=8)
def dark_derivatives(device: torch.device) -> Tensor:
    """(25, 5), float64, for neighbourhoods (5, 5) as [y, x]: differences over two cells (MMPose's
    ``refine_keypoints_dark``)."""
    here, first, second = _lines([0, 0, 1, 0, 0], [0, -0.5, 0, 0.5, 0], [0.25, 0, -0.5, 0, 0.25])
    return _matrix(here, first, second, torch.outer(first, first), device)


@lru_cache(maxsize=8)
def udp_derivatives(device: torch.device) -> Tensor:
    """(9, 5), float64, for neighbourhoods (3, 3) as [y, x]: differences over one cell (MMPose's
    ``refine_keypoints_dark_udp``)."""
    here, first, second = _lines([0, 1, 0], [-0.5, 0, 0.5], [1, -2, 1])
    mixed = torch.stack(_lines([0.5, -0.5, 0], [-0.5, 1, -0.5], [0, -0.5, 0.5]))
    return _matrix(here, first, second, mixed, device)


def _lines(*weights: list[float]) -> list[Tensor]:
    return [torch.tensor(line, dtype=torch.float64) for line in weights]


def _matrix(here: Tensor, first: Tensor, second: Tensor, mixed: Tensor, device: torch.device) -> Tensor:
    """From the weights along one line, and those of the mixed derivative."""
    along = [torch.outer(*pair) for pair in ((here, first), (first, here), (here, second), (second, here))]
    return torch.stack([*along, mixed], dim=-1).flatten(0, 1).to(device)


SINGULAR = 1e-10  # determinant of a Hessian, as a share of its squared norm: less is rounding


class Refinement(Protocol):
    """Steps from peaks, in cells as (x, y)."""

    def quick(self, maps: Tensor, peaks: Peaks) -> tuple[Tensor, Tensor]:
        """Steps of the maps (N, H, W) from their peaks: (N, 2); and for which (N,) they must come from ``exact``."""

    def exact(self, maps: Tensor, peaks: Peaks) -> Tensor:
        """The same steps (N, 2), at any cost."""


@dataclass(frozen=True)
class TaylorRefinement:
    """To the top of the second-order expansion of the blurred heatmap's logarithm (`DARK`_).

    MMPose blurs the map, scales it to the height that it had, clips it and takes the logarithm. Where nothing is
    clipped the scale cancels in the derivatives, so the map need be blurred near the peak only. As the kernel sums to
    1, blurring lowers the maximum and the scale is 1 or more: values above the floor before scaling are above it after.

    Args:
        derivatives (Callable[[torch.device], Tensor]): See :mod:`mmtranspose.codecs.refinement`.
        kernel_size (int): Of the blur, in cells.
        reach (int): Cells on each side of the peak that the derivatives are made of.
        margin (int): Peaks nearer than so many cells to the border are not moved.
        floor (float): The scaled, blurred map is clipped to this from below ...
        ceiling (float): ... and to this from above.
        damping (float): Is added to the Hessian's diagonal.

    .. _DARK: https://arxiv.org/abs/1910.06278
    """

    derivatives: Callable[[torch.device], Tensor]
    kernel_size: int
    reach: int
    margin: int
    floor: float
    ceiling: float
    damping: float

    def quick(self, maps: Tensor, peaks: Peaks) -> tuple[Tensor, Tensor]:
        values = self._blurred(maps, peaks)
        clipped = (values.amin(1) <= self.floor) | (peaks.heights > self.ceiling)
        inside = self._inside(maps, peaks)
        return self._steps(values, inside), clipped & inside

    def exact(self, maps: Tensor, peaks: Peaks) -> Tensor:
        scale = peaks.heights / blurred_maximum(maps, self.kernel_size)
        return self._steps(self._blurred(maps, peaks) * scale.unsqueeze(1), self._inside(maps, peaks))

    def _blurred(self, maps: Tensor, peaks: Peaks) -> Tensor:
        """(N, (2 * reach + 1)^2): the blurred maps about their peaks."""
        return blur_around(maps, peaks.rows, peaks.cols, self.kernel_size, self.reach).flatten(1)

    def _steps(self, values: Tensor, inside: Tensor) -> Tensor:
        """(N, 2): the steps where ``inside`` and where they exist, 0 elsewhere."""
        logs = values.clamp(self.floor, self.ceiling).log()
        dx, dy, dxx, dyy, dxy = (logs @ self.derivatives(logs.device)).unbind(1)
        dxx, dyy = dxx + self.damping, dyy + self.damping
        determinant = dxx * dyy - dxy**2
        regular = determinant.abs() > SINGULAR * (dxx**2 + dyy**2 + 2 * dxy**2)
        steps = torch.stack([dxy * dy - dyy * dx, dxy * dx - dxx * dy], dim=1) / determinant.unsqueeze(1)
        return torch.where((inside & regular).unsqueeze(1), steps, 0)

    def _inside(self, maps: Tensor, peaks: Peaks) -> Tensor:
        """(N,): whether the peak keeps the margin."""
        low, (height, width) = self.margin, (size - self.margin for size in maps.shape[1:])
        return (peaks.rows >= low) & (peaks.rows < height) & (peaks.cols >= low) & (peaks.cols < width)


def dark(kernel_size: int) -> TaylorRefinement:
    """MMPose's ``refine_keypoints_dark``."""
    return TaylorRefinement(dark_derivatives, kernel_size, 2, margin=2, floor=1e-10, ceiling=inf, damping=0.0)


def dark_udp(kernel_size: int) -> TaylorRefinement:
    """MMPose's ``refine_keypoints_dark_udp``."""
    eps = float(torch.finfo(torch.float32).eps)
    return TaylorRefinement(udp_derivatives, kernel_size, 1, margin=0, floor=1e-3, ceiling=50.0, damping=eps)


class QuarterStep:
    """A quarter of a cell towards the higher neighbour in each axis (MMPose's ``refine_keypoints``)."""

    def quick(self, maps: Tensor, peaks: Peaks) -> tuple[Tensor, Tensor]:
        return self.exact(maps, peaks), torch.zeros_like(peaks.rows, dtype=torch.bool)

    def exact(self, maps: Tensor, peaks: Peaks) -> Tensor:
        (rows, cols, _), (height, width) = peaks, maps.shape[1:]
        which = torch.arange(len(maps), device=maps.device)
        left, right = (maps[which, rows, (cols + d).clamp(0, width - 1)] for d in (-1, 1))
        upper, lower = (maps[which, (rows + d).clamp(0, height - 1), cols] for d in (-1, 1))
        # not from the first two columns nor the last, nor from the first row: MMPose's bounds; and so for y
        dx = torch.where((cols > 1) & (cols < width - 1) & (rows > 0), right - left, 0)
        dy = torch.where((rows > 1) & (rows < height - 1) & (cols > 0), lower - upper, 0)
        return torch.stack([dx, dy], dim=1).sign() * 0.25
