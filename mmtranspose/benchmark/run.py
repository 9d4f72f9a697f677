"""The sub-modes of the benchmark, and what is made of their measurements."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path

from mmtranspose.benchmark.arithmetic import count, matmul_peak
from mmtranspose.benchmark.figures import describe_machine, ratio, spread
from mmtranspose.benchmark.image_set import image_files
from mmtranspose.benchmark.measurement import Measurement, measure
from mmtranspose.benchmark.modes.decode import decode_ways
from mmtranspose.benchmark.modes.end_to_end import end_to_end_ways
from mmtranspose.benchmark.modes.evaluation import evaluating_ways, loading_ways
from mmtranspose.benchmark.modes.forward import forward_ways
from mmtranspose.benchmark.modes.train_step import train_step_ways
from mmtranspose.benchmark.settings import Settings, require_at_least
from mmtranspose.crops.boxes import load_bboxes

MODES = {
    'forward': forward_ways,
    'train-step': train_step_ways,
    'decode': decode_ways,
    'end-to-end': end_to_end_ways,
    'loading': loading_ways,
    'evaluating': evaluating_ways,
}


def run_benchmark(mode: str, settings: Settings, batch_sizes: Sequence[int]) -> dict:
    """Measure what people use today and our ways side by side, each in a process of its own.

    Args:
        mode (str): A key of ``MODES``.
        settings (Settings): What, and how; ``folder`` is not looked at.
        batch_sizes (Sequence[int]): One comparison for each.

    Returns:
        dict: ``mode``, ``settings``, ``machine``, ``matmul_flops`` (peak by dtype, FLOP/s; ``forward`` alone) and
        ``rows``, one for each batch size and way: ``way``, ``batch_size``, ``seconds`` (median, quartiles, range of a
        call), ``first_seconds``, ``per_second`` (images or people), ``speedup`` (baseline / way: ratio of medians,
        quartiles of the rounds' ratios), ``peak_mib``, ``memory_ratio`` (way / baseline), ``differences`` of outputs
        from the baseline's; and in ``forward``: ``flop`` (of a call), ``flops`` (achieved), ``matmul_share``.

    Raises:
        InputError: A batch size is below 1; config, checkpoint, device, images or boxes cannot be used; memory ran
            out.
        RuntimeError: Outputs disagree, or a way failed.
    """
    for batch in batch_sizes:
        require_at_least('--batch-size', batch, 1)
    with tempfile.TemporaryDirectory(prefix='mmtranspose-benchmark-') as folder:
        settings = replace(settings, folder=Path(folder))
        rows = [row for batch in batch_sizes for row in _compare(mode, settings, batch)]
        shown = {name: value for name, value in asdict(settings).items() if name != 'folder'}
        machine = describe_machine(settings.device, settings.threads)
        result = dict(mode=mode, settings=shown, machine=machine, rows=rows)
        if mode == 'forward':
            result['matmul_flops'] = _add_flops(settings, rows)
    return result


def _compare(mode: str, settings: Settings, batch: int) -> list[dict]:
    ways = MODES[mode](settings, batch)
    found = measure(ways, settings.repeats, settings.warmup, settings.threads, f'{mode}, batch {batch}')
    done = batch if mode != 'end-to-end' else sum(len(load_bboxes(boxes)) for _, boxes in image_files(settings))
    return [dict(way=name, batch_size=batch, **figures(one, found['baseline'], done)) for name, one in found.items()]


def figures(way: Measurement, baseline: Measurement, done: int) -> dict:
    """A row of the result (see :func:`run_benchmark`) from a way's and the baseline's measurements.

    Args:
        way (Measurement): The way's.
        baseline (Measurement): The baseline's, from the same rounds.
        done (int): Images or people of a call.
    """
    seconds = spread(way.seconds)
    return dict(
        seconds=seconds._asdict(),
        first_seconds=way.first_seconds,
        per_second=done / seconds.median,
        speedup=ratio(baseline.seconds, way.seconds)._asdict(),
        peak_mib=way.peak_mib,
        memory_ratio=way.peak_mib / baseline.peak_mib if baseline.peak_mib else None,
        differences=way.differences,
    )


def _add_flops(settings: Settings, rows: list[dict]) -> dict[str, float]:
    """Put the arithmetic of the plain network, done by every way, beside the times; the matmul peaks by dtype."""
    flop = 2 * count(settings.config).total
    dtypes = {'baseline': 'fp32'} | {name: dtype for name, dtype, _ in settings.variants()}
    precisions = {name: settings.precision(dtype) for name, dtype in dtypes.items()}
    peaks = {one: matmul_peak(one, settings.device, settings.threads) for one in sorted(set(precisions.values()))}
    for row in rows:
        row['flop'] = flop * row['batch_size']
        row['flops'] = row['flop'] / row['seconds']['median']
        row['matmul_share'] = row['flops'] / peaks[precisions[row['way']]]
    return peaks
