"""The encoder's training step, measured against attention that holds its matrices."""

from __future__ import annotations

import statistics

import numpy as np
import torch
from torch import Tensor

from mmtranspose.benchmark.candidate import Task, Tolerance, Way
from mmtranspose.benchmark.measurement import measure
from mmtranspose.benchmark.networks import materialise
from mmtranspose.loading.config import load_config
from mmtranspose.models.layers import TransformerEncoder, build_position_encoding


def build_encoder(config: str, materialised: bool) -> tuple[TransformerEncoder, Tensor]:
    """The encoder of a config without dropout (PyTorch's fused attention on a CPU has none), and its sine table."""
    cfg = load_config(config)
    neck, head = cfg.model.neck, cfg.codec
    torch.manual_seed(0)
    encoder = TransformerEncoder(
        neck.num_layers,
        embed_dims=neck.embed_dims,
        num_heads=neck.num_heads,
        feedforward_channels=neck.feedforward_channels,
        dropout=0.0,
    )
    if materialised:
        materialise(encoder)
    w, h = (size // (2 if cfg.model.head.get('deconv_out_channels') else 1) for size in head.heatmap_size)
    return encoder, build_position_encoding('sine', neck.embed_dims, None).table(h, w)


def build_step(config: str, batch: int, materialised: bool, device: str) -> Task:
    """Forward and backward through the encoder; the output's norm is compared."""
    encoder, pos = build_encoder(config, materialised)
    encoder, pos = encoder.to(device), pos.to(device)
    torch.manual_seed(1)
    tokens = torch.randn(batch, *pos.shape).to(device).requires_grad_()

    def run() -> Tensor:
        out = encoder(tokens, pos)
        out.square().mean().backward()
        return out.detach()

    return Task(run, lambda out: dict(norm=np.array(out.double().norm().item())))


def compare_encoders(config: str, batch: int = 4, device: str = 'cpu', repeats: int = 3) -> dict[str, dict[str, float]]:
    """One training step of a config's encoder, ours and with materialised attention, each in a process of its own.

    Neither process has :mod:`mmtranspose.compat.keep_memory`: what is compared is attention alone.

    Args:
        config (str): A config with a :class:`TransPoseNeck`.
        batch (int): Images in the batch.
        device (str): ``'cpu'``: peak memory is the growth of the process's peak resident size; or ``'cuda:0'``: of the
            memory allocated by PyTorch.
        repeats (int): Steps of each, in turn; the median time counts.

    Returns:
        dict: ``fused``, ``materialised`` and ``ratio`` (fused / materialised), each with ``peak_mib`` and ``seconds``.

    Raises:
        RuntimeError: The two disagree on the result.
    """
    tolerances = dict(norm=Tolerance(1e-4, relative=True))
    shared = dict(config=config, batch=batch, device=device)
    ways = [
        Way(name, build_step, dict(shared, materialised=materialised), device, False, tolerances)
        for name, materialised in (('fused', False), ('materialised', True))
    ]
    found = measure(ways, repeats, warmup=0)
    results = {name: dict(peak_mib=one.peak_mib, seconds=statistics.median(one.seconds)) for name, one in found.items()}
    results['ratio'] = {key: results['fused'][key] / results['materialised'][key] for key in results['fused']}
    return results
