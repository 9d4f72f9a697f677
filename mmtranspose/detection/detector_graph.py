"""The graph of a detector that is exported: from an image to the boxes of people and their scores."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from mmdet.models.data_preprocessors import DetDataPreprocessor
from mmdet.models.dense_heads import RTMDetHead, RTMDetSepBNHead, YOLOXHead
from mmdet.models.detectors import SingleStageDetector
from torch import Tensor, nn
from torchvision.ops import nms

from mmtranspose.detection.image_fitting import ImageFitting
from mmtranspose.detection.person_detector import PersonDetector
from mmtranspose.errors import UnsupportedModelError

HEADS = (RTMDetHead, RTMDetSepBNHead, YOLOXHead)
NMS_OPTIONS = {'type', 'iou_threshold', 'class_agnostic', 'split_thr'}


def require_exportable_detector(detector: PersonDetector) -> None:
    """Check that :class:`DetectorGraph` computes what a detector computes.

    Raises:
        UnsupportedModelError: The detector is of another family, or its ``test_cfg`` asks for what the graph lacks.
    """
    model = detector.model
    head: Any = getattr(model, 'bbox_head', None)
    known = isinstance(model, SingleStageDetector) and type(head) in HEADS
    if not known or type(model.data_preprocessor) is not DetDataPreprocessor:
        parts = [type(part).__name__ for part in (model, head, model.data_preprocessor) if part is not None]
        raise UnsupportedModelError(
            f"detector {detector.name} ({', '.join(parts)}) cannot be exported: it must be one of mmdet's RTMDet or "
            'YOLOX, such as rtmdet_tiny_8xb32-300e_coco or yolox_tiny_8x8_300e_coco'
        )
    options = head.test_cfg.get('nms') or {}
    if options.get('type') != 'nms' or set(options) - NMS_OPTIONS:
        raise UnsupportedModelError(
            f'detector {detector.name} cannot be exported with test_cfg.nms={dict(options)}: it must be '
            "dict(type='nms', iou_threshold=...), with or without class_agnostic"
        )


class DetectorGraph(nn.Module):
    """From an image to the people in it, as :class:`~mmtranspose.detection.PersonDetector` finds them.

    Args:
        detector (PersonDetector): One that :func:`require_exportable_detector` accepts; its network becomes a part of
            the graph.

    Attributes:
        score_thr (Tensor): (), float32: boxes with higher scores are kept; an initializer of that name in the file.

    Raises:
        UnsupportedModelError: The detector cannot be exported.
    """

    score_thr: Tensor

    def __init__(self, detector: PersonDetector):
        super().__init__()
        require_exportable_detector(detector)
        self.fitting = ImageFitting.of(detector)
        self.model, self.category, self.nms_thr = detector.model, detector.category, detector.nms_thr
        head = self.model.bbox_head
        self.candidates: Callable[..., list[tuple[Tensor, Tensor]]]
        if isinstance(head, YOLOXHead):
            self.candidates, self.least_size, self.limit_level, self.limit = _of_yolox, -1, -1, -1
        else:
            self.candidates, self.least_size = _of_rtmdet, head.test_cfg.get('min_bbox_size', -1)
            self.limit_level, self.limit = head.test_cfg.get('nms_pre', -1), head.test_cfg.max_per_img
        self.register_buffer('score_thr', torch.tensor(score_threshold(detector)), persistent=False)

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor]:
        """Find the people in an image.

        Args:
            image (Tensor): (H, W, 3), uint8, RGB.

        Returns:
            tuple[Tensor, Tensor]: ``boxes`` (N, 4), float32, xyxy in pixels of the image, clipped to it; and
            ``scores`` (N,), float32, from the highest down.
        """
        fitted, factors = self.fitting(image)
        inputs = self.model.data_preprocessor(dict(inputs=fitted[None], data_samples=None))['inputs']
        boxes, scores, labels = self.found(inputs, factors.repeat(2))
        people = labels == self.category
        boxes, scores = boxes[people], scores[people]
        # MMPose's IoU counts pixels: a box from 0 to 1 has two
        kept = _kept(boxes + torch.tensor([0.0, 0.0, 1.0, 1.0]), scores, self.nms_thr)
        height, width = image.shape[:2]
        limits = torch.stack([torch.scalar_tensor(size) for size in (width, height, width, height)])
        boxes, scores = torch.minimum(boxes[kept].clamp(min=0), limits), scores[kept]
        solid = (boxes[:, 2] > boxes[:, 0]) & (boxes[:, 3] > boxes[:, 1])
        return boxes[solid], scores[solid]

    def found(self, inputs: Tensor, factors: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Detect objects of all classes, as mmdet's head picks them.

        Args:
            inputs (Tensor): (1, 3, h, w), as the network takes it.
            factors (Tensor): (4,), from pixels of ``inputs`` to pixels of the image.

        Returns:
            tuple[Tensor, Tensor, Tensor]: Boxes (n, 4), xyxy in pixels of the image; scores (n,), from the highest
            down; labels (n,).
        """
        head = self.model.bbox_head
        levels = self.candidates(head, head(self.model.extract_feat(inputs)), self.fitting.canvas)
        boxes, scores, labels = (torch.cat(values) for values in zip(*[self._above(*level) for level in levels]))
        boxes = boxes * factors
        if self.least_size >= 0:
            sides = boxes[:, 2:] - boxes[:, :2]
            large = (sides[:, 0] > self.least_size) & (sides[:, 1] > self.least_size)
            boxes, scores, labels = boxes[large], scores[large], labels[large]
        nms_cfg = head.test_cfg.nms
        # Other classes are moved out of the way of people, who stay where they are: so they lose no precision
        apart = (labels - self.category).float() * (0.0 if nms_cfg.get('class_agnostic', False) else 4.0)
        offset = apart * (factors * max(inputs.shape[2:])).max()
        kept = _kept(boxes + offset[:, None], scores, nms_cfg.iou_threshold)
        if self.limit >= 0:
            kept = kept[: self.limit]
        return boxes[kept], scores[kept], labels[kept]

    def _above(self, boxes: Tensor, scores: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """The boxes (P, 4) of one level with scores (P, C) above the threshold; and the score and label of each."""
        places = (scores > self.score_thr).nonzero()
        found, order = scores[places[:, 0], places[:, 1]].sort(descending=True)
        if 0 < self.limit_level < scores.numel():
            found, order = found[: self.limit_level], order[: self.limit_level]
        return boxes[places[order, 0]], found, places[order, 1]


def score_threshold(detector: PersonDetector) -> float:
    """The score that boxes must exceed: the detector's own threshold or that of its config, whichever is higher."""
    head = detector.model.bbox_head
    own = np.float32(head.test_cfg.get('score_thr', 0))
    if isinstance(head, YOLOXHead):  # it keeps boxes with exactly this score
        own = np.nextafter(own, np.float32(-1))
    return max(float(own), detector.bbox_thr)


def _kept(boxes: Tensor, scores: Tensor, threshold: float) -> Tensor:
    """Numbers of the boxes that no box with a higher score overlaps (IoU) too much, from the highest score down."""
    kept = nms(boxes, scores, threshold)
    return kept[scores[kept].sort(descending=True).indices]


def _of_rtmdet(head: RTMDetHead, outputs: Sequence[Any], canvas: tuple[int, int]) -> list[tuple[Tensor, Tensor]]:
    """Boxes (P, 4), clipped to the padded image of size (w, h), and scores (P, C), for each level of RTMDet's head."""
    levels = list(zip(*outputs))
    device = outputs[0][0].device
    priors = head.prior_generator.grid_priors([scores.shape[2:] for scores, _ in levels], device=device)
    limits = torch.tensor([*canvas, *canvas], dtype=torch.float32, device=device)
    found = []
    for (scores, distances), points in zip(levels, priors):
        boxes = head.bbox_coder.decode(points, _rows(distances))
        if head.bbox_coder.clip_border:  # in two steps: the converter fails on a clamp from both sides
            boxes = torch.minimum(boxes.clamp(min=0), limits)
        found.append((boxes, _rows(scores).sigmoid()))
    return found


def _of_yolox(head: YOLOXHead, outputs: Sequence[Any], _canvas: tuple[int, int]) -> list[tuple[Tensor, Tensor]]:
    """As for RTMDet, but not clipped; a place has a score for its most probable class, and -1 for the others."""
    levels = list(zip(*outputs))
    sizes = [scores.shape[2:] for scores, *_ in levels]
    device = outputs[0][0].device
    priors = head.prior_generator.grid_priors(sizes, device=device, with_stride=True)
    found = []
    for (scores, offsets, objectness), points in zip(levels, priors):
        probable, labels = _rows(scores).sigmoid().max(dim=1, keepdim=True)
        chosen = torch.arange(scores.shape[1], device=device) == labels
        score = torch.where(chosen, probable * _rows(objectness).sigmoid(), torch.full_like(probable, -1))
        found.append((head._bbox_decode(points, _rows(offsets)), score))
    return found


def _rows(values: Tensor) -> Tensor:
    """(1, C, h, w) as (h * w, C)."""
    return values[0].permute(1, 2, 0).flatten(0, 1)
