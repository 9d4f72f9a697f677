"""The tables of ``resume``: works beside the baseline's, and the time of each part that ours adds to them."""

from __future__ import annotations

from typing import Any

from mmtranspose.files.text_tables import table_lines


def resume_lines(rows: list[dict[str, Any]]) -> list[str]:
    """Both tables, and a line about checkpoints for each batch size.

    Args:
        rows (list[dict]): Of a result of :func:`run_benchmark`.
    """
    head = ['candidate', 'of', 'batch', 'median ms', '(quartiles)', 'speed-up', '(quartiles)']
    lines = table_lines([head, *map(_compared, rows)], '<<>')
    for batch in sorted({row['batch_size'] for row in rows}):
        ours = [row for row in rows if row['batch_size'] == batch and row['candidate'] != 'baseline']
        step = ours[0]['seconds']['median']
        lines += ['', *table_lines([[f'added, batch {batch}', 'ms', 'of a step'], *_added(ours, step)])]
        lines += [_share(row) for row in ours if 'training_share' in row]
    return lines


def _compared(row: dict[str, Any]) -> list[str]:
    seconds, speedup = row['seconds'], row['speedup']
    return [
        row['candidate'],
        row['work'],
        str(row['batch_size']),
        f'{1e3 * seconds["median"]:.2f}',
        f'{1e3 * seconds["quartile_1"]:.2f}-{1e3 * seconds["quartile_3"]:.2f}',
        f'{speedup["of_medians"]:.3f}',
        f'{speedup["quartile_1"]:.3f}-{speedup["quartile_3"]:.3f}',
    ]


def _added(rows: list[dict[str, Any]], step: float) -> list[list[str]]:
    """A line for each part, by its name; then for each group of parts, such as those in a loader's process, the sum."""
    cells = []
    sums: dict[str, float] = {}
    for row in rows:
        for name, seconds in row['parts'].items():
            cells.append(_cells(name, seconds['median'], step))
            group = name.partition(':')[0]
            sums[group] = sums.get(group, 0.0) + seconds['median']
    return cells + [_cells(f'{group}, together', seconds, step) for group, seconds in sums.items()]


def _cells(name: str, seconds: float, step: float) -> list[str]:
    return [name, f'{1e3 * seconds:.3f}', f'{seconds / step:.3%}']


def _share(row: dict[str, Any]) -> str:
    share = f'{100 * row["training_share"]:.2g}%'
    return f"checkpoints at the config's interval, beyond mmengine's: {share} of the time of all steps"
