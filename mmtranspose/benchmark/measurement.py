"""Several ways to do the same work, side by side in one run."""

from __future__ import annotations

import statistics
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace

import numpy as np
from tqdm import tqdm

from mmtranspose.benchmark.candidate import Way
from mmtranspose.benchmark.worker import Worker


@dataclass
class Measurement:
    """What was found out about one way.

    Attributes:
        first_seconds: Time of its first call, with what is compiled and cached then; counted nowhere else.
        seconds: Of each counted round.
        peak_mib: Growth of its process's peak memory since before the first call.
        differences: By output, from the first way that has it (see :class:`Tolerance`).
    """

    first_seconds: float
    differences: dict[str, float]
    seconds: list[float] = field(default_factory=list)
    peak_mib: float = float('nan')


def measure(
    ways: Sequence[Way], repeats: int, warmup: int = 1, threads: int | None = None, title: str = ''
) -> dict[str, Measurement]:
    """Build every way in a process of its own, compare what they compute, then time them in turn.

    A bar on stderr shows how far it is.

    Args:
        ways (Sequence[Way]): The first is what the others are compared with.
        repeats (int): Rounds (A B C A B C ...) that count.
        warmup (int): Rounds before them that do not, after each way's first call.
        threads (int | None): See :class:`Worker`.
        title (str): Before the bar.

    Returns:
        dict[str, Measurement]: By the ways' names, in their order.

    Raises:
        InputError: A way cannot use what was given, or memory ran out.
        RuntimeError: Outputs disagree, before anything is timed; or a way failed.
    """
    found: dict[str, Measurement] = {}
    workers: dict[str, Worker] = {}
    references: dict[str, np.ndarray] = {}
    steps = len(ways) * (1 + warmup + repeats)
    with ExitStack() as stack, tqdm(total=steps, unit='call', mininterval=0.5) as bar:
        for way in ways:
            bar.set_description(f'{title} building {way.name}'.strip())
            workers[way.name] = worker = stack.enter_context(Worker(way, threads))
            found[way.name] = Measurement(worker.first_seconds, compare(way, worker.outputs, references))
            bar.update()
        bar.set_description(title)
        for number, name, seconds in interleaved(workers, warmup + repeats):
            if number >= warmup:
                found[name].seconds.append(seconds)
            bar.update()
        for name, worker in workers.items():
            found[name].peak_mib = worker.peak_mib()
    return found


def interleaved(workers: Mapping[str, Worker], rounds: int) -> Iterator[tuple[int, str, float]]:
    """Run the workers in turn: (round from 0, name, seconds)."""
    for number in range(rounds):
        for name, worker in workers.items():
            yield number, name, worker.run()


def compare(way: Way, outputs: dict[str, np.ndarray], references: dict[str, np.ndarray]) -> dict[str, float]:
    """Compare a way's outputs with those of the first way that has them; outputs seen first join ``references``.

    Raises:
        RuntimeError: One lies further away than the way's tolerance for it, or holds a NaN.
    """
    differences = {}
    for name, values in outputs.items():
        if name not in references:
            references[name] = values
            if not np.isfinite(values).all():
                raise RuntimeError(f'{way.name}: {name} is not finite: nothing was timed')
            continue
        tolerance = way.tolerances[name]
        differences[name] = tolerance.difference(references[name], values)
        if not differences[name] <= tolerance.limit:
            raise RuntimeError(
                f'{way.name}: {name} differs from that of the first way by {differences[name]:.3g}; '
                f'{tolerance.limit:g} is allowed: nothing was timed'
            )
    return differences


def peak_memory(way: Way, processes: int) -> float:
    """Median growth of the peak, in MiB, of several fresh processes that go the way once with memory as PyTorch has it.

    (Peaks of equal runs differ: the allocator's layout does.)
    """
    peaks = []
    for _ in range(processes):
        with Worker(replace(way, keep_memory=False)) as worker:
            peaks.append(worker.peak_mib())
    return statistics.median(peaks)
