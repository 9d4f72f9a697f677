"""Summarise the measurements of all people as means with intervals, one part of the people at a time."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from mmtranspose.dataset_explanation.explanation_settings import DatasetExplanationSettings
from mmtranspose.dataset_explanation.matched_difference import MatchedDifferences
from mmtranspose.dataset_explanation.measures import MEASURES
from mmtranspose.dataset_explanation.share_sums import FLAGS, GROUPS, Dependency, share_sums, shown_groups
from mmtranspose.explain.metrics import MeanInterval, ResampledMeans

QUANTITIES = ('own', 'counterpart', 'other', 'elsewhere', 'entropy', 'normalised_entropy', 'reach')
SUMS = ('share_sums', 'share_squares', 'share_counts')
BLOCK = 16  # people whose shares are summed at a time
INTERVALS = dict(
    tables='95 %, bootstrap over people with 2000 resamples; people are drawn with all their keypoints',
    dependency="95 %, Student's t over people, cut off at 0 and 1; the table is dependency.csv",
)


def summarise(
    parts: Iterable[Mapping[str, np.ndarray]],
    people: int,
    tested: Iterable[Mapping[str, np.ndarray]],
    tested_people: int,
    names: Sequence[str],
    methods: Sequence[str],
    blocks: Sequence[str],
    settings: DatasetExplanationSettings,
) -> tuple[dict, Dependency]:
    """Average over people, with two-sided 95 % intervals.

    The intervals of all tables but ``dependency`` come from a bootstrap over people, who are drawn with all their
    keypoints. Those of ``dependency`` are Student's (see :func:`student_intervals`). What is held in memory does not
    grow with the people, except some kilobytes for each.

    Args:
        parts (Iterable[Mapping[str, np.ndarray]]): Results of :func:`measure_attention` in the order of people; in
            place of ``shares`` a part may hold what :func:`share_sums` returns of them.
        people (int): The number of people in the parts.
        tested (Iterable[Mapping[str, np.ndarray]]): Results of :func:`measure_faithfulness` in the order of people,
            where ``faithfulness``, ``randomization`` and ``best`` start with an axis of people and are NaN for
            keypoints that are not tested.
        tested_people (int): The number of people in ``tested``.
        names (Sequence[str]): Names of the K keypoints.
        methods (Sequence[str]): Names of the methods in ``faithfulness`` and ``randomization``.
        blocks (Sequence[str]): Names of the blocks in ``randomization``.
        settings (DatasetExplanationSettings): How it was measured.

    Returns:
        tuple[dict, Dependency]: The share of each keypoint's attention in each part's disc, and beside it: ``people``
        (their number), ``keypoints`` (numbers of labelled ones, by group), ``mean_keypoint_oks`` of the labelled
        ones, ``names``, ``settings`` (where ``methods`` are those that were tested), ``intervals`` (how they are
        computed), and six lists of rows, of which the last three are empty where no keypoint was tested. A row is a
        dict with ``mean``, ``low``, ``high`` and ``n``, the number of people that it is computed from, and with what
        it is about:

        - ``layers``: by ``layer`` (from 1 on), ``group`` (all, visible, occluded) and ``quantity`` (``QUANTITIES``);
        - ``groups``: by ``layer``, ``group``, ``keypoints`` and ``parts``, both groups of keypoints: the share of the
          former's attention that lies in the latter's discs (:func:`grouped_shares`); where there are many keypoints;
        - ``occlusion``: by ``layer`` and ``quantity``: occluded less visible keypoints, each keypoint compared with
          itself, weighted by how often it is occluded;
        - ``faithfulness``: by ``method`` and ``measure``; ``randomization``: by ``method`` and ``block``;
        - ``best``: by ``measure``, the shares of tokens and of edges that no map can exceed.
    """
    attention = _AttentionSums(people, names, settings.seed)
    for part in parts:
        attention.add(part)
    means = {name: ResampledMeans(tested_people, seed=settings.seed) for name in ('faithfulness', 'randomization')}
    best = ResampledMeans(tested_people, seed=settings.seed)
    for part in tested:
        best.add(part['best'], over=(2,))
        for name, table in means.items():
            table.add(part[name], over=(3,))
    columns = dict(faithfulness=('measure', list(MEASURES)), randomization=('block', blocks))
    summary: dict[str, Any] = dict(
        people=people,
        keypoints=attention.keypoints,
        mean_keypoint_oks=attention.mean_keypoint_oks,
        names=list(names),
        settings=settings.as_dict() | dict(methods=list(methods) if tested_people else []),
        intervals=INTERVALS,
        layers=list(attention.layer_rows()),
        groups=list(attention.group_rows()),
        occlusion=list(attention.occlusion_rows()),
    )
    for name, table in means.items():
        summary[name] = list(_method_rows(table, methods, *columns[name])) if tested_people else []
    summary['best'] = list(_best_rows(best)) if tested_people else []
    if not any(row['n'] for row in summary['best']):  # no keypoint reaches the score
        summary |= {name: [] for name in (*means, 'best')}
    return summary, Dependency.of(attention.shares, names)


class _AttentionSums:
    """Sums over people of what :func:`measure_attention` returns, and over bootstrap resamples of them."""

    def __init__(self, people: int, names: Sequence[str], seed: int):
        def means() -> ResampledMeans:
            return ResampledMeans(people, seed=seed)

        self.keypoints = dict.fromkeys(GROUPS, 0)
        self.shares: dict[str, np.ndarray] = {}
        self._oks = np.zeros(2)
        self._layers = {(quantity, group): means() for quantity in QUANTITIES for group in GROUPS}
        self._occlusion = {quantity: MatchedDifferences(people, seed) for quantity in QUANTITIES}
        self._group_names = list(shown_groups(names))
        self._grouped = means()

    @property
    def mean_keypoint_oks(self) -> float:
        """Of the predictions, over all labelled keypoints."""
        return float(self._oks[0] / self._oks[1]) if self._oks[1] else float('nan')

    def add(self, part: Mapping[str, np.ndarray]) -> None:
        """Add the next people."""
        masks = {name: np.isin(part['visibility'], flags) for name, flags in GROUPS.items()}
        for name, mask in masks.items():
            self.keypoints[name] += int(mask.sum())
        self._oks += np.nansum(part['oks'], dtype=float), np.isfinite(part['oks']).sum()
        for quantity in QUANTITIES:
            values = part[quantity] if quantity in part else 1 - part['own'] - part['other']
            masked = {group: np.where(mask[:, None], values, np.nan) for group, mask in masks.items()}
            for group in GROUPS:
                self._layers[quantity, group].add(masked[group], over=(2,))
            self._occlusion[quantity].add(masked['visible'], masked['occluded'])
        if self._group_names:
            self._add_groups(part['group_sums'], part['group_counts'])
        for sums in _share_sums(part):
            self.shares = {name: self.shares.get(name, 0) + sums[name] for name in SUMS}

    def _add_groups(self, sums: np.ndarray, counts: np.ndarray) -> None:
        """Add (n, 3, L, G, G) and (n, 3, G, G)."""
        chosen = [[FLAGS.index(flag) for flag in flags] for flags in GROUPS.values()]
        added = np.stack([sums[:, flags].sum(1, dtype=float) for flags in chosen], axis=1)
        numbers = np.stack([counts[:, flags].sum(1) for flags in chosen], axis=1)[:, :, None]
        self._grouped.add_sums(added, np.broadcast_to(numbers, added.shape))

    def layer_rows(self) -> Iterator[dict]:
        for (quantity, group), means in self._layers.items():
            intervals = means.intervals()
            for layer in range(np.size(intervals.mean)):
                yield dict(layer=layer + 1, group=group, quantity=quantity) | _row(intervals, (layer,))

    def group_rows(self) -> Iterator[dict]:
        if not self._group_names:
            return
        intervals = self._grouped.intervals()
        for index in np.ndindex(np.shape(intervals.mean)):
            group, layer, row, column = index
            about = dict(layer=layer + 1, group=list(GROUPS)[group])
            about |= dict(keypoints=self._group_names[row], parts=self._group_names[column])
            yield about | _row(intervals, index)

    def occlusion_rows(self) -> Iterator[dict]:
        for quantity, differences in self._occlusion.items():
            for layer, interval in enumerate(differences.intervals(), start=1):
                yield dict(layer=layer, quantity=quantity) | _row(interval)


def _share_sums(part: Mapping[str, np.ndarray]) -> Iterator[Mapping[str, np.ndarray]]:
    """What :func:`share_sums` returns of a part's people, or of some of them at a time."""
    if 'shares' not in part:
        yield part
        return
    for start in range(0, len(part['shares']), BLOCK):
        people = slice(start, start + BLOCK)
        yield share_sums(part['shares'][people], part['visibility'][people])


def _row(intervals: MeanInterval, index: tuple[int, ...] = ()) -> dict[str, float]:
    return {name: float(np.asarray(values)[index]) for name, values in zip(MeanInterval._fields, intervals)}


def _method_rows(means: ResampledMeans, methods: Sequence[str], column: str, columns: Sequence[str]) -> Iterator[dict]:
    """Rows of means of (methods, columns)."""
    intervals = means.intervals()
    for i, j in np.ndindex(np.shape(intervals.mean)):
        yield {'method': methods[i], column: columns[j]} | _row(intervals, (i, j))


def _best_rows(means: ResampledMeans) -> Iterator[dict]:
    """Rows of means of (2,)."""
    intervals = means.intervals()
    for index, measure in enumerate(('share of tokens', 'share of edges')):
        yield dict(measure=measure) | _row(intervals, (index,))
