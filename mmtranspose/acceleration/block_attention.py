"""Attention for inference."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

ROWS = 512  # of the matrix at once: they stay in a processor's cache
WIDE = 64  # channels of a head from which on bfloat16 products outweigh what they cost besides


def attend(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    """``scaled_dot_product_attention`` without mask or dropout.

    PyTorch's CPU kernel computes bfloat16 at float32's speed. Where heads are wide (TransPose-H), products of blocks of
    rows use the processor's bfloat16 units; their error is that of PyTorch's kernel (0.02 of H-A6's heatmaps' range).
    torch.compile is given PyTorch's function, whose batch size it can leave open.

    Args:
        q, k, v (Tensor): (B, heads, N, d / heads).

    Returns:
        Tensor: (B, heads, N, d / heads).
    """
    in_blocks = q.device.type == 'cpu' and q.dtype == torch.bfloat16 and q.shape[-1] >= WIDE
    if not in_blocks or torch.compiler.is_compiling():
        return F.scaled_dot_product_attention(q, k, v)
    out = torch.empty_like(q.transpose(1, 2)).transpose(1, 2)  # (B, N, heads, d / heads) in memory, as it is read next
    for one_q, one_k, one_v, one_out in zip(q, k, v, out):
        keys = one_k.mT * q.shape[-1] ** -0.5
        for rows, result in zip(one_q.split(ROWS, dim=1), one_out.split(ROWS, dim=1)):
            result.copy_((rows @ keys).softmax(-1) @ one_v)
    return out
