"""A frame on its way through the pipeline."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from mmpose.structures import PoseDataSample

from mmtranspose.explain import PoseExplanation
from mmtranspose.media import Frame


@dataclass
class Job:
    """A frame, or what takes its place where it cannot be read, with what has been made of it so far.

    Attributes:
        frame (Frame | None): None where there is none.
        skipped (list[tuple[str, str]]): Name and reason of what was left out.
        boxes (np.ndarray): (N, 5), xyxy and score.
        crops (list[dict]): Of the boxes, as :class:`mmtranspose.apis.crops.CropMaker` makes them; given up one by one.
        people (int): How many there are.
        samples (list[PoseDataSample]): Of the people that the network has seen.
        explanations (list[PoseExplanation]): Theirs, where asked for.
    """

    frame: Frame | None
    skipped: list[tuple[str, str]] = field(default_factory=list)
    boxes: np.ndarray = field(default_factory=lambda: np.zeros((0, 5), np.float32))
    crops: list[dict] = field(default_factory=list)
    people: int = 0
    samples: list[PoseDataSample] = field(default_factory=list)
    explanations: list[PoseExplanation] = field(default_factory=list)

    @property
    def done(self) -> bool:
        """Whether the network has seen all of its people."""
        return len(self.samples) == self.people

    @property
    def frame_bytes(self) -> int:
        """What its frame takes in memory."""
        return 0 if self.frame is None else self.frame.image.nbytes

    def give_up(self, reason: str) -> None:
        """Leave the frame out, for a reason that may begin with its name."""
        self.skipped.append((self.frame.name, reason.removeprefix(self.frame.name).lstrip(': ')))
        self.frame = None
