"""Measure what the documentation claims, on the machine at hand, and write it as one page of Markdown tables."""

from __future__ import annotations

import datetime
import shlex
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

from mmtranspose.benchmark.benchmark_settings import BenchmarkSettings
from mmtranspose.benchmark.figures import describe_machine
from mmtranspose.benchmark.run import run_benchmark
from mmtranspose.errors import InputError
from mmtranspose.files.output_paths import partial_file
from mmtranspose.typing import PathLike
from mmtranspose.version import __version__

MINUTES = 20
CHECKOUT = Path(__file__).resolve().parents[2]  # where this is one
GPU_TESTS = 'tests/test_acceleration/test_graphs.py'  # of a checkout; they skip without a GPU


@dataclass(frozen=True)
class Run:
    """One call of the benchmark: its mode, batch sizes and the settings that are not the defaults."""

    config: str
    mode: str
    batch_sizes: tuple[int, ...]
    settings: dict[str, Any] = field(default_factory=dict)

    def command(self, device: str) -> str:
        """The command line that does the same."""
        words = ['mmtranspose', 'benchmark', self.config, self.mode, '--batch-size', *map(str, self.batch_sizes)]
        for name, value in self.settings.items():
            option = {'dtypes': '--dtype'}.get(name, f'--{name.replace("_", "-")}')
            values = [] if value is True else map(str, value) if isinstance(value, tuple) else [str(value)]
            words += [option, *values]
        return shlex.join([*words, *(['--device', device] if device != 'cpu' else [])])


ALL = ('torch', 'openvino', 'onnxruntime')
BOTH = ('fp32', 'bf16')
FILES = ('onnxruntime', 'openvino')
CPU_RUNS = (
    Run('transpose-r-a3', 'forward', (1, 8), dict(candidates=(*ALL, 'openvino-int8'), dtypes=BOTH, repeats=7)),
    Run(
        'transpose-r-a3',
        'forward',
        (1, 8),
        dict(candidates=(*ALL, 'openvino-int8'), dtypes=BOTH, repeats=7, baseline_keeps_memory=True),
    ),
    Run('transpose-h-a6', 'forward', (1, 4), dict(candidates=ALL, dtypes=BOTH, repeats=5, baseline_keeps_memory=True)),
    Run('transpose-r-a3', 'exported', (1,), dict(candidates=FILES, repeats=11, baseline_keeps_memory=True)),
    Run('transpose-h-s', 'exported', (1,), dict(candidates=FILES, repeats=7, baseline_keeps_memory=True)),
    Run('transpose-h-a6', 'train-step', (4,), dict(repeats=3)),
    Run('transpose-r-a3', 'decode', (64,), dict(repeats=21)),
    Run('transpose-r-a3', 'end-to-end', (64,), dict(num_images=2, dtypes=BOTH, repeats=3)),
    Run('transpose-r-a4', 'explanation', (4,), dict(repeats=5)),
    Run('transpose-r-a4', 'token-ablation', (1,), dict(repeats=3)),
    Run('transpose-r-a4', 'edge-knockout', (1,), dict(repeats=3)),
    Run('transpose-h-s', 'edge-knockout', (1,), dict(repeats=3)),
    Run('transpose-r-a3', 'loading', (64,)),
    Run('transpose-r-a3', 'evaluating', (64,)),
)
GPU_RUNS = (
    Run('transpose-r-a3', 'forward', (1, 64), dict(candidates=('torch', 'onnxruntime'), dtypes=BOTH, repeats=21)),
    Run('transpose-h-a6', 'forward', (1, 64), dict(candidates=('torch',), dtypes=BOTH, repeats=21)),
    Run('transpose-h-a6', 'train-step', (32,), dict(dtypes=BOTH, repeats=11)),
    Run('transpose-h-a6', 'encoder', (4,)),
    Run('transpose-r-a3', 'decode', (64,), dict(repeats=21)),
    Run('transpose-r-a3', 'end-to-end', (64,), dict(num_images=8, dtypes=BOTH, repeats=5)),
    Run('transpose-h-s', 'explanation', (16,), dict(repeats=9)),
)


