"""Results as lines of text."""

from __future__ import annotations

from collections.abc import Sequence


def aligned(rows: Sequence[Sequence[str]]) -> list[str]:
    """Rows of equal length as lines: the first column to the left, the others to the right."""
    widths = [max(map(len, column)) for column in zip(*rows)]
    return [
        '  '.join(f'{cell:<{width}}' if not index else f'{cell:>{width}}' for index, (cell, width) in enumerate(cells))
        for cells in (list(zip(row, widths)) for row in rows)
    ]


def benchmark_lines(result: dict) -> list[str]:
    """The table of :func:`run_benchmark`'s result, and the machine."""
    unit = 'pictures' if result['mode'] in ('forward', 'train-step') else 'people'
    head = ['way', 'batch', 'median ms', '(quartiles)', f'{unit}/s', 'speed-up', '(quartiles)', 'peak MiB', 'ratio']
    head += ['difference'] + (['GFLOP', 'GFLOP/s', 'of matmul'] if result['mode'] == 'forward' else [])
    machine = ', '.join(f'{name} {value}' for name, value in result['machine'].items())
    peaks = [f'{dtype} {peak / 1e9:.0f}' for dtype, peak in result.get('matmul_flops', {}).items()]
    matmul = [f'fastest matrix product, GFLOP/s: {", ".join(peaks)}'] if peaks else []
    return [*aligned([head, *map(_cells, result['rows'])]), '', f'machine: {machine}', *matmul]


def _cells(row: dict) -> list[str]:
    seconds, speedup = row['seconds'], row['speedup']
    differences = [f'{name} {value:.1g}' for name, value in row['differences'].items()]
    cells = [
        row['way'],
        str(row['batch_size']),
        f'{1e3 * seconds["median"]:.2f}',
        f'{1e3 * seconds["quartile_1"]:.2f}-{1e3 * seconds["quartile_3"]:.2f}',
        f'{row["per_second"]:.1f}',
        f'{speedup["of_medians"]:.2f}',
        f'{speedup["quartile_1"]:.2f}-{speedup["quartile_3"]:.2f}',
        f'{row["peak_mib"]:.0f}',
        '-' if row['memory_ratio'] is None else f'{row["memory_ratio"]:.2f}',
        ', '.join(differences) or '-',
    ]
    if 'flop' in row:
        cells += [f'{row["flop"] / 1e9:.2f}', f'{row["flops"] / 1e9:.1f}', f'{row["matmul_share"]:.1%}']
    return cells
