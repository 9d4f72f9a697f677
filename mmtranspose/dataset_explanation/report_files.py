"""Write the summary as tables, figures and JSON, and as text for a terminal."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType

import numpy as np

from mmtranspose.dataset_explanation.measures import MEASURES
from mmtranspose.dataset_explanation.share_sums import GROUPS, Dependency, shown_groups
from mmtranspose.files.json_files import write_json
from mmtranspose.files.output_paths import partial_file
from mmtranspose.files.text_tables import counted, interval_text, table_lines
from mmtranspose.files.written_files import WrittenFiles
from mmtranspose.media import write_image
from mmtranspose.visualization import (
    dependency_matrix_figure,
    faithfulness_figure,
    layer_profile_figure,
    randomization_figure,
)

TABLES = ('layers', 'groups', 'occlusion', 'faithfulness', 'randomization', 'best')
PIXELS = ('deletion', 'insertion', 'road', 'deletion drift', 'deletion oks', 'insertion drift', 'insertion oks')
INSIDE = ('share of tokens', 'share of edges', 'token ablation', 'edge knockout', 'rank of tokens', 'rank of edges')
# Figure: the measures of its panels
PANELS = {
    'faithfulness': PIXELS,
    'interventions': INSIDE,
    'maps': ('pointing game', 'energy in disc', 'max sensitivity', 'sparseness'),
}
CONTROLS = ('gaussian', 'random')
FEW = 5  # people, below which an interval says little of others
INTERVAL = ('mean', 'low', 'high')
SUMMARY, PAGE = 'explanation.json', 'report.html'


def written_files(root: Path) -> WrittenFiles:
    """The files that runs wrote in a folder, noted beside the measurements.

    Raises:
        InputError: The note is damaged.
    """
    return WrittenFiles(root, root / 'parts' / 'written.json')


def write_report(files: WrittenFiles, summary: dict, dependency: Dependency) -> list[Path]:
    """Write a ``.csv`` file for each table, and the figures, each whole or not at all.

    All files of earlier runs are removed before, so that files of two runs never stand beside each other:
    ``explanation.json`` first, which is written last (:func:`write_summary`), so that the files beside it are whole and
    of the same run; and ``report.html`` before the pages that it links to. Other files are left alone.

    Args:
        files (WrittenFiles): From :func:`written_files`.
        summary (dict): From :func:`summarise`.
        dependency (Dependency): The same; its table is too long for ``explanation.json``.

    Returns:
        list[Path]: The figures.
    """
    files.remove(first=(SUMMARY, PAGE))
    _write_csv(files.path('dependency.csv'), dependency.rows())
    for name in TABLES:
        if summary[name]:
            _write_csv(files.path(f'{name}.csv'), summary[name])
    figures = []
    for name, image in _figures(summary, dependency):
        figures.append(files.path(f'{name}.png'))
        write_image(figures[-1], image)
    return figures


def write_summary(files: WrittenFiles, summary: dict) -> None:
    """Write ``explanation.json``, once all other files are there."""
    write_json(files.path(SUMMARY), {key: _without_nan(value) for key, value in summary.items()})


def summary_text(summary: dict) -> str:
    """Give the summary's layers, occlusion and faithfulness as tables to be read in a terminal."""
    keypoints = summary['keypoints']
    lines = [
        f'{counted(summary["people"], "person")}, {keypoints["visible"]} visible and {keypoints["occluded"]} occluded '
        f'keypoints; mean keypoint OKS {summary["mean_keypoint_oks"]:.3f}',
        *_about_intervals(summary['people']),
        '',
    ]
    rows = [('layer', 'quantity', 'visible', 'occluded', 'occluded - visible, keypoint by keypoint')]
    means = {(row['layer'], row['quantity'], row['group']): row['mean'] for row in summary['layers']}
    for row in summary['occlusion']:
        layer, quantity = row['layer'], row['quantity']
        visible, occluded = (_number(means[layer, quantity, group]) for group in ('visible', 'occluded'))
        rows.append((layer, quantity, visible, occluded, interval_text(row)))
    lines += table_lines(rows, '><>><')
    if summary['faithfulness']:
        tested = tested_people(summary)
        about = [] if tested == summary['people'] else _about_intervals(tested)
        lines += ['', *(f'faithfulness: {one}' for one in about)]
        lines += _faithfulness_lines(summary['faithfulness'], PIXELS[:3])
        best = {row['measure']: interval_text(row) for row in summary['best']}
        lines += ['', *_faithfulness_lines(summary['faithfulness'], INSIDE[:4], best)]
    elif summary['settings']['faithfulness_samples']:
        threshold = summary['settings']['score_thr']
        lines += ['', f'faithfulness was not tested: no labelled keypoint has a score of {threshold:g} (--kpt-thr)']
    return '\n'.join(lines)


