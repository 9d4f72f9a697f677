"""Refine a heatmap's peak from its highest cell to a position between cells: DARK, UDP's DARK and the quarter step."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from math import inf
from typing import Protocol

import torch
from torch import Tensor

from mmtranspose.codecs.blur import blur_around, blur_matrix, blurred_maximum
from mmtranspose.codecs.peaks import Peaks

# a Hessian with a smaller determinant, relative to its squared norm, is singular but for rounding
SINGULAR = {torch.float64: 1e-10, torch.float32: 1e-6}


class Refinement(Protocol):
    """Computes steps from peaks to refined positions, in cells, as (x, y)."""

    def quick(self, maps: Tensor, peaks: Peaks) -> tuple[Tensor, Tensor]:
        """Compute the steps fast, and say where the fast computation is not exact.

        Args:
            maps (Tensor): (N, H, W), float32.
            peaks (Peaks): (N,), of the maps.

        Returns:
            tuple[Tensor, Tensor]: The steps (N, 2); and a mask (N,) of the maps that need :meth:`exact`.
        """
        ...

    def exact(self, maps: Tensor, peaks: Peaks) -> Tensor:
        """Compute the steps (N, 2) exactly for all maps, which takes longer."""
        ...

    def traceable(self, maps: Tensor, peaks: Peaks) -> Tensor:
        """Compute the steps (N, 2) of :meth:`exact` in float32, by operations that an exported graph has."""
        ...


class QuarterStep:
    """Steps of a quarter of a cell towards the higher neighbour on each axis (MMPose's ``refine_keypoints``)."""

    def quick(self, maps: Tensor, peaks: Peaks) -> tuple[Tensor, Tensor]:
        """Compute the steps; none needs :meth:`exact`."""
        return self.exact(maps, peaks), torch.zeros_like(peaks.rows, dtype=torch.bool)

    def exact(self, maps: Tensor, peaks: Peaks) -> Tensor:
        """Compute the steps."""
        (rows, cols, _), (height, width) = peaks, maps.shape[1:]
        around = neighbourhoods(maps, peaks, 1)
        left, right, upper, lower = around[:, 3], around[:, 5], around[:, 1], around[:, 7]
        # MMPose's bounds: no step in x from the first two columns, the last column or the first row; likewise in y
        dx = torch.where((cols > 1) & (cols < width - 1) & (rows > 0), right - left, 0)
        dy = torch.where((rows > 1) & (rows < height - 1) & (cols > 0), lower - upper, 0)
        return torch.stack([dx, dy], dim=1).sign() * 0.25

    traceable = exact


@dataclass(frozen=True)
class TaylorRefinement:
    """Steps to the maximum of the second-order expansion of the blurred heatmap's logarithm (`DARK`_).

    MMPose blurs the map, scales it to its former height, clips it and takes the logarithm. Where nothing is clipped,
    the scale cancels in the derivatives, so the map needs to be blurred only near the peak. The kernel sums to 1, so
    blurring lowers the maximum and the scale is 1 or more: values above the floor before scaling are above it after.

    Args:
        derivatives (Callable[[torch.device], Tensor]): :func:`dark_derivatives` or :func:`udp_derivatives`.
        kernel_size (int): Size of the blur's kernel, in cells.
        reach (int): Cells on each side of the peak from which the derivatives are computed.
        margin (int): Peaks that are fewer cells away from the border are not moved.
        floor (float): Lower bound to which the scaled, blurred map is clipped.
        ceiling (float): Upper bound to which the scaled, blurred map is clipped.
        damping (float): Added to the Hessian's diagonal.

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
        """Compute the steps from the blurred maps as they are; not exact where the scaled map would be clipped."""
        values = self._blurred(maps, peaks)
        clipped = (values.amin(1) <= self.floor) | (peaks.heights > self.ceiling)
        inside = self._inside(maps, peaks)
        return self._steps(values, inside), clipped & inside

    def exact(self, maps: Tensor, peaks: Peaks) -> Tensor:
        """Compute the steps from the blurred maps, scaled to their former heights."""
        scale = peaks.heights / blurred_maximum(maps, self.kernel_size)
        return self._steps(self._blurred(maps, peaks) * scale.unsqueeze(1), self._inside(maps, peaks))

    def traceable(self, maps: Tensor, peaks: Peaks) -> Tensor:
        """Compute the steps from whole blurred maps."""
        down, across = (blur_matrix(size, self.kernel_size, maps.device).float() for size in maps.shape[1:])
        blurred = down @ maps @ across
        scale = peaks.heights / blurred.flatten(1).amax(1)
        return self._steps(neighbourhoods(blurred, peaks, self.reach) * scale.unsqueeze(1), self._inside(maps, peaks))

    def _blurred(self, maps: Tensor, peaks: Peaks) -> Tensor:
        """The blurred maps around their peaks, (N, (2 * reach + 1)^2)."""
        return blur_around(maps, peaks.rows, peaks.cols, self.kernel_size, self.reach).flatten(1)

    def _steps(self, values: Tensor, inside: Tensor) -> Tensor:
        """The steps (N, 2); 0 where a peak is not ``inside`` or the Hessian is singular."""
        logs = values.clamp(min=self.floor).clamp(max=self.ceiling).log()  # both at once cannot be exported
        dx, dy, dxx, dyy, dxy = (logs @ self.derivatives(logs.device).to(logs.dtype)).unbind(1)
        dxx, dyy = dxx + self.damping, dyy + self.damping
        determinant = dxx * dyy - dxy**2
        regular = determinant.abs() > SINGULAR[logs.dtype] * (dxx**2 + dyy**2 + 2 * dxy**2)
        steps = torch.stack([dxy * dy - dyy * dx, dxy * dx - dxx * dy], dim=1) / determinant.unsqueeze(1)
        return torch.where((inside & regular).unsqueeze(1), steps, 0)

    def _inside(self, maps: Tensor, peaks: Peaks) -> Tensor:
        """Whether each peak (N,) is at least the margin away from the border."""
        low, (height, width) = self.margin, (size - self.margin for size in maps.shape[1:])
        return (peaks.rows >= low) & (peaks.rows < height) & (peaks.cols >= low) & (peaks.cols < width)


def neighbourhoods(maps: Tensor, peaks: Peaks, reach: int) -> Tensor:
    """Read each map (N, H, W) around its peak: (N, (2 * reach + 1)^2), row-major.

    Beyond the border, the value of the nearest cell is repeated.
    """
    (height, width), steps = maps.shape[1:], torch.arange(-reach, reach + 1, device=maps.device)
    rows = (peaks.rows.unsqueeze(1) + steps).clamp(min=0).clamp(max=height - 1)
    cols = (peaks.cols.unsqueeze(1) + steps).clamp(min=0).clamp(max=width - 1)
    cells = rows.unsqueeze(2) * width + cols.unsqueeze(1)
    return maps.flatten(1).gather(1, cells.flatten(1))


def dark(kernel_size: int) -> TaylorRefinement:
    """The refinement of MMPose's ``refine_keypoints_dark``, which ``MSRAHeatmap(unbiased=True)`` uses."""
    return TaylorRefinement(dark_derivatives, kernel_size, 2, margin=2, floor=1e-10, ceiling=inf, damping=0.0)


def dark_udp(kernel_size: int) -> TaylorRefinement:
    """The refinement of MMPose's ``refine_keypoints_dark_udp``, which ``UDPHeatmap`` uses."""
    eps = float(torch.finfo(torch.float32).eps)
    return TaylorRefinement(udp_derivatives, kernel_size, 1, margin=0, floor=1e-3, ceiling=50.0, damping=eps)


@lru_cache(maxsize=8)
def dark_derivatives(device: torch.device) -> Tensor:
    """Weights of the derivatives in MMPose's ``refine_keypoints_dark``, differences over two cells.

    Returns:
        Tensor: (25, 5), float64: from a neighbourhood (5, 5), indexed [y, x], to d/dx, d/dy, d2/dx2, d2/dy2, d2/dxdy.
    """
    here, first, second = _lines([0, 0, 1, 0, 0], [0, -0.5, 0, 0.5, 0], [0.25, 0, -0.5, 0, 0.25])
    return _weights(here, first, second, torch.outer(first, first), device)


@lru_cache(maxsize=8)
def udp_derivatives(device: torch.device) -> Tensor:
    """Weights of the derivatives in MMPose's ``refine_keypoints_dark_udp``, differences over one cell.

    Returns:
        Tensor: (9, 5), float64: from a neighbourhood (3, 3), indexed [y, x], to d/dx, d/dy, d2/dx2, d2/dy2, d2/dxdy.
    """
    here, first, second = _lines([0, 1, 0], [-0.5, 0, 0.5], [1, -2, 1])
    mixed = torch.stack(_lines([0.5, -0.5, 0], [-0.5, 1, -0.5], [0, -0.5, 0.5]))
    return _weights(here, first, second, mixed, device)


def _lines(*weights: list[float]) -> list[Tensor]:
    return [torch.tensor(line, dtype=torch.float64) for line in weights]


def _weights(here: Tensor, first: Tensor, second: Tensor, mixed: Tensor, device: torch.device) -> Tensor:
    """The weights of all derivatives, from those along one line and those of the mixed derivative."""
    along = [torch.outer(*pair) for pair in ((here, first), (first, here), (here, second), (second, here))]
    return torch.stack([*along, mixed], dim=-1).flatten(0, 1).to(device)
