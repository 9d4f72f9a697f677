"""From the measurements of all people to means with intervals."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from mmtranspose.dataset_explanation.measures import MEASURES
from mmtranspose.dataset_explanation.settings import DatasetExplanationSettings
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
    """Means over people with two-sided 95 % bootstrap intervals (people are drawn, with all their keypoints).

    Args:
        arrays (dict[str, np.ndarray]): Joined results of :func:`measure_attention` and :func:`measure_faithfulness`.
        names (Sequence[str]): Of the K keypoints.
        methods (Sequence[str]): Of ``faithfulness`` and ``randomization``.
        blocks (Sequence[str]): Of ``randomization``.
        settings (DatasetExplanationSettings): What was asked for.

    Returns:
        dict: ``people``, ``keypoints`` (labelled, by group), ``names``, ``settings``; a row is a dict with ``mean``,
        ``low``, ``high`` and ``n``, the number of people that have a say in it:

        - ``dependency``: rows by ``layer`` (from 1 on), ``group`` (all, visible, occluded), ``keypoint``, ``part``:
          share of the keypoint's attention in the part's disc;
        - ``layers``: rows by ``layer``, ``group``, ``quantity`` (``QUANTITIES``);
        - ``occlusion``: rows by ``layer``, ``quantity``: occluded less visible keypoints, each keypoint compared with
          itself, weighted by how often it is occluded;
        - ``faithfulness``: rows by ``method``, ``measure``; ``randomization``: rows by ``method``, ``block``.
    """
    visibility = arrays['visibility']
    groups = {name: np.isin(visibility, flags) for name, flags in GROUPS.items()}
    arrays['elsewhere'] = 1 - arrays['own'] - arrays['other']
    tested, seed = 'faithfulness' in arrays, settings.seed

    def table(name: str, column: str, columns: Sequence[str]) -> list[dict]:
        return _table(arrays[name], 'method', methods, column, columns, seed)

    return dict(
        people=len(visibility),
        keypoints={name: int(mask.sum()) for name, mask in groups.items()},
        mean_oks=float(np.nanmean(arrays['oks'])),
        names=list(names),
        settings=settings.as_dict(),
        dependency=list(_dependency(arrays['shares'], groups, names, seed)),
        layers=list(_layers(arrays, groups, seed)),
        occlusion=list(_occlusion(arrays, groups, seed)),
        faithfulness=table('faithfulness', 'measure', list(MEASURES)) if tested else [],
        randomization=table('randomization', 'block', blocks) if tested else [],
    )


def _row(intervals: MeanInterval, index: tuple[int, ...] = ()) -> dict[str, float]:
    return {name: float(values[index]) for name, values in zip(MeanInterval._fields, intervals)}


def _dependency(shares: np.ndarray, groups: dict[str, np.ndarray], names: Sequence[str], seed: int):
    for group, mask in groups.items():
        for layer in range(shares.shape[1]):
            intervals = mean_intervals(np.where(mask[..., None], shares[:, layer], np.nan), seed=seed)
            for k, j in np.ndindex(shares.shape[2:]):
                place = dict(layer=layer + 1, group=group, keypoint=names[k], part=names[j])
                yield place | _row(intervals, (k, j))


def _layers(arrays: dict[str, np.ndarray], groups: dict[str, np.ndarray], seed: int):
    for quantity in QUANTITIES:
        for group, mask in groups.items():
            values = np.where(mask[:, None], arrays[quantity], np.nan)
            for layer in range(values.shape[1]):
                intervals = mean_intervals(values[:, layer], over=(1,), seed=seed)
                yield dict(layer=layer + 1, group=group, quantity=quantity) | _row(intervals)


def _table(
    values: np.ndarray, first: str, firsts: Sequence[str], second: str, seconds: Sequence[str], seed: int
) -> list[dict]:
    """Rows of values (people, firsts, seconds, K)."""
    intervals = mean_intervals(values, over=(3,), seed=seed)
    pairs = np.ndindex(values.shape[1:3])
    return [{first: firsts[i], second: seconds[j]} | _row(intervals, (i, j)) for i, j in pairs]


def _occlusion(arrays: dict[str, np.ndarray], groups: dict[str, np.ndarray], seed: int):
    for quantity in QUANTITIES:
        for layer in range(arrays[quantity].shape[1]):
            values = arrays[quantity][:, layer]
            visible, occluded = (np.where(groups[name], values, np.nan) for name in ('visible', 'occluded'))
            yield dict(layer=layer + 1, quantity=quantity) | matched_difference(visible, occluded, seed=seed)._asdict()


def matched_difference(
    visible: np.ndarray, occluded: np.ndarray, confidence: float = 0.95, seed: int = 0
) -> MeanInterval:
    """How much higher a quantity is where a keypoint is occluded than where the same keypoint is visible.

    Keypoints that are occluded often (ears) differ from others anyway; comparing each with itself keeps that out.

    Args:
        visible (np.ndarray): (people, K), NaN where the keypoint is not visible.
        occluded (np.ndarray): (people, K), NaN where it is not occluded.
        confidence (float): Of the interval.
        seed (int): Of the resamples.

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
    """(resamples,) of counts (resamples, people): how often each person was drawn."""
    seen, hidden = (counts @ np.isfinite(values).astype(float) for values in (visible, occluded))  # (resamples, K)
    means = [
        counts @ np.nan_to_num(values) / np.maximum(number, 1)
        for values, number in ((visible, seen), (occluded, hidden))
    ]
    weights = hidden * (seen > 0)
    total = weights.sum(-1)
    difference = ((means[1] - means[0]) * weights).sum(-1)
    return np.divide(difference, total, out=np.full(len(counts), np.nan), where=total > 0)
