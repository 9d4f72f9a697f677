"""Measurements kept on disk by what they depend on: a changed setting measures anew only what depends on it."""

from __future__ import annotations

import json
import zlib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from mmengine.config import Config

from mmtranspose.dataset_explanation.cases.case_measures import MAPS, QUANTITIES
from mmtranspose.dataset_explanation.cases.error_types import TYPES
from mmtranspose.dataset_explanation.explanation_settings import DatasetExplanationSettings
from mmtranspose.dataset_explanation.labelled_people import GroundTruth, LabelledPeople
from mmtranspose.dataset_explanation.measures import MEASURES
from mmtranspose.dataset_explanation.share_sums import FLAGS
from mmtranspose.explain.methods import Method
from mmtranspose.explain.randomization import cascade_blocks
from mmtranspose.files.growing_arrays import GrowingParts, JointParts, short_hash
from mmtranspose.files.resumable_arrays import require_made_by
from mmtranspose.loading.weights_comparison import weights_checksum
from mmtranspose.typing import PoseEstimator

FAITHFULNESS = ('seed', 'cell', 'oks_level', 'steps', 'ablation_steps', 'sensitivity_samples', 'percentiles')
SMALLEST_PART = 32  # people
# What the places along the arrays' axes stand for, by kind; a number of the format changes with the arrays' meaning
FORMATS: dict[str, dict[str, Any]] = {
    'attention': dict(format=1, flags=FLAGS),
    'cases': dict(format=1, maps=MAPS, quantities=QUANTITIES, types=TYPES),
    'effects': dict(format=1),
    'faithfulness': dict(format=1, measures=tuple(MEASURES)),
    'randomization': dict(format=1),
}
KINDS = {
    'effects': 'interventions on people',
    'faithfulness': 'faithfulness of people x methods',
    'randomization': 'randomisation of people x methods',
}


class KeptMeasurements:
    """The folder of a model's measurements over a dataset.

    In it is a folder for each kind of measurement and for each set of settings that this kind was made with. So a
    setting that was used before finds its measurements again, and nothing is deleted. The number of people and the
    batch size are no such settings: more people are added to those that are there. What the places in the arrays mean
    (``FORMATS``) counts as a setting, so that another version of this program does not misread them.

    Args:
        root (Path): The folder.
        model (PoseEstimator): The model.
        cfg (Config): The config that the people are read by.
        people (LabelledPeople): The people.
        loader (str): The config's field of the data loader that the people are from.

    Attributes:
        checksums (dict[str, str]): CRC-32 of the ``weights`` and of the ``labels``, in hexadecimal.

    Raises:
        InputError: The folder holds measurements of other weights or other data: two models in one folder is a mistake.
    """

    def __init__(self, root: Path, model: PoseEstimator, cfg: Config, people: LabelledPeople, loader: str):
        self._root = root
        self._made_by = _model_and_data(model, cfg, people, loader)
        self._blocks = list(cascade_blocks(model))
        require_made_by(root, self._made_by)
        self.checksums = {name: f'{self._made_by[name]:08x}' for name in ('weights', 'labels')}

    def kind(
        self, name: str, depends: Mapping[str, Any], items: int, size: int = 1, sums: bool = False
    ) -> GrowingParts:
        """The measurements of one kind.

        Args:
            name (str): Of the kind; it starts with one of ``FORMATS``.
            depends (Mapping[str, Any]): What they depend on beside weights and data, as JSON can hold it.
            items (int): The number of people.
            size, sums: See :class:`GrowingParts`.
        """
        made_by = json.loads(json.dumps({**self._made_by, **FORMATS[name.split('-')[0]], **depends}))
        return GrowingParts(self._root / f'{name}-{short_hash(made_by)}', made_by, items, size, sums)

    def attention(self, settings: DatasetExplanationSettings, people: int, keypoints: int) -> GrowingParts:
        """The measurements of :func:`measure_attention`.

        The size of a part grows with the number of keypoints, K: its sums over people (60 L K² bytes) then take about
        as much of the disk as the values of its people (24 L K bytes each).
        """
        depends = _chosen(settings, ('seed', 'cell', 'oks_level'))
        return self.kind('attention', depends, people, max(SMALLEST_PART, 2 * keypoints), sums=True)

    def cases(self, settings: DatasetExplanationSettings, people: int) -> GrowingParts:
        """The measurements of :func:`~mmtranspose.dataset_explanation.cases.case_measures.measure_cases`."""
        return self.kind('cases', _chosen(settings, ('seed', 'cell', 'oks_level')), people, SMALLEST_PART)

    def faithfulness(self, settings: DatasetExplanationSettings, methods: Sequence[Method], people: int) -> JointParts:
        """The measurements of :func:`measure_faithfulness`, by ``effects`` and by :func:`kind_of` each method."""
        if not people:
            return JointParts({})
        kinds = {'effects': self.kind('effects', _chosen(settings, ('seed',)), people)}
        of_method = {
            'faithfulness': _chosen(settings, FAITHFULNESS),
            'randomization': _chosen(settings, ('seed', 'cell')) | dict(blocks=self._blocks),
        }
        for name, depends in of_method.items():
            for method in methods:
                made_by = depends | dict(method=repr(method))
                kinds[kind_of(name, method)] = self.kind(kind_of(name, method), made_by, people)
        return JointParts(kinds)


