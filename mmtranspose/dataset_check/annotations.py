"""The content of an annotation file: its images, and its people as arrays."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable
from dataclasses import dataclass, field
from functools import cached_property
from typing import NamedTuple

import numpy as np

from mmtranspose.dataset_check.problems import Problem

UNKNOWN_SIZE = (np.nan, np.nan)


@dataclass
class AnnotatedImage:
    """One image of an annotation file.

    Attributes:
        id (int | str): Its id in the file.
        path (str): The image file.
        size (tuple[float, float]): (w, h) in pixels as the annotation file gives them; NaN where it gives none.
    """

    id: int | str
    path: str
    size: tuple[float, float] = UNKNOWN_SIZE


class AnnotatedPerson(NamedTuple):
    """One annotation that could be read and is not a crowd.

    Attributes:
        id (Hashable): Its id in the file.
        image_id (Hashable): The image's id.
        keypoints (np.ndarray): (K, 3): x, y in pixels and flag.
        box (tuple[float, float, float, float]): x, y, w, h in pixels.
        image_size (tuple[float, float]): (w, h) in pixels; NaN where unknown.
        used (bool): MMPose uses the person.
        stated_count (float): The field ``num_keypoints``; NaN where there is none.
        flagged_count (float): Number of keypoints in the file with a flag above 0; NaN where the file has no flags.
    """

    id: Hashable
    image_id: Hashable
    keypoints: np.ndarray
    box: tuple[float, float, float, float]
    image_size: tuple[float, float]
    used: bool
    stated_count: float = np.nan
    flagged_count: float = np.nan


@dataclass
class Annotations:
    """An annotation file's content, with K keypoints a person as MMPose's dataset class lays them out.

    The arrays over the N people are made when they are first asked for: the list of people must be complete by then.

    Attributes:
        num_keypoints (int): K.
        people (list[AnnotatedPerson]): N people, in the order of the file.
        boxes_alone (list[tuple[Hashable, tuple]]): Image id and box (x, y, w, h) of the people, not among the N, that
            are dropped because no keypoint is labelled.
        images (list[AnnotatedImage]): All images of the file, with people or without.
        categories (list[dict] | None): The file's categories; None for a file without any.
        num_entries (int): Annotations in the file, readable or not.
        lists_images_only (bool): The file has no annotations at all, as COCO's test-dev.
        dropped (Counter[str]): Number of people that MMPose drops, by reason.
        content (object): What the JSON file holds; None for another format.
        box_image_ids (set[Hashable]): Ids of the images that a file of detector boxes has boxes of.
        problems (list[Problem]): What could not be read.
    """

    num_keypoints: int
    people: list[AnnotatedPerson] = field(default_factory=list)
    boxes_alone: list[tuple[Hashable, tuple[float, float, float, float]]] = field(default_factory=list)
    images: list[AnnotatedImage] = field(default_factory=list)
    categories: list[dict] | None = None
    num_entries: int = 0
    lists_images_only: bool = False
    dropped: Counter[str] = field(default_factory=Counter)
    content: object = None
    box_image_ids: set[Hashable] = field(default_factory=set)
    problems: list[Problem] = field(default_factory=list)

    @cached_property
    def keypoints(self) -> np.ndarray:
        """(N, K, 3): x, y in pixels and flag."""
        return np.array([one.keypoints for one in self.people], np.float64).reshape(-1, self.num_keypoints, 3)

    @cached_property
    def boxes(self) -> np.ndarray:
        """(N, 4): x, y, w, h in pixels."""
        return np.array([one.box for one in self.people], np.float64).reshape(-1, 4)

    @cached_property
    def image_sizes(self) -> np.ndarray:
        """(N, 2): w, h of each person's image in pixels; NaN where unknown."""
        return np.array([one.image_size for one in self.people], np.float64).reshape(-1, 2)

    @cached_property
    def used(self) -> np.ndarray:
        """(N,) bool: MMPose uses the person."""
        return np.array([one.used for one in self.people], bool)

    @cached_property
    def stated_counts(self) -> np.ndarray:
        """(N,): the field ``num_keypoints``, NaN where there is none."""
        return np.array([one.stated_count for one in self.people], np.float64)

    @cached_property
    def flagged_counts(self) -> np.ndarray:
        """(N,): number of keypoints in the file with a flag above 0, NaN where the file has no flags."""
        return np.array([one.flagged_count for one in self.people], np.float64)

    def forget_content(self) -> None:
        """Release the file's content, which takes far more memory than the arrays."""
        self.content = None

    @property
    def labelled(self) -> np.ndarray:
        """(N, K) bool: the flag is above 0."""
        return self.keypoints[..., 2] > 0

    @property
    def visible(self) -> np.ndarray:
        """(N, K) bool: the flag is 2; in a file that never uses 2, such as MPII's: the keypoint is labelled."""
        return self.keypoints[..., 2] >= (2 if (self.keypoints[..., 2] == 2).any() else 1)

    @property
    def image_ids_with_people(self) -> list[Hashable]:
        """Ids, each once, of the images with somebody whom MMPose uses."""
        return list(dict.fromkeys(one.image_id for one in self.people if one.used))

    @property
    def predicted_image_ids(self) -> set[Hashable]:
        """Ids of the images that an evaluation has predictions for."""
        return {*self.image_ids_with_people, *self.box_image_ids}

    def person(self, index: int) -> str:
        """The words by which messages name a person, given by the number from 0 to N - 1."""
        return f'annotation {self.people[index].id}'