def tested_people(summary: dict) -> int:
    """The number of people whose explanations were tested for faithfulness."""
    return max((int(row['n']) for row in summary['faithfulness']), default=0)


def _about_intervals(people: int) -> list[str]:
    """What to know of the intervals of so many people: a line, or none where they are many."""
    if people == 1:
        return ['one person: no intervals']
    return [f'the intervals of {people} people are rough'] if people < FEW else []


def _number(value: float) -> str:
    return f'{value:.3f}' if np.isfinite(value) else '-'


def _faithfulness_lines(
    rows: Sequence[dict], measures: Sequence[str], best: Mapping[str, str] = MappingProxyType({})
) -> list[str]:
    cells = {(row['method'], row['measure']): interval_text(row) for row in rows}
    heads = [f'{name} ({"higher" if MEASURES[name] else "lower"} is better)' for name in measures]
    methods = dict.fromkeys(row['method'] for row in rows)
    lines = [[method, *(cells[method, name] for name in measures)] for method in methods]
    lines += [['best possible', *(best.get(name, '') for name in measures)]] if best else []
    return table_lines([['', *heads], *lines], '<')


def _write_csv(path: Path, rows: Iterable[dict]) -> None:
    rows = iter(rows)
    first = next(rows)
    with partial_file(path) as partial, open(partial, 'w', encoding='utf-8', newline='') as file:
        writer = csv.DictWriter(file, list(first), lineterminator='\n')
        writer.writeheader()
        writer.writerow(first)
        writer.writerows(rows)


def _without_nan(value: object) -> object:
    """The value with None for NaN and infinity, which JSON does not have."""
    if isinstance(value, dict):
        return {key: _without_nan(inner) for key, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [_without_nan(inner) for inner in value]
    return None if isinstance(value, float) and not np.isfinite(value) else value


def _figures(summary: dict, dependency: Dependency) -> Iterator[tuple[str, np.ndarray]]:
    """Names and images (h, w, 3), BGR."""
    people = counted(summary['people'], 'person')
    yield 'dependency', _matrix_figure(summary, dependency, people)
    title = f'Attention by layer, {people}'
    yield 'layers', layer_profile_figure(_profile(summary, 'entropy'), _profile(summary, 'reach'), title)
    if summary['faithfulness']:
        tested = counted(tested_people(summary), 'person')
        rows = _marked(summary['faithfulness'])
        for name, measures in PANELS.items():
            members = [row for row in rows if row['measure'] in measures]
            yield name, faithfulness_figure(members, f'{name.capitalize()}, {tested}')
        blocks = list(dict.fromkeys(row['block'] for row in summary['randomization']))
        methods = dict.fromkeys(row['method'] for row in summary['randomization'])
        lines = {method: _lines(summary['randomization'], method=method) for method in methods}
        yield 'randomization', randomization_figure(blocks, lines, f'Weights drawn anew from the head down, {tested}')


def _matrix_figure(summary: dict, dependency: Dependency, people: str) -> np.ndarray:
    names, means = summary['names'], {group: found.mean for group, found in dependency.intervals.items()}
    title = f'Share of attention in the disc of each body part, {people}'
    groups = shown_groups(names)
    if groups:
        names = [f'{name} ({len(numbers)})' for name, numbers in groups.items()]
        shape = (-1, len(groups), len(groups))
        means = {
            group: np.array([row['mean'] for row in summary['groups'] if row['group'] == group]).reshape(shape)
            for group in GROUPS
        }
        title = f'Share of attention in the discs of each group of keypoints, {people}'
    if not summary['keypoints']['occluded']:
        return dependency_matrix_figure(means['all'], names, names, title)
    return dependency_matrix_figure(means['visible'], names, names, title, means['occluded'])


def _profile(summary: dict, quantity: str) -> dict[str, np.ndarray]:
    groups = [group for group in ('visible', 'occluded') if summary['keypoints'][group]] or ['all']
    return {group: _lines(summary['layers'], quantity=quantity, group=group) for group in groups}


def _lines(rows: Sequence[dict], **chosen: str) -> np.ndarray:
    """Mean, low and high of the rows that match, (rows, 3)."""
    matching = [row for row in rows if all(row[key] == value for key, value in chosen.items())]
    return np.array([[row[name] for name in INTERVAL] for row in matching])


def _marked(rows: Sequence[dict]) -> list[dict]:
    """The rows, with two more fields that the figure needs: ``control`` and ``higher_is_better``."""
    return [row | dict(control=row['method'] in CONTROLS, higher_is_better=MEASURES[row['measure']]) for row in rows]
