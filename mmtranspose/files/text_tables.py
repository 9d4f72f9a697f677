"""Tables, counts and intervals in plain text, the same in a terminal and in a pipe."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from math import isfinite

from rich.console import Console
from rich.table import Table
from rich.text import Text

from mmtranspose_cli.terminal import printable

WIDEST = 10_000  # columns; nothing is wrapped


def table_lines(rows: Sequence[Sequence[object]], alignments: str = '<>') -> list[str]:
    """Pad the cells of a table so that its columns line up, two blanks apart.

    Args:
        rows (Sequence[Sequence[object]]): Rows of equal length; a head is a row like the others.
        alignments (str): ``'<'`` (left) or ``'>'`` (right) for each column from the first on; the last one holds for
            the columns after it too.

    Returns:
        list[str]: A line for each row, without blanks at its end.
    """
    table = Table.grid(padding=(0, 2))
    for side in alignments.ljust(len(rows[0]) if rows else 0, alignments[-1]):
        table.add_column(justify='right' if side == '>' else 'left', no_wrap=True)
    for row in rows:
        table.add_row(*(Text(printable(cell)) for cell in row))
    console = Console(width=WIDEST, color_system=None, file=io.StringIO())
    with console.capture() as printed:
        console.print(table)
    return [line.rstrip() for line in printed.get().splitlines()]


def plural(unit: str) -> str:
    """The plural of what is counted: ``'people'`` of ``'person'``, ``'boxes'`` of ``'box'``, ``'images'``, ..."""
    return 'people' if unit == 'person' else f'{unit}es' if unit.endswith('x') else f'{unit}s'


def counted(number: int, unit: str) -> str:
    """A number with what it counts: ``'1 person'``, ``'2 people'``, ``'0 boxes'``."""
    return f'{number} {unit if number == 1 else plural(unit)}'


def interval_text(row: Mapping[str, float]) -> str:
    """``mean`` with ``low`` and ``high`` where these are known: ``'0.500 [0.400, 0.600]'``; of one ``'0.500'``."""
    mean = f'{row["mean"]:.3f}' if isfinite(row['mean']) else '-'
    return f'{mean} [{row["low"]:.3f}, {row["high"]:.3f}]' if isfinite(row['low']) else mean
