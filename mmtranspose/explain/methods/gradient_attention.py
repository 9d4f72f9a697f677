"""Attention weighted by its gradient, multiplied through the layers."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import ClassVar

import torch
from torch import Tensor, nn

from mmtranspose.explain.attention import head_values
from mmtranspose.explain.methods.base import Method, peak_values
from mmtranspose.explain.methods.rollout import row_product, target_rows
from mmtranspose.explain.recording import AttentionInput, recorded_attention
from mmtranspose.explain.target import Target
from mmtranspose.models.layers import SelfAttention
from mmtranspose.typing import PoseEstimator


@dataclass
class GradientAttention(Method):
    """Attention weighted by its effect on the peak's value (Chefer, Gur and Wolf, ICCV 2021, arXiv 2103.15679).

    Their rule for self-attention: let A be a layer's attention and dA the gradient of the heatmap's value at the peak
    with respect to A. Then ``A_bar`` is the mean over heads of ``relu(dA * A)``, and ``R <- R + A_bar R`` from the
    first layer to the last, starting at the identity. The map is made of the target's rows of R, weighted. It has two
    parts: the identity leaves the target's own cells with weight 1 in all; the rest is what attention brings, in other
    units and thousands of times smaller. As in the paper's equations 8 and 9, the rest is divided by its sum, so both
    parts have the same weight. The map is their mean and sums to 1 (to a half where attention brings nothing).

    No N x N matrix is held. ``dA[i, j] = g_i . v_j``, where g is the gradient with respect to the output of a head's
    attention and v are its values; and only the target's rows are computed, from the last layer to the first:
    ``r <- r + r A_bar``. This takes one backward pass through head and encoder for each keypoint, and O(L K N d) memory
    for the gradients of each image.

    Args:
        identity (bool): Count the target's own cells as above. Without them the map is what attention brings: easier to
            see in an image, but a keypoint depends on its own place too, and the deletion measure shows it.
    """

    name: ClassVar[str] = 'gradient-attention'
    reads_attention: ClassVar[bool] = True
    identity: bool = True

    def maps(self, model: PoseEstimator, inputs: Tensor, target: Target) -> Tensor:
        """The maps (B, K, h, w)."""
        records, gradients = _context_gradients(model, inputs, target)
        start = target_rows(target)
        brought = torch.zeros_like(start)
        for record, gradient in zip(reversed(records), reversed(gradients)):
            brought += row_product(record, start + brought, _Relevance(record, gradient))
        brought /= brought.sum(-1, keepdim=True).clamp(min=torch.finfo(brought.dtype).tiny)
        return ((start + brought) / 2 if self.identity else brought).unflatten(-1, target.grid)


class _Relevance:
    """Computes rows of ``relu(dA * A)`` from rows of A, for each keypoint."""

    def __init__(self, record: AttentionInput, gradient: Tensor):
        self.gradient = gradient  # (B, K, heads, N, c)
        with torch.autocast(gradient.device.type, enabled=False):
            self.values = head_values(record).unsqueeze(1)  # (B, 1, heads, N, c)

    def __call__(self, attention: Tensor, tokens: Tensor) -> Tensor:
        return (self.gradient[..., tokens, :] @ self.values.transpose(-1, -2)).mul_(attention).relu_()


def _context_gradients(
    model: PoseEstimator, inputs: Tensor, target: Target
) -> tuple[list[AttentionInput], list[Tensor]]:
    """For each layer its input, and the gradients (B, K, heads, N, c) of the peaks' values by its heads' outputs."""
    with torch.no_grad():
        features = model.backbone(inputs)
    features = tuple(feature.detach().requires_grad_() for feature in features)  # a graph for frozen networks too
    encoder = model.neck.encoder
    with recorded_attention(encoder) as records, _recorded_contexts(encoder) as contexts:
        values = peak_values(model.head.forward(model.neck(features)), target)
    by_keypoint = [torch.autograd.grad(value.sum(), contexts, retain_graph=True) for value in values.unbind(1)]
    gradients = [
        record.layer.split_heads(torch.stack(layer, 1).flatten(0, 1)).unflatten(0, values.shape).float()
        for record, layer in zip(records, zip(*by_keypoint))
    ]
    return [replace(record, tokens=record.tokens.detach()) for record in records], gradients


@contextmanager
def _recorded_contexts(encoder: nn.Module) -> Iterator[list[Tensor]]:
    """Record the output of every attention layer's heads, (B, N, d), before the output projection."""
    contexts: list[Tensor] = []
    handles = [
        module.out_proj.register_forward_pre_hook(lambda _, args: contexts.append(args[0]))
        for module in encoder.modules()
        if isinstance(module, SelfAttention)
    ]
    try:
        yield contexts
    finally:
        for handle in handles:
            handle.remove()
