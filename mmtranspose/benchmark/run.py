"""The modes of the benchmark, and the figures that are made of their measurements."""

from __future__ import annotations

import math
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, NamedTuple

from mmtranspose.benchmark.benchmark_settings import BenchmarkSettings
from mmtranspose.benchmark.candidate import Candidate
from mmtranspose.benchmark.figures import describe_machine, ratio, spread
from mmtranspose.benchmark.image_set import image_files
from mmtranspose.benchmark.matmul_peak import matmul_peak
from mmtranspose.benchmark.measurement import Measurement, measure
from mmtranspose.benchmark.modes.decode import decode_candidates
from mmtranspose.benchmark.modes.encoder import encoder_candidates
from mmtranspose.benchmark.modes.end_to_end import end_to_end_candidates
from mmtranspose.benchmark.modes.evaluation import evaluating_candidates, loading_candidates
from mmtranspose.benchmark.modes.explanation import explanation_candidates
from mmtranspose.benchmark.modes.exported import exported_candidates
from mmtranspose.benchmark.modes.forward import forward_candidates
from mmtranspose.benchmark.modes.interventions import edge_knockout_candidates, token_ablation_candidates
from mmtranspose.benchmark.modes.resume import CHECKPOINT, STEP, WORKS, resume_candidates
from mmtranspose.benchmark.modes.train_step import train_step_candidates
from mmtranspose.benchmark.modes.workers import workers_candidates
from mmtranspose.benchmark.multiply_accumulates import count
from mmtranspose.crops.boxes import load_bboxes
from mmtranspose.errors import require_at_least
from mmtranspose.loading.config import load_config


class Mode(NamedTuple):
    """A mode of the benchmark.

    Args:
        candidates: From settings, a batch size and a folder for temporary files to the candidates, the baseline first.
            Config, checkpoint and device are checked here, before any process starts.
        unit: What a call handles ``batch_size`` of.
        peak_processes: On a CPU, see :func:`measure`. It is more than 0 where the peaks are close to each other, since
            resident sizes vary by run.
        works: What a call does one after another, each compared by itself: names of parts that the tasks measure. Parts
            whose names begin with that of a work belong to it. Empty: whole calls are compared.
    """

    candidates: Callable[[BenchmarkSettings, int, Path], list[Candidate]]
    unit: str
    peak_processes: int = 0
    works: tuple[str, ...] = ()


MODES = {
    'forward': Mode(forward_candidates, 'images'),
    'train-step': Mode(train_step_candidates, 'images'),
    'encoder': Mode(encoder_candidates, 'images'),
    'explanation': Mode(explanation_candidates, 'images', peak_processes=3),
    'token-ablation': Mode(token_ablation_candidates, 'images'),
    'edge-knockout': Mode(edge_knockout_candidates, 'images'),
    'exported': Mode(exported_candidates, 'people'),
    'decode': Mode(decode_candidates, 'people'),
    'end-to-end': Mode(end_to_end_candidates, 'people'),
    'workers': Mode(workers_candidates, 'images'),
    'loading': Mode(loading_candidates, 'people'),
    'evaluating': Mode(evaluating_candidates, 'people'),
    'resume': Mode(resume_candidates, 'images', works=WORKS),
}


def run_benchmark(mode: str, settings: BenchmarkSettings, batch_sizes: Sequence[int]) -> dict[str, Any]:
    """Measure the baseline and our candidates side by side, each in a process of its own.

    Args:
        mode (str): A key of ``MODES``.
        settings (BenchmarkSettings): What is measured, and how.
        batch_sizes (Sequence[int]): One comparison for each.

    Returns:
        dict: ``mode``, ``unit`` (``'images'`` or ``'people'``), ``settings``, ``machine``, ``matmul_flops`` (peak by
        dtype in FLOP/s; in ``forward`` only) and ``rows``, one for each batch size and candidate. A row has

        - ``candidate`` (its name) and ``batch_size``,
        - ``seconds`` (median, quartiles, least and greatest time of a call) and ``first_seconds``,
        - ``per_second``: images or people,
        - ``speedup``: baseline / candidate (ratio of the medians, quartiles of the rounds' ratios),
        - ``peak_mib``, and ``memory_ratio``: candidate / baseline,
        - ``differences`` of the outputs from the first candidate that has them, the baseline for most,
        - in ``forward`` also ``flop`` (of a call), ``flops`` (achieved, FLOP/s) and ``matmul_share``,
        - in ``resume`` also ``work`` (``'step'``, ``'checkpoint'``, ``'reading'``; ``per_second`` counts checkpoints in
          the last two), ``parts`` (what ours adds to it, by name, in seconds), and with ``epoch_samples``
          ``training_share`` of our checkpoints: the time that they take beyond mmengine's / the time of all steps.

    Raises:
        InputError: A batch size is below 1; config, checkpoint, device, images or boxes cannot be used; or memory ran
            out.
        RuntimeError: Outputs differ, or a candidate failed.
    """
    for batch in batch_sizes:
        require_at_least('--batch-size', batch, 1)
    with tempfile.TemporaryDirectory(prefix='mmtranspose-benchmark-') as folder:
        rows = [row for batch in batch_sizes for row in _compare(mode, settings, batch, Path(folder))]
        machine = describe_machine(settings.device, settings.threads)
        result = dict(mode=mode, unit=MODES[mode].unit, settings=asdict(settings), machine=machine, rows=rows)
        if mode == 'forward':
            result['matmul_flops'] = _add_flops(settings, rows)
        if mode == 'resume' and settings.epoch_samples is not None:
            _add_training_share(settings, settings.epoch_samples, rows)
    return result


