"""The networks that are compared: one set of weights, and attention that holds its matrices as the baseline."""

from __future__ import annotations

import torch
from mmpose.models.backbones.resnet import BasicBlock, Bottleneck
from torch import Tensor, nn

from mmtranspose.benchmark.settings import Settings
from mmtranspose.errors import InputError
from mmtranspose.loading.init_model import init_model
from mmtranspose.models.layers import SelfAttention, TransformerEncoder
from mmtranspose.models.necks import TransPoseNeck


class MaterialisedAttention(nn.Module):
    """``nn.MultiheadAttention(need_weights=True)`` with a :class:`SelfAttention`'s own weights.

    Args:
        layer (SelfAttention): Whose weights are taken.
        keep (bool): Keep the last matrices, head-averaged (B, N, N), as ``weights``.
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
    """Put :class:`MaterialisedAttention` into every layer."""
    for layer in encoder.layers:
        layer.self_attn = MaterialisedAttention(layer.self_attn, keep).train(layer.training)


WITHOUT_DOWNLOAD = {'model.backbone.init_cfg': None}


RESIDUAL = 0.2  # of a block's last normalisation: as in trained networks, blocks change what passes by a little


STOCK = {
    'model.data_preprocessor.type': 'PoseDataPreprocessor',
    'model.data_preprocessor.non_blocking': False,
    'model.head.batch_decoding': False,
}


def load_model(config: str, checkpoint: str | None, device: str, options: dict | None = None) -> nn.Module:
    """:func:`init_model` that downloads no weights of the backbone.

    Args:
        config (str): Config file, or a model's name.
        checkpoint (str | None): Weights.
        device (str): ``'cpu'``, ``'cuda:0'``, ...
        options (dict | None): Dotted keys to values, merged into the config.
    """
    return init_model(config, checkpoint, device, WITHOUT_DOWNLOAD | (options or {}))


def load_baseline(config: str, checkpoint: str, device: str, options: dict | None = None) -> nn.Module:
    """The same model as people use it today: materialised attention, MMPose's preprocessor, decoding and reading.

    Args:
        config, checkpoint, device, options: As in :func:`load_model`.
    """
    model = load_model(config, checkpoint, device, STOCK | (options or {}))
    materialise(model.neck.encoder)
    for step in model.cfg.test_dataloader.dataset.pipeline:
        if step['type'] == 'CachedLoadImage':
            step['type'] = 'LoadImage'
    return model


def weights_file(settings: Settings) -> str:
    """The checkpoint that every way loads, after a check that config, checkpoint and device can be used.

    Random weights are written to ``settings.folder``.

    Raises:
        InputError: As :func:`init_model`; the config has no :class:`TransPoseNeck`.
    """
    torch.manual_seed(0)
    model = load_model(settings.config, settings.checkpoint, settings.device)
    if not isinstance(getattr(model, 'neck', None), TransPoseNeck):
        raise InputError(
            f'config {settings.config} has no TransPoseNeck; `mmtranspose list` names configs that have one'
        )
    if settings.checkpoint is not None:
        return settings.checkpoint
    path = settings.folder / 'random.pth'
    if not path.is_file():
        random_weights(model.cpu())
        torch.save(dict(state_dict=model.state_dict()), path)
    return str(path)


@torch.no_grad()
def random_weights(model: nn.Module) -> None:
    """Make the random weights of a fresh model such that signals neither die nor explode on their way.

    Batch normalisation gets random scales and shifts, and the statistics that two random images give; the final
    layer N(0, 1 / channels) in place of N(0, 0.001), so that heatmaps have peaks.

    Args:
        model (nn.Module): A pose estimator in evaluation mode, on the CPU; changed in place.
    """
    final = model.head.final_layer
    nn.init.normal_(final.weight, std=final.in_channels**-0.5)
    norms = [module for module in model.modules() if isinstance(module, nn.modules.batchnorm._BatchNorm)]
    last = {_last_norm(module) for module in model.modules() if isinstance(module, (BasicBlock, Bottleneck))}
    momenta = [norm.momentum for norm in norms]
    for norm in norms:
        nn.init.uniform_(norm.weight, 0.5, 1.5)
        norm.weight *= RESIDUAL if norm in last else 1
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


def random_inputs(model: nn.Module, batch: int) -> torch.Tensor:
    """Normalised images of noise for the model, (B, 3, h, w), on its device; always the same ones."""
    w, h = model.head.decoder.input_size
    inputs = torch.randn(batch, 3, h, w, generator=torch.Generator().manual_seed(1))
    return inputs.to(next(model.parameters()).device)


def network(model: nn.Module, inputs: torch.Tensor) -> torch.Tensor:
    """(B, 3, h, w) -> heatmaps (B, K, H, W), by the model's own backbone, neck and head."""
    return model.head.forward(model.extract_feat(inputs))
