"""Edge knockout: how far each keypoint's value falls when the last layer may not attend to one token."""

from __future__ import annotations

import math
from typing import Literal, overload

import torch
from torch import Tensor

from mmtranspose.errors import InputError
from mmtranspose.explain.interventions.effects import Effects
from mmtranspose.explain.interventions.perturbed_encoder import PerturbedEncoder
from mmtranspose.explain.recording import take_tokens
from mmtranspose.typing import PoseEstimator

BLOCK_ELEMENTS = 2**24  # of the feed-forward network's hidden layer: 64 MiB
SMALLEST_REST = 1e-6  # of a row: below, what remains of it is computed anew, because subtracting would lose its digits


@overload
def edge_knockout(
    model: PoseEstimator, inputs: Tensor, peaks: Tensor, *, displacement: Literal[False] = ...
) -> Tensor: ...


@overload
def edge_knockout(model: PoseEstimator, inputs: Tensor, peaks: Tensor, *, displacement: Literal[True]) -> Effects: ...


@torch.no_grad()
def edge_knockout(
    model: PoseEstimator, inputs: Tensor, peaks: Tensor, *, displacement: bool = False
) -> Tensor | Effects:
    """Cut the last layer's attention to one token after the other, and read every heatmap at its peak.

    In every row and head of the last layer's attention the token's entry becomes 0, and the rest of the row is divided
    by its sum. The layers before are not computed again. What a row without token j hands on follows from what it hands
    on with it: ``(c - a_j v_j) / (1 - a_j)``, in double precision; then only the tokens around the peaks are computed.

    Args:
        model (PoseEstimator): A pose estimator with a :class:`TransPoseNeck`.
        inputs (Tensor): (B, 3, H, W), as the network takes them (normalised).
        peaks (Tensor): (B, K, 2), integer (row, col) of the heatmap: the unperturbed peaks.
        displacement (bool): Also measure how far each heatmap's peak moves, which takes the whole heatmaps: a pass of
            the last layer and the head for each token.

    Returns:
        Tensor | Effects: (B, K, h, w), float32: the value at the peak less the value without the edges; or, with
        ``displacement``, :class:`Effects`.

    Raises:
        UnsupportedModelError: The encoder cannot be read; see :func:`~mmtranspose.explain.recording.require_transpose`.
        InputError: ``peaks`` are not integer, not of these images, or outside the heatmaps; the model is in
            half precision; or there is only one token.
    """
    with PerturbedEncoder.of(model, inputs, peaks) as perturbed:
        h, w = perturbed.target.grid
        if h * w == 1:
            raise InputError('the token grid has one token: without it, attention has nothing to attend to')
        images = [_of_image(perturbed, number, displacement) for number in range(len(inputs))]
    maps = [torch.stack(part).unflatten(-1, (h, w)) for part in zip(*images)]
    return Effects(*maps) if displacement else maps[0]


def _of_image(perturbed: PerturbedEncoder, number: int, displacement: bool) -> tuple[Tensor, ...]:
    """Effects (K, N) of one crop."""
    cells = perturbed.windows.cells[number]
    tokens = torch.arange(math.prod(perturbed.target.grid), device=cells.device)
    layer = LastLayerRows(perturbed, number, tokens if displacement else cells.flatten())
    effects: list[tuple[Tensor, ...]] = []
    for cut in tokens.split(layer.block):
        encoded = layer.encoded_without(cut)  # (J, R, d)
        image = torch.full_like(cut, number)
        if displacement:
            effects.append(perturbed.effects(encoded, image))
        else:
            values = perturbed.windows.read(encoded.unflatten(1, cells.shape), image)
            effects.append((perturbed.windows.values[image] - values,))
    return tuple(torch.cat(part).T for part in zip(*effects))


class LastLayerRows:
    """Tokens ``rows`` (R,) of one crop in the encoder's last layer, if some edges of its attention are cut.

    Args:
        perturbed (PerturbedEncoder): The encoder and its unperturbed pass.
        number (int): Which of the B crops.
        rows (Tensor): (R,), numbers of the tokens to compute.

    Attributes:
        block (int): How many cut tokens :meth:`encoded_without` should be given at a time.
    """

    def __init__(self, perturbed: PerturbedEncoder, number: int, rows: Tensor):
        self.layer = perturbed.model.neck.encoder.layers[-1]
        given = perturbed.run.records[-1].part(slice(number, number + 1)).in_float32()
        query, key = given.query_rows(rows.unsqueeze(0))[0], given.all_keys()[0]
        self.own = take_tokens(given.tokens, rows.unsqueeze(0))  # (1, R, d)
        self.values = given.layer.value(given.tokens)[0].double()  # (heads, N, c)
        self.logits = (query * query.shape[-1] ** -0.5 @ key.transpose(-1, -2)).double()  # (heads, R, N)
        self.weights = self.logits.softmax(-1)
        self.context = self.weights @ self.values  # (heads, R, c)
        self.block = max(1, BLOCK_ELEMENTS // (len(rows) * self.layer.linear1.out_features))

    def encoded_without(self, tokens: Tensor) -> Tensor:
        """Encode the rows where token j (J,) may not be attended to: (J, R, d), float32."""
        cut = self.weights[..., tokens].permute(2, 0, 1)  # (J, heads, R)
        values = self.values[:, tokens].transpose(0, 1).unsqueeze(2)  # (J, heads, 1, c)
        rest = 1 - cut
        context = (self.context - cut.unsqueeze(-1) * values) / rest.unsqueeze(-1)
        few = rest < SMALLEST_REST
        if few.any():
            which, head, row = few.nonzero().unbind(-1)
            logits = self.logits[head, row].scatter(-1, tokens[which].unsqueeze(-1), -torch.inf)
            context[few] = (logits.softmax(-1).unsqueeze(1) @ self.values[head]).squeeze(1)
        return self._encoded(context)

    def encoded_without_each(self, cut: Tensor) -> Tensor:
        """Encode the rows where row r may not attend to the tokens ``cut`` (R, N), bool, but some: (R, d), float32."""
        context = self.logits.masked_fill(cut, -torch.inf).softmax(-1) @ self.values
        return self._encoded(context.unsqueeze(0))[0]

    def _encoded(self, context: Tensor) -> Tensor:
        """From what heads hand on (J, heads, R, c) to encoded rows (J, R, d)."""
        attended = self.layer.self_attn.out_proj(context.transpose(1, 2).flatten(2).float())
        return self.layer.after_attention(self.own, attended)