def _compare(mode: str, settings: BenchmarkSettings, batch: int, folder: Path) -> list[dict[str, Any]]:
    build, _, peak_processes, works = MODES[mode]
    found = measure(
        build(settings, batch, folder),
        settings.repeats,
        settings.warmup,
        settings.threads,
        f'{mode}, batch {batch}',
        peak_processes if settings.device == 'cpu' else 0,
    )
    done = _done(mode, settings, batch, folder)
    return _work_rows(found, works, batch, done) if works else _rows(found, batch, done)


def _done(mode: str, settings: BenchmarkSettings, batch: int, folder: Path) -> int:
    """Images or people that a call handles."""
    if mode not in ('end-to-end', 'workers'):
        return batch
    files = image_files(settings, folder)
    return len(files) if mode == 'workers' else sum(len(load_bboxes(boxes)) for _, boxes in files)


def _work_rows(found: dict[str, Measurement], works: Sequence[str], batch: int, done: int) -> list[dict[str, Any]]:
    """Rows of each of the works that a call consists of, with what is added to that work as ``parts``."""
    rows = []
    for work in works:
        only = {name: replace(one, seconds=one.parts[work]) for name, one in found.items()}
        for row in _rows(only, batch, done if work == works[0] else 1):
            parts = found[row['candidate']].parts
            added = [part for part in parts if part.startswith(work) and part not in works]
            rows.append(dict(row, work=work, parts={part: spread(parts[part])._asdict() for part in added}))
    return rows


def _rows(found: dict[str, Measurement], batch: int, done: int) -> list[dict[str, Any]]:
    baseline = found['baseline']
    return [dict(candidate=name, batch_size=batch, **figures(one, baseline, done)) for name, one in found.items()]


def figures(measured: Measurement, baseline: Measurement, done: int) -> dict[str, Any]:
    """The figures of one candidate, as in a row of :func:`run_benchmark`'s result.

    Args:
        measured (Measurement): The candidate's measurement.
        baseline (Measurement): The baseline's, from the same rounds.
        done (int): Images or people that a call handles.
    """
    seconds = spread(measured.seconds)
    return dict(
        seconds=seconds._asdict(),
        first_seconds=measured.first_seconds,
        per_second=done / seconds.median,
        speedup=ratio(baseline.seconds, measured.seconds)._asdict(),
        peak_mib=measured.peak_mib,
        memory_ratio=measured.peak_mib / baseline.peak_mib if baseline.peak_mib else None,
        differences=measured.differences,
    )


def _add_flops(settings: BenchmarkSettings, rows: list[dict[str, Any]]) -> dict[str, float]:
    """Add the network's arithmetic, which is the same for every candidate, to the rows; returns the peaks by dtype."""
    flop = 2 * count(settings.config).total
    dtypes = {'baseline': 'fp32', 'onnxruntime': 'fp32'} | {name: dtype for name, dtype, _ in settings.variants()}
    dtypes |= {f'openvino {name}': dtype for name, dtype in settings.formats()}
    precisions = {name: settings.precision(dtype) for name, dtype in dtypes.items()}  # none of whole numbers
    peaks = {one: matmul_peak(one, settings.device, settings.threads) for one in sorted(set(precisions.values()))}
    for row in rows:
        row['flop'] = flop * row['batch_size']
        row['flops'] = row['flop'] / row['seconds']['median']
        peak = peaks.get(precisions.get(row['candidate'], ''))
        row['matmul_share'] = None if peak is None else row['flops'] / peak
    return peaks


def _add_training_share(settings: BenchmarkSettings, samples: int, rows: list[dict[str, Any]]) -> None:
    """Add to our checkpoints their share of a training that writes them at the config's interval."""
    hook = load_config(settings.config).default_hooks.checkpoint
    medians = {(row['batch_size'], row['candidate'], row['work']): row['seconds']['median'] for row in rows}
    for row in rows:
        if row['work'] == CHECKPOINT and row['candidate'] != 'baseline':
            batch = row['batch_size']
            steps = hook.interval * (math.ceil(samples / batch) if hook.get('by_epoch', True) else 1)
            beyond = row['seconds']['median'] - medians[batch, 'baseline', CHECKPOINT]
            row['training_share'] = beyond / (steps * medians[batch, 'baseline', STEP])
