"""Time several candidates side by side in one run, after a comparison of their outputs."""

from __future__ import annotations

import statistics
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace

import numpy as np
from tqdm import tqdm

from mmtranspose.benchmark.candidate import Candidate
from mmtranspose.benchmark.worker import Worker

REST = 0.05  # seconds between two calls, in which threads of the one before, which look for work, fall asleep


@dataclass
class Measurement:
    """What was measured of one candidate.

    Attributes:
        first_seconds (float): Time of its first call, which compiles and fills caches; counted nowhere else.
        differences (dict[str, float]): Difference of each output from the reference (see :class:`Tolerance`).
        seconds (list[float]): Time of each round that counts.
        peak_mib (float): Growth of its process's peak memory since before the first call, in MiB.
        parts (dict[str, list[float]]): Seconds of parts of its work in the same rounds.
    """

    first_seconds: float
    differences: dict[str, float]
    seconds: list[float] = field(default_factory=list)
    peak_mib: float = float('nan')
    parts: dict[str, list[float]] = field(default_factory=dict)


def measure(
    candidates: Sequence[Candidate],
    repeats: int,
    warmup: int = 1,
    threads: int | None = None,
    title: str = '',
    peak_processes: int = 0,
) -> dict[str, Measurement]:
    """Build each candidate in a process of its own, compare their outputs, then time them in turn.

    A progress bar on stderr counts the calls.

    Args:
        candidates (Sequence[Candidate]): The first one that has an output gives the reference for it.
        repeats (int): Rounds (A B C A B C ...) that count.
        warmup (int): Rounds that do not count, after each candidate's first call and before the others.
        threads (int | None): Of each process, as in :class:`BenchmarkSettings`.
        title (str): Text before the progress bar.
        peak_processes (int): Further processes for each candidate that make one call without kept memory; the peak is
            the median of theirs. With 0 it is that of the process that was timed.

    Returns:
        dict[str, Measurement]: By the candidates' names, in their order.

    Raises:
        InputError: A candidate cannot use what was given, or memory ran out.
        RuntimeError: Outputs differ (nothing was timed then), or a candidate failed.
    """
    found: dict[str, Measurement] = {}
    workers: dict[str, Worker] = {}
    references: dict[str, np.ndarray] = {}
    with tqdm(total=len(candidates) * (1 + warmup + repeats + peak_processes), unit='call', mininterval=0.5) as bar:
        with ExitStack() as stack:
            for candidate in candidates:
                bar.set_description(f'{title} building {candidate.name}'.strip())
                workers[candidate.name] = worker = stack.enter_context(Worker(candidate, threads))
                differences = compare(candidate, worker.outputs, references)
                found[candidate.name] = Measurement(worker.first_seconds, differences)
                bar.update()
            bar.set_description(title)
            for number, name, seconds in interleaved(workers, warmup + repeats):
                if number >= warmup:
                    found[name].seconds.append(seconds)
                bar.update()
            for name, worker in workers.items():
                found[name].peak_mib = worker.peak_mib()
                found[name].parts = {part: seconds[-repeats:] for part, seconds in worker.parts().items()}
        for candidate in candidates if peak_processes else ():
            bar.set_description(f'{title} memory of {candidate.name}'.strip())
            peaks = []
            for _ in range(peak_processes):
                peaks.append(peak_of_one_call(candidate, threads))
                bar.update()
            found[candidate.name].peak_mib = statistics.median(peaks)
    return found


def peak_of_one_call(candidate: Candidate, threads: int | None = None) -> float:
    """Growth of the peak memory, in MiB, of a fresh process in one call, where freed memory does not count."""
    with Worker(replace(candidate, keep_memory=False), threads, returns_memory=True) as worker:
        return worker.peak_mib()


def interleaved(workers: Mapping[str, Worker], rounds: int) -> Iterator[tuple[int, str, float]]:
    """Run the workers in turn; yields the number of the round from 0, the worker's name, and seconds."""
    for number in range(rounds):
        for name, worker in workers.items():
            time.sleep(REST)
            yield number, name, worker.run()


def compare(
    candidate: Candidate, outputs: dict[str, np.ndarray], references: dict[str, np.ndarray]
) -> dict[str, float]:
    """Compare a candidate's outputs with the references.

    Args:
        candidate (Candidate): Names the tolerances.
        outputs (dict[str, np.ndarray]): Its outputs by name.
        references (dict[str, np.ndarray]): Outputs of the candidates before it; a name that is missing is added.

    Returns:
        dict[str, float]: The difference of each output that has a reference.

    Raises:
        RuntimeError: An output differs by more than its tolerance, or is not finite.
    """
    differences = {}
    for name, values in outputs.items():
        if name not in references:
            references[name] = values
            if not np.isfinite(values).all():
                raise RuntimeError(f'{candidate.name}: {name} is not finite: nothing was timed')
            continue
        tolerance = candidate.tolerances[name]
        differences[name] = tolerance.difference(references[name], values)
        if not differences[name] <= tolerance.limit:
            raise RuntimeError(
                f'{candidate.name}: {name} differs from the reference by {differences[name]:.3g}; '
                f'{tolerance.limit:g} is allowed: nothing was timed'
            )
    return differences
