"""What is found in one frame."""

from __future__ import annotations

from dataclasses import dataclass

from mmpose.structures import PoseDataSample

from mmtranspose.explain import PoseExplanation
from mmtranspose.media import Frame


@dataclass
class TopdownResult:
    """The people of one frame.

    Attributes:
        frame (Frame): The picture, and what it is a picture of.
        samples (list[PoseDataSample]): One a person; none where nobody is. ``pred_instances`` has ``keypoints``
            (1, K, 2) in pixels of the frame, ``keypoint_scores`` (1, K), ``bboxes`` (1, 4), xyxy, and ``bbox_scores``
            (1,); ``pred_fields.heatmaps`` (K, h, w) where asked for; ``track_id`` where people are tracked.
        explanations (list[PoseExplanation] | None): One a person, where asked for.
    """

    frame: Frame
    samples: list[PoseDataSample]
    explanations: list[PoseExplanation] | None = None
