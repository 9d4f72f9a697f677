"""The encoder's training step: fused attention, compared with attention that holds its matrices."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from mmengine.registry import init_default_scope
from mmpose.registry import MODELS
from torch import Tensor

from mmtranspose.benchmark.benchmark_settings import BenchmarkSettings
from mmtranspose.benchmark.candidate import Candidate, Task, Tolerance
from mmtranspose.benchmark.multiply_accumulates import input_shape
from mmtranspose.benchmark.networks import materialise, weights_file
from mmtranspose.errors import InputError
from mmtranspose.loading.closest_model import build_empty
from mmtranspose.loading.config import load_config
from mmtranspose.models.layers import TransformerEncoder

TOLERANCES = dict(norm=Tolerance(1e-4, relative=True))


def encoder_candidates(settings: BenchmarkSettings, batch: int, folder: Path) -> list[Candidate]:
    """The baseline is materialised attention; neither candidate keeps freed memory, so only attention differs."""
    if settings.checkpoint is not None:
        raise InputError('--checkpoint is not for the mode encoder: time and memory do not depend on the weights')
    weights_file(settings, folder)  # checks config and device
    shared = dict(config=settings.config, device=settings.device, batch=batch)
    return [
        Candidate(name, build_step, dict(shared, materialised=materialised), settings.device, False, TOLERANCES)
        for name, materialised in (('baseline', True), ('ours', False))
    ]


def build_step(config: str, device: str, batch: int, materialised: bool) -> Task:
    """Forward and backward through the encoder; the norm of the output is compared."""
    encoder, pos, shape = build_encoder(config, device, materialised)
    torch.manual_seed(1)
    tokens = torch.randn(batch, *shape).to(device).requires_grad_()

    def run() -> Tensor:
        out = encoder(tokens, pos)
        out.square().mean().backward()
        return out.detach()

    return Task(run, lambda out: dict(norm=np.array(out.double().norm().item())))


def build_encoder(
    config: str, device: str, materialised: bool
) -> tuple[TransformerEncoder, Tensor | None, tuple[int, int]]:
    """A config's encoder in training mode, with random weights and without dropout.

    PyTorch's fused attention on a CPU has no dropout and would fall back to the matrices. Nothing else of the network
    is built, because what it frees would change the memory that the encoder takes.

    Returns:
        tuple: The encoder; the position embedding (N, d) or None; and (N, d), the number of tokens and their channels.
    """
    cfg = load_config(config)
    init_default_scope(cfg.get('default_scope', 'mmpose'))
    torch.manual_seed(0)
    neck = MODELS.build(dict(cfg.model.neck, dropout=0.0, attention_dropout=0.0)).to(device)
    inputs = torch.empty(1, 3, *input_shape(cfg), device='meta')
    with torch.no_grad():
        _, channels, h, w = build_empty(cfg.filename).extract_feat(inputs)[-1].shape
        encode, like = neck.position_encoding, neck.projection.weight
        pos = None if encode is None else encode((h, w), like=like)
    if materialised:
        materialise(neck.encoder)
    return neck.encoder.train(), pos, (h * w, channels)
