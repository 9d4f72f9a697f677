"""What a model, or an exported file in its place, can show on the page: kinds of maps, layers, heads, places."""

from __future__ import annotations

from dataclasses import dataclass

from mmtranspose.deployment import ExportedPoseEstimator
from mmtranspose.explain import ExplainOptions
from mmtranspose.explain.methods import Method, TokenAblation
from mmtranspose.explain.recording import require_transpose
from mmtranspose.typing import PoseEstimator

DIRECTIONS = ('dependency', 'affect')
TOKEN_ABLATION = TokenAblation.name
# Those that answer a click soon, and token ablation, which tells how far it is.
METHODS = ('rollout', 'gradient-attention', 'input-gradient', 'layer-cam-encoder', 'edge-knockout', TOKEN_ABLATION)
MOST_WORK = 150_000  # tokens times passes of token ablation: some ten seconds a person on two cores
KEYPOINTS_ONLY = 'An exported file explains keypoints only; the model that it was exported from explains any place.'
TOKENS_STAY = (
    'An exported file takes no changed tokens, so they cannot be switched off here: open the page with the model that '
    'the file was exported from.'
)
POSES_ONLY = (
    'The file was exported without dependency, so it explains nothing: `mmtranspose export --dependency` writes one '
    'that explains keypoints.'
)


@dataclass(frozen=True)
class Offer:
    """What can be asked of a model.

    Attributes:
        kinds (tuple[str, ...]): Kinds of maps: directions of attention and methods; empty where there are only poses.
        num_layers (int): Encoder layers L.
        num_heads (int | None): Heads of an encoder layer; None where there is only their mean.
        lack (str): Why places that are no keypoints, or even keypoints, are not explained, and what to do, in
            sentences; empty where everything is.
    """

    kinds: tuple[str, ...]
    num_layers: int
    num_heads: int | None
    lack: str = ''

    @property
    def tokens_off(self) -> bool:
        """Whether tokens can be switched off: an exported file's cannot."""
        return bool(self.kinds) and not self.lack

    @property
    def places(self) -> bool:
        """Whether any place on a person is explained, and not keypoints alone."""
        return not self.lack

    def options(self, method: str | Method | None) -> ExplainOptions:
        """The options of an explanation that holds all of a model's attention that is offered, and a method's maps."""
        heads = 'mean' if self.num_heads is None else 'all'
        return ExplainOptions('affect' in self.kinds, heads, methods=() if method is None else (method,))


def offer_of(model: PoseEstimator) -> Offer:
    """Tell what a model offers.

    Raises:
        UnsupportedModelError: It is neither an exported file nor a model whose attention can be read.
    """
    if isinstance(model, ExportedPoseEstimator):
        kinds, lack = (('dependency',), KEYPOINTS_ONLY) if model.meta.dependency else ((), POSES_ONLY)
        return Offer(kinds, model.meta.num_layers, None, lack)
    require_transpose(model)
    layers = model.neck.encoder.layers
    return Offer((*DIRECTIONS, *METHODS), len(layers), layers[0].self_attn.num_heads)


def ablation_stride(grid: tuple[int, int]) -> int:
    """The side of the squares that token ablation replaces together in a token grid (h, w): 1, 2, 4, ..."""
    h, w = grid
    stride = 1
    while -(-h // stride) * -(-w // stride) * h * w > MOST_WORK:
        stride *= 2
    return stride
