"""How errors and dependency go together: where maps lie when a keypoint is wrong, against when it is good."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from mmtranspose.dataset_explanation.cases.case_measures import MAPS, QUANTITIES, RADIAL
from mmtranspose.dataset_explanation.cases.error_types import ERRORS, GOOD, TYPES
from mmtranspose.dataset_explanation.matched_difference import matched_difference

# Of a confused keypoint the own place; of a good one the place with which it might have been confused
REJECTED = 'rejected place'
CONFUSED_WITH = {'swap': 'other part', 'inversion': 'counterpart'}
# Kind of error: the quantities that say whether the network looks where the mistake leads
QUESTIONS = {
    'swap': ('other part', 'other body', 'own', 'own body', REJECTED),
    'inversion': ('counterpart', 'own', 'own body', REJECTED),
    'miss': ('own', 'own body', 'predicted', 'entropy'),
    'jitter': ('own', 'predicted', 'entropy'),
}
BEYOND = f'attention - {RADIAL}'  # how much more the attention lies there than at all places as far from the prediction
# Where a wrong prediction does not lie: where it lies, nothing is beyond nearness
ELSEWHERE = ('own', 'own body', 'other body', REJECTED)
FEWEST = 10  # people, below which an interval says little


def error_links(cases: dict[str, np.ndarray], seed: int = 0) -> list[dict]:
    """Compare keypoints that have a kind of error with good ones, each keypoint with itself.

    Attention is taken at the predicted place, and places near it get more of it whatever the network does. So its
    radial average around the prediction is compared too, and the attention less that average: 0 for a map that knows
    nothing but the distance, however wide or narrow it is.

    Args:
        cases (dict[str, np.ndarray]): Joined results of
            :func:`~mmtranspose.dataset_explanation.cases.case_measures.measure_cases`, of N people.
        seed (int): Seed of the bootstrap, which draws people.

    Returns:
        list[dict]: Rows by ``error``, ``quantity`` and ``map`` (of ``MAPS``; ``BEYOND`` for ``ELSEWHERE``):
        ``keypoints``, the number of those with the error that are good in somebody else; ``of_errors``, their mean;
        ``of_good``, the mean of the good ones, with the same weights; ``mean``, ``low``, ``high``, ``n``: of the
        difference, see :func:`~mmtranspose.dataset_explanation.matched_difference.matched_difference`; ``enough``:
        whether ``n`` is at least ``FEWEST``. Quantities are ``QUANTITIES`` of
        :mod:`~mmtranspose.dataset_explanation.cases.case_measures` and ``REJECTED``.
    """
    return [row for error in sorted(QUESTIONS, key=ERRORS.index) for row in _rows(cases, error, seed)]


def _rows(cases: dict[str, np.ndarray], error: str, seed: int) -> Iterator[dict]:
    wrong, good = cases['kind'] == TYPES.index(error), cases['kind'] == GOOD
    for quantity in QUESTIONS[error]:
        for name in (*MAPS, *([BEYOND] if quantity in ELSEWHERE else [])):
            places = (CONFUSED_WITH[error], 'own') if quantity == REJECTED else (quantity, quantity)
            values = [_values(cases['links'], name, QUANTITIES.index(place)) for place in places]
            of_good = np.where(good, values[0], np.nan)
            of_wrong = np.where(wrong & np.isfinite(of_good).any(0), values[1], np.nan)
            difference = matched_difference(of_good, of_wrong, seed=seed)
            mean = _mean(of_wrong)
            yield dict(
                error=error,
                map=name,
                quantity=quantity,
                keypoints=int(np.isfinite(of_wrong).sum()),
                of_errors=mean,
                of_good=mean - float(difference.mean),
                **difference._replace(n=int(difference.n))._asdict(),
                enough=bool(difference.n >= FEWEST),
            )


def _values(links: np.ndarray, name: str, quantity: int) -> np.ndarray:
    """Values (N, K) of a map, or of the difference of two."""
    if name == BEYOND:
        attention, control = (_values(links, each, quantity) for each in ('attention', RADIAL))
        return attention - control
    return links[:, MAPS.index(name), quantity].astype(float)


def _mean(values: np.ndarray) -> float:
    finite = values[np.isfinite(values)]
    return float(finite.mean()) if finite.size else float('nan')
