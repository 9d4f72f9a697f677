"""Token ablation: how far each keypoint's value falls when one token is replaced by the mean of all."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal, overload

import torch
from torch import Tensor

from mmtranspose.errors import require_at_least
from mmtranspose.explain.interventions.effects import Effects
from mmtranspose.explain.interventions.perturbed_encoder import Encoder, PerturbedEncoder
from mmtranspose.typing import PoseEstimator

Progress = Callable[[float], object]


@overload
def token_ablation(
    model: PoseEstimator,
    inputs: Tensor,
    peaks: Tensor,
    *,
    stride: int = ...,
    displacement: Literal[False] = ...,
    encoder: Encoder | None = ...,
    batch_size: int = ...,
    progress: Progress | None = ...,
) -> Tensor: ...


@overload
def token_ablation(
    model: PoseEstimator,
    inputs: Tensor,
    peaks: Tensor,
    *,
    stride: int = ...,
    displacement: Literal[True],
    encoder: Encoder | None = ...,
    batch_size: int = ...,
    progress: Progress | None = ...,
) -> Effects: ...


@torch.no_grad()
def token_ablation(
    model: PoseEstimator,
    inputs: Tensor,
    peaks: Tensor,
    *,
    stride: int = 1,
    displacement: bool = False,
    encoder: Encoder | None = None,
    batch_size: int = 32,
    progress: Progress | None = None,
) -> Tensor | Effects:
    """Replace one token after the other by the mean of the image's tokens, and read every heatmap at its peak.

    Tokens are replaced where they enter the encoder, after the CNN and the projection; their positions stay. The CNN
    runs once. Each replacement is a pass of the encoder, which serves all keypoints; of its last layer only the tokens
    around the peaks are computed.

    Args:
        model (PoseEstimator): A pose estimator with a :class:`TransPoseNeck`.
        inputs (Tensor): (B, 3, H, W), as the network takes them (normalised).
        peaks (Tensor): (B, K, 2), integer (row, col) of the heatmap: the unperturbed peaks.
        stride (int): Replace squares of ``stride`` x ``stride`` tokens together, in 1 / stride^2 of the passes. All
            tokens of a square have the same effect.
        displacement (bool): Also measure how far each heatmap's peak moves, which takes the whole heatmaps.
        encoder (Callable | None): From tokens (V, N, d) and positions (N, d), or None, to encoded tokens (V, N, d), in
            place of the model's encoder: a faster double of it, such as
            :class:`~mmtranspose.acceleration.OpenVinoEncoder` on a CPU.
        batch_size (int): Passes computed together.
        progress (Callable | None): Called after each batch of passes with the share that is done, up to 1.

    Returns:
        Tensor | Effects: (B, K, h, w), float32: the value at the peak less the value after the replacement; or, with
        ``displacement``, :class:`Effects`.

    Raises:
        UnsupportedModelError: The encoder cannot be read; see :func:`~mmtranspose.explain.recording.require_transpose`.
        InputError: ``peaks`` are not integer, not of these images, or outside the heatmaps; the model is in
            half precision; ``stride`` or ``batch_size`` is below 1.
    """
    require_at_least('stride', stride, 1)
    require_at_least('batch_size', batch_size, 1)
    with PerturbedEncoder.of(model, inputs, peaks) as perturbed:
        tokens = perturbed.run.records[0].tokens.float()
        squares = token_squares(perturbed.target.grid, stride).to(tokens.device)
        images = torch.arange(len(tokens), device=tokens.device)
        effects: list[tuple[Tensor, ...]] = []
        batches = torch.cartesian_prod(images, squares.unique()).split(batch_size)
        for number, cases in enumerate(batches, 1):
            image, square = cases.unbind(-1)
            changed = replaced(tokens[image], squares.flatten() == square.unsqueeze(-1))
            if displacement:
                encoded = (encoder or model.neck.encoder)(changed, perturbed.run.records[0].pos)
                effects.append(perturbed.effects(encoded, image))
            else:
                effects.append((perturbed.windows.values[image] - perturbed.read(changed, image, encoder=encoder),))
            if progress is not None:
                progress(number / len(batches))
        per_square = [torch.cat(part).unflatten(0, (len(tokens), -1)) for part in zip(*effects)]  # (B, S, K)
    maps = [values.transpose(1, 2)[:, :, squares] for values in per_square]
    return Effects(*maps) if displacement else maps[0]


def replaced(tokens: Tensor, chosen: Tensor) -> Tensor:
    """Replace chosen (V, N), bool, tokens (V, N, d) by the mean of all N."""
    return torch.where(chosen.unsqueeze(-1), tokens.mean(1, keepdim=True), tokens)


def token_squares(grid: tuple[int, int], stride: int) -> Tensor:
    """Number the squares of ``stride`` x ``stride`` tokens: (h, w), row by row from 0; those at the edge may be cut."""
    h, w = grid
    row, col = torch.arange(h) // stride, torch.arange(w) // stride
    return row.unsqueeze(-1) * (-(-w // stride)) + col
