"""The encoder's training step, measured against attention that holds its matrices."""

from __future__ import annotations

import time

import torch
from mmengine.config import Config
from torch import Tensor

from mmtranspose.apis.benchmark.materialised import materialise
from mmtranspose.apis.benchmark.process import PeakMemory, in_own_process
from mmtranspose.models.layers import TransformerEncoder, build_position_encoding


def build_encoder(config: str, materialised: bool) -> tuple[TransformerEncoder, Tensor]:
    """The encoder of a config without dropout (PyTorch's fused attention on a CPU has none), and its sine table."""
    cfg = Config.fromfile(config)
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


def _step(config: str, batch: int, materialised: bool, device: str, repeats: int) -> dict[str, float]:
    encoder, pos = build_encoder(config, materialised)
    encoder, pos = encoder.to(device), pos.to(device)
    torch.manual_seed(1)
    tokens = torch.randn(batch, *pos.shape).to(device).requires_grad_()
    cuda = torch.device(device).type == 'cuda'
    memory = PeakMemory(device)
    seconds = []
    for _ in range(repeats):
        start = time.perf_counter()
        out = encoder(tokens, pos)
        out.square().mean().backward()
        if cuda:
            torch.cuda.synchronize()
        seconds.append(time.perf_counter() - start)
    return dict(peak_mib=memory.mib, seconds=sorted(seconds)[repeats // 2], checksum=out.double().norm().item())


def compare_encoders(config: str, batch: int = 4, device: str = 'cpu', repeats: int = 3) -> dict[str, dict[str, float]]:
    """One training step of a config's encoder, ours and with materialised attention, each in a process of its own.

    Args:
        config (str): A config with a :class:`TransPoseNeck`.
        batch (int): Pictures in the batch.
        device (str): ``'cpu'``: peak memory is the growth of the process's peak resident size; or ``'cuda:0'``: of the
            memory allocated by PyTorch.
        repeats (int): Steps; the median time counts.

    Returns:
        dict: ``fused``, ``materialised`` and ``ratio`` (fused / materialised), each with ``peak_mib`` and ``seconds``.

    Raises:
        RuntimeError: The two disagree on the result.
    """
    results = {}
    for name, materialised in (('fused', False), ('materialised', True)):
        results[name] = in_own_process(_step, config, batch, materialised, device, repeats)
    a, b = results['fused'].pop('checksum'), results['materialised'].pop('checksum')
    if abs(a - b) > 1e-4 * abs(b):
        raise RuntimeError(f'the two encoders disagree: output norms {a} and {b}')
    results['ratio'] = {key: results['fused'][key] / results['materialised'][key] for key in results['fused']}
    return results
