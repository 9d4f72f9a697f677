"""The prediction that is explained: one pass of the network, or its average with the mirrored image's (flip test)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from mmpose.models.utils.tta import flip_heatmaps
from mmpose.structures import PoseDataSample
from torch import Tensor

from mmtranspose.errors import InputError
from mmtranspose.explain.recording import RecordedForward, recorded_forward
from mmtranspose.explain.target import Target
from mmtranspose.typing import PoseEstimator


def uses_flip_test(model: PoseEstimator, flip_test: bool | None = None) -> bool:
    """Whether to average predictions with the mirrored image's; None means as the model's ``test_cfg`` says."""
    return bool((model.test_cfg or {}).get('flip_test', False)) if flip_test is None else flip_test


def require_heatmap_flip(model: PoseEstimator) -> None:
    """Check that a model's flip test averages heatmaps: no other can be explained.

    Raises:
        InputError: The model's ``test_cfg.flip_mode`` is another one.
    """
    mode = (model.test_cfg or {}).get('flip_mode', 'heatmap')
    if mode != 'heatmap':
        raise InputError(f"test_cfg.flip_mode={mode!r}: only 'heatmap' can be explained; set flip_test to False")


def mirror_maps(maps: Tensor, flip_indices: Sequence[int]) -> Tensor:
    """Turn maps (..., K, h, w) of a mirrored image into maps of the image: mirrored, left and right keypoints swapped.

    Args:
        maps (Tensor): (..., K, h, w).
        flip_indices (Sequence[int]): (K,), the number of each keypoint's counterpart on the other side.
    """
    return maps.flip(-1)[..., list(flip_indices), :, :]


@torch.no_grad()
def decoded(model: PoseEstimator, heatmaps: Tensor, samples: Sequence[PoseDataSample]) -> list[PoseDataSample]:
    """Decode heatmaps (B, K, H, W): the samples with ``pred_instances``, as ``model.test_step`` gives them."""
    return model.add_pred_to_datasample(model.head.decode(heatmaps.float()), None, samples)


@dataclass
class MirroredPass:
    """The network's pass over the mirrored images, and how MMPose's flip test adds it to the plain one.

    Attributes:
        inputs (Tensor): (B, 3, H, W), mirrored.
        run (RecordedForward): What the network made of them.
        flip_indices (Sequence[int]): (K,), the number of each keypoint's counterpart on the other side.
        shift_heatmap (bool): ``test_cfg.shift_heatmap``.
    """

    inputs: Tensor
    run: RecordedForward
    flip_indices: Sequence[int]
    shift_heatmap: bool


@dataclass
class RecordedPrediction:
    """What the network predicts for a batch, with what its attention layers were given.

    Attributes:
        inputs (Tensor): (B, 3, H, W), as the network takes them (normalised).
        run (RecordedForward): The plain pass.
        mirrored (MirroredPass | None): The other pass of the flip test; None without.
    """

    inputs: Tensor
    run: RecordedForward
    mirrored: MirroredPass | None

    @classmethod
    def of(cls, model: PoseEstimator, inputs: Tensor, flip_indices: Sequence[int] | None) -> RecordedPrediction:
        """Run the network on ``inputs``, and in the same batch on the mirrored ones unless ``flip_indices`` is None."""
        batch = inputs if flip_indices is None else torch.cat([inputs, inputs.flip(-1)])
        return cls.of_run(model, batch, recorded_forward(model, batch), flip_indices)

    @classmethod
    def of_run(
        cls, model: PoseEstimator, batch: Tensor, run: RecordedForward, flip_indices: Sequence[int] | None
    ) -> RecordedPrediction:
        """Make it from one pass over a batch whose second half are the mirrored images, unless no flip test is made."""
        if flip_indices is None:
            return cls(batch, run, None)
        plain, mirrored = run.halves()
        half = batch.shape[0] // 2
        inputs, flipped = batch[:half], batch[half:]
        shift = (model.test_cfg or {}).get('shift_heatmap', False)
        return cls(inputs, plain, MirroredPass(flipped, mirrored, flip_indices, shift))

    @property
    def heatmaps(self) -> Tensor:
        """(B, K, H, W), averaged with the flip test."""
        if self.mirrored is None:
            return self.run.heatmaps
        other = self.mirrored
        back = flip_heatmaps(other.run.heatmaps, other.flip_indices, shift_heatmap=other.shift_heatmap)
        return (self.run.heatmaps + back) * 0.5

    def averaged(self, maps_of: Callable[[RecordedForward, Tensor, Target], Tensor], target: Target) -> Tensor:
        """Compute maps (..., B, K, h, w) of the prediction at a target: those of its one pass, or the mean of its two.

        Args:
            maps_of (Callable): From a pass, its inputs and its target to maps of the input.
            target (Target): The peaks of :attr:`heatmaps`.
        """
        maps = maps_of(self.run, self.inputs, target)
        if self.mirrored is None:
            return maps
        other = self.mirrored
        mirrored_target = target.mirrored(other.flip_indices, other.shift_heatmap)
        return (maps + mirror_maps(maps_of(other.run, other.inputs, mirrored_target), other.flip_indices)) / 2
