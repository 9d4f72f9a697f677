"""Compare the people that an exported detector finds with those that PyTorch finds."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.optimize import linear_sum_assignment

from mmtranspose.deployment.file_meta import KEY
from mmtranspose.deployment.runtimes.onnxruntime_runtime import open_session
from mmtranspose.deployment.verifying import drawn_people
from mmtranspose.detection.detector_export import DetectorMeta, set_score_threshold
from mmtranspose.detection.detector_graph import score_threshold
from mmtranspose.detection.person_detector import PersonDetector
from mmtranspose.errors import InputError, require_package
from mmtranspose.files.text_tables import counted
from mmtranspose.media import as_image
from mmtranspose.typing import PathLike

BOXES, SCORES = 0.5, 1e-3  # largest differences that are taken for rounding: in pixels of the image, and of scores
AT_LEAST = 5  # people to compare, where the detector has so many under its threshold


@dataclass(frozen=True)
class DetectorAgreement:
    """Differences between an exported detector and PyTorch.

    Attributes:
        boxes (np.ndarray): (M,), for each person that both find the largest difference of an edge, in pixels.
        scores (np.ndarray): (M,), differences of the scores.
        alone (int): People that one of the two finds and the other does not, although the score is not within
            rounding of the threshold.
        score_thr (float): The threshold of the comparison.
    """

    boxes: np.ndarray
    scores: np.ndarray
    alone: int
    score_thr: float

    @property
    def within(self) -> bool:
        """Whether both find the same people, with differences that are those of rounding."""
        return not self.alone and _largest(self.boxes) <= BOXES and _largest(self.scores) <= SCORES

    def __str__(self) -> str:
        if not len(self.boxes) and not self.alone:
            return 'against PyTorch: neither finds anybody, so that nothing is compared'
        found = f'{counted(len(self.boxes), "person")} with scores over {self.score_thr:.3g}'
        alone = f'; {self.alone} found by only one of the two' if self.alone else ''
        boxes, scores = _largest(self.boxes), _largest(self.scores)
        return f'against PyTorch: {found}, boxes within {boxes:.2g} px, scores within {scores:.2g}{alone}'


def _largest(values: np.ndarray) -> float:
    return float(values.max(initial=0))


def verify_detector(
    path: PathLike, detector: PersonDetector, images: Sequence[np.ndarray] | None = None
) -> DetectorAgreement:
    """Run an exported detector in ONNX Runtime, and its original in PyTorch, on the same images.

    Where fewer than five people are found, the threshold of both is lowered until there are five, or all that the
    detector has.

    Args:
        path (str | Path): From :func:`~mmtranspose.detection.detector_export.export_detector`.
        detector (PersonDetector): The detector that it was exported from.
        images (Sequence[np.ndarray] | None): (h, w, 3), BGR, uint8, as :func:`mmtranspose.media.as_image` takes them;
            None draws an image of people.

    Raises:
        InputError: The file is no exported detector, or one of other people or with other thresholds; an image cannot
            be used; a package is not installed.
    """
    require_package('onnx', 'onnxruntime')
    import onnx

    model = onnx.load(str(path))
    meta = DetectorMeta.from_json({one.key: one.value for one in model.metadata_props}.get(KEY), str(path))
    for name, given in (('category', meta.category), ('bbox_thr', meta.score_thr), ('nms_thr', meta.nms_thr)):
        if getattr(detector, name) != given:
            raise InputError(f'{path} was exported with {name}={given}, not {getattr(detector, name)}')
    pictures = [image for image, _ in drawn_people()] if images is None else [as_image(image) for image in images]
    detector = _with_people(detector, pictures)
    set_score_threshold(model, score_threshold(detector))
    session = open_session(model.SerializeToString(), 'cpu', name=str(path))
    found = [_compared(session, detector, image) for image in pictures]
    boxes, scores, alone = zip(*found)
    return DetectorAgreement(np.concatenate(boxes), np.concatenate(scores), sum(alone), detector.bbox_thr)


def _with_people(detector: PersonDetector, images: Sequence[np.ndarray]) -> PersonDetector:
    """The detector, or one with a lower threshold where it finds too few people."""
    lower = copy.copy(detector)
    lower.bbox_thr = 0.0
    scores = np.sort(np.concatenate([people[:, 4] for people in lower(images)]))[::-1]
    if (scores > detector.bbox_thr).sum() >= AT_LEAST:
        return detector
    # between two scores, so that rounding moves none over the threshold
    lower.bbox_thr = float(scores[AT_LEAST - 1 : AT_LEAST + 1].mean()) if len(scores) > AT_LEAST else 0.0
    return lower


def _compared(session: Any, detector: PersonDetector, image: np.ndarray) -> tuple[np.ndarray, np.ndarray, int]:
    """Differences of boxes and scores of the people in an image, and how many one of the two alone finds."""
    (expected,) = detector([image])
    boxes, scores = session.run(['boxes', 'scores'], {'image': np.ascontiguousarray(image[:, :, ::-1])})
    apart = np.abs(expected[:, None, :4] - boxes[None]).max(axis=2)
    mine, theirs = linear_sum_assignment(apart)
    alone = np.concatenate([np.delete(expected[:, 4], mine), np.delete(scores, theirs)])
    alone = alone[alone > detector.bbox_thr + SCORES]
    return apart[mine, theirs], np.abs(expected[mine, 4] - scores[theirs]), len(alone)
