"""What each kind of error costs in average precision: AP by COCO's evaluation with the errors corrected."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Hashable, Sequence

import numpy as np
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from mmtranspose.compat.prints import without_prints
from mmtranspose.dataset_explanation.cases.error_types import TYPES, corrected
from mmtranspose.results.prediction_files import MIN_SCORE

THRESHOLDS = {'AP': slice(None), 'AP50': 0, 'AP75': 5}  # of OKS, among COCO's 0.5, 0.55, ..., 0.95
COCO_PEOPLE = 20  # of an image, whose predictions COCO's evaluation counts
ORDER = ('miss', 'swap', 'inversion', 'jitter')  # in which coco-analyze corrects one kind after the other
EVERYTHING = [0, 1e10]  # areas, in square pixels
PEOPLE = 1024  # of a block
READ = ('predicted', 'truth', 'score', 'area', 'kind', 'mistaken')


def error_costs(cases: dict[str, np.ndarray], images: Sequence[Hashable], sigmas: np.ndarray) -> list[dict]:
    """Compute AP as it is, with each kind of error corrected alone, and with one kind after the other.

    Args:
        cases (dict[str, np.ndarray]): Joined results of
            :func:`~mmtranspose.dataset_explanation.cases.case_measures.measure_cases`, of N people.
        images (Sequence[Hashable]): (N,), which image each person is in.
        sigmas (np.ndarray): (K,), the dataset's.

    Returns:
        list[dict]: Rows with ``corrected`` (``none``; the name of a kind; or ``miss + swap + ...``), ``AP``, ``AP50``,
        ``AP75``, ``gain`` (AP less that of ``none``) and ``keypoints``, the number of those that were moved.
    """
    chosen = [(), *((name,) for name in ORDER), *(ORDER[:count] for count in range(2, len(ORDER) + 1))]
    known: dict[tuple[str, ...], dict[str, float]] = {}
    rows, evaluated = [], LabelledPoses(cases, images, sigmas)
    for names in chosen:
        counts = {name: int((cases['kind'] == TYPES.index(name)).sum()) for name in names}
        moved = tuple(name for name in names if counts[name])
        if moved not in known:
            known[moved] = evaluated.average_precision(moved)
        found = known[moved]
        about = dict(corrected=' + '.join(names) or 'none', keypoints=sum(counts.values()))
        rows.append(about | found | dict(gain=found['AP'] - known[()]['AP']))
    return rows


class LabelledPoses:
    """N people with one prediction each, evaluated by pycocotools.

    The ground truth is the N people; others in their images are left out, as is suppression of duplicates: there is
    one prediction for each. A person's score is the mean of the keypoint scores above 0.2, as in MMPose's
    ``CocoMetric``. The people of an image all count, while COCO leaves out those after the 20 of highest scores.

    Args:
        cases (dict[str, np.ndarray]): As of :func:`error_costs`.
        images (Sequence[Hashable]): (N,), which image each person is in.
        sigmas (np.ndarray): (K,), the dataset's.
    """

    def __init__(self, cases: dict[str, np.ndarray], images: Sequence[Hashable], sigmas: np.ndarray):
        counts = Counter(images)
        places = {image: place for place, image in enumerate(counts, 1)}
        self._most = max(COCO_PEOPLE, *counts.values())
        self._cases, self._sigmas, self._of = cases, np.asarray(sigmas), [places[image] for image in images]
        self._truth = COCO()
        self._truth.dataset = dict(
            images=[dict(id=place) for place in places.values()],
            categories=[dict(id=1)],
            annotations=[
                dict(image_id=place, category_id=1) | _annotation(number, points, float(area))
                for number, (place, points, area) in enumerate(zip(self._of, cases['truth'], cases['area']), 1)
            ],
        )
        with without_prints():
            self._truth.createIndex()

    def average_precision(self, moved: Collection[str] = ()) -> dict[str, float]:
        """AP, AP50 and AP75 with some of ``ERRORS`` corrected, see :func:`corrected`."""
        with without_prints():
            evaluation = COCOeval(self._truth, self._truth.loadRes(self._results(moved)), 'keypoints')
            evaluation.params.kpt_oks_sigmas = self._sigmas
            evaluation.params.areaRng, evaluation.params.areaRngLbl = [EVERYTHING], ['all']
            evaluation.params.maxDets = [self._most]
            evaluation.evaluate()
            evaluation.accumulate()
        # COCOeval.summarize wants a limit of 20 people
        precision = evaluation.eval['precision']  # (thresholds, recalls, 1, 1, 1)
        return {name: float(precision[chosen].mean()) for name, chosen in THRESHOLDS.items()}

    def _results(self, moved: Collection[str]) -> list[dict]:
        """The predictions in COCO's format; computed in blocks, as a few arrays of all would outgrow the cases."""
        results = []
        for start in range(0, len(self._of), PEOPLE):
            block = {name: self._cases[name][start : start + PEOPLE] for name in READ}
            points, scores = corrected(block, self._sigmas, moved), person_scores(block['score'])
            results += [
                dict(image_id=place, category_id=1, keypoints=_triples(each, 1), score=float(score))
                for place, each, score in zip(self._of[start : start + PEOPLE], points, scores)
            ]
        return results


def person_scores(scores: np.ndarray) -> np.ndarray:
    """The mean (N,) of the keypoint scores (N, K) that are above 0.2; 0 where none is."""
    counting = scores > MIN_SCORE
    return np.where(counting, scores, 0).sum(1) / np.maximum(counting.sum(1), 1)


def _annotation(number: int, points: np.ndarray, area: float) -> dict:
    labelled = np.isfinite(points).all(-1)
    keypoints = _triples(np.nan_to_num(points), 2 * labelled)
    # The box serves pycocotools where nothing is labelled, which is not so here
    return dict(id=number, keypoints=keypoints, num_keypoints=int(labelled.sum()), area=area, iscrowd=0, bbox=[0] * 4)


def _triples(points: np.ndarray, flags: np.ndarray | int) -> np.ndarray:
    return np.column_stack([points, np.broadcast_to(flags, len(points)).astype(points.dtype)]).ravel()
