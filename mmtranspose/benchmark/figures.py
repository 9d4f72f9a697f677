"""Figures of a benchmark: the machine, medians with their quartiles, ratios, and the table of all of them."""

from __future__ import annotations

import os
import platform
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch

from mmtranspose.benchmark.added_time import resume_lines
from mmtranspose.files.text_tables import table_lines


def describe_machine(device: str, threads: int | None = None) -> dict[str, str | int | None]:
    """Processor, cores, threads of PyTorch, versions, and the GPU if that is the device.

    Args:
        device (str): ``'cpu'``, ``'cuda:0'``, ...
        threads (int | None): The number that was asked for; None: PyTorch's choice.
    """
    machine: dict[str, str | int | None] = dict(
        cpu=_processor(),
        cores=os.cpu_count(),
        threads=threads or torch.get_num_threads(),
        torch=torch.__version__,
        python=platform.python_version(),
    )
    if torch.device(device).type == 'cuda':
        machine.update(gpu=torch.cuda.get_device_name(device), cuda=torch.version.cuda)
    return machine


def _processor() -> str:
    info = Path('/proc/cpuinfo')
    lines = info.read_text(encoding='utf-8').splitlines() if info.is_file() else []
    names = [line.partition(':')[2].strip() for line in lines if line.startswith('model name')]
    return names[0] if names else platform.processor() or platform.machine()


class Spread(NamedTuple):
    """Median, first and third quartile, least and greatest of some measurements."""

    median: float
    quartile_1: float
    quartile_3: float
    least: float
    greatest: float


class Ratio(NamedTuple):
    """Ratio of two series that were measured in the same rounds: of their medians, and quartiles round by round."""

    of_medians: float
    quartile_1: float
    quartile_3: float


def spread(values: Sequence[float]) -> Spread:
    """Median, quartiles (linear between neighbours) and range of at least one value."""
    low, quartile_1, median, quartile_3, high = np.quantile(values, [0, 0.25, 0.5, 0.75, 1]).tolist()
    return Spread(median, quartile_1, quartile_3, low, high)


def ratio(numerator: Sequence[float], denominator: Sequence[float]) -> Ratio:
    """Ratio of two series of equal length, whose entries i were measured in round i."""
    rounds = np.asarray(numerator, float) / np.asarray(denominator, float)
    quartiles = np.quantile(rounds, [0.25, 0.75]).tolist()
    return Ratio(float(np.median(numerator) / np.median(denominator)), *quartiles)


def benchmark_lines(result: dict[str, Any]) -> list[str]:
    """The table of a result of :func:`run_benchmark`, then the machine and its fastest matrix products."""
    if result['mode'] == 'resume':
        return [*resume_lines(result['rows']), '', _machine_line(result)]
    head = ['candidate', 'batch', 'median ms', '(quartiles)', f'{result["unit"]}/s', 'speed-up', '(quartiles)']
    head += ['peak MiB', 'ratio', 'difference']
    if result['mode'] == 'forward':
        head += ['GFLOP', 'GFLOP/s', 'of matmul']
    peaks = [f'{dtype} {peak / 1e9:.0f}' for dtype, peak in result.get('matmul_flops', {}).items()]
    matmul = [f'fastest matrix product, GFLOP/s: {", ".join(peaks)}'] if peaks else []
    return [*table_lines([head, *map(_cells, result['rows'])]), '', _machine_line(result), *matmul]


def _machine_line(result: dict[str, Any]) -> str:
    return f'machine: {", ".join(f"{name} {value}" for name, value in result["machine"].items())}'


def _cells(row: dict[str, Any]) -> list[str]:
    seconds, speedup = row['seconds'], row['speedup']
    differences = [f'{name} {value:.1g}' for name, value in row['differences'].items()]
    cells = [
        row['candidate'],
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
        share = row['matmul_share']
        cells += [f'{row["flop"] / 1e9:.2f}', f'{row["flops"] / 1e9:.1f}', '-' if share is None else f'{share:.1%}']
    return cells
