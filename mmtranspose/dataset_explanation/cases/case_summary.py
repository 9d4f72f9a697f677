"""Summarise single cases: how often each kind of error is, what it costs, and what goes with it."""

from __future__ import annotations

from collections.abc import Hashable, Sequence

import numpy as np

from mmtranspose.dataset_explanation.cases.case_tables import person_oks
from mmtranspose.dataset_explanation.cases.error_costs import error_costs
from mmtranspose.dataset_explanation.cases.error_links import error_links
from mmtranspose.dataset_explanation.cases.error_types import NOT_LABELLED, TYPES, tolerances
from mmtranspose.explain.metrics import mean_interval
from mmtranspose.files.text_tables import interval_text, table_lines

BINS = 20  # of the distribution of OKS, from 0 to 1


def summarise_cases(
    cases: dict[str, np.ndarray],
    images: Sequence[Hashable],
    names: Sequence[str],
    sigmas: np.ndarray,
    seed: int = 0,
) -> dict:
    """Count the errors of N people, and say what they cost and what goes with them.

    Args:
        cases (dict[str, np.ndarray]): Joined results of
            :func:`~mmtranspose.dataset_explanation.cases.case_measures.measure_cases`.
        images (Sequence[Hashable]): (N,), which image each person is in.
        names (Sequence[str]): Names of the K keypoints.
        sigmas (np.ndarray): (K,), the dataset's.
        seed (int): Seed of the bootstrap, which draws people.

    Returns:
        dict: ``oks``: numbers of people with an OKS in each twentieth from 0 to 1; ``mean_person_oks``. ``types``:
        rows by ``type`` with ``keypoints`` and their share of all labelled ones (``mean``, ``low``, ``high``, ``n``
        people). ``keypoints``: rows by ``keypoint`` with the number ``labelled``, that of each type, and the mean
        ``score`` and median ``error_sigma`` (as in
        :func:`~mmtranspose.dataset_explanation.cases.case_tables.keypoint_rows`). ``costs`` and ``links``: see
        :func:`error_costs` and :func:`error_links`.
    """
    oks = person_oks(cases)
    return dict(
        oks=np.histogram(oks, BINS, (0, 1))[0].tolist(),
        mean_person_oks=float(oks.mean()),
        types=[_type_row(cases['kind'], code, name, seed) for code, name in enumerate(TYPES)],
        keypoints=_keypoint_rows(cases, names, sigmas),
        costs=error_costs(cases, images, sigmas),
        links=error_links(cases, seed),
    )


def _type_row(kind: np.ndarray, code: int, name: str, seed: int) -> dict:
    share = mean_interval(np.where(kind == NOT_LABELLED, np.nan, kind == code), seed=seed)
    return dict(type=name, keypoints=int((kind == code).sum()), **share._asdict())


def _keypoint_rows(cases: dict[str, np.ndarray], names: Sequence[str], sigmas: np.ndarray) -> list[dict]:
    labelled = cases['kind'] != NOT_LABELLED
    errors = np.linalg.norm(cases['predicted'] - cases['truth'], axis=-1) / tolerances(cases['area'], sigmas)
    rows = []
    for k, name in enumerate(names):
        mask = labelled[:, k]
        counts = {each: int((cases['kind'][:, k] == code).sum()) for code, each in enumerate(TYPES)}
        some = bool(mask.any())
        score = float(cases['score'][mask, k].mean()) if some else float('nan')
        error = float(np.median(errors[mask, k])) if some else float('nan')
        rows.append(dict(keypoint=name, labelled=int(mask.sum()), **counts, score=score, error_sigma=error))
    return rows


def cases_text(summary: dict) -> str:
    """Give the kinds of errors and their costs as a table to be read in a terminal."""
    costs = {row['corrected']: row for row in summary['costs']}
    now = costs['none']
    rows = [('error', 'keypoints', 'share of all', 'AP gained without it')]
    for row in summary['types']:
        gain = f'{costs[row["type"]]["gain"]:+.3f}' if row['type'] in costs else ''
        rows.append((row['type'], row['keypoints'], interval_text(row), gain))
    oks = f'mean person OKS {summary["mean_person_oks"]:.3f}'
    head = f'{oks}; AP {now["AP"]:.3f}, AP50 {now["AP50"]:.3f}, AP75 {now["AP75"]:.3f} in the annotated boxes; errors:'
    return '\n'.join([head, '', *table_lines(rows, '<>')])
