"""Measured beside reported results: as text, as lines of a Markdown table, and judged by a tolerance."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from mmtranspose.files.text_tables import table_lines
from mmtranspose.reproduction.reported_results import METRICS

Values = Mapping[str, float | None]
ABSENT = '-'
DECIMALS = 6  # of differences: more would be the noise of subtracting floating-point numbers
# The heads of MMPose's tables of results
MARKDOWN_HEADS = ('AP', 'AP<sup>50</sup>', 'AP<sup>75</sup>', 'AP (M)', 'AP (L)', 'AR')


def differences(measured: Values, reported: Values) -> dict[str, float | None]:
    """Measured minus reported, by metric; None where either is not known."""
    found: dict[str, float | None] = {}
    for name in METRICS:
        ours, theirs = measured.get(name), reported.get(name)
        found[name] = None if ours is None or theirs is None else round(ours - theirs, DECIMALS)
    return found


def beyond(summary: Mapping[str, Any], tolerance: float) -> list[str]:
    """Name the protocols whose AP differs from the reported one by more than a tolerance.

    Args:
        summary (dict): From :func:`mmtranspose.reproduction.reproduce`.
        tolerance (float): In points of AP, which are hundredths.

    Returns:
        list[str]: A sentence for each such protocol.
    """
    found = []
    for one in summary['protocols']:
        difference = one['difference']['AP']
        if difference is None and one['reported']['AP'] is not None:
            found.append(f'{one["name"]}: no AP was measured, because nobody counts')
        elif difference is not None and abs(100 * difference) > tolerance + 1e-9:
            points = f'{100 * difference:+.2f}'
            found.append(f'{one["name"]}: AP differs by {points} points, more than the tolerance of {tolerance:g}')
    return found


def text_lines(summary: Mapping[str, Any]) -> list[str]:
    """A table in points (hundredths), three rows for each protocol, below it what the numbers depend on.

    Args:
        summary (dict): From :func:`mmtranspose.reproduction.reproduce`.
    """
    rows: list[Sequence[str]] = [('protocol', summary['name'], *METRICS)]
    for one in summary['protocols']:
        rows += [
            (one['name'], 'measured', *_points(one['measured'], '.2f')),
            (f'  {one["boxes"]} boxes', summary['results_from'], *_points(one['reported'], '.1f')),
            (f'  {"" if one["flip_test"] else "no "}flip test', 'difference', *_points(one['difference'], '+.2f')),
        ]
    weights, versions = summary['weights'], summary['versions']
    given = '' if weights['of_the_zoo'] else ' (--checkpoint)'
    return [
        *table_lines(rows, '<<>'),
        '',
        f'weights: {weights["source"]}{given}, SHA-256 {weights["sha256"]}',
        f'data: {summary["data"]["root"]}',
        f'{", ".join(f"{name} {version}" for name, version in versions.items())}, {summary["device"]}',
        *warning_lines(summary['no_reproduction_because']),
    ]


def warning_lines(reasons: Sequence[str]) -> list[str]:
    """Say loudly that numbers are no reproduction, and why; nothing where there is no reason."""
    if not reasons:
        return []
    return ['', '*** THESE NUMBERS ARE NO REPRODUCTION of the reported results ***', *(f'    {one}' for one in reasons)]


def markdown_lines(summary: Mapping[str, Any]) -> list[str]:
    """A Markdown table, one line for each protocol, for a model card or a page of the zoo.

    Values are from 0 to 1 with three decimals, as in MMPose's tables; measured, with the reported AP beside.

    Args:
        summary (dict): From :func:`mmtranspose.reproduction.reproduce`.
    """
    heads = ('Model', 'Boxes', 'Flip test', *MARKDOWN_HEADS, 'reported AP', 'Measured')
    reasons = summary['no_reproduction_because']
    versions = summary['versions']
    lines = [_line(heads), _line(['---'] * len(heads))]
    for one in summary['protocols']:
        how = f'{one["date"][:10]}, mmtranspose {versions["mmtranspose"]}, torch {versions["torch"]}, '
        how += f'{summary["device"]}, weights {summary["weights"]["sha256"][:8]}'
        how += f'; **no reproduction**: {"; ".join(reasons)}' if reasons else ''
        values = [_cell(one['measured'][name]) for name in METRICS]
        flip = 'yes' if one['flip_test'] else 'no'
        lines.append(_line([summary['name'], one['boxes'], flip, *values, _cell(one['reported']['AP']), how]))
    return lines


def _points(values: Values, form: str) -> list[str]:
    points = (None if (value := values[name]) is None else 100 * value for name in METRICS)
    return [ABSENT if value is None else format(value, form) for value in points]


def _cell(value: float | None) -> str:
    return ABSENT if value is None else f'{value:.3f}'


def _line(cells: Sequence[str]) -> str:
    return f'| {" | ".join(cell.replace("|", "/") for cell in cells)} |'
