"""Summarise the measurements of all people as means with bootstrap intervals."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from mmtranspose.dataset_explanation.explanation_settings import DatasetExplanationSettings
from mmtranspose.dataset_explanation.measures import MEASURES
from mmtranspose.explain.metrics import MeanInterval, mean_intervals, resample_counts

GROUPS = {'all': (1, 2, 3), 'visible': (2,), 'occluded': (1,)}  # COCO's flags
QUANTITIES = ('own', 'counterpart', 'other', 'elsewhere', 'entropy', 'normalised_entropy', 'reach')


def summarise(
    arrays: dict[str, np.ndarray],
    names: Sequence[str],
    methods: Sequence[str],
    blocks: Sequence[str],
    settings: DatasetExplanationSettings,
) -> dict:
    """Average over people, with two-sided 95 % bootstrap intervals (people are drawn with all their keypoints).

    Args:
        arrays (dict[str, np.ndarray]): Joined results of :func:`measure_attention` and :func:`measure_faithfulness`.
        names (Sequence[str]): Names of the K keypoints.
        methods (Sequence[str]): Names of the methods in ``faithfulness`` and ``randomization``.
        blocks (Sequence[str]): Names of the blocks in ``randomization``.
        settings (DatasetExplanationSettings): How it was measured.

    Returns:
        dict: ``people`` (their number), ``keypoints`` (numbers of labelled ones, by group), ``mean_oks`` of the
        predictions, ``names``, ``settings``, and six lists of rows. A row is a dict with ``mean``, ``low``, ``high``
        and ``n``, the number of people that it is computed from, and with what it is about:

        - ``dependency``: by ``layer`` (from 1 on), ``group`` (all, visible, occluded), ``keypoint`` and ``part``: the
          share of the keypoint's attention that lies in the part's disc;
        - ``layers``: by ``layer``, ``group`` and ``quantity`` (``QUANTITIES``);
        - ``occlusion``: by ``layer`` and ``quantity``: occluded less visible keypoints, each keypoint compared with
          itself, weighted by how often it is occluded;
        - ``faithfulness``: by ``method`` and ``measure``; ``randomization``: by ``method`` and ``block``;
        - ``best``: by ``measure``, the shares of tokens and of edges that no map can exceed.
    """
    visibility = arrays['visibility']
    groups = {name: np.isin(visibility, flags) for name, flags in GROUPS.items()}
    arrays = arrays | dict(elsewhere=1 - arrays['own'] - arrays['other'])
    tested, seed = 'faithfulness' in arrays, settings.seed

    def method_rows(name: str, column: str, columns: Sequence[str]) -> list[dict]:
        return list(_method_rows(arrays[name], methods, column, columns, seed))

    return dict(
        people=len(visibility),
        keypoints={name: int(mask.sum()) for name, mask in groups.items()},
        mean_oks=float(np.nanmean(arrays['oks'])),
        names=list(names),
        settings=settings.as_dict(),
        dependency=list(_dependency_rows(arrays['shares'], groups, names, seed)),
        layers=list(_layer_rows(arrays, groups, seed)),
        occlusion=list(_occlusion_rows(arrays, groups, seed)),
        faithfulness=method_rows('faithfulness', 'measure', list(MEASURES)) if tested else [],
        randomization=method_rows('randomization', 'block', blocks) if tested else [],
        best=list(_best_rows(arrays['best'], seed)) if tested else [],
    )


def _row(intervals: MeanInterval, index: tuple[int, ...] = ()) -> dict[str, float]:
    return {name: float(np.asarray(values)[index]) for name, values in zip(MeanInterval._fields, intervals)}


def _dependency_rows(
    shares: np.ndarray, groups: dict[str, np.ndarray], names: Sequence[str], seed: int
) -> Iterator[dict]:
    for group, mask in groups.items():
        for layer in range(shares.shape[1]):
            intervals = mean_intervals(np.where(mask[..., None], shares[:, layer], np.nan), seed=seed)
            for k, j in np.ndindex(shares.shape[2:]):
                about = dict(layer=layer + 1, group=group, keypoint=names[k], part=names[j])
                yield about | _row(intervals, (k, j))


def _layer_rows(arrays: dict[str, np.ndarray], groups: dict[str, np.ndarray], seed: int) -> Iterator[dict]:
    for quantity in QUANTITIES:
        for group, mask in groups.items():
            values = np.where(mask[:, None], arrays[quantity], np.nan)
            for layer in range(values.shape[1]):
                intervals = mean_intervals(values[:, layer], over=(1,), seed=seed)
                yield dict(layer=layer + 1, group=group, quantity=quantity) | _row(intervals)


def _method_rows(
    values: np.ndarray, methods: Sequence[str], column: str, columns: Sequence[str], seed: int
) -> Iterator[dict]:
    """Rows of values (people, methods, columns, K)."""
    intervals = mean_intervals(values, over=(3,), seed=seed)
    for i, j in np.ndindex(values.shape[1:3]):
        yield {'method': methods[i], column: columns[j]} | _row(intervals, (i, j))


def _best_rows(values: np.ndarray, seed: int) -> Iterator[dict]:
    """Rows of values (people, 2, K)."""
    intervals = mean_intervals(values, over=(2,), seed=seed)
    for index, measure in enumerate(('share of tokens', 'share of edges')):
        yield dict(measure=measure) | _row(intervals, (index,))


def _occlusion_rows(arrays: dict[str, np.ndarray], groups: dict[str, np.ndarray], seed: int) -> Iterator[dict]:
    for quantity in QUANTITIES:
        for layer in range(arrays[quantity].shape[1]):
            values = arrays[quantity][:, layer]
            visible, occluded = (np.where(groups[name], values, np.nan) for name in ('visible', 'occluded'))
            yield dict(layer=layer + 1, quantity=quantity) | matched_difference(visible, occluded, seed=seed)._asdict()


def matched_difference(
    visible: np.ndarray, occluded: np.ndarray, confidence: float = 0.95, seed: int = 0
) -> MeanInterval:
    """Compute how much higher a quantity is where a keypoint is occluded than where the same keypoint is visible.

    Keypoints that are often occluded (ears) differ from others anyway; comparing each with itself leaves that out.

    Args:
        visible (np.ndarray): (people, K), NaN where the keypoint is not visible.
        occluded (np.ndarray): (people, K), NaN where it is not occluded.
        confidence (float): Of the interval.
        seed (int): Seed of the resamples.

    Returns:
        MeanInterval: Differences of the keypoints' means, weighted by their numbers of occluded people, among keypoints
        that have both; ``n`` counts people with such an occluded keypoint.
    """
    paired = np.isfinite(visible).any(0)  # keypoints that are visible in somebody
    n = int(np.isfinite(occluded[:, paired]).any(1).sum())
    mean = _difference(visible, occluded, np.ones((1, len(visible))))[0]
    if n < 2:
        return MeanInterval(mean, np.nan, np.nan, n)
    resampled = _difference(visible, occluded, resample_counts(len(visible), seed=seed))
    low, high = np.nanquantile(resampled, [(1 - confidence) / 2, (1 + confidence) / 2])
    return MeanInterval(mean, low, high, n)


def _difference(visible: np.ndarray, occluded: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """Differences (resamples,) for counts (resamples, people), which say how often each person was drawn."""
    seen, hidden = (counts @ np.isfinite(values).astype(float) for values in (visible, occluded))  # (resamples, K)
    means = [
        counts @ np.nan_to_num(values) / np.maximum(number, 1)
        for values, number in ((visible, seen), (occluded, hidden))
    ]
    weights = hidden * (seen > 0)
    total = weights.sum(-1)
    difference = ((means[1] - means[0]) * weights).sum(-1)
    return np.divide(difference, total, out=np.full(len(counts), np.nan), where=total > 0)
