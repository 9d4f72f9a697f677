"""The part of ``explain-dataset`` that looks at single cases: measure people, summarise, write tables and report."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mmtranspose.dataset_explanation.cases.annotated_people import AnnotatedPeople
from mmtranspose.dataset_explanation.cases.case_measures import METHODS, measure_cases
from mmtranspose.dataset_explanation.cases.case_report import write_case_report
from mmtranspose.dataset_explanation.cases.case_summary import summarise_cases
from mmtranspose.dataset_explanation.cases.case_tables import import_pyarrow, keypoint_rows, person_rows, write_table
from mmtranspose.dataset_explanation.explanation_settings import DatasetExplanationSettings
from mmtranspose.dataset_explanation.labelled_people import LabelledPeople
from mmtranspose.errors import require_at_least
from mmtranspose.explain import Explainer, ExplainOptions
from mmtranspose.files.written_files import WrittenFiles
from mmtranspose.keypoint_names import keypoint_names
from mmtranspose.typing import PoseEstimator


@dataclass(frozen=True)
class CaseOptions:
    """What is written of single cases; nothing that is measured depends on it.

    Attributes:
        pages (int): Number of people, the worst ones, who get a page of their own in the folder ``report_pages``.
        parquet (bool): Also write the tables as Parquet.

    Raises:
        InputError: ``pages`` is negative, or ``parquet`` is asked for and pyarrow cannot be imported.
    """

    pages: int = 24
    parquet: bool = False

    def __post_init__(self) -> None:
        require_at_least('pages', self.pages, 0)
        if self.parquet:
            import_pyarrow()


class Cases:
    """Looks at single cases of a run of ``explain-dataset``.

    Args:
        model (PoseEstimator): The model.
        people (LabelledPeople): The people that are measured.
        settings (DatasetExplanationSettings): How to measure.
    """

    def __init__(self, model: PoseEstimator, people: LabelledPeople, settings: DatasetExplanationSettings):
        self._model, self._people, self._settings = model, people, settings
        self._explainer = Explainer(model, ExplainOptions(cell=settings.cell, flip_test=False, methods=METHODS))
        self._annotated = AnnotatedPeople(people.dataset)
        self._names = keypoint_names(people.metainfo)
        self._sigmas = np.array(people.metainfo['sigmas'], float)

    def measure(self, numbers: range) -> dict[str, np.ndarray]:
        """Measure some people by their numbers in the run, a batch at a time; see :func:`measure_cases`."""
        people, settings, measured = self._people, self._settings, []
        for start in numbers[:: settings.batch_size]:
            batch = people.batch(start, min(start + settings.batch_size, numbers.stop))
            measured.append(measure_cases(self._explainer, *batch, self._annotated, people.metainfo, settings))
        return {name: np.concatenate([arrays[name] for arrays in measured]) for name in measured[0]}

    def summarise(self, cases: dict[str, np.ndarray]) -> dict:
        """Summarise the joined results of :meth:`measure`, see :func:`summarise_cases`."""
        images = [self._annotated.names[index].path for index in cases['id'].tolist()]
        return summarise_cases(cases, images, self._names, self._sigmas, self._settings.seed)

    def write(
        self,
        files: WrittenFiles,
        cases: dict[str, np.ndarray],
        summary: dict,
        options: CaseOptions,
        figures: Sequence[Path] = (),
    ) -> None:
        """Write the tables, ``report.html``, and the pages of the worst people.

        Args:
            files (WrittenFiles): Says where, and notes what is written.
            cases (dict[str, np.ndarray]): Joined results of :meth:`measure`.
            summary (dict): The summary of the whole run, with that of the cases as ``cases``.
            options (CaseOptions): What to write.
            figures (Sequence[Path]): PNG files that the report shows.
        """
        names = self._annotated.names
        tables = {
            'keypoints': keypoint_rows(cases, names, self._names, self._sigmas),
            'people': person_rows(cases, names),
            'error_types': iter(summary['cases']['keypoints']),
            'error_costs': iter(summary['cases']['costs']),
            'error_links': iter(summary['cases']['links']),
        }
        for name, rows in tables.items():
            parquet = options.parquet and name in ('keypoints', 'people')
            write_table(files.path(f'{name}.csv'), rows, files.path(f'{name}.parquet') if parquet else None)
        about = (self._model, self._people, self._settings, names)
        write_case_report(files, *about, cases, summary, options.pages, figures)
