"""Measure one part of a dataset's people, as it is kept on disk."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from mmtranspose.dataset_explanation.explanation_settings import DatasetExplanationSettings
from mmtranspose.dataset_explanation.kept_measurements import kind_of
from mmtranspose.dataset_explanation.labelled_people import LabelledPeople
from mmtranspose.dataset_explanation.measures import measure_attention, measure_faithfulness
from mmtranspose.dataset_explanation.share_sums import share_sums
from mmtranspose.explain import Explainer
from mmtranspose.explain.interventions.perturbed_encoder import Encoder
from mmtranspose.explain.methods import Method
from mmtranspose.files.growing_arrays import JointParts


def attention_part(
    explainer: Explainer,
    people: LabelledPeople,
    numbers: range,
    settings: DatasetExplanationSettings,
    summed: bool,
) -> dict[str, np.ndarray]:
    """Measure where the attention to some people lies, ``settings.batch_size`` of them at a time.

    Args:
        explainer (Explainer): Explains predictions without the flip test.
        people (LabelledPeople): All people.
        numbers (range): The numbers of those of the part.
        settings (DatasetExplanationSettings): How to measure.
        summed (bool): Whether the part is always read as a whole, so that sums over its people are enough.

    Returns:
        dict: As of :func:`measure_attention`; if ``summed``, with what :func:`share_sums` returns of the part's people
        in place of ``shares``, which take far more space than everything else.
    """
    rows: dict[str, list[np.ndarray]] = {}
    sums: dict[str, np.ndarray] = {}
    for start in numbers[:: settings.batch_size]:
        batch, ground_truths = people.batch(start, min(start + settings.batch_size, numbers.stop))
        arrays = measure_attention(explainer, batch, ground_truths, people.metainfo, settings)
        if summed:
            added = share_sums(arrays.pop('shares'), arrays['visibility'])
            sums = {name: sums.get(name, 0) + values for name, values in added.items()}
        for name, values in arrays.items():
            rows.setdefault(name, []).append(values)
    return {name: np.concatenate(values) for name, values in rows.items()} | sums


def tested_person(
    explainer: Explainer,
    people: LabelledPeople,
    number: int,
    parts: JointParts,
    methods: Sequence[Method],
    settings: DatasetExplanationSettings,
    encoder: Encoder | None,
) -> dict[str, dict[str, np.ndarray]]:
    """Measure what a person lacks, by kind; interventions that were made for other methods are not made again."""
    lacking = parts.lacking(number)
    wanted = {
        name: [method for method in methods if kind_of(name, method) in lacking]
        for name in ('faithfulness', 'randomization')
    }
    effects = None if 'effects' in lacking else parts.kinds['effects'].read_part(number)['effects']
    batch, ground_truths = people.batch(number, number + 1)
    about = (explainer, batch, ground_truths, people.metainfo)
    arrays = measure_faithfulness(*about, wanted['faithfulness'], settings, wanted['randomization'], effects, encoder)
    measured = {
        kind_of(name, method): dict(values=values)
        for name, chosen in wanted.items()
        for method, values in zip(chosen, arrays[name])
    }
    if effects is None:
        measured['effects'] = {name: arrays[name] for name in ('effects', 'best', 'score', 'labelled')}
    return measured
