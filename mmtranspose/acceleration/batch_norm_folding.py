"""Batch normalisation put into the weights of the convolution before it."""

from __future__ import annotations

import copy
from collections import Counter
from dataclasses import dataclass

import mmcv.cnn.bricks.wrappers as mmcv_layers
import torch
from torch import fx, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from mmtranspose.compat.upstream import BatchNorm, Convolution

CONVOLUTIONS = (nn.Conv2d, mmcv_layers.Conv2d)


TRANSPOSED = (nn.ConvTranspose2d, mmcv_layers.ConvTranspose2d)


NORMS = (nn.BatchNorm2d, nn.SyncBatchNorm)


@dataclass(frozen=True)
class Folding:
    """What became of a network's batch normalisations: how many are ``folded``, and the names of those ``left``."""

    folded: int
    left: tuple[str, ...]


def fold_batch_norms(module: nn.Module) -> Folding:
    """Fold every batch normalisation that directly follows a convolution, in place.

    Which convolution feeds which normalisation is read from the data flow of ``module.forward`` (``torch.fx``), not
    from the order or names of the layers. A pair is folded where the convolution's output goes to the normalisation
    alone and each of the two runs once. Every other normalisation stays as it is. The weights are computed in
    float64: ``W * gamma / sqrt(var + eps)``.

    Args:
        module (nn.Module): In evaluation mode. Its folded normalisations become ``nn.Identity``.
    """
    names = [name for name, child in module.named_modules() if isinstance(child, BatchNorm)]
    pairs = _pairs(module) if names else []
    for conv, norm in pairs:
        module.set_submodule(conv, _folded(module.get_submodule(conv), module.get_submodule(norm)))
        module.set_submodule(norm, nn.Identity())
    done = {norm for _, norm in pairs}
    return Folding(len(done), tuple(name for name in names if name not in done))


class _LayerTracer(fx.Tracer):
    """Follows the data through ``forward`` and looks into no convolution or normalisation, whatever its class."""

    def is_leaf_module(self, module: nn.Module, name: str) -> bool:
        return isinstance(module, (Convolution, BatchNorm)) or super().is_leaf_module(module, name)


def _pairs(module: nn.Module) -> list[tuple[str, str]]:
    """Names of (convolution, normalisation) that can be folded; none where ``forward`` depends on the data."""
    try:
        graph = _LayerTracer().trace(module)
    except Exception:  # whatever a forward that cannot be traced makes of the stand-ins it is given
        return []
    calls = Counter(node.target for node in graph.nodes if node.op == 'call_module')
    pairs = []
    for node in graph.nodes:
        if node.op != 'call_module' or not isinstance(module.get_submodule(node.target), BatchNorm):
            continue
        source = node.args[0] if node.args else None
        if not isinstance(source, fx.Node) or source.op != 'call_module' or len(source.users) != 1:
            continue
        conv, norm = module.get_submodule(source.target), module.get_submodule(node.target)
        if calls[source.target] == calls[node.target] == 1 and _foldable(conv, norm):
            pairs.append((source.target, node.target))
    return pairs


def _foldable(conv: nn.Module, norm: BatchNorm) -> bool:
    """Whether these classes compute what the folding supposes, from statistics that are there."""
    known = type(conv) in CONVOLUTIONS or (type(conv) in TRANSPOSED and conv.groups == 1)
    return known and type(norm) in NORMS and norm.running_mean is not None and not norm.training


def _folded(conv: Convolution, norm: BatchNorm) -> Convolution:
    device, dtype = conv.weight.device, conv.weight.dtype
    conv, norm = (copy.deepcopy(layer).to('cpu', torch.float64) for layer in (conv, norm))  # some devices lack float64
    return fuse_conv_bn_eval(conv, norm, transpose=conv.transposed).to(device, dtype)
