"""Deletion and insertion: how a keypoint changes as the places that a map ranks highest are removed or added."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torchvision.transforms.functional import gaussian_blur

from mmtranspose.errors import InputError, require_at_least
from mmtranspose.explain.metrics.discs import keypoint_oks
from mmtranspose.explain.metrics.perturbed_images import (
    Reading,
    cell_counts,
    cell_ranks,
    check_arguments,
    first_cells,
    normalised,
    pixel_masks,
    read_images,
    read_variants,
)
from mmtranspose.explain.recording import evaluating
from mmtranspose.explain.target import Target
from mmtranspose.typing import PoseEstimator


def peak_drift(peaks: Tensor, reference: Tensor, heatmap_size: Sequence[int], input_size: Sequence[int]) -> Tensor:
    """Compute the distance between peaks, in pixels of the crop.

    A heatmap's first and last cells lie on the crop's first and last pixels: x = col (W_in - 1) / (W - 1).

    Args:
        peaks (Tensor): (..., 2), integer (row, col) of the heatmap.
        reference (Tensor): The same, of a shape that broadcasts.
        heatmap_size (Sequence[int]): (H, W).
        input_size (Sequence[int]): (H_in, W_in).

    Returns:
        Tensor: (...), float32.
    """
    scale = [(pixels - 1) / max(cells - 1, 1) for pixels, cells in zip(input_size, heatmap_size)]
    return ((peaks - reference) * torch.tensor(scale, device=peaks.device)).norm(dim=-1)


@dataclass(frozen=True)
class PerturbationCurve:
    """How each keypoint changes while the image is deleted or inserted, the most relevant cells first.

    Attributes:
        fractions (Tensor): (S,), shares of the cells deleted or inserted, from 0 to 1.
        values (Tensor): (B, K, S), heatmaps at the unperturbed peaks, divided by their unperturbed values. NaN where
            the unperturbed value is not positive and finite.
        drift (Tensor): (B, K, S), distance between the heatmap's peak and the target's, in pixels of the crop.
        oks (Tensor | None): (B, K, S), that distance as OKS; None unless ``areas`` and ``sigmas`` were given.
    """

    fractions: Tensor
    values: Tensor
    drift: Tensor
    oks: Tensor | None

    @property
    def auc(self) -> Tensor:
        """(B, K), area under ``values`` by the trapezium rule; low is good for deletion, high for insertion."""
        return torch.trapezoid(self.values, self.fractions)


@torch.no_grad()
def deletion(
    model: PoseEstimator,
    inputs: Tensor,
    target: Target,
    maps: Tensor,
    *,
    steps: int = 16,
    fill: float = 0.0,
    areas: Tensor | Sequence[float] | None = None,
    sigmas: Tensor | Sequence[float] | None = None,
    seed: int = 0,
    batch_size: int = 64,
) -> PerturbationCurve:
    """Measure keypoints while an image's cells are covered with a flat colour, the most relevant first.

    It is measured on the network's single pass, without flip test, in evaluation mode. B + B + B K ``steps`` images go
    through the network: the end points are the same for all keypoints of a person.

    Args:
        model (PoseEstimator): The pose estimator.
        inputs (Tensor): (B, 3, H, W), as the network takes them (normalised).
        target (Target): The peaks of the unperturbed heatmaps.
        maps (Tensor): (B, K, h, w) over the token grid; the higher, the more relevant. A cell is a patch of the input.
        steps (int): Number of fractions between 0 and 1, evenly spaced, to which 0 and 1 are added. Each is rounded to
            whole cells.
        fill (float): The colour, in normalised units: 0 is the mean colour of the training data.
        areas (Tensor | Sequence[float] | None): (B,), of the people in pixels of the crop, squared; for OKS.
        sigmas (Tensor | Sequence[float] | None): (K,), of the dataset's keypoints; for OKS.
        seed (int): Of the order of cells that are equally relevant.
        batch_size (int): Images in a forward pass.

    Returns:
        PerturbationCurve: Over the share of cells deleted.

    Raises:
        InputError: ``maps`` or ``inputs`` do not belong to the target, ``maps`` are not finite, ``steps`` or
            ``batch_size`` is below 1, or only one of ``areas`` and ``sigmas`` is given.
    """
    ends = (inputs, torch.full_like(inputs, fill))
    return _curve(model, ends, 0, target, maps, steps, areas, sigmas, seed, batch_size)


@torch.no_grad()
def insertion(
    model: PoseEstimator,
    inputs: Tensor,
    target: Target,
    maps: Tensor,
    *,
    steps: int = 16,
    blur: float = 0.05,
    areas: Tensor | Sequence[float] | None = None,
    sigmas: Tensor | Sequence[float] | None = None,
    seed: int = 0,
    batch_size: int = 64,
) -> PerturbationCurve:
    """Measure keypoints while the cells of a blurred image are uncovered, the most relevant first.

    Arguments and errors are those of :func:`deletion`, except:

    Args:
        blur (float): In place of ``fill``: standard deviation of the Gaussian that blurs the image, as a share of the
            crop's longer side.

    Returns:
        PerturbationCurve: Over the share of cells inserted.

    Raises:
        InputError: As in :func:`deletion`, or ``blur`` is not positive.
    """
    ends = (blurred(inputs, blur), inputs)
    return _curve(model, ends, 1, target, maps, steps, areas, sigmas, seed, batch_size)


def blurred(inputs: Tensor, blur: float) -> Tensor:
    """Blur images (B, 3, H, W) by a Gaussian of ``blur`` times their longer side; borders are mirrored.

    Raises:
        InputError: ``blur`` is not positive.
    """
    if not blur > 0:
        raise InputError(f'blur={blur} must be positive: a share of the crop, such as 0.05')
    sigma = blur * max(inputs.shape[-2:])
    height, width = (2 * min(round(3 * sigma), size - 1) + 1 for size in inputs.shape[-2:])  # mirrored once, no more
    rows_blurred = gaussian_blur(inputs, [width, 1], [sigma, sigma])  # (kernel x, kernel y)
    return gaussian_blur(rows_blurred, [1, height], [sigma, sigma])


def _curve(
    model: PoseEstimator,
    ends: tuple[Tensor, Tensor],
    unperturbed: int,
    target: Target,
    maps: Tensor,
    steps: int,
    areas: Tensor | Sequence[float] | None,
    sigmas: Tensor | Sequence[float] | None,
    seed: int,
    batch_size: int,
) -> PerturbationCurve:
    """Go from the first of two images to the second, the most relevant cells first; ``unperturbed`` is 0 or 1."""
    rest, first = ends
    check_arguments(first, target, maps, batch_size)
    require_at_least('steps', steps, 1)
    size, device = first.shape[-2:], first.device
    counts = cell_counts(torch.linspace(0, 1, steps + 2, device=device), target.grid).unique()
    ranks = cell_ranks(maps.to(device), seed)

    def images_of(person: Tensor, keypoint: Tensor, step: Tensor) -> Tensor:
        masks = pixel_masks(first_cells(ranks[person, keypoint], counts[1:-1][step]), size)
        return torch.where(masks.unsqueeze(1), first[person], rest[person])

    with evaluating(model):
        ended = [read_images(model, end, target, batch_size) for end in ends]
        between = read_variants(model, target, len(counts) - 2, images_of, batch_size)
    values, peaks = _joined(ended[0], between, ended[1])
    drift = peak_drift(peaks, target.peaks.unsqueeze(2), target.heatmap_size, size)
    fractions = counts / (target.grid[0] * target.grid[1])
    oks = _oks(drift, areas, sigmas)
    return PerturbationCurve(fractions, normalised(values, ended[unperturbed].values), drift, oks)


def _joined(start: Reading, between: Reading, end: Reading) -> Reading:
    values = torch.cat([start.values.unsqueeze(2), between.values, end.values.unsqueeze(2)], dim=2)
    return Reading(values, torch.cat([start.peaks.unsqueeze(2), between.peaks, end.peaks.unsqueeze(2)], dim=2))


def _oks(
    drift: Tensor, areas: Tensor | Sequence[float] | None, sigmas: Tensor | Sequence[float] | None
) -> Tensor | None:
    if areas is None and sigmas is None:
        return None
    if areas is None or sigmas is None:
        raise InputError('OKS takes both areas and sigmas: give both or neither')
    return keypoint_oks(drift, torch.as_tensor(areas).to(drift), torch.as_tensor(sigmas).to(drift))
