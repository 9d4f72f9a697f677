"""Find people in images with a detector of mmdet."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import cv2
import numpy as np
import torch
from mmcv.transforms import Compose
from mmdet.utils import get_test_pipeline_cfg
from mmengine.config import Config
from mmengine.dataset import pseudo_collate
from mmengine.registry import DefaultScope
from mmengine.structures import InstanceData
from mmpose.evaluation.functional import nms

from mmtranspose.compat.mmcv_ops import MissingOpError
from mmtranspose.detection.detector_loading import PERSON_DETECTOR, load_detector, num_classes, person_category
from mmtranspose.errors import InputError
from mmtranspose.media import as_image
from mmtranspose.typing import PathLike


class PersonDetector:
    """Finds the bounding boxes of people in images.

    Args:
        config (str | Path): A config file, or a name: of a model of mmdet's zoo (``'rtmdet_tiny_8xb32-300e_coco'``), or
            ``'human'``, the person detector that MMPose's inferencers choose by themselves (RTMDet-m).
        checkpoint (str | Path | None): A file or URL; None takes the weights that belong to the name, which are fetched
            once and kept where torch keeps them.
        device (str): ``'cpu'``, ``'cuda:0'``, ...
        category (int | None): The label that counts as a person; None takes the class of that name.
        bbox_thr (float): Boxes with higher scores than this are kept.
        nms_thr (float): Of two boxes that overlap (IoU) by more than this, the one with the higher score is kept, as
            by MMPose's ``nms``.
        cfg_options (dict | None): Options to merge into the config: dotted keys to values.

    Attributes:
        model (BaseDetector): mmdet's detector.
        category (int): The label of a person.
        pipeline (Compose): The config's test pipeline, for images in memory.

    Raises:
        InputError: The config or checkpoint cannot be used, they do not match, the detector has no such class, or the
            device is not there.
    """

    def __init__(
        self,
        config: PathLike = PERSON_DETECTOR,
        checkpoint: PathLike | None = None,
        device: str = 'cpu',
        category: int | None = None,
        bbox_thr: float = 0.3,
        nms_thr: float = 0.3,
        cfg_options: dict[str, Any] | None = None,
    ):
        self.name = str(config)
        self.bbox_thr = bbox_thr
        self.nms_thr = nms_thr
        self.model = load_detector(config, checkpoint, device, cfg_options)
        classes = self.model.dataset_meta['classes']
        self.category = person_category(classes, category, self.name, num_classes(self.model))
        self.pipeline = _array_pipeline(self.model.cfg, self.name)

    @torch.no_grad()
    def __call__(self, images: Sequence[np.ndarray]) -> list[np.ndarray]:
        """Find people; all images go through the network as one batch.

        Args:
            images (Sequence[np.ndarray]): (h, w, 3), BGR, uint8, or grey or BGRA, as
                :func:`mmtranspose.media.as_image` takes them; their sizes may differ.

        Returns:
            list[np.ndarray]: For each image (N, 5), float32: xyxy in pixels of the image, clipped to it, and the
            score, from the highest down; (0, 5) where nobody is found.

        Raises:
            InputError: An image cannot be used or prepared, as one so narrow that the detector's size leaves it no
                pixel; or the detector needs an operator that mmcv-lite does not have.
        """
        if len(images) == 0:
            return []
        images = [as_image(image) for image in images]
        batch = pseudo_collate([self._prepared(image) for image in images])
        try:
            found = self.model.test_step(batch)
        except MissingOpError as error:
            raise InputError(f'detector {self.name} cannot run here: {error}') from error
        return [self._people(one.pred_instances, *image.shape[:2]) for one, image in zip(found, images)]

    def _prepared(self, image: np.ndarray) -> dict[str, Any]:
        try:
            return self.pipeline(dict(img=image, img_id=0))
        except (cv2.error, ValueError, ZeroDivisionError) as error:
            h, w = image.shape[:2]
            raise InputError(
                f'detector {self.name} cannot take an image of {w} x {h} pixels ({" ".join(str(error).split()):.120})'
            ) from error

    def _people(self, instances: InstanceData, height: int, width: int) -> np.ndarray:
        """The boxes of people among all that the detector found in an image of that size."""
        instances = instances.cpu().numpy()
        boxes = np.concatenate((instances.bboxes, instances.scores[:, None]), axis=1).astype(np.float32)
        boxes = boxes[(instances.labels == self.category) & (instances.scores > self.bbox_thr)]
        boxes = boxes[nms(boxes, self.nms_thr)]
        boxes[:, 0:4:2] = boxes[:, 0:4:2].clip(0, width)
        boxes[:, 1:4:2] = boxes[:, 1:4:2].clip(0, height)
        return boxes[(boxes[:, 2] > boxes[:, 0]) & (boxes[:, 3] > boxes[:, 1])]


def _array_pipeline(cfg: Config, name: str) -> Compose:
    """Build the config's test pipeline for images in memory, as mmdet's ``inference_detector`` does."""
    try:
        with DefaultScope.overwrite_default_scope('mmdet'):
            steps = get_test_pipeline_cfg(cfg.copy())
            return Compose([dict(steps[0], type='mmdet.LoadImageFromNDArray'), *steps[1:]])
    except (KeyError, TypeError, ValueError, AttributeError, RuntimeError) as error:
        raise InputError(f'detector {name}: its test pipeline cannot be built: {error}') from error
