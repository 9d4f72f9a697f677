"""The neck whose position tables are computed once a token grid."""

from __future__ import annotations

import copy

import torch
from torch import Tensor, nn

from mmtranspose.acceleration.encoder import FusedEncoder, PlainEncoder
from mmtranspose.acceleration.recent import Recent
from mmtranspose.models.necks import TransPoseNeck


class AcceleratedNeck(nn.Module):
    """A :class:`TransPoseNeck` for inference, in the dtype given.

    The tables that depend on the token grid alone are kept for the last four grids; :meth:`encode` is given them, so
    that what torch.compile or a CUDA graph sees looks nothing up.

    Args:
        neck (TransPoseNeck): Copied, not changed.
        dtype (torch.dtype): Of the weights and features.
        fuse_encoder (bool): With :class:`FusedEncoder`, else the encoder as it is.
    """

    def __init__(self, neck: TransPoseNeck, dtype: torch.dtype, fuse_encoder: bool):
        super().__init__()
        self.projection = copy.deepcopy(neck.projection).to(dtype)
        self.position_encoding = copy.deepcopy(neck.position_encoding)
        self.encoder = (FusedEncoder if fuse_encoder else PlainEncoder)(neck.encoder, dtype)
        self._tables = Recent()

    def tables(self, grid: tuple[int, int]) -> tuple[Tensor, ...]:
        """The encoder's tables for the token grid (h, w)."""
        return self._tables.get_or_make(tuple(grid), lambda: self._make_tables(tuple(grid)))

    def _make_tables(self, grid: tuple[int, int]) -> tuple[Tensor, ...]:
        with torch.inference_mode(False), torch.no_grad():
            pos = None
            if self.position_encoding is not None:
                pos = self.position_encoding(grid, like=self.projection.weight.new_empty(0, dtype=torch.float32))
            return self.encoder.tables(pos)

    def encode(self, feats: tuple[Tensor, ...], tables: tuple[Tensor, ...]) -> tuple[Tensor]:
        """The last feature map (B, C, h, w), encoded with the :meth:`tables` of (h, w): a tuple of one (B, d, h, w)."""
        x = self.projection(feats[-1])
        tokens = self.encoder(x.flatten(2).transpose(1, 2), tables)
        return (tokens.transpose(1, 2).unflatten(-1, x.shape[-2:]),)

    def forward(self, feats: tuple[Tensor, ...]) -> tuple[Tensor]:
        """As :class:`TransPoseNeck`."""
        return self.encode(feats, self.tables(feats[-1].shape[-2:]))
