"""The networks that are compared: the same weights, with our parts or with those of the baseline."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from mmpose.models.backbones.resnet import BasicBlock, Bottleneck
from torch import Tensor, nn

from mmtranspose.benchmark.benchmark_settings import BenchmarkSettings
from mmtranspose.compat.upstream import BatchNorm
from mmtranspose.errors import InputError
from mmtranspose.loading.config import load_config
from mmtranspose.loading.init_model import init_model
from mmtranspose.models.layers import SelfAttention, TransformerEncoder
from mmtranspose.models.necks import TransPoseNeck
from mmtranspose.typing import PoseEstimator

RESIDUAL = 0.2  # scale of a block's last normalisation: in trained networks a block changes its input by little
WITHOUT_DOWNLOAD: dict[str, Any] = {'model.backbone.init_cfg': None}
WITHOUT_DROPOUT: dict[str, Any] = {'model.neck.dropout': 0.0, 'model.neck.attention_dropout': 0.0}
STOCK: dict[str, Any] = {
    'model.data_preprocessor.type': 'PoseDataPreprocessor',
    'model.data_preprocessor.non_blocking': False,
    'model.head.batch_decoding': False,
}


class MaterialisedAttention(nn.Module):
    """``nn.MultiheadAttention(need_weights=True)``, which holds its matrices, with the weights of a layer of ours.

    Args:
        layer (SelfAttention): The layer whose weights are copied.
        keep (bool): Keep the last matrices, averaged over the heads (B, N, N), as ``weights``.
    """

    def __init__(self, layer: SelfAttention, keep: bool = False):
        super().__init__()
        weight = layer.in_proj_weight
        self.attention = nn.MultiheadAttention(
            layer.embed_dims,
            layer.num_heads,
            layer.dropout,
            batch_first=True,
            device=weight.device,
            dtype=weight.dtype,
        )
        self.attention.load_state_dict(layer.state_dict())
        self.keep = keep
        self.weights: Tensor | None = None

    def forward(self, x: Tensor, pos: Tensor | None = None) -> Tensor:
        """(B, N, d) -> (B, N, d)."""
        qk = x if pos is None else x + pos
        out, weights = self.attention(qk, qk, x, need_weights=True)
        if self.keep:
            self.weights = weights
        return out


def materialise(encoder: TransformerEncoder, keep: bool = False) -> None:
    """Replace the attention of every layer by :class:`MaterialisedAttention`, in place."""
    for layer in encoder.layers:
        attention = layer.self_attn
        assert isinstance(attention, SelfAttention)
        layer.self_attn = MaterialisedAttention(attention, keep).train(layer.training)


def load_model(
    config: str,
    checkpoint: str | None,
    device: str,
    options: dict[str, Any] | None = None,
    allow_non_finite: bool = True,
) -> PoseEstimator:
    """Call :func:`init_model` without a download of the backbone's weights.

    Args:
        config (str): Config file, or a model's name.
        checkpoint (str | None): Weights; None leaves the model as initialised.
        device (str): ``'cpu'``, ``'cuda:0'``, ...
        options (dict | None): Dotted keys to values, merged into the config.
        allow_non_finite (bool): As in :func:`init_model`. The candidates load what :func:`weights_file` checked.

    Raises:
        InputError: As :func:`init_model`.
    """
    options = WITHOUT_DOWNLOAD | (options or {})
    return init_model(load_config(config, options), checkpoint, device, allow_non_finite=allow_non_finite)


def load_baseline(config: str, checkpoint: str, device: str, options: dict[str, Any] | None = None) -> PoseEstimator:
    """The same model as people use it today: materialised attention, and MMPose's preprocessor, decoding and loading.

    Args:
        config, checkpoint, device, options: As in :func:`load_model`.
    """
    model = load_model(config, checkpoint, device, STOCK | (options or {}))
    materialise(model.neck.encoder)
    for step in model.cfg.test_dataloader.dataset.pipeline:
        if step['type'] == 'CachedLoadImage':
            step['type'] = 'LoadImage'
    return model


def weights_file(settings: BenchmarkSettings, folder: Path) -> str:
    """The checkpoint that every candidate loads; checks that config, checkpoint and device can be used.

    Args:
        settings (BenchmarkSettings): Names config, checkpoint and device.
        folder (Path): Where random weights are written if no checkpoint is given.

    Raises:
        InputError: As :func:`init_model`; or the config has no :class:`TransPoseNeck`.
    """
    torch.manual_seed(0)
    model = load_model(
        settings.config, settings.checkpoint, settings.device, allow_non_finite=settings.allow_non_finite
    )
    if not isinstance(getattr(model, 'neck', None), TransPoseNeck):
        raise InputError(
            f'config {settings.config} has no TransPoseNeck; `mmtranspose list` names configs that have one'
        )
    if settings.checkpoint is not None:
        return settings.checkpoint
    path = folder / 'random.pth'
    if not path.is_file():
        random_weights(model.to('cpu'))
        torch.save(dict(state_dict=model.state_dict()), path)
    return str(path)


@torch.no_grad()
def random_weights(model: PoseEstimator) -> None:
    """Draw weights with which signals neither vanish nor explode, and heatmaps have peaks.

    Batch normalisation gets random scales and shifts, and the statistics of two random images; the final layer gets
    N(0, 1 / channels) in place of N(0, 0.001).

    Args:
        model (PoseEstimator): A fresh model in evaluation mode, on the CPU; changed in place.
    """
    final = model.head.final_layer
    nn.init.normal_(final.weight, std=final.in_channels**-0.5)
    modules = [module for _, module in model.named_modules()]
    norms = [module for module in modules if isinstance(module, BatchNorm)]
    last = {_last_norm(module) for module in modules if isinstance(module, (BasicBlock, Bottleneck))}
    momenta = [norm.momentum for norm in norms]
    for norm in norms:
        nn.init.uniform_(norm.weight, 0.5, 1.5)
        norm.weight.mul_(RESIDUAL if norm in last else 1)
        nn.init.normal_(norm.bias, std=0.2)
        norm.reset_running_stats()
        norm.momentum = None  # the mean over all batches
    model.train()
    network(model, random_inputs(model, 2))
    model.eval()
    for norm, momentum in zip(norms, momenta):
        norm.momentum = momentum


def _last_norm(block: BasicBlock | Bottleneck) -> nn.Module:
    return block.norm3 if isinstance(block, Bottleneck) else block.norm2


def random_inputs(model: PoseEstimator, batch: int) -> Tensor:
    """Normalised images of noise (B, 3, h, w) on the model's device; the same ones at each call."""
    w, h = model.head.decoder.input_size
    inputs = torch.randn(batch, 3, h, w, generator=torch.Generator().manual_seed(1))
    return inputs.to(next(model.parameters()).device)


def network(model: PoseEstimator, inputs: Tensor) -> Tensor:
    """From inputs (B, 3, h, w) to heatmaps (B, K, H, W), by the model's backbone, neck and head."""
    return model.head.forward(model.extract_feat(inputs))
