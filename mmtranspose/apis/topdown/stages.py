"""The stages of the pipeline between reading and results: boxes, crops, poses."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence

import numpy as np
import torch

from mmtranspose.apis.boxes import box_problem, with_scores
from mmtranspose.apis.topdown.box_sources import BoxSource
from mmtranspose.apis.topdown.error_later import ErrorLater
from mmtranspose.apis.topdown.job import Job
from mmtranspose.apis.topdown.pose_estimation import PoseEstimation
from mmtranspose.errors import InputError
from mmtranspose.media import Frame, Unreadable

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
