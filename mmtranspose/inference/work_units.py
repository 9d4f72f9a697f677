"""Divide the inputs of a run into units of work whose results do not depend on each other.

The last bits of a pose depend on the number of people that go through the network together. So that several processes,
or a process that was stopped and goes on, write the same bytes as one process does, no batch has people of two units.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar, cast

from mmtranspose.media import Frame, Source, Unreadable
from mmtranspose.media.inputs import Input

T = TypeVar('T')


@dataclass(frozen=True)
class UnitEnd:
    """Follows the last frame of a unit, and what later stages make of it.

    Attributes:
        number (int): Of the unit, from 0.
        skipped (tuple[tuple[str, str], ...]): Name and reason of each frame or box of the unit that was left out.
    """

    number: int
    skipped: tuple[tuple[str, str], ...] = ()


class WorkUnit:
    """A few images, or one video, read as one input of a :class:`~mmtranspose.media.Source`; a UnitEnd comes last.

    Args:
        number (int): Of the unit, from 0.
        inputs (Sequence[Input]): The images or the video.
        passed_over (bool): Yield nothing, because another process has the unit, or because it is finished; its images
            count in the numbers of later images all the same.
    """

    def __init__(self, number: int, inputs: Sequence[Input], passed_over: bool = False):
        self.number, self.inputs, self.passed_over = number, tuple(inputs), passed_over

    @property
    def length(self) -> int | None:
        """Number of frames, perhaps an estimate; None where it is unknown."""
        lengths = [0 if self.passed_over else one.length for one in self.inputs]
        return None if None in lengths else sum(length for length in lengths if length is not None)

    @property
    def live(self) -> bool:
        """Whether this is a camera."""
        return any(one.live for one in self.inputs)

    @property
    def moving(self) -> bool:
        """Whether this is a video or a camera."""
        return any(one.moving for one in self.inputs)

    def read(self, image_numbers: Iterator[int]) -> Iterator[Frame | Unreadable | UnitEnd]:
        """Yield the frames and the end; see :meth:`Input.read`."""
        if self.passed_over:
            still = sum(not one.moving for one in self.inputs)
            next(itertools.islice(image_numbers, still, still), None)
            return
        for one in self.inputs:
            yield from one.read(image_numbers)
        yield UnitEnd(self.number)

    def close(self) -> None:
        """Close what is open. May be called again."""
        for one in self.inputs:
            one.close()


def work_units(inputs: Iterable[Input], size: int | None) -> list[WorkUnit]:
    """Divide inputs into units: each video is one, and so are up to ``size`` images in a row.

    Args:
        inputs (Iterable[Input]): Images and videos, in the order of the run.
        size (int | None): None: all images in a row are one unit, as where people are tracked from image to image.
    """
    units: list[list[Input]] = []
    for moving, row in itertools.groupby(inputs, key=lambda one: one.moving):
        images = list(row)
        step = 1 if moving else size or len(images)
        units += [images[start : start + step] for start in range(0, len(images), step)]
    return [WorkUnit(number, unit) for number, unit in enumerate(units)]


def in_units(source: Source, size: int | None) -> Source:
    """The source of the same frames, with an end after each unit; ``source`` must not have been read from.

    Cameras make no units: a source that has one is returned as it is.
    """
    return source if source.live else source_of(work_units(source.inputs, size))


def source_of(units: Sequence[WorkUnit]) -> Source:
    """The source that reads units in their order."""
    return Source(cast('Sequence[Input]', units))  # beside what an Input yields, a unit yields its end


def each_unit(items: Iterable[Any], stage: Callable[[Iterator[Any]], Iterator[T]]) -> Iterator[T | UnitEnd]:
    """Put the items of each unit through a stage of their own, so that the stage waits for no item of a later unit.

    Items without any end go through one stage.
    """
    iterator, ends = iter(items), [UnitEnd(-1)]

    def of_one_unit() -> Iterator[Any]:
        for item in iterator:
            if isinstance(item, UnitEnd):
                ends.append(item)
                return
            yield item

    while ends:
        ends.clear()
        yield from stage(of_one_unit())
        yield from ends
