"""Estimate the poses in a batch of crops, or in the boxes of one image."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import torch
from mmengine.dataset import pseudo_collate
from mmengine.structures import InstanceData
from mmpose.structures import PoseDataSample

from mmtranspose.acceleration import accelerate
from mmtranspose.acceleration.accelerated_estimator import AcceleratedPoseEstimator
from mmtranspose.crops.boxes import boxes_in_image
from mmtranspose.crops.crop_maker import CropMaker
from mmtranspose.deployment import ExportedPoseEstimator
from mmtranspose.errors import InputError, require_at_least
from mmtranspose.explain import ExplainOptions, PoseExplanation, explainer_of
from mmtranspose.media import as_image
from mmtranspose.models.necks import TransPoseNeck
from mmtranspose.typing import BoxesLike, ImageLike, PoseEstimator

_BORROWED = threading.Lock()


class PoseEstimation:
    """Runs the network on crops; a TransPose that is not explained is accelerated first.

    Args:
        model (PoseEstimator): From :func:`mmtranspose.apis.init_model`; it is left as it was.
        dtype (str): Data type of the network: ``'fp32'``, ``'bf16'`` or ``'fp16'``.
        explain (ExplainOptions | None): Explain the poses, with these options.
        output_heatmaps (bool): Keep the heatmaps in the samples.
        backend (str): What runs a TransPose that is not explained; see
            :class:`~mmtranspose.acceleration.AccelerationOptions`.

    Raises:
        InputError: The model is in training mode, cannot be explained or cannot be run in ``dtype``, or two options
            exclude each other.
    """

    def __init__(
        self,
        model: PoseEstimator,
        dtype: str,
        explain: ExplainOptions | None,
        output_heatmaps: bool,
        backend: str = 'torch',
    ):
        if explain is None and model.training:
            raise InputError('the model is in training mode: call model.eval() first')
        self.explainer = None if explain is None else explainer_of(model, explain)
        self.model, self.ours = model, False
        if explain is not None:
            if dtype != 'fp32' or output_heatmaps:
                raise InputError('explanations come in fp32 and without heatmaps: leave out the other option')
        elif isinstance(model, AcceleratedPoseEstimator):
            if dtype != 'fp32':
                raise InputError(f'dtype={dtype!r}: the model is accelerated already, in a dtype of its own')
        elif isinstance(model, ExportedPoseEstimator):
            if dtype != 'fp32' or output_heatmaps:
                raise InputError(
                    f'an exported file returns keypoints, in its own number format ({model.meta.precision}): leave out '
                    'output_heatmaps and dtype (--draw-heatmap, --bf16, --fp16)'
                )
        elif isinstance(getattr(model, 'neck', None), TransPoseNeck):
            self.model, self.ours = accelerate(model, dtype, backend=backend), True
            self.model.test_cfg = {**self.model.test_cfg, 'output_heatmaps': output_heatmaps}
        elif dtype != 'fp32':
            raise InputError(f'dtype={dtype!r} is for TransPose models, and this one has no TransPoseNeck: use fp32')
        self.output_heatmaps = output_heatmaps

    @torch.no_grad()
    def __call__(self, crops: Sequence[dict]) -> list[tuple[PoseDataSample, PoseExplanation | None]]:
        """The pose, and the explanation or None, of each crop.

        Args:
            crops (Sequence[dict]): ``inputs`` (3, H, W), BGR, uint8, and ``data_samples``; at least one.
        """
        batch = pseudo_collate(crops)
        if self.explainer is not None:
            explanations = self.explainer(batch)
            return [(_as_sample(crop['data_samples'], one), one) for crop, one in zip(crops, explanations)]
        with self._with_heatmaps():
            return [(sample, None) for sample in self.model.test_step(batch)]

    @contextmanager
    def _with_heatmaps(self) -> Iterator[None]:
        """Set ``output_heatmaps`` in ``test_cfg`` of a model that was given, for one thread at a time."""
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
    """The explained prediction as MMPose's estimators return predictions."""
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
    model: PoseEstimator,
    image: ImageLike,
    bboxes: BoxesLike | None = None,
    bbox_format: str = 'xyxy',
    batch_size: int = 32,
) -> list[PoseDataSample]:
    """Estimate the poses in given boxes of one image, which is decoded once.

    Args:
        model (PoseEstimator): From :func:`mmtranspose.apis.init_model`.
        image (ImageLike): A file; or an array (h, w, 3), BGR, uint8, or grey or BGRA, as
            :func:`mmtranspose.media.as_image` takes it.
        bboxes (BoxesLike | None): (N, 4) or (N, 5), in pixels and perhaps a score. None makes one box around the
            image. An empty list gives no pose (MMPose's function of this name takes the whole image then, too).
        bbox_format (str): ``'xyxy'``: x1, y1, x2, y2; or ``'xywh'``: x1, y1, width, height.
        batch_size (int): Boxes that go through the network together.

    Returns:
        list[PoseDataSample]: One sample a box, in order; ``pred_instances.keypoints`` (1, K, 2) in pixels of the image.

    Raises:
        InputError: The image or an option cannot be used; the boxes have another shape; or a box cannot be used, see
            :func:`mmtranspose.crops.boxes.box_problem`.
    """
    require_at_least('batch_size', batch_size, 1)
    image = as_image(image)
    boxes = boxes_in_image(bboxes, image, bbox_format)
    cut, results = CropMaker(model), []
    for start in range(0, len(boxes), batch_size):
        results.extend(model.test_step(pseudo_collate(cut(image, boxes[start : start + batch_size]))))
    return results
