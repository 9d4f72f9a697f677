"""The stages of the pipeline between reading and results: boxes, crops, poses."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from mmpose.structures import PoseDataSample

from mmtranspose.crops.boxes import box_problem, with_scores
from mmtranspose.errors import InputError
from mmtranspose.explain import PoseExplanation
from mmtranspose.inference.background import ErrorLater
from mmtranspose.inference.box_sources import BoxSource
from mmtranspose.inference.pose_estimation import PoseEstimation
from mmtranspose.media import Frame, Unreadable


@dataclass
class Job:
    """A frame, or what takes its place where it cannot be read, with what has been made of it so far.

    Attributes:
        frame (Frame | None): None where there is none.
        skipped (list[tuple[str, str]]): Name and reason of what was left out.
        boxes (np.ndarray): (N, 5), xyxy and score.
        crops (list[dict]): Of the boxes, as ``CropMaker`` makes them; given up one by one.
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


MOST_FRAMES, MOST_BYTES = 32, 2**28  # that wait for people of later frames to fill a batch


def find_boxes(items: Iterable[Frame | Unreadable], source: BoxSource, batch_size: int) -> Iterator[Job]:
    """Frames with their boxes, ``batch_size`` frames at a time; of what is no frame, its name and reason.

    Where ``items`` fails, what came before is finished first.
    """
    waiting: list[Job] = []
    with ErrorLater() as later:
        for item in later.until_error(items):
            unreadable = isinstance(item, Unreadable)
            waiting.append(Job(None, [(item.name, item.reason)]) if unreadable else Job(item))
            if len(waiting) >= batch_size:
                yield from _with_boxes(waiting, source)
                waiting = []
        yield from _with_boxes(waiting, source)


def _with_boxes(jobs: list[Job], source: BoxSource) -> list[Job]:
    _set_boxes([job for job in jobs if job.frame is not None], source)
    return jobs


@torch.no_grad()
def _set_boxes(jobs: Sequence[Job], source: BoxSource) -> None:
    if not jobs:
        return
    try:
        found = [with_scores(boxes) for boxes in source([job.frame for job in jobs])]
        if len(found) != len(jobs):
            raise ValueError(f'boxes of {len(found)} frames were returned for {len(jobs)} frames')
    except InputError as error:
        if len(jobs) == 1:
            jobs[0].give_up(str(error))
            return
        for job in jobs:  # one of them; the others are fine
            _set_boxes([job], source)
        return
    for job, boxes in zip(jobs, found):
        job.boxes = boxes


def cut_crops(jobs: Iterable[Job], cut: Callable[[np.ndarray, np.ndarray], list[dict]]) -> Iterator[Job]:
    """Jobs with the crops of their boxes; boxes that cannot be cut are left out, each with its reason."""
    for job in jobs:
        if job.frame is not None and len(job.boxes):
            problems = [box_problem(box, job.frame.image.shape[:2]) for box in job.boxes]
            for index, problem in enumerate(problems):
                if problem:
                    job.skipped.append((job.frame.name, f'box {index} {job.boxes[index].tolist()} {problem}'))
            job.boxes = job.boxes[[problem is None for problem in problems]]
            job.crops = cut(job.frame.image, job.boxes)
            job.people = len(job.crops)
        yield job


def estimate_poses(jobs: Iterable[Job], estimate: PoseEstimation, batch_size: int, wait: bool) -> Iterator[Job]:
    """Finished jobs, in order; the network sees ``batch_size`` people at a time, of several frames.

    Args:
        jobs (Iterable[Job]): With crops.
        estimate (PoseEstimation): The network.
        batch_size (int): People together.
        wait (bool): Whether a frame may wait for people of later ones; never longer than for ``MOST_FRAMES``.

    Where ``jobs`` fails, those before are finished first.
    """
    waiting: deque[Job] = deque()
    with ErrorLater() as later:
        for job in later.until_error(jobs):
            waiting.append(job)
            crops = sum(len(each.crops) for each in waiting)
            full = not wait or len(waiting) >= MOST_FRAMES or sum(each.frame_bytes for each in waiting) >= MOST_BYTES
            while crops >= batch_size or (full and crops):
                crops -= _estimate_batch(waiting, estimate, batch_size)
            yield from _finished(waiting)
        while any(job.crops for job in waiting):
            _estimate_batch(waiting, estimate, batch_size)
        yield from _finished(waiting)


def _finished(waiting: deque[Job]) -> Iterator[Job]:
    while waiting and waiting[0].done:
        yield waiting.popleft()


def _estimate_batch(waiting: Iterable[Job], estimate: PoseEstimation, batch_size: int) -> int:
    """Poses of the next people; returns of how many."""
    owners, crops = [], []
    for job in waiting:
        taken = job.crops[: batch_size - len(crops)]
        job.crops = job.crops[len(taken) :]
        owners += [job] * len(taken)
        crops += taken
    for job, (sample, explanation) in zip(owners, estimate(crops), strict=True):
        job.samples.append(sample)
        if explanation is not None:
            job.explanations.append(explanation)
    return len(crops)
