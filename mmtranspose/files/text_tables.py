"""Tables of plain text, the same in a terminal and in a pipe."""

from __future__ import annotations

from collections.abc import Sequence


def table_lines(rows: Sequence[Sequence[object]], alignments: str = '<>') -> list[str]:
    """Pad the cells of a table so that its columns line up, two blanks apart.

    Args:
        rows (Sequence[Sequence[object]]): Rows of equal length; a head is a row like the others.
        alignments (str): ``'<'`` (left) or ``'>'`` (right) for each column from the first on; the last one holds for
            the columns after it too.

    Returns:
        list[str]: A line for each row, without blanks at its end.
    """
    columns = [[str(cell) for cell in column] for column in zip(*rows)]
    sides = alignments.ljust(len(columns), alignments[-1])
    padded = [[f'{cell:{side}{max(map(len, column))}}' for cell in column] for column, side in zip(columns, sides)]
    return ['  '.join(cells).rstrip() for cells in zip(*padded)]
