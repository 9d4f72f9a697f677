"""The summary as JSON, tables and figures."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from mmengine.fileio import put_text

from mmtranspose.dataset_explanation.measures import MEASURES
from mmtranspose.files.json_files import write_json
from mmtranspose.media import write_image
from mmtranspose.visualization import (
    dependency_matrix_figure,
    faithfulness_figure,
    layer_profile_figure,
    randomization_figure,
)

TABLES = ('dependency', 'layers', 'occlusion', 'faithfulness', 'randomization')


CONTROLS = ('gaussian', 'random')


INTERVAL = ('mean', 'low', 'high')


def write_report(root: Path, summary: dict) -> list[Path]:
    """Write ``explanation.json``, a ``.csv`` a table, and the figures; returns the files."""
    write_json(root / 'explanation.json', _without_nan(summary))
    files = [root / 'explanation.json']
    for name in TABLES:
        if summary[name]:
            put_text(_csv(summary[name]), str(root / f'{name}.csv'))
            files.append(root / f'{name}.csv')
    for name, picture in _figures(summary):
        write_image(root / f'{name}.png', picture)
        files.append(root / f'{name}.png')
    return files


def table(summary: dict) -> str:
    """The summary's layers, occlusion and faithfulness, to be read in a terminal."""
    keypoints = summary['keypoints']
    lines = [
        f'{summary["people"]} people, {keypoints["visible"]} visible and {keypoints["occluded"]} occluded keypoints; '
        f'mean OKS of the predictions {summary["mean_oks"]:.3f}',
        '',
        f'{"layer":>6} {"quantity":20}{"visible":>10}{"occluded":>10}   occluded - visible, keypoint by keypoint',
    ]
    means = {(row['layer'], row['quantity'], row['group']): row['mean'] for row in summary['layers']}
    for row in summary['occlusion']:
        key = row['layer'], row['quantity']
        groups = ''.join(f'{means[(*key, group)]:10.3f}' for group in ('visible', 'occluded'))
        lines.append(f'{key[0]:>6} {key[1]:20}{groups}   {_interval(row)}')
    if summary['faithfulness']:
        lines += ['', *_faithfulness_lines(summary['faithfulness'])]
    return '\n'.join(lines)


def _faithfulness_lines(rows: Sequence[dict], measures: Sequence[str] = ('deletion', 'insertion', 'road')) -> list[str]:
    cells = {(row['method'], row['measure']): _interval(row) for row in rows}
    heads = [f'{name} ({"higher" if MEASURES[name] else "lower"} is better)' for name in measures]
    lines = [f'{"":22}' + ''.join(f'{head:32}' for head in heads)]
    for method in dict.fromkeys(row['method'] for row in rows):
        lines.append(f'{method:22}' + ''.join(f'{cells[method, name]:32}' for name in measures))
    return lines


def _interval(row: dict) -> str:
    return f'{row["mean"]:.3f} [{row["low"]:.3f}, {row["high"]:.3f}]'


def _csv(rows: Sequence[dict]) -> str:
    text = io.StringIO()
    writer = csv.DictWriter(text, list(rows[0]), lineterminator='\n')
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


def _without_nan(value: object) -> object:
    """For JSON, which has no NaN: None."""
    if isinstance(value, dict):
        return {key: _without_nan(inner) for key, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [_without_nan(inner) for inner in value]
    return None if isinstance(value, float) and not np.isfinite(value) else value


def _figures(summary: dict):
    people = f'{summary["people"]} people'
    yield 'dependency', _matrix_figure(summary, people)
    title = f'Attention by layer, {people}'
    yield 'layers', layer_profile_figure(_profile(summary, 'entropy'), _profile(summary, 'reach'), title)
    if summary['faithfulness']:
        tested = f'{max(row["n"] for row in summary["faithfulness"]):.0f} people'
        yield 'faithfulness', faithfulness_figure(_marked(summary['faithfulness']), f'Faithfulness, {tested}')
        blocks = list(dict.fromkeys(row['block'] for row in summary['randomization']))
        methods = dict.fromkeys(row['method'] for row in summary['randomization'])
        lines = {method: _lines(summary['randomization'], method=method) for method in methods}
        yield 'randomization', randomization_figure(blocks, lines, f'Weights drawn anew from the head down, {tested}')


def _matrix_figure(summary: dict, people: str) -> np.ndarray:
    names = summary['names']
    means = {}
    for group in ('all', 'visible', 'occluded'):
        rows = [row['mean'] for row in summary['dependency'] if row['group'] == group]
        means[group] = np.array(rows).reshape(-1, len(names), len(names))
    title = f'Share of attention in the disc of each body part, {people}'
    if not summary['keypoints']['occluded']:
        return dependency_matrix_figure(means['all'], names, names, title)
    return dependency_matrix_figure(means['visible'], names, names, title, means['occluded'])


def _profile(summary: dict, quantity: str) -> dict[str, np.ndarray]:
    groups = [group for group in ('visible', 'occluded') if summary['keypoints'][group]] or ['all']
    return {group: _lines(summary['layers'], quantity=quantity, group=group) for group in groups}


def _lines(rows: Sequence[dict], **chosen: str) -> np.ndarray:
    """(rows that match, 3): mean, low and high."""
    matching = [row for row in rows if all(row[key] == value for key, value in chosen.items())]
    return np.array([[row[name] for name in INTERVAL] for row in matching])


def _marked(rows: Sequence[dict]) -> list[dict]:
    """What the figure needs to know of each row besides."""
    return [row | dict(control=row['method'] in CONTROLS, higher_is_better=MEASURES[row['measure']]) for row in rows]
