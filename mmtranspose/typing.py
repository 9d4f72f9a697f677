"""Types that are used everywhere: what may be given as image or boxes, and what a pose estimator is."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Protocol, TypeAlias

import numpy as np
from mmengine.config import Config
from mmpose.structures import PoseDataSample
from torch import Tensor, nn

PathLike: TypeAlias = str | Path
ImageLike: TypeAlias = np.ndarray | str | Path  # (h, w, 3), BGR, uint8; or a file
BoxesLike: TypeAlias = np.ndarray | Tensor | Sequence[Sequence[float]]  # (N, 4) or (N, 5), xyxy(, score), pixels
DatasetMeta: TypeAlias = dict[str, Any]  # as MMPose's `dataset.metainfo`
Batch: TypeAlias = dict[str, Any]  # `inputs` and `data_samples`, as a data loader gives them


class PoseEstimator(Protocol):
    """What is asked of a pose estimator: MMPose's ``TopdownPoseEstimator``, or what ``accelerate`` returns.

    Attributes:
        backbone, neck, head (nn.Module): The network's parts.
        data_preprocessor (nn.Module): From a loader's batch to the network's input.
        train_cfg (dict): ``compute_acc``.
        test_cfg (dict): ``flip_test``, ``shift_heatmap``, ``output_heatmaps``.
        cfg (Config): Set by ``init_model``.
        dataset_meta (dict): Names, skeleton, flip pairs and sigmas of the keypoints; set by ``init_model``.
        training (bool): Whether it is in training mode.
    """

    backbone: nn.Module
    neck: Any
    head: Any
    data_preprocessor: Any
    train_cfg: Any
    test_cfg: Any
    cfg: Config
    dataset_meta: DatasetMeta
    training: bool

    def extract_feat(self, inputs: Tensor) -> tuple[Tensor, ...]:
        """From inputs (B, 3, H, W), normalised, to what the head takes."""
        ...

    def test_step(self, data: Any) -> list[PoseDataSample]:
        """From a loader's batch to one sample a crop, with ``pred_instances`` in image pixels."""
        ...

    def add_pred_to_datasample(self, preds: Any, fields: Any, samples: Any) -> list[PoseDataSample]:
        """Put decoded predictions into the samples as ``pred_instances``, in image pixels."""
        ...

    def train_step(self, data: Any, optim_wrapper: Any) -> dict[str, Tensor]:
        """Update the weights by a loader's batch; returns the losses."""
        ...

    def train(self) -> Any:
        """Set training mode."""
        ...

    def eval(self) -> Any:
        """Set evaluation mode."""
        ...

    def to(self, *args: Any, **kwargs: Any) -> Any:
        """Move to a device, dtype or memory format, as ``nn.Module.to``."""
        ...

    def state_dict(self) -> dict[str, Tensor]:
        """All weights by name."""
        ...

    def parameters(self) -> Iterator[nn.Parameter]:
        """All parameters."""
        ...

    def named_modules(self) -> Iterator[tuple[str, nn.Module]]:
        """All modules with their names."""
        ...
