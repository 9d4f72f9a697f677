"""Fold batch normalisations into the weights of the convolutions before them."""

from __future__ import annotations

import copy
from collections import Counter
from dataclasses import dataclass
from typing import Any

import mmcv.cnn.bricks.wrappers as mmcv_layers
import torch
from torch import fx, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from mmtranspose.compat.upstream import BatchNorm, Convolution

CONVOLUTIONS = (nn.Conv2d, mmcv_layers.Conv2d)
TRANSPOSED_CONVOLUTIONS = (nn.ConvTranspose2d, mmcv_layers.ConvTranspose2d)
NORMS = (nn.BatchNorm2d, nn.SyncBatchNorm)


@dataclass(frozen=True)
class Folding:
    """Which batch normalisations of a network were folded.

    Attributes:
        folded (int): How many were folded.
        left (tuple[str, ...]): The module names of the others.
    """

    folded: int
    left: tuple[str, ...]


def fold_batch_norms(module: nn.Module) -> Folding:
    """Fold every batch normalisation that directly follows a convolution, in place.

    Which convolution feeds which normalisation is read from the data flow of ``module.forward`` (``torch.fx``), not
    from the order or names of the layers. A pair is folded if the convolution's output goes only to the normalisation
    and each of the two runs once. Every other normalisation stays as it is. The weights are computed in float64:
    ``W * gamma / sqrt(var + eps)``.

    Args:
        module (nn.Module): In evaluation mode. Its folded normalisations become ``nn.Identity``.
    """
    names = [name for name, child in module.named_modules() if isinstance(child, BatchNorm)]
    pairs = _foldable_pairs(module) if names else []
    for conv, norm in pairs:
        module.set_submodule(conv, _folded(module.get_submodule(conv), module.get_submodule(norm)))
        module.set_submodule(norm, nn.Identity())
    done = {norm for _, norm in pairs}
    return Folding(len(done), tuple(name for name in names if name not in done))


class _LayerTracer(fx.Tracer):
    """Traces the data flow between layers, without looking into convolutions or normalisations of any class."""

    def is_leaf_module(self, m: nn.Module, module_qualified_name: str) -> bool:
        return isinstance(m, (Convolution, BatchNorm)) or super().is_leaf_module(m, module_qualified_name)


def _foldable_pairs(module: nn.Module) -> list[tuple[str, str]]:
    """Names of the (convolution, normalisation) to fold; an empty list if ``forward`` cannot be traced."""
    try:
        graph = _LayerTracer().trace(module)
    except Exception:  # a forward function that reads its data may raise anything when it is traced
        return []
    layer_calls = [node for node in graph.nodes if node.op == 'call_module']
    calls = Counter(str(node.target) for node in layer_calls)
    pairs = []
    for node in layer_calls:
        source = node.args[0] if node.args else None
        if not isinstance(source, fx.Node) or source.op != 'call_module' or len(source.users) != 1:
            continue
        conv, norm = str(source.target), str(node.target)
        if calls[conv] == calls[norm] == 1 and _is_foldable(module.get_submodule(conv), module.get_submodule(norm)):
            pairs.append((conv, norm))
    return pairs


def _is_foldable(conv: Any, norm: Any) -> bool:
    """Whether the two are of classes whose formulas are known, and the normalisation uses stored statistics."""
    known = type(conv) in CONVOLUTIONS or (type(conv) in TRANSPOSED_CONVOLUTIONS and conv.groups == 1)
    return known and type(norm) in NORMS and norm.running_mean is not None and not norm.training


def _folded(conv: Any, norm: Any) -> nn.Module:
    """A convolution (of one of the classes above) that computes both."""
    device, dtype = conv.weight.device, conv.weight.dtype
    conv, norm = (copy.deepcopy(layer).to('cpu', torch.float64) for layer in (conv, norm))  # some devices lack float64
    return fuse_conv_bn_eval(conv, norm, transpose=conv.transposed).to(device, dtype)
