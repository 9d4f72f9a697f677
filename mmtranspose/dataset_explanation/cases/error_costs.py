"""What each kind of error costs in average precision: AP by COCO's evaluation with the errors corrected."""

from __future__ import annotations

import io
from collections.abc import Hashable, Sequence
from contextlib import redirect_stdout

import numpy as np
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from mmtranspose.dataset_explanation.cases.error_types import TYPES, corrected
from mmtranspose.results.prediction_files import MIN_SCORE

STATISTICS = ('AP', 'AP50', 'AP75')  # the first of COCOeval.stats
ORDER = ('miss', 'swap', 'inversion', 'jitter')  # in which the authors' program corrects one kind after the other
EVERYTHING = [0, 1e10]  # areas, in square pixels


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
    rows = []
    for names in chosen:
        counts = {name: int((cases['kind'] == TYPES.index(name)).sum()) for name in names}
        moved = tuple(name for name in names if counts[name])
        if moved not in known:
            known[moved] = average_precision(cases, corrected(cases, sigmas, moved), images, sigmas)
        found = known[moved]
        about = dict(corrected=' + '.join(names) or 'none', keypoints=sum(counts.values()))
        rows.append(about | found | dict(gain=found['AP'] - known[()]['AP']))
    return rows


def average_precision(
    cases: dict[str, np.ndarray], predicted: np.ndarray, images: Sequence[Hashable], sigmas: np.ndarray
) -> dict[str, float]:
    """Compute AP, AP50 and AP75 of N predictions for N people by pycocotools.

    The ground truth is the N people; others in their images are left out, as is suppression of duplicates: there is
    one prediction for each. A person's score is the mean of the keypoint scores above 0.2, as in MMPose's
    ``CocoMetric``.

    Args:
        cases (dict[str, np.ndarray]): ``truth`` (N, K, 2), NaN where not labelled, ``score`` (N, K), ``area`` (N,).
        predicted (np.ndarray): (N, K, 2), (x, y) in pixels of the image.
        images (Sequence[Hashable]): (N,), which image each person is in.
        sigmas (np.ndarray): (K,), the dataset's.
    """
    places = {image: place for place, image in enumerate(dict.fromkeys(images), 1)}
    of = [dict(image_id=places[image], category_id=1) for image in images]
    truth, score = COCO(), person_scores(cases['score'])
    truth.dataset = dict(
        images=[dict(id=place) for place in places.values()],
        categories=[dict(id=1)],
        annotations=[
            one | _annotation(number, points, float(area))
            for number, (one, points, area) in enumerate(zip(of, cases['truth'], cases['area']), 1)
        ],
    )
    results = [
        one | dict(keypoints=_triples(points, 1), score=float(each)) for one, points, each in zip(of, predicted, score)
    ]
    with redirect_stdout(io.StringIO()):  # pycocotools prints
        truth.createIndex()
        evaluation = COCOeval(truth, truth.loadRes(results), 'keypoints')
        evaluation.params.kpt_oks_sigmas = np.asarray(sigmas)
        evaluation.params.areaRng, evaluation.params.areaRngLbl = [EVERYTHING], ['all']
        evaluation.evaluate()
        evaluation.accumulate()
        evaluation.summarize()
    return {name: float(value) for name, value in zip(STATISTICS, evaluation.stats)}


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
    return np.column_stack([points, np.broadcast_to(flags, len(points))]).astype(float).ravel()
