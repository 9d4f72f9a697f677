"""The model zoo as its metafiles tell it, and the tables of the pages that say the same."""

from __future__ import annotations

import re
from pathlib import Path

from all_configs import unchanged as config
from conftest import ROOT
from mmengine.fileio import load

METAFILES = sorted(ROOT.glob('configs/**/*.yml'))
METADATA = {metafile: load(str(metafile)) for metafile in METAFILES}
MODELS = {model['Name']: model for content in METADATA.values() for model in content['Models']}
RELEASED = {name: model for name, model in MODELS.items() if '://' in model.get('Weights', '')}  # by the authors
SHIPPED = {name: model for name, model in MODELS.items() if 'Weights' in model and name not in RELEASED}  # by us

COLUMNS = {'AP50': 'AP@0.5', 'AP75': 'AP@0.75', 'AP(M)': 'AP (M)', 'AP(L)': 'AP (L)'}
METRICS = ('AP', 'AP@0.5', 'AP@0.75', 'AP (M)', 'AP (L)', 'AR', 'PCK@0.2 (torso)')
SOURCES = ('reported by the authors', 'measured here')


def input_size(name: str) -> tuple[int, int]:
    """(w, h) of the network's input."""
    steps = config(name).val_dataloader.dataset.pipeline
    return next(tuple(step.input_size) for step in steps if 'input_size' in step)


def read_tables(path: Path) -> list[tuple[str, dict[str, str]]]:
    """The rows of a page's tables: (the heading above, column to cell)."""
    heading, columns, rows = '', None, []
    for line in path.read_text(encoding='utf-8').splitlines():
        if line.startswith('#'):
            heading = line.lstrip('# ')
        if not line.startswith('|'):
            columns = None
            continue
        cells = [cell.strip() for cell in line.strip('| ').split('|')] if columns else line[1:-1].split('|')
        if columns is None:
            columns = [column_name(cell) for cell in cells]
        elif set(line) - set('|-: '):
            rows.append((heading, dict(zip(columns, cells))))
    return rows


def column_name(cell: str) -> str:
    name = re.sub(r'</?sup>', '', cell.strip())
    return COLUMNS.get(name.replace(' ', ''), name)


def metrics_of(row: dict[str, str]) -> dict[str, float]:
    return {name: float(row[name]) for name in METRICS if name in row}


def results_of(model: dict) -> dict[str, dict[str, float]]:
    return {result['Dataset']: result['Metrics'] for result in model.get('Results', [])}
