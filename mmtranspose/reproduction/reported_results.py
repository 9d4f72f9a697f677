"""The results that the metafiles of the zoo report, and the models that have some."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

from mmtranspose.errors import InputError
from mmtranspose.loading import zoo

DATASET = 'COCO'  # in a metafile: COCO val2017, detector boxes, flip test


class Metric(NamedTuple):
    """The names of one metric: in a metafile, and in what MMPose's ``CocoMetric`` returns."""

    in_metafile: str
    in_evaluation: str


# By the column of the tables that it stands in
METRICS = {
    'AP': Metric('AP', 'coco/AP'),
    'AP50': Metric('AP@0.5', 'coco/AP .5'),
    'AP75': Metric('AP@0.75', 'coco/AP .75'),
    'AP(M)': Metric('AP (M)', 'coco/AP (M)'),
    'AP(L)': Metric('AP (L)', 'coco/AP (L)'),
    'AR': Metric('AR', 'coco/AR'),
}


@dataclass(frozen=True)
class ReportedModel:
    """A model of the zoo with weights and with results on COCO val2017.

    Attributes:
        name (str): The short name, as ``transpose-r-a3``.
        config_name (str): The name of its config, as ``td-hm_transpose-r-a3_1xb28-230e_coco-256x192``.
        config (str): The path of its config.
        weights (str): The URL or path of its weights.
        source (str): Who reports the results, as ``'reported by the authors'``.
        results (dict): The reported metrics, from 0 to 1, by the metafile's name of the dataset and by the names of
            ``METRICS``; a metric that nobody reports is not in it.
    """

    name: str
    config_name: str
    config: str
    weights: str
    source: str
    results: dict[str, dict[str, float]]

    def reported(self, dataset: str | None) -> dict[str, float | None]:
        """The reported metrics on a dataset by the names of ``METRICS``; None where nothing is reported."""
        return {name: self.results.get(dataset or '', {}).get(name) for name in METRICS}


def reported_models() -> dict[str, ReportedModel]:
    """The models whose results can be reproduced, by their short names, in the order of the zoo."""
    found = [_reported(entry) for entry in zoo.models() if entry['Weights'] and _results(entry).get(DATASET)]
    return {model.name: model for model in found}


def find_reported(name: str) -> ReportedModel:
    """Find a model whose results can be reproduced.

    Args:
        name (str): The name or alias of a model, in upper or lower case.

    Raises:
        InputError: There is no such model, or it has no weights or no reported results; lists the models that have.
    """
    possible = reported_models()
    for entry in zoo.models():
        names = zoo.names_of(entry)
        if name.lower() in (one.lower() for one in names):
            if names[-1] in possible:
                return possible[names[-1]]
            why = 'has no weights' if entry['Weights'] is None else 'has no reported results on COCO val2017'
            raise InputError(f'{name} {why}, so there is nothing to reproduce; choose from {", ".join(possible)}')
    raise InputError(
        f'{name} is no model of mmtranspose; the results of these can be reproduced: {", ".join(possible)}'
    )


def _reported(entry: dict[str, Any]) -> ReportedModel:
    source = entry.get('Metadata', {}).get('Results From', 'reported')
    name = zoo.names_of(entry)[-1]
    return ReportedModel(name, entry['Name'], entry['Config'], entry['Weights'], source, _results(entry))


def _results(entry: dict[str, Any]) -> dict[str, dict[str, float]]:
    return {
        one['Dataset']: {
            name: float(one['Metrics'][metric.in_metafile])
            for name, metric in METRICS.items()
            if metric.in_metafile in one.get('Metrics', {})
        }
        for one in entry.get('Results') or []
    }
