"""The people of the report as data that its script draws: a small crop, two poses, and maps of the wrong keypoints."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from mmtranspose.visualization.explanation_page.packing import number, numbers, packed_image, packed_maps

if TYPE_CHECKING:
    from mmtranspose.explain import PoseExplanation

LONGEST, QUALITY = 240, 72  # of a crop's JPEG: pixels of its longer side
MAPS = 6  # keypoints of a person whose maps are carried: the worst ones, and the wrong one of the highest score


@dataclass
class PersonCard:
    """One person, as the report shows people.

    Attributes:
        explanation (PoseExplanation): Of the prediction.
        annotation (int | str): Id of the annotation.
        file (str): Name of the image.
        oks (float): Of the whole person.
        score (float): Of the whole person.
        truth (np.ndarray): (K, 2), (x, y) in pixels of the image; NaN where not labelled.
        kinds (Sequence[str | None]): (K,), the kind of error of each keypoint; None where not labelled.
        errors (np.ndarray): (K,), distances in sigmas; NaN where not labelled.
        mistaken_for (Sequence[int | str | None]): (K,), of swaps the annotation of the other person.
        page (str | None): Address of the person's own page, relative to the report.
    """

    explanation: PoseExplanation
    annotation: int | str
    file: str
    oks: float
    score: float
    truth: np.ndarray
    kinds: Sequence[str | None]
    errors: np.ndarray
    mistaken_for: Sequence[int | str | None]
    page: str | None

    def worst(self) -> list[int]:
        """The labelled keypoints, the largest error first."""
        order = np.argsort(-np.nan_to_num(self.errors, nan=-1), kind='stable')
        return [int(k) for k in order if np.isfinite(self.errors[k])]

    def mapped(self) -> list[int]:
        """The keypoints whose maps are carried: the worst ones, and the wrong one of the highest score."""
        worst, scores = self.worst(), self.explanation.scores
        wrong = [k for k in worst if self.kinds[k] != 'good']
        surest = sorted(wrong, key=lambda k: -scores[k])[:1]
        if set(surest) <= set(worst[:MAPS]):
            return worst[:MAPS]
        return [*worst[: MAPS - 1], *surest]

    def packed(self) -> dict:
        """The card as the page's script takes it; places in pixels of the crop."""
        explanation = self.explanation
        mapped = self.mapped()
        maps = explanation.maps()[-1][mapped]
        return dict(
            annotation=str(self.annotation),
            file=self.file,
            oks=number(self.oks),
            score=number(self.score),
            crop=packed_image(explanation.crop, LONGEST, QUALITY),
            truth=[_place(point) for point in explanation.to_crop(self.truth)],
            predicted=[_place(point) for point in explanation.crop_keypoints],
            kinds=list(self.kinds),
            errors=[None if np.isnan(error) else round(float(error), 2) for error in self.errors],
            scores=[round(float(score), 3) for score in explanation.scores],
            mistakenFor=[None if other is None else str(other) for other in self.mistaken_for],
            page=self.page,
            grid=[int(side) for side in explanation.grid],
            tokenToCrop=numbers(explanation.token_to_crop.ravel()),
            mapped=mapped,
            maps=packed_maps('dependency', maps[None, None]),
        )


def _place(point: np.ndarray) -> list[float] | None:
    return [round(float(value), 1) for value in point] if np.isfinite(point).all() else None
