"""What is left of a keypoint when more and more tokens are replaced, or edges cut, in the order of a map."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from mmtranspose.errors import require_at_least
from mmtranspose.explain.interventions.ablated_tokens import replaced
from mmtranspose.explain.interventions.cut_edges import LastLayerRows
from mmtranspose.explain.interventions.perturbed_encoder import Encoder, PerturbedEncoder
from mmtranspose.explain.metrics.perturbed_images import (
    cell_counts,
    cell_ranks,
    check_arguments,
    first_cells,
    normalised,
)
from mmtranspose.explain.target import Target
from mmtranspose.typing import PoseEstimator

# From numbers (V,) of crops, keypoints and steps to the tokens (V, N) that are taken away.
Chosen = Callable[[Tensor, Tensor, Tensor], Tensor]


@dataclass(frozen=True)
class AblationCurve:
    """What is left of each keypoint's value, the tokens that a map ranks highest taken away first.

    Attributes:
        fractions (Tensor): (S,), shares of the tokens, from 0 to below 1.
        values (Tensor): (B, K, S), heatmaps at the unperturbed peaks, divided by their unperturbed values; NaN where
            these are not positive.
    """

    fractions: Tensor
    values: Tensor

    @property
    def auc(self) -> Tensor:
        """(B, K), mean height of the curve, by the trapezium rule; low is good."""
        return torch.trapezoid(self.values, self.fractions) / self.fractions[-1]


@torch.no_grad()
def token_ablation_curve(
    model: PoseEstimator,
    inputs: Tensor,
    target: Target,
    maps: Tensor,
    *,
    steps: int = 8,
    seed: int = 0,
    encoder: Encoder | None = None,
    batch_size: int = 64,
) -> AblationCurve:
    """Replace more and more tokens, where they enter the encoder, by the mean of the image's tokens.

    Args:
        model (PoseEstimator): A pose estimator with a :class:`TransPoseNeck`.
        inputs (Tensor): (B, 3, H, W), as the network takes them (normalised).
        target (Target): The peaks of the unperturbed heatmaps.
        maps (Tensor): (B, K, h, w) over the token grid; the higher, the more relevant.
        steps (int): Number of shares above 0, evenly spaced, the last one below 1.
        seed (int): Of the order of tokens that are equally relevant.
        encoder (Callable | None): A faster double of the model's encoder, see
            :func:`~mmtranspose.explain.token_ablation`.
        batch_size (int): Passes of the encoder computed together.

    Returns:
        AblationCurve: Over the share of tokens replaced.

    Raises:
        UnsupportedModelError, InputError: As in :func:`~mmtranspose.explain.token_ablation`; or ``maps`` do not belong
            to the target, or a number is below 1.
    """

    def values_of(perturbed: PerturbedEncoder, chosen: Chosen, steps: int) -> Tensor:
        tokens = perturbed.run.records[0].tokens.float()
        shape = (*target.peaks.shape[:2], steps)
        every = torch.cartesian_prod(*(torch.arange(size, device=tokens.device) for size in shape))
        values = []
        for cases in every.split(batch_size):
            image, keypoint, step = cases.unbind(-1)
            changed = replaced(tokens[image], chosen(image, keypoint, step))
            values.append(perturbed.read(changed, image, keypoint, encoder))
        return torch.cat(values).view(shape)

    return _curve(model, inputs, target, maps, steps, seed, batch_size, values_of)


@torch.no_grad()
def edge_knockout_curve(
    model: PoseEstimator,
    inputs: Tensor,
    target: Target,
    maps: Tensor,
    *,
    steps: int = 8,
    seed: int = 0,
) -> AblationCurve:
    """Cut the last layer's attention to more and more tokens; otherwise as :func:`token_ablation_curve`."""

    def values_of(perturbed: PerturbedEncoder, chosen: Chosen, steps: int) -> Tensor:
        images = []
        for number, cells in enumerate(perturbed.windows.cells):
            rows = LastLayerRows(perturbed, number, cells.flatten())
            keypoint = torch.arange(len(cells), device=cells.device)
            image = torch.full_like(keypoint, number)
            values = []
            for step in range(steps):
                cut = chosen(image, keypoint, torch.full_like(keypoint, step))  # (K, N)
                encoded = rows.encoded_without_each(cut.repeat_interleave(cells[0].numel(), 0))
                values.append(perturbed.windows.read(encoded.unflatten(0, cells.shape).unsqueeze(0), image[:1])[0])
            images.append(torch.stack(values, -1))
        return torch.stack(images)

    return _curve(model, inputs, target, maps, steps, seed, 1, values_of)


def _curve(
    model: PoseEstimator,
    inputs: Tensor,
    target: Target,
    maps: Tensor,
    steps: int,
    seed: int,
    batch_size: int,
    values_of: Callable[[PerturbedEncoder, Chosen, int], Tensor],
) -> AblationCurve:
    """Join the unperturbed values with those of ``steps`` shares; ``values_of`` is told which tokens (V, N) to take."""
    check_arguments(inputs, target, maps, batch_size)
    require_at_least('steps', steps, 1)
    counts = cell_counts(torch.linspace(0, 1, steps + 2, device=inputs.device)[1:-1], target.grid).unique()
    ranks = cell_ranks(maps.to(inputs.device), seed)

    def chosen(image: Tensor, keypoint: Tensor, step: Tensor) -> Tensor:
        return first_cells(ranks[image, keypoint], counts[step]).flatten(1)

    with PerturbedEncoder.of(model, inputs, target.peaks) as perturbed:
        unperturbed = perturbed.windows.values
        values = torch.cat([unperturbed.unsqueeze(-1), values_of(perturbed, chosen, len(counts))], -1)
    fractions = torch.cat([counts.new_zeros(1), counts]) / (target.grid[0] * target.grid[1])
    return AblationCurve(fractions, normalised(values, unperturbed))
