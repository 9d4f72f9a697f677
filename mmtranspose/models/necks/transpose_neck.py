"""TransPose's neck: turn a feature map into tokens, encode them, and turn them back into a feature map."""

from __future__ import annotations

from mmengine.model import BaseModule
from mmpose.registry import MODELS
from mmpose.utils.typing import OptMultiConfig
from torch import Tensor, nn

from mmtranspose.errors import require_at_least
from mmtranspose.models.layers import TransformerEncoder, build_position_encoding


@MODELS.register_module()
class TransPoseNeck(BaseModule):
    """The Transformer of `TransPose <https://arxiv.org/abs/2012.14214>`_ over a CNN's feature map.

    A 1x1 convolution without bias reduces the map to d channels. Its cells, in row-major order, are the tokens of the
    encoder. The encoded tokens form a map of the same height and width. Any input size works at test time: the sine
    encoding is computed for each token grid, the learnable one is interpolated.

    Args:
        in_channels (int): Channels of the backbone's last feature map.
        embed_dims (int): Token channels d.
        num_layers (int): Encoder layers.
        num_heads (int): Attention heads.
        feedforward_channels (int): Hidden channels of the feed-forward networks.
        dropout (float): See :class:`EncoderLayer`.
        attention_dropout (float | None): See :class:`EncoderLayer`.
        position_encoding (str | None): ``'sine'``, ``'learnable'`` or None (the paper's ablation).
        grid (tuple[int, int] | None): Token grid (h, w) of training; only for ``'learnable'``.
        with_cp (bool): Activation checkpointing; see :class:`TransformerEncoder`.
        init_cfg (dict | None): Initialisation of the projection; None: PyTorch's default. The HRNet variants have
            N(0, 0.001): ``dict(type='Normal', std=0.001, override=dict(name='projection'))``.

    Raises:
        InputError: A number is out of its range; ``embed_dims`` is not divisible by ``num_heads``;
            ``position_encoding`` is unknown; or ``embed_dims`` or ``grid`` does not fit it.
    """

    def __init__(
        self,
        in_channels: int,
        embed_dims: int = 256,
        num_layers: int = 4,
        num_heads: int = 8,
        feedforward_channels: int = 1024,
        dropout: float = 0.1,
        attention_dropout: float | None = None,
        position_encoding: str | None = 'sine',
        grid: tuple[int, int] | None = None,
        with_cp: bool = False,
        init_cfg: OptMultiConfig = None,
    ):
        super().__init__(init_cfg)
        require_at_least('in_channels', in_channels, 1)
        require_at_least('embed_dims', embed_dims, 1)
        self.projection = nn.Conv2d(in_channels, embed_dims, 1, bias=False)
        self.position_encoding = build_position_encoding(position_encoding, embed_dims, grid)
        self.encoder = TransformerEncoder(
            num_layers,
            with_cp=with_cp,
            embed_dims=embed_dims,
            num_heads=num_heads,
            feedforward_channels=feedforward_channels,
            dropout=dropout,
            attention_dropout=attention_dropout,
        )

    def forward(self, feats: tuple[Tensor, ...]) -> tuple[Tensor]:
        """Encode the last feature map (B, C, h, w); returns a tuple of one map (B, d, h, w)."""
        x = self.projection(feats[-1])
        grid = tuple(x.shape[-2:])
        tokens = x.flatten(2).transpose(1, 2)  # (B, h * w, d)
        pos = None if self.position_encoding is None else self.position_encoding(grid, like=self.projection.weight)
        tokens = self.encoder(tokens, pos)
        return (tokens.transpose(1, 2).unflatten(-1, grid),)
