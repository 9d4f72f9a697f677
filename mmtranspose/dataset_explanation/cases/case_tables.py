"""Tables of single cases: one row a keypoint, and one row a person, as CSV and as Parquet."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from mmtranspose.dataset_explanation.cases.annotated_people import PersonName
from mmtranspose.dataset_explanation.cases.case_measures import MAPS, QUANTITIES
from mmtranspose.dataset_explanation.cases.error_costs import person_scores
from mmtranspose.dataset_explanation.cases.error_types import NOT_LABELLED, TYPES, tolerances
from mmtranspose.errors import InputError
from mmtranspose.files.output_paths import partial_file
from mmtranspose_cli.optional_packages import pip_install

VISIBILITY = {0: 'not labelled', 1: 'occluded', 2: 'visible'}  # COCO's flags; else the dataset does not say
DIGITS = 6
BLOCK = 20_000  # rows that are held at a time
IN_TABLE = ('attention', 'rollout')  # whose quantities get columns

Row = dict[str, Any]


def keypoint_rows(
    cases: dict[str, np.ndarray], people: Sequence[PersonName], names: Sequence[str], sigmas: np.ndarray
) -> Iterator[Row]:
    """Rows by person and keypoint, of all people measured.

    Args:
        cases (dict[str, np.ndarray]): Joined results of
            :func:`~mmtranspose.dataset_explanation.cases.case_measures.measure_cases`, of N people.
        people (Sequence[PersonName]): What the dataset's people are called, by their number in the dataset.
        names (Sequence[str]): Names of the K keypoints.
        sigmas (np.ndarray): (K,), the dataset's.

    Yields:
        dict: Places in pixels of the image; ``error_sigma`` is the distance divided by sqrt(area) * 2 sigma, so that
        the keypoint's OKS is exp(-error_sigma^2 / 2); ``mistaken_for`` is the annotation that a swap took the place
        from. None where there is nothing to say.
    """
    oks, distances = person_oks(cases), np.linalg.norm(cases['predicted'] - cases['truth'], axis=-1)
    errors = distances / tolerances(cases['area'], sigmas)
    for n, k in np.ndindex(cases['kind'].shape):
        person, whose = people[int(cases['id'][n])], int(cases['whose'][n, k])
        yield dict(
            annotation_id=person.annotation,
            image_id=person.image,
            image=person.file,
            keypoint=names[k],
            truth_x=_number(cases['truth'][n, k, 0]),
            truth_y=_number(cases['truth'][n, k, 1]),
            predicted_x=_number(cases['predicted'][n, k, 0]),
            predicted_y=_number(cases['predicted'][n, k, 1]),
            visibility=VISIBILITY.get(int(cases['visibility'][n, k]), 'unknown'),
            score=_number(cases['score'][n, k]),
            error_px=_number(distances[n, k]),
            error_sigma=_number(errors[n, k]),
            keypoint_oks=_number(cases['similarity'][n, k]),
            person_oks=_number(oks[n]),
            error_type=kind_name(int(cases['kind'][n, k])),
            mistaken_for=None if whose < 0 else people[whose].annotation,
            **{
                f'{name} {quantity}'.replace(' ', '_'): _number(cases['links'][n, MAPS.index(name), q, k])
                for name in IN_TABLE
                for q, quantity in enumerate(QUANTITIES)
            },
        )


def person_rows(cases: dict[str, np.ndarray], people: Sequence[PersonName]) -> Iterator[Row]:
    """Rows by person: OKS, area in square pixels, numbers of labelled keypoints and of each kind of error."""
    oks, scores = person_oks(cases), person_scores(cases['score'])
    for n, index in enumerate(cases['id'].tolist()):
        kinds = cases['kind'][n]
        yield dict(
            annotation_id=people[index].annotation,
            image_id=people[index].image,
            image=people[index].file,
            oks=_number(oks[n]),
            area=_number(cases['area'][n]),
            labelled=int((kinds != NOT_LABELLED).sum()),
            score=_number(scores[n]),
            **{name: int((kinds == code).sum()) for code, name in enumerate(TYPES)},
        )


def person_oks(cases: dict[str, np.ndarray]) -> np.ndarray:
    """COCO's OKS (N,) of each person: the mean of ``similarity`` (N, K) over the labelled keypoints."""
    return np.nanmean(cases['similarity'].astype(float), axis=1)


def kind_name(kind: int) -> str | None:
    """The name of a kind of error; None where the keypoint is not labelled."""
    return None if kind == NOT_LABELLED else TYPES[kind]


def write_table(path: Path, rows: Iterable[Row], parquet: Path | None = None) -> None:
    """Write a table as CSV, and as Parquet if asked for, without holding all of it.

    Args:
        path (Path): The CSV file.
        rows (Iterable[dict]): Rows with the same keys, at least one; None makes an empty cell.
        parquet (Path | None): The Parquet file, which pyarrow writes; None writes none.

    Raises:
        InputError: Parquet is asked for, and pyarrow cannot be imported.
    """
    remaining = iter(rows)
    block = list(islice(remaining, BLOCK))
    with ExitStack() as stack:
        partial = stack.enter_context(partial_file(path))
        file = stack.enter_context(open(partial, 'w', encoding='utf-8', newline=''))
        writer = csv.DictWriter(file, list(block[0]), lineterminator='\n')
        writer.writeheader()
        columns = None
        if parquet is not None:
            columns = stack.enter_context(_ParquetFile(stack.enter_context(partial_file(parquet))))
        while block:
            writer.writerows(block)
            if columns is not None:
                columns.write(block)
            block = list(islice(remaining, BLOCK))


def import_pyarrow() -> Any:
    """Import pyarrow.

    Raises:
        InputError: It is not installed, or cannot be imported: newer ones need NumPy 2.
    """
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError as error:
        raise InputError(f'Parquet needs pyarrow ({error}): {pip_install("pyarrow")}') from None
    return pyarrow


class _ParquetFile:
    """A Parquet file that takes rows block by block; the types of its columns are those of the values."""

    def __init__(self, path: Path):
        self._path, self._pyarrow = path, import_pyarrow()
        self._writer: Any = None

    def __enter__(self) -> _ParquetFile:
        return self

    def __exit__(self, *_: object) -> None:
        if self._writer is not None:
            self._writer.close()

    def write(self, rows: Sequence[Row]) -> None:
        """Add rows."""
        if self._writer is None:
            schema = self._pyarrow.schema(_types(rows[0], self._pyarrow))
            self._writer = self._pyarrow.parquet.ParquetWriter(self._path, schema)
        self._writer.write_table(self._pyarrow.Table.from_pylist(list(rows), schema=self._writer.schema))


def _types(row: Row, pyarrow: Any) -> list[tuple[str, Any]]:
    """Names and types of columns. An empty cell says nothing: ids are as those of the person, all else are numbers."""
    kinds = {int: pyarrow.int64(), str: pyarrow.string(), float: pyarrow.float64()}
    texts = {'error_type': str, 'mistaken_for': type(row.get('annotation_id'))}
    return [(name, kinds[texts.get(name, float) if value is None else type(value)]) for name, value in row.items()]


def _number(value: float) -> float | None:
    return float(f'{value:.{DIGITS}g}') if np.isfinite(value) else None
