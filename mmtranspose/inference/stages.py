"""The stages of the pipeline between reading and results: find boxes, cut crops, estimate poses."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TypeVar

import numpy as np
import torch
from mmpose.structures import PoseDataSample

from mmtranspose.crops.boxes import box_problem, with_scores
from mmtranspose.errors import InputError
from mmtranspose.explain import PoseExplanation
from mmtranspose.inference.box_sources import BoxSource
from mmtranspose.inference.pose_estimation import PoseEstimation
from mmtranspose.media import Frame, Unreadable

T = TypeVar('T')

MOST_FRAMES, MOST_BYTES = 32, 2**28  # that wait for people of later frames to fill a batch


@dataclass
class FrameTask:
    """A frame on its way through the stages, with what has been made of it so far.

    Attributes:
        frame (Frame | None): None where there is no frame: it cannot be read, or no boxes are known for it.
        skipped (list[tuple[str, str]]): Name and reason of each frame or box that was left out.
        boxes (np.ndarray): (N, 5), xyxy in pixels and score.
        crops (list[dict]): Crops of the boxes, as ``CropMaker`` makes them; those that the network has seen are
            removed.
        people (int): Number of people, which is the number of crops at first.
        samples (list[PoseDataSample]): Poses of the people that the network has seen.
        explanations (list[PoseExplanation]): Explanations of these poses, where asked for.
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
        """Whether the network has seen all people of the frame."""
        return len(self.samples) == self.people

    @property
    def frame_bytes(self) -> int:
        """Bytes that the frame takes in memory."""
        return 0 if self.frame is None else self.frame.image.nbytes

    def skip_frame(self, name: str, reason: str) -> None:
        """Leave the frame of this name out, for a reason that may begin with the name."""
        self.skipped.append((name, reason.removeprefix(name).lstrip(': ')))
        self.frame = None


@contextmanager
def errors_deferred(items: Iterable[T]) -> Iterator[Iterator[T]]:
    """Give the items up to the first error, which is raised at the end of the ``with`` block."""
    errors: list[Exception] = []

    def until_error() -> Iterator[T]:
        try:
            yield from items
        except Exception as error:
            errors.append(error)

    yield until_error()
    if errors:
        raise errors[0]


def find_boxes(items: Iterable[Frame | Unreadable], source: BoxSource, batch_size: int) -> Iterator[FrameTask]:
    """Find the boxes of frames, ``batch_size`` frames at a time; a task each, also for items that are no frame.

    If ``items`` raises an error, the frames before it are finished first.
    """
    waiting: list[FrameTask] = []
    with errors_deferred(items) as readable:
        for item in readable:
            if isinstance(item, Unreadable):
                waiting.append(FrameTask(None, [(item.name, item.reason)]))
            else:
                waiting.append(FrameTask(item))
            if len(waiting) >= batch_size:
                yield from _with_boxes(waiting, source)
                waiting = []
        yield from _with_boxes(waiting, source)


def _with_boxes(tasks: list[FrameTask], source: BoxSource) -> list[FrameTask]:
    _set_boxes([(task, task.frame) for task in tasks if task.frame is not None], source)
    return tasks


@torch.no_grad()
def _set_boxes(tasks: Sequence[tuple[FrameTask, Frame]], source: BoxSource) -> None:
    if not tasks:
        return
    try:
        found = [with_scores(boxes) for boxes in source([frame for _, frame in tasks])]
    except InputError as error:
        if len(tasks) == 1:
            task, frame = tasks[0]
            task.skip_frame(frame.name, str(error))
            return
        for one in tasks:  # the error is of one frame; find out which
            _set_boxes([one], source)
        return
    if len(found) != len(tasks):
        raise InputError(f'boxes of {len(found)} frames were returned for {len(tasks)} frames')
    for (task, _), boxes in zip(tasks, found):
        task.boxes = boxes


def cut_crops(tasks: Iterable[FrameTask], cut: Callable[[np.ndarray, np.ndarray], list[dict]]) -> Iterator[FrameTask]:
    """Cut the crops of each task's boxes; boxes that cannot be cut are left out, each with its reason."""
    for task in tasks:
        if task.frame is not None and len(task.boxes):
            problems = [box_problem(box, task.frame.image.shape[:2]) for box in task.boxes]
            for index, problem in enumerate(problems):
                if problem:
                    task.skipped.append((task.frame.name, f'box {index} {task.boxes[index].tolist()} {problem}'))
            task.boxes = task.boxes[[problem is None for problem in problems]]
            task.crops = cut(task.frame.image, task.boxes)
            task.people = len(task.crops)
        yield task


def estimate_poses(
    tasks: Iterable[FrameTask], estimate: PoseEstimation, batch_size: int, wait: bool
) -> Iterator[FrameTask]:
    """Estimate the poses of ``batch_size`` people at a time, from several frames; yield finished tasks in order.

    If ``tasks`` raises an error, the tasks before it are finished first.

    Args:
        tasks (Iterable[FrameTask]): Tasks with crops.
        estimate (PoseEstimation): The network.
        batch_size (int): People that go through the network together.
        wait (bool): Whether a frame may wait for people of later frames to fill a batch, never for more than
            ``MOST_FRAMES`` frames or ``MOST_BYTES`` bytes.
    """
    waiting: deque[FrameTask] = deque()
    with errors_deferred(tasks) as readable:
        for task in readable:
            waiting.append(task)
            crops = sum(len(each.crops) for each in waiting)
            full = not wait or len(waiting) >= MOST_FRAMES or sum(each.frame_bytes for each in waiting) >= MOST_BYTES
            while crops >= batch_size or (full and crops):
                crops -= _estimate_batch(waiting, estimate, batch_size)
            yield from _finished(waiting)
        while any(task.crops for task in waiting):
            _estimate_batch(waiting, estimate, batch_size)
        yield from _finished(waiting)


def _finished(waiting: deque[FrameTask]) -> Iterator[FrameTask]:
    while waiting and waiting[0].done:
        yield waiting.popleft()


def _estimate_batch(waiting: Iterable[FrameTask], estimate: PoseEstimation, batch_size: int) -> int:
    """Estimate the poses of the next people; returns their number."""
    owners: list[FrameTask] = []
    crops: list[dict] = []
    for task in waiting:
        taken = task.crops[: batch_size - len(crops)]
        task.crops = task.crops[len(taken) :]
        owners += [task] * len(taken)
        crops += taken
    for task, (sample, explanation) in zip(owners, estimate(crops), strict=True):
        task.samples.append(sample)
        if explanation is not None:
            task.explanations.append(explanation)
    return len(crops)
