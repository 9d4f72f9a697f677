"""Whether an explanation depends on what the network has learnt.

The randomisation check of Adebayo et al. (2018), "Sanity checks for saliency maps", arXiv 1810.03292: a method whose
maps stay as they were while the weights are drawn anew, from the output down, does not explain the network.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Sequence

import numpy as np
import torch
from scipy.stats import rankdata
from torch import Tensor, nn

from mmtranspose.explain.methods import Method
from mmtranspose.explain.recording import require_transpose
from mmtranspose.explain.target import Target


def randomization_check(
    model: nn.Module,
    inputs: Tensor,
    target: Target,
    methods: Sequence[Method],
    seed: int = 0,
    cascading: bool = True,
) -> dict[str, dict[str, np.ndarray]]:
    """How like the maps of ever more random networks are to the network's own, at the same peaks.

    Raw attention and rollout at fixed cells do not read the head: while only its blocks are random their correlation
    is 1 by construction, which says nothing of them. Below that, attention of a layer changes when that layer or one
    before it does.

    Args:
        model (nn.Module): A pose estimator with a :class:`TransPoseNeck`; stays as it is.
        inputs (Tensor): (B, 3, H, W), as the network takes them (normalised).
        target (Target): The peaks of the network's own heatmaps.
        methods (Sequence[Method]): What is checked.
        seed (int): Of the weights drawn.
        cascading (bool): A block stays random when the next one is drawn; otherwise every block is random alone.

    Returns:
        dict: By method's name, by block in the order of :func:`cascade_blocks`: Spearman's rank correlation over the
        token grid, (B, K), from -1 to 1; not a number where one of the two maps is the same everywhere.

    Raises:
        TypeError: The model cannot be explained (see :func:`require_transpose`), or has a parameter that no
            ``reset_parameters`` draws.
    """
    originals = {method.name: method(model, inputs, target) for method in methods}
    correlations: dict[str, dict[str, np.ndarray]] = {name: {} for name in originals}
    for block, network in randomized_networks(model, seed, cascading):
        for method in methods:
            maps = method(network, inputs, target)
            correlations[method.name][block] = rank_correlation(originals[method.name], maps)
    return correlations


def randomized_networks(model: nn.Module, seed: int = 0, cascading: bool = True) -> Iterator[tuple[str, nn.Module]]:
    """Name of each block of :func:`cascade_blocks` and the network when that one has been drawn anew.

    A copy of ``model`` is changed; while cascading it is the same one, which the next step changes further. Drawn on
    the CPU, so that the same seed gives the same networks on every device; PyTorch's own random state stays as it is.

    Raises:
        TypeError: As in :func:`randomization_check`.
    """
    network = copy.deepcopy(model)
    generator_state = torch.Generator().manual_seed(seed).get_state()
    for name in cascade_blocks(model):
        network = network if cascading else copy.deepcopy(model)
        with torch.random.fork_rng(devices=[]):
            torch.set_rng_state(generator_state)
            _randomize(cascade_blocks(network)[name], name)
            generator_state = torch.get_rng_state()
        yield name, network


def cascade_blocks(model: nn.Module) -> dict[str, nn.Module]:
    """The parts of a network that hold parameters, from its output to its input, by their names in it.

    The children of head, neck and backbone, the last first, and the encoder layer by layer: for TransPose-R
    ``head.final_layer``, ``head.deconv_layers``, ``neck.encoder.layers.2`` to ``.0``, ``neck.position_encoding`` where
    it is learnable, ``neck.projection``, ``backbone.layer2``, ``backbone.layer1``, ``backbone.bn1``,
    ``backbone.conv1``.

    Raises:
        TypeError: The model cannot be explained; see :func:`require_transpose`.
    """
    require_transpose(model)
    blocks: dict[str, nn.Module] = {}
    for part in ('head', 'neck', 'backbone'):
        for name, child in reversed(list(getattr(model, part).named_children())):
            blocks |= _layers(f'{part}.{name}', child) if child is model.neck.encoder else {f'{part}.{name}': child}
    return {name: block for name, block in blocks.items() if any(True for _ in block.parameters())}


def rank_correlation(a: Tensor, b: Tensor) -> np.ndarray:
    """Spearman's correlation of maps (B, K, h, w) over their cells: (B, K), float64; equal values share a mean rank.

    Not a number where a map is the same everywhere.
    """
    ranks = [rankdata(maps.flatten(2).cpu().numpy(), axis=-1) for maps in (a, b)]
    centred = [rank - rank.mean(-1, keepdims=True) for rank in ranks]
    spread = np.sqrt((centred[0] ** 2).sum(-1) * (centred[1] ** 2).sum(-1))
    return np.divide((centred[0] * centred[1]).sum(-1), spread, out=np.full(spread.shape, np.nan), where=spread > 0)


def _layers(prefix: str, encoder: nn.Module) -> dict[str, nn.Module]:
    return {f'{prefix}.layers.{i}': encoder.layers[i] for i in reversed(range(len(encoder.layers)))}


def _randomize(block: nn.Module, name: str) -> None:
    """Draw a block's parameters as its modules' ``reset_parameters`` do.

    That is PyTorch's default start, not the one that a config's ``init_cfg`` asks for. Norms get weight 1 and bias 0,
    batch norms running means 0 and variances 1 too.
    """
    for path, module in block.named_modules(prefix=name):
        own = [parameter for parameter, _ in module.named_parameters(recurse=False)]
        if not hasattr(module, 'reset_parameters'):
            if own:
                raise TypeError(
                    f'{path}.{own[0]} cannot be drawn anew: {type(module).__name__} has no reset_parameters'
                )
            continue
        device = next((tensor.device for tensor in module.parameters()), torch.device('cpu'))
        module.cpu().reset_parameters()
        module.to(device)
