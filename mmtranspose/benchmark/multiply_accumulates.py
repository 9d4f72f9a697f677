"""Count the multiply-accumulates and parameters of a network."""

from __future__ import annotations

from typing import NamedTuple

import torch
from mmengine.config import Config
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from mmtranspose.errors import InputError
from mmtranspose.loading.closest_model import build_empty
from mmtranspose.loading.config import load_config, require_model


class Count(NamedTuple):
    """What was counted for one image.

    Args:
        shape: The input's (h, w).
        parameters: Number of the network's parameters.
        macs: Multiply-accumulates by the names of modules; ``''`` is the whole network.
    """

    shape: tuple[int, int]
    parameters: int
    macs: dict[str, int]

    @property
    def total(self) -> int:
        """Multiply-accumulates of the whole network."""
        return self.macs['']


class _Network(nn.Module):
    """From inputs to heatmaps in one module, so that the counter sees one tree of modules."""

    def __init__(self, model: nn.Module):
        super().__init__()
        self.model = model

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        return self.model(inputs, None, mode='tensor')


def count(config: str, shape: tuple[int, int] | None = None) -> Count:
    """Count the convolutions and matrix products of a config's network, those of attention included.

    Nothing is computed: the network is built on PyTorch's ``meta`` device, where ``scaled_dot_product_attention``
    counts as its two matrix products. (The fused kernel for CPUs has no formula in ``torch.utils.flop_counter``.)
    Additions, normalisation, ReLU and softmax do not count.

    Args:
        config (str): Config file, or a model's name.
        shape (tuple[int, int] | None): The input's (h, w); None takes it from the config's codec.

    Raises:
        InputError: The config cannot be used, or the network cannot take an image of this shape.
    """
    cfg = load_config(config)
    require_model(cfg)
    h, w = shape or input_shape(cfg)
    if min(h, w) < 1:
        raise InputError(f'--shape {h} {w}: height and width must be at least 1')
    try:
        model = build_empty(cfg.filename)
    except (KeyError, TypeError, ValueError) as error:
        raise InputError(f'{cfg.filename}: the model cannot be built: {error}') from error
    parameters = sum(parameter.numel() for parameter in model.parameters())
    try:
        macs = count_macs(_Network(model.eval()), torch.empty(1, 3, h, w, device='meta'))
    except RuntimeError as error:
        sentence = str(error).splitlines()[0]
        raise InputError(f'--shape {h} {w}: the network cannot take it: {sentence}') from error
    return Count((h, w), parameters, {name.removeprefix('model').removeprefix('.'): n for name, n in macs.items()})


def count_macs(module: nn.Module, *inputs: torch.Tensor) -> dict[str, int]:
    """Multiply-accumulates of one call, by the names of ``module``'s submodules; ``''`` is ``module`` itself."""
    counter = FlopCounterMode(display=False)
    with counter, torch.no_grad():
        module(*inputs)
    macs, own = {'': counter.get_total_flops() // 2}, f'{type(module).__name__}.'
    for name, operations in counter.get_flop_counts().items():
        if name.startswith(own):
            macs[name.removeprefix(own)] = sum(operations.values()) // 2
    return macs


def deconvolutions(found: Count) -> int:
    """Multiply-accumulates of the head's transposed convolutions."""
    return found.macs.get('head.deconv_layers', 0)


def input_shape(cfg: Config) -> tuple[int, int]:
    """The (h, w) of the network's input, as the config's codec has it.

    Raises:
        InputError: The config does not name it.
    """
    codec = cfg.model.get('head', {}).get('decoder') or cfg.get('codec') or {}
    if 'input_size' not in codec:
        raise InputError(f'config {cfg.filename} does not name the size of its input; give --shape H W')
    w, h = codec['input_size']
    return h, w
