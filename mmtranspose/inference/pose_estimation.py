"""A batch of crops, or the boxes of one image, to poses."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import numpy as np
import torch
from mmengine.dataset import pseudo_collate
from mmengine.structures import InstanceData
from mmpose.structures import PoseDataSample
from torch import nn

from mmtranspose.acceleration import accelerate
from mmtranspose.acceleration.accelerated_estimator import AcceleratedPoseEstimator
from mmtranspose.crops.boxes import check_boxes
from mmtranspose.crops.crop_maker import CropMaker
from mmtranspose.errors import InputError
from mmtranspose.explain import ExplainOptions, PoseExplanation, explain_batch
from mmtranspose.explain.explainer import require_explainable
from mmtranspose.media import read_image
from mmtranspose.models.necks import TransPoseNeck

_BORROWED = threading.Lock()


class PoseEstimation:
    """The network, accelerated where it is a TransPose and is not explained.

    Args:
        model (nn.Module): From :func:`mmtranspose.apis.init_model`; it is left as it was.
        dtype (str): ``'fp32'``, ``'bf16'`` or ``'fp16'``.
        explain (ExplainOptions | None): Explain the poses.
        output_heatmaps (bool): Keep the heatmaps.

    Raises:
        InputError: The model cannot be explained or run in ``dtype``, or two options exclude each other.
    """

    def __init__(self, model: nn.Module, dtype: str, explain: ExplainOptions | None, output_heatmaps: bool):
        self.explain = explain
        self.model, self.ours = model, False
        if explain is not None:
            require_explainable(model, explain)
            if dtype != 'fp32' or output_heatmaps:
                raise InputError('explanations come in fp32 and without heatmaps: leave out the other option')
        elif isinstance(model, AcceleratedPoseEstimator):
            if dtype != 'fp32':
                raise InputError(f'dtype={dtype!r}: the model is accelerated already, in a dtype of its own')
        elif isinstance(getattr(model, 'neck', None), TransPoseNeck):
            self.model, self.ours = accelerate(model, dtype), True
            self.model.test_cfg = {**self.model.test_cfg, 'output_heatmaps': output_heatmaps}
        elif dtype != 'fp32':
            raise InputError(f'dtype={dtype!r} is for TransPose models, and this one has no TransPoseNeck: use fp32')
        self.output_heatmaps = output_heatmaps

    @torch.no_grad()
    def __call__(self, crops: Sequence[dict]) -> list[tuple[PoseDataSample, PoseExplanation | None]]:
        """Pose, and explanation or None, of each crop.

        Args:
            crops (Sequence[dict]): ``inputs`` (3, H, W), BGR, uint8, and ``data_samples``; at least one.
        """
        batch = pseudo_collate(crops)
        if self.explain is not None:
            explanations = explain_batch(self.model, batch, self.explain)
            return [(_as_sample(crop['data_samples'], one), one) for crop, one in zip(crops, explanations)]
        with self._with_heatmaps():
            return [(sample, None) for sample in self.model.test_step(batch)]

    @contextmanager
    def _with_heatmaps(self) -> Iterator[None]:
        """The model's ``test_cfg`` with the option; one thread at a time has it, where the model is not our own."""
        if self.ours:
            yield
            return
        with _BORROWED:
            before = self.model.test_cfg
            self.model.test_cfg = {**(before or {}), 'output_heatmaps': self.output_heatmaps}
            try:
                yield
            finally:
                self.model.test_cfg = before


def _as_sample(sample: PoseDataSample, explanation: PoseExplanation) -> PoseDataSample:
    """The explained prediction in the form of MMPose's."""
    boxes = sample.gt_instances
    sample.pred_instances = InstanceData(
        keypoints=explanation.keypoints[None].astype('float32'),
        keypoint_scores=explanation.scores[None].astype('float32'),
        bboxes=boxes.bboxes,
        bbox_scores=boxes.bbox_scores,
    )
    return sample


@torch.no_grad()
def inference_topdown(
    model: nn.Module,
    image: np.ndarray | str,
    bboxes: np.ndarray | Sequence[Sequence[float]],
    batch_size: int = 32,
) -> list[PoseDataSample]:
    """Poses in given boxes of one image, which is decoded once.

    Args:
        model (nn.Module): From :func:`init_model`.
        image (np.ndarray | str): (h, w, 3), BGR, uint8; or a file.
        bboxes (np.ndarray | Sequence): (N, 4) or (N, 5), xyxy in pixels and perhaps a score. None at all means no pose
            (MMPose's function of this name takes the whole image instead).
        batch_size (int): Boxes that go through the network together.

    Returns:
        list[PoseDataSample]: One a box, in order; ``pred_instances.keypoints`` (1, K, 2) in image pixels.

    Raises:
        InputError: A box is not finite, has no positive size, or lies outside the image.
    """
    image = read_image(image) if isinstance(image, str) else image
    bboxes = np.asarray(bboxes, dtype=np.float32)
    if bboxes.size == 0:
        return []
    check_boxes(bboxes, image.shape[:2])
    cut, results = CropMaker(model), []
    for start in range(0, len(bboxes), batch_size):
        results.extend(model.test_step(pseudo_collate(cut(image, bboxes[start : start + batch_size]))))
    return results
