"""Run a network's encoder and head on tokens that were changed, and compare every peak with the unperturbed one."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from mmtranspose.errors import InputError
from mmtranspose.explain.interventions.peak_windows import PeakWindows
from mmtranspose.explain.metrics.perturbation import peak_drift
from mmtranspose.explain.recording import (
    AttentionInput,
    RecordedForward,
    evaluating,
    recorded_forward,
    require_full_precision,
    require_inputs,
    require_transpose,
    take_tokens,
)
from mmtranspose.explain.target import Target, heatmap_peaks
from mmtranspose.explain.token_grid import map_size
from mmtranspose.models.layers import EncoderLayer
from mmtranspose.typing import PoseEstimator

Encoder = Callable[[Tensor, Tensor | None], Tensor]  # as TransformerEncoder.forward


@dataclass
class PerturbedEncoder:
    """Encoder and head of a model in evaluation mode, with the unperturbed pass to which others are compared.

    Attributes:
        model (PoseEstimator): The model.
        run (RecordedForward): The unperturbed pass over B crops.
        target (Target): The peaks that are read.
        windows (PeakWindows): The tokens that decide the peaks' values.
        input_size (tuple[int, int]): Height and width of the crops, in pixels.
    """

    model: PoseEstimator
    run: RecordedForward
    target: Target
    windows: PeakWindows
    input_size: tuple[int, int]

    @classmethod
    @contextmanager
    def of(cls, model: PoseEstimator, inputs: Tensor, peaks: Tensor) -> Iterator[PerturbedEncoder]:
        """Run a model once on crops (B, 3, H, W); it stays in evaluation mode until the ``with`` block ends.

        Raises:
            UnsupportedModelError: See :func:`require_transpose`.
            InputError: The crops have another shape or are not finite; ``peaks`` (B, K, 2) are not integer, not of
                these crops, or outside the heatmaps; or the model is in half precision.
        """
        require_transpose(model)
        require_full_precision(model)
        require_inputs(inputs)
        with evaluating(model), torch.autocast(inputs.device.type, enabled=False):
            run = recorded_forward(model, inputs)
            target = Target.at(_checked(peaks, run.heatmaps), map_size(run.heatmaps), run.grid)
            windows = PeakWindows(model.head, run.features, target)
            yield cls(model, run, target, windows, map_size(inputs))

    def read(
        self, tokens: Tensor, image: Tensor, keypoint: Tensor | None = None, encoder: Encoder | None = None
    ) -> Tensor:
        """Encode tokens and read the peaks, without computing whole heatmaps.

        Args:
            tokens (Tensor): (V, N, d), as the encoder is given them.
            image (Tensor): (V,), which of the B crops each belongs to.
            keypoint (Tensor | None): (V,), the one keypoint that is read from each; None: all.
            encoder (Callable | None): In place of the model's encoder; from tokens (V, N, d) and positions (N, d), or
                None, to encoded tokens (V, N, d).

        Returns:
            Tensor: (V, K) or (V, 1), float32.
        """
        layers, pos = self.model.neck.encoder.layers, self.run.records[0].pos
        if encoder is not None:
            return self.windows.read(self.windows.taken(encoder(tokens, pos), image, keypoint), image, keypoint)
        for layer in layers[:-1]:
            tokens = layer(tokens, pos)
        cells = self.windows.of(image, keypoint)
        rows = encode_rows(layers[-1], tokens, pos, cells.flatten(1))
        return self.windows.read(rows.unflatten(1, cells.shape[1:]), image, keypoint)

    def effects(self, encoded: Tensor, image: Tensor) -> tuple[Tensor, Tensor]:
        """Drops (V, K) at the peaks, and how far they move (V, K) in pixels, by encoded tokens (V, N, d) of crops."""
        features = encoded.transpose(1, 2).unflatten(-1, self.target.grid)
        heatmaps = self.model.head.forward((features,)).float()
        target = self.target[image]
        moved = peak_drift(heatmap_peaks(heatmaps), target.peaks, target.heatmap_size, self.input_size)
        return self.windows.values[image] - target.values(heatmaps), moved


def encode_rows(layer: EncoderLayer, tokens: Tensor, pos: Tensor | None, rows: Tensor) -> Tensor:
    """Compute some of the tokens that an encoder layer makes.

    Args:
        layer (EncoderLayer): In evaluation mode.
        tokens (Tensor): (B, N, d), all that it is given.
        pos (Tensor | None): (N, d).
        rows (Tensor): (B, R), numbers of the tokens to compute.

    Returns:
        Tensor: (B, R, d).
    """
    given = AttentionInput(layer.self_attn, tokens, pos)
    context = F.scaled_dot_product_attention(given.query_rows(rows), given.all_keys(), layer.self_attn.value(tokens))
    attended = layer.self_attn.out_proj(context.transpose(1, 2).flatten(2))
    return layer.after_attention(take_tokens(tokens, rows), attended)


def _checked(peaks: Tensor, heatmaps: Tensor) -> Tensor:
    """Peaks (B, K, 2) of heatmaps (B, K, H, W), on their device.

    Raises:
        InputError: They are not integer, of another shape, or outside the heatmaps.
    """
    expected = (*heatmaps.shape[:2], 2)
    if peaks.is_floating_point() or peaks.dtype == torch.bool:
        raise InputError(f'peaks must be integer (row, col), not {peaks.dtype}')
    if tuple(peaks.shape) != expected:
        raise InputError(f'peaks must have shape {expected}, not {tuple(peaks.shape)}')
    peaks = peaks.to(heatmaps.device).long()
    size = torch.tensor(heatmaps.shape[-2:], device=peaks.device)
    outside = ((peaks < 0) | (peaks >= size)).any(-1)
    if outside.any():
        raise InputError(
            f'peak {peaks[outside][0].tolist()} lies outside the heatmaps of {size[0]} rows and {size[1]} columns'
        )
    return peaks
