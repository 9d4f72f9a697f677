"""A model's transformer encoder by OpenVINO, for work that encodes many sets of tokens, such as token ablation."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from mmtranspose.acceleration.fused_encoder import PlainEncoder
from mmtranspose.acceleration.openvino_network import OpenVinoNetwork
from mmtranspose.errors import InputError, UnsupportedModelError, require_package
from mmtranspose.models.layers import TransformerEncoder
from mmtranspose.models.necks import TransPoseNeck
from mmtranspose.models.unwrapping import compiled_part
from mmtranspose.typing import PoseEstimator


class OpenVinoEncoder:
    """What a model's encoder computes, on the processor by OpenVINO in float32.

    ``token_ablation(model, inputs, peaks, encoder=OpenVinoEncoder(model))`` gives the effects that the model's own
    encoder gives, to 1e-4 of a keypoint's largest. It takes as long on quiet cores and less time on busy ones:
    docs/benchmark_results.md has the figures, ``mmtranspose benchmark CONFIG token-ablation`` measures them.

    The encoder is copied, so later changes to the model (training, loading) do not reach it. OpenVINO compiles it at
    the first call, and again when the position encoding changes, as it does with the size of the images. If OpenVINO
    cannot run it, PyTorch does after one warning.

    Args:
        model (PoseEstimator): A pose estimator on the CPU with a :class:`TransPoseNeck`, not accelerated. It is not
            changed.

    Raises:
        UnsupportedModelError: It has no such neck, as an accelerated model has not, or the encoder is compiled.
        InputError: It is not on the CPU or not in float32, or OpenVINO is not installed.
    """

    def __init__(self, model: PoseEstimator):
        require_package('openvino')
        _require_encoder(model)
        self._encoder = PlainEncoder(model.neck.encoder, torch.float32).eval()
        self._network: OpenVinoNetwork | None = None
        self._tables: tuple[Tensor, ...] = ()

    @torch.no_grad()
    def __call__(self, tokens: Tensor, pos: Tensor | None = None) -> Tensor:
        """Encode tokens as :class:`TransformerEncoder` does in evaluation mode, without a gradient.

        Args:
            tokens (Tensor): (B, N, d), float32, on the CPU.
            pos (Tensor | None): (N, d), the position encoding that each layer adds to queries and keys.

        Returns:
            Tensor: (B, N, d), float32.
        """
        tables = self._encoder.tables(pos)
        if self._network is None or not _equal(tables, self._tables):
            self._network = OpenVinoNetwork(self._encoder, torch.float32)  # it compiles the tables in
            self._tables = tuple(table.clone() for table in tables)
        return self._network(tokens, tables)


class OpenVinoEncoders:
    """The :class:`OpenVinoEncoder` of whichever model is explained: ``TokenAblation(encoder_of=OpenVinoEncoders())``.

    The last one is kept while that model's encoder has the same weights, and made anew for another model and for
    changed weights, such as those of a randomisation check.
    """

    def __init__(self) -> None:
        self._kept: tuple[TransformerEncoder, list[Tensor], OpenVinoEncoder] | None = None

    def __call__(self, model: PoseEstimator) -> OpenVinoEncoder | None:
        """The encoder of a model; None where there is none, so that the model's own computes.

        That is so without OpenVINO, on other devices than the CPU, in other number formats than float32, and for
        models whose encoder :class:`OpenVinoEncoder` refuses.
        """
        try:
            require_package('openvino')
            _require_encoder(model)
        except (InputError, UnsupportedModelError):
            return None
        source, weights = model.neck.encoder, list(model.neck.encoder.state_dict().values())
        if self._kept is None or self._kept[0] is not source or not _equal(self._kept[1], weights):
            self._kept = source, [weight.clone() for weight in weights], OpenVinoEncoder(model)
        return self._kept[2]


def _equal(one: Sequence[Tensor], other: Sequence[Tensor]) -> bool:
    return len(one) == len(other) and all(map(torch.equal, one, other))


def _require_encoder(model: PoseEstimator) -> None:
    neck = getattr(model, 'neck', None)
    if not isinstance(neck, TransPoseNeck):
        raise UnsupportedModelError(
            f'the model has no TransPoseNeck whose encoder could be compiled: its neck is a {type(neck).__name__}. Of '
            'an accelerated model take decelerate(model), the model that it was made from'
        )
    if compiled_part(neck) is not None:
        raise UnsupportedModelError("the model's encoder is compiled: give the eager model, such as init_model returns")
    weight = next(neck.encoder.parameters())
    if weight.device.type != 'cpu' or weight.dtype != torch.float32:
        raise InputError(
            f'OpenVINO runs the encoder on the CPU in float32, and the model is on {weight.device} in {weight.dtype}: '
            "leave the encoder to the model, or give model.to('cpu').float()"
        )
