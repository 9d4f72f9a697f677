"""Choose the people to look at, explain them once more, and write ``report.html`` and their pages."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import chain, count, zip_longest
from pathlib import Path

import numpy as np

from mmtranspose.dataset_explanation.cases.annotated_people import PersonName
from mmtranspose.dataset_explanation.cases.case_measures import METHODS
from mmtranspose.dataset_explanation.cases.case_tables import kind_name, person_oks
from mmtranspose.dataset_explanation.cases.error_costs import person_scores
from mmtranspose.dataset_explanation.cases.error_types import ERRORS, TYPES, tolerances
from mmtranspose.dataset_explanation.explanation_settings import DatasetExplanationSettings
from mmtranspose.dataset_explanation.labelled_people import LabelledPeople
from mmtranspose.explain import Explainer, ExplainOptions, PoseExplanation
from mmtranspose.files.written_files import WrittenFiles
from mmtranspose.media import read_image
from mmtranspose.typing import PoseEstimator
from mmtranspose.visualization.explanation_page import write_page
from mmtranspose.visualization.report_page import PersonCard, write_report_page

CARDS = 200  # people in the report
OF_EACH_KIND = 25  # people among them who have most errors of a kind, of each kind
FOLDER = 'report_pages'


def write_case_report(
    files: WrittenFiles,
    model: PoseEstimator,
    people: LabelledPeople,
    settings: DatasetExplanationSettings,
    names: Sequence[PersonName],
    cases: dict[str, np.ndarray],
    summary: dict,
    pages: int,
    figures: Sequence[Path],
) -> None:
    """Write ``report.html``, and before it pages of the worst people in the folder ``report_pages``.

    Args:
        files (WrittenFiles): Says where, and notes what is written.
        model (PoseEstimator): The model.
        people (LabelledPeople): The people that were measured.
        settings (DatasetExplanationSettings): How they were measured: the maps are those of the same cells.
        names (Sequence[PersonName]): What the dataset's people are called, by their number in the dataset.
        cases (dict[str, np.ndarray]): Joined results of
            :func:`~mmtranspose.dataset_explanation.cases.case_measures.measure_cases`.
        summary (dict): The summary of the whole run, with that of the cases as ``cases``.
        pages (int): Number of people who get a page.
        figures (Sequence[Path]): PNG files that the report shows.
    """
    chosen = chosen_people(cases, max(CARDS, pages))
    explain = _explain(model, people, cases['id'][chosen].tolist(), pages, settings)
    with_page = page_names([names[cases['id'][row]].annotation for row in chosen[:pages]])
    cards = _cards(files, zip_longest(chosen, explain, with_page), names, cases, np.array(people.metainfo['sigmas']))
    filename = getattr(model.cfg, 'filename', None)
    title = Path(filename).stem if filename else type(model).__name__
    shown = {figure.stem: read_image(figure) for figure in figures}
    write_report_page(files.path('report.html'), title, summary, people.metainfo['skeleton_links'], shown, cards)


def _explain(
    model: PoseEstimator,
    people: LabelledPeople,
    numbers: Sequence[int],
    pages: int,
    settings: DatasetExplanationSettings,
) -> Iterator[PoseExplanation]:
    """Explain people by their numbers in the dataset; the first ``pages`` of them with all that a page shows."""
    plain = ExplainOptions(cell=settings.cell, flip_test=False)
    with_page = replace(plain, affect=True, methods=METHODS[:1])
    for part, options in ((numbers[:pages], with_page), (numbers[pages:], plain)):
        explainer = Explainer(model, options)
        for first in range(0, len(part), settings.batch_size):
            yield from explainer(people.batch_of(part[first : first + settings.batch_size])[0])


def _cards(
    files: WrittenFiles,
    chosen: Iterable[tuple[int, PoseExplanation, str | None]],
    names: Sequence[PersonName],
    cases: dict[str, np.ndarray],
    sigmas: np.ndarray,
) -> Iterator[PersonCard]:
    """The people of the report; writes the page of each who gets one."""
    oks, scores = person_oks(cases), person_scores(cases['score'])
    distances = np.linalg.norm(cases['predicted'] - cases['truth'], axis=-1)
    errors = distances / tolerances(cases['area'], sigmas)
    for row, explanation, file in chosen:
        name = names[cases['id'][row]]
        whose = cases['whose'][row].tolist()
        page = file and f'{FOLDER}/{file}'
        card = PersonCard(
            explanation=explanation,
            annotation=name.annotation,
            file=name.file,
            oks=float(oks[row]),
            score=float(scores[row]),
            truth=cases['truth'][row].astype(float),
            kinds=[kind_name(kind) for kind in cases['kind'][row].tolist()],
            errors=errors[row],
            mistaken_for=[names[other].annotation if other >= 0 else None for other in whose],
            page=page,
        )
        if page:
            title = f'{name.file}, annotation {name.annotation}'
            write_page(files.path(page), read_image(name.path), [explanation], title)
        yield card


def chosen_people(cases: dict[str, np.ndarray], most: int) -> list[int]:
    """Choose the rows of the worst people, of lowest OKS first, and of those who have most errors of each kind.

    Args:
        cases (dict[str, np.ndarray]): ``similarity`` and ``kind`` (N, K).
        most (int): Number of people.

    Returns:
        list[int]: In the order of OKS, the lowest first.
    """
    oks = person_oks(cases)
    worst = np.argsort(oks, kind='stable')
    if len(oks) <= most:
        return worst.tolist()
    chosen: dict[int, None] = {}
    for name in ERRORS:
        counts = (cases['kind'] == TYPES.index(name)).sum(1)
        ranked = np.lexsort((oks, -counts))[: min(OF_EACH_KIND, most // (2 * len(ERRORS)))]
        chosen |= dict.fromkeys(ranked[counts[ranked] > 0].tolist())
    rest = [row for row in worst.tolist() if row not in chosen]
    return sorted([*chosen, *rest[: most - len(chosen)]], key=lambda row: (oks[row], row))


def page_names(annotations: Sequence[int | str]) -> list[str]:
    """Make a file name of each annotation id; names differ even if upper and lower case are the same.

    Ids may be equal, and ids of texts may hold anything, such as ``../``.
    """
    names: list[str] = []
    taken: set[str] = set()
    for position, annotation in enumerate(annotations):
        stem = re.sub(r'[^A-Za-z0-9_-]', '_', str(annotation))[:80]
        numbered = (f'{stem}-{number}' for number in count(position))
        name = next(each for each in chain([stem], numbered) if each.lower() not in taken)
        taken.add(name.lower())
        names.append(f'{name}.html')
    return names