def kind_of(name: str, method: Method) -> str:
    """Name the ``faithfulness`` or ``randomization`` of one method."""
    return f'{name}-{method.name}'


def read_tested(parts: JointParts, methods: Sequence[Method], score_thr: float) -> Iterator[dict[str, np.ndarray]]:
    """Read what was measured of each person, as :func:`summarise` takes it.

    Args:
        parts (JointParts): Of :meth:`KeptMeasurements.faithfulness`.
        methods (Sequence[Method]): The methods.
        score_thr (float): Keypoints with a lower score, or without a label, are not tested: their values become NaN.

    Yields:
        dict: ``best`` (1, 2, K), ``faithfulness`` (1, methods, measures, K), ``randomization`` (1, methods, blocks, K).

    Raises:
        InputError: A file is damaged.
    """
    for number in range(parts.count):
        person = parts.kinds['effects'].read_part(number)
        tested = ((person['score'] >= score_thr) & person['labelled'])[:, None]
        arrays = dict(best=np.where(tested, person['best'], np.nan))
        for name in ('faithfulness', 'randomization'):
            values = [parts.kinds[kind_of(name, method)].read_part(number)['values'] for method in methods]
            arrays[name] = np.where(tested[:, None], np.stack(values, axis=1), np.nan)
        yield arrays


def found_and_missing(attention: GrowingParts, cases: GrowingParts, tested: JointParts) -> str:
    """Say in one line how many measurements are there and how many are made now, by kind."""
    kinds = {'attention of people': [attention], 'cases': [cases]}
    for name, text in KINDS.items():
        kinds[text] = [parts for kind, parts in tested.kinds.items() if kind.startswith(name)]
    said = []
    for text, members in kinds.items():
        found = sum(parts.items_found for parts in members)
        items = sum(parts.items for parts in members)
        said += [f'{text}: {found} found, {items - found} to measure'] if items else []
    return '; '.join(said)


def _chosen(settings: DatasetExplanationSettings, names: Sequence[str]) -> dict[str, Any]:
    return {name: value for name, value in settings.as_dict().items() if name in names}


def _model_and_data(model: PoseEstimator, cfg: Config, people: LabelledPeople, loader: str) -> dict[str, Any]:
    """What all measurements depend on, except the images themselves."""
    return dict(
        weights=weights_checksum(model),
        labels=_labels_checksum(people),
        dataset=repr(cfg[loader].dataset.to_dict()),
        data_preprocessor=repr(cfg.model.get('data_preprocessor')),
        test_cfg=repr(cfg.model.get('test_cfg')),
    )


def _labels_checksum(people: LabelledPeople) -> int:
    """A checksum of all labelled people of the dataset: their numbers, images, boxes and ground truth."""
    checksum = 0
    for index in people.labelled:
        info = people.dataset.get_data_info(index)
        person = GroundTruth.of_info(index, info)
        checksum = zlib.crc32(repr((index, str(info['img_path']), person.area)).encode(), checksum)
        for value in (info['bbox'], person.keypoints, person.visibility):
            checksum = zlib.crc32(np.ascontiguousarray(value).tobytes(), checksum)
    return checksum
