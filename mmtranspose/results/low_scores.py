"""Warn of poses that are likely to be wrong: those with many keypoints of low scores, as in a portrait.

A top-down network places every keypoint somewhere in the crop. Where a part of the person is outside the box, as the
legs are in a portrait, the pose is wrong, and only low scores tell.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import numpy as np

# Of a person's keypoints, with the model that comes with the package and scores below 0.3: 72 % of 29 portraits, cut
# from photographs of athletes, have as many, and 13 % of 134 whole people in such photographs.
MANY = 0.4
LISTED = 10  # names of images
CURE = (
    'is the whole person, head to feet, inside the box? If not, give a box around the whole person (--bboxes '
    'FILE.json; it may reach beyond the image), or take a larger model'
)


class LowScores:
    """Counts, over a run, the images or frames in which everybody's pose has many keypoints of low scores.

    Args:
        score_thr (float): Keypoints of a lower score count; those that are drawn have this score or more.
        cure (str): What to do about it.
    """

    def __init__(self, score_thr: float, cure: str = CURE):
        self.score_thr, self.cure = score_thr, cure
        self._seen = self._counted = 0  # images or frames: with people, and of low scores
        self._first = ''
        self._names: list[str] = []

    def add(self, name: str, scores: Iterable[np.ndarray]) -> None:
        """Look at the people of an image or frame.

        Args:
            name (str): Of the image or frame.
            scores (Iterable[np.ndarray]): (K,), those of the keypoints of each person.
        """
        low = [~(np.asarray(one) >= self.score_thr) for one in scores]  # NaN is low
        if not low:
            return
        self._seen += 1
        if any(one.mean() < MANY for one in low):
            return
        self._counted += 1
        if len(self._names) < LISTED:
            self._names.append(Path(name).name)
        people = '' if len(low) == 1 else f' of {len(low)} people'
        self._first = self._first or (
            f'{Path(name).name}: {np.sum(low)} of {np.size(low)} keypoints{people} score below {self.score_thr:g}'
        )

    def sentence(self) -> str:
        """One line for the whole run; empty if no image is concerned."""
        if not self._counted:
            return ''
        if self._seen == 1:
            return f'{self._first}; {self.cure}'
        names = ', '.join([*self._names, *['...'] * (self._counted > LISTED)])
        counts = f'in {self._counted} of {self._seen} images or frames, every pose has many low scores: {names}'
        return f'{counts}. {self._first}; {self.cure}'
