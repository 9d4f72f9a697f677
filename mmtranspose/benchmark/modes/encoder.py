"""The encoder's training step: fused attention, compared with attention that holds its matrices."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from mmtranspose.benchmark.benchmark_settings import BenchmarkSettings
from mmtranspose.benchmark.candidate import Candidate, Task, Tolerance
from mmtranspose.benchmark.networks import WITHOUT_DROPOUT, load_model, materialise, random_inputs, weights_file
from mmtranspose.models.layers import TransformerEncoder

TOLERANCES = dict(norm=Tolerance(1e-4, relative=True))


def encoder_candidates(settings: BenchmarkSettings, batch: int, folder: Path) -> list[Candidate]:
    """The baseline is materialised attention; neither candidate keeps freed memory, so only attention differs."""
    checkpoint = weights_file(settings, folder)
    shared = dict(config=settings.config, checkpoint=checkpoint, device=settings.device, batch=batch)
    return [
        Candidate(name, build_step, dict(shared, materialised=materialised), settings.device, False, TOLERANCES)
        for name, materialised in (('baseline', True), ('ours', False))
    ]


def build_step(config: str, checkpoint: str, device: str, batch: int, materialised: bool) -> Task:
    """Forward and backward through the encoder; the norm of the output is compared."""
    encoder, pos, shape = build_encoder(config, checkpoint, device, materialised)
    torch.manual_seed(1)
    tokens = torch.randn(batch, *shape).to(device).requires_grad_()

    def run() -> Tensor:
        out = encoder(tokens, pos)
        out.square().mean().backward()
        return out.detach()

    return Task(run, lambda out: dict(norm=np.array(out.double().norm().item())))


def build_encoder(
    config: str, checkpoint: str, device: str, materialised: bool
) -> tuple[TransformerEncoder, Tensor | None, tuple[int, int]]:
    """A model's encoder without dropout, in training mode.

    PyTorch's fused attention on a CPU has no dropout and would fall back to the matrices.

    Returns:
        tuple: The encoder; the position embedding (N, d) or None; and (N, d), the number of tokens and their channels.
    """
    model = load_model(config, checkpoint, device, WITHOUT_DROPOUT)
    with torch.no_grad():
        _, channels, h, w = model.extract_feat(random_inputs(model, 1))[-1].shape
        encode, like = model.neck.position_encoding, model.neck.projection.weight
        pos = None if encode is None else encode((h, w), like=like)
    if materialised:
        materialise(model.neck.encoder)
    return model.neck.encoder.train(), pos, (h * w, channels)