def write_report(output: PathLike, device: str, minutes: float = MINUTES) -> list[str]:
    """Run everything and write the page; it is written anew after every run, so that a stopped report has its begin.

    Args:
        output (str | Path): The Markdown file.
        device (str): ``'cpu'``, ``'cuda:0'``, ...
        minutes (float): Runs that would begin later are left out, and named in the page.

    Returns:
        list[str]: The page's lines.
    """
    lines, end = _head(device), time.monotonic() + 60 * minutes
    if torch.device(device).type == 'cuda' and (CHECKOUT / GPU_TESTS).is_file():
        lines += _tests()
    for run in CPU_RUNS if device == 'cpu' else GPU_RUNS:
        if time.monotonic() > end:
            lines += ['', f'Not measured, because {minutes:g} min were over: `{run.command(device)}`']
        else:
            print(run.command(device), file=sys.stderr)
            lines += ['', *_section(run, device)]
        _write(output, lines)
    return lines


def _write(output: PathLike, lines: list[str]) -> None:
    data = '\n'.join([*lines, '']).encode()
    with partial_file(Path(output), data) as partial:
        partial.write_bytes(data)


def _head(device: str) -> list[str]:
    machine = ', '.join(f'{name} {value}' for name, value in describe_machine(device).items())
    today = datetime.date.today().isoformat()
    return [
        f'# Measured by `mmtranspose benchmark report` on {today}',
        '',
        f'mmtranspose {__version__}{_commit()}; {machine}.',
        '',
        'Each table is of one run: the baseline and all candidates in turn, each in a process of its own. Speed-up = '
        "median of the baseline / median of the candidate, and quartiles of the rounds' ratios. Peak = growth of the "
        "process's peak memory, as a multiple of the baseline's.",
    ]


def _commit() -> str:
    """The commit of a checkout, if this is one: an installed package may lie in a folder of another repository."""
    tracked = _git('ls-files', '--error-unmatch', Path(__file__).name)
    commit = _git('rev-parse', '--short', 'HEAD') if tracked else ''
    return f', commit {commit}' if commit else ''


def _git(*words: str) -> str:
    """What git says of the repository around this package; nothing if there is none, or no git."""
    folder = Path(__file__).resolve().parent
    try:
        found = subprocess.run(['git', *words], cwd=folder, capture_output=True, text=True, timeout=10)
    except (OSError, subprocess.TimeoutExpired):
        return ''
    return found.stdout.strip() if found.returncode == 0 else ''


def _section(run: Run, device: str) -> Iterator[str]:
    """A heading, the command, and its table, or why there is none."""
    yield f'## {run.config}, {run.mode}'
    yield ''
    yield f'`{run.command(device)}`'
    yield ''
    try:
        result = run_benchmark(run.mode, BenchmarkSettings(run.config, device=device, **run.settings), run.batch_sizes)
    except (InputError, RuntimeError) as error:
        yield f'Failed: {error}'
        return
    yield '| candidate | batch | median, ms | speed-up | peak | difference |'
    yield '|---|---|---|---|---|---|'
    for row in result['rows']:
        speedup = row['speedup']
        low, high = sorted((speedup['quartile_1'], speedup['quartile_3']))
        share = row['memory_ratio']
        cells = (
            row['candidate'],
            row['batch_size'],
            f'{1e3 * row["seconds"]["median"]:.1f}',
            f'{speedup["of_medians"]:.2f} ({low:.2f}-{high:.2f})',
            '-' if share is None else f'{share:.2f}',
            ', '.join(f'{name} {value:.1g}' for name, value in row['differences'].items()) or '-',
        )
        yield f'| {" | ".join(map(str, cells))} |'


def _tests() -> list[str]:
    """The last line of the tests that need a GPU."""
    command = [sys.executable, '-m', 'pytest', '-q', '-p', 'no:cacheprovider', GPU_TESTS]
    found = subprocess.run(command, cwd=CHECKOUT, capture_output=True, text=True)
    last = (found.stdout.strip().splitlines() or ['no output'])[-1]
    return ['', f'Tests that need a GPU (`pytest {GPU_TESTS}`): {last}']
