"""The randomisation check: does an explanation depend on what the network has learnt?

Adebayo et al. (2018), "Sanity checks for saliency maps", arXiv 1810.03292: the weights are drawn anew, block by block
from the output down. A method whose maps stay as they were does not explain the network.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Sequence

import numpy as np
import torch
from scipy.stats import rankdata
from torch import Tensor, nn

from mmtranspose.errors import UnsupportedModelError
from mmtranspose.explain.methods import Method
from mmtranspose.explain.recording import require_transpose
from mmtranspose.explain.target import Target
from mmtranspose.typing import PoseEstimator


def randomization_check(
    model: PoseEstimator,
    inputs: Tensor,
    target: Target,
    methods: Sequence[Method],
    seed: int = 0,
    cascading: bool = True,
) -> dict[str, dict[str, np.ndarray]]:
    """Compare a network's maps with those of ever more random networks, at the same peaks.

    Raw attention and rollout at fixed cells do not read the head: while only the head's blocks are random, their
    correlation is 1 by construction and says nothing about the network. Below the head, the attention of a layer
    changes when that layer or an earlier one does.

    Args:
        model (PoseEstimator): A pose estimator with a :class:`TransPoseNeck`; it is not changed.
        inputs (Tensor): (B, 3, H, W), as the network takes them (normalised).
        target (Target): The peaks of the network's own heatmaps.
        methods (Sequence[Method]): The methods to check.
        seed (int): Of the random weights.
        cascading (bool): Keep a block random when the next one is drawn; otherwise only one block is random at a time.

    Returns:
        dict[str, dict[str, np.ndarray]]: For each method's name, for each block in the order of
        :func:`cascade_blocks`: Spearman's rank correlation over the token grid, (B, K), from -1 to 1; NaN where one of
        the two maps is the same everywhere.

    Raises:
        UnsupportedModelError: The model cannot be explained (see :func:`require_transpose`), or has a parameter that no
            ``reset_parameters`` draws.
    """
    originals = {method.name: method(model, inputs, target) for method in methods}
    correlations: dict[str, dict[str, np.ndarray]] = {name: {} for name in originals}
    for block, network in randomized_networks(model, seed, cascading):
        for method in methods:
            maps = method(network, inputs, target)
            correlations[method.name][block] = rank_correlation(originals[method.name], maps)
    return correlations


def randomized_networks(
    model: PoseEstimator, seed: int = 0, cascading: bool = True
) -> Iterator[tuple[str, PoseEstimator]]:
    """Yield networks in which one block of :func:`cascade_blocks` after the other has random weights.

    Weights are drawn on the CPU, so the same seed gives the same networks on every device. PyTorch's own random state
    is not touched.

    Args:
        model (PoseEstimator): It is not changed: a copy is.
        seed (int): Of the random weights.
        cascading (bool): As in :func:`randomization_check`. If so, one and the same network is yielded each time, and
            the next step changes it further.

    Yields:
        tuple[str, PoseEstimator]: The block's name, and the network with that block drawn anew.

    Raises:
        UnsupportedModelError: As in :func:`randomization_check`.
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


def cascade_blocks(model: PoseEstimator) -> dict[str, nn.Module]:
    """List the parts of a network that hold parameters, from its output to its input, by their names in it.

    The parts are the children of head, neck and backbone, the last first, and the single layers of the encoder. For
    TransPose-R: ``head.final_layer``, ``head.deconv_layers``, ``neck.encoder.layers.2`` to ``.0``,
    ``neck.position_encoding`` where it is learnable, ``neck.projection``, ``backbone.layer2``, ``backbone.layer1``,
    ``backbone.bn1``, ``backbone.conv1``.

    Raises:
        UnsupportedModelError: The model cannot be explained; see :func:`require_transpose`.
    """
    require_transpose(model)
    blocks: dict[str, nn.Module] = {}
    for part in ('head', 'neck', 'backbone'):
        for name, child in reversed(list(getattr(model, part).named_children())):
            if child is model.neck.encoder:
                layers = list(enumerate(child.layers))
                blocks |= {f'{part}.{name}.layers.{index}': layer for index, layer in reversed(layers)}
            else:
                blocks[f'{part}.{name}'] = child
    return {name: block for name, block in blocks.items() if any(True for _ in block.parameters())}


def rank_correlation(a: Tensor, b: Tensor) -> np.ndarray:
    """Compute Spearman's correlation of maps (B, K, h, w) over their cells: (B, K), float64.

    Equal values share their mean rank. NaN where a map is the same everywhere.
    """
    ranks = [rankdata(maps.flatten(2).cpu().numpy(), axis=-1) for maps in (a, b)]
    centred = [rank - rank.mean(-1, keepdims=True) for rank in ranks]
    spread = np.sqrt((centred[0] ** 2).sum(-1) * (centred[1] ** 2).sum(-1))
    return np.divide((centred[0] * centred[1]).sum(-1), spread, out=np.full(spread.shape, np.nan), where=spread > 0)


def _randomize(block: nn.Module, name: str) -> None:
    """Draw a block's parameters by the ``reset_parameters`` of its modules.

    That is PyTorch's default initialisation, not the one that a config's ``init_cfg`` asks for. Norms get weight 1 and
    bias 0, batch norms also running means 0 and variances 1.
    """
    for path, module in block.named_modules(prefix=name):
        own = [parameter for parameter, _ in module.named_parameters(recurse=False)]
        if not hasattr(module, 'reset_parameters'):
            if own:
                raise UnsupportedModelError(
                    f'{path}.{own[0]} cannot be drawn anew: {type(module).__name__} has no reset_parameters'
                )
            continue
        device = next((tensor.device for tensor in module.parameters()), torch.device('cpu'))
        module.cpu().reset_parameters()
        module.to(device)
