"""A candidate of a benchmark: one implementation of some work, and how close its results must be to the reference's."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np


class Task(NamedTuple):
    """Work that is ready to be repeated in the process that built it.

    Args:
        run: Does the work once; this call is what is timed.
        outputs: Turns the result of ``run`` into small arrays by name, which are compared between candidates.
        parts: Returns the seconds of parts of the work by name, an entry for each call so far.
    """

    run: Callable[[], Any]
    outputs: Callable[[Any], dict[str, np.ndarray]]
    parts: Callable[[], dict[str, list[float]]] = dict


@dataclass(frozen=True)
class Tolerance:
    """How far an output may lie from the reference.

    Args:
        limit (float): The largest difference that is allowed.
        relative (bool): Measure differences in units of the reference's largest magnitude.
        quantile (float): Which quantile of the differences counts: 1 is the largest difference, 0.5 the median.
    """

    limit: float
    relative: bool = False
    quantile: float = 1.0

    def difference(self, reference: np.ndarray, found: np.ndarray) -> float:
        """The difference of two arrays; NaN where ``found`` is not finite or has another shape than ``reference``."""
        if reference.shape != found.shape or not np.isfinite(found).all():
            return float('nan')
        reference, found = (np.asarray(values, np.float64) for values in (reference, found))
        difference = np.quantile(np.abs(found - reference), self.quantile)
        scale = np.abs(reference).max() if self.relative else 1.0
        return float(difference / scale) if scale else float(difference)


@dataclass(frozen=True)
class Candidate:
    """One implementation of the work, built and run in a process of its own.

    Args:
        name (str): The name in tables and JSON; ``'baseline'`` is the candidate that the others are compared with.
        build (Callable[..., Task]): A function at the top level of a module, called in that process.
        arguments (dict): Picklable arguments of ``build``.
        device (str): ``'cpu'`` or ``'cuda:0'``.
        keep_memory (bool): Apply :mod:`mmtranspose.compat.keep_memory`, as our command lines do.
        tolerances (dict[str, Tolerance]): How far each output may lie from the reference.
        starts_processes (bool): The process starts others, as a data loader does.
    """

    name: str
    build: Callable[..., Task]
    arguments: dict[str, Any] = field(default_factory=dict)
    device: str = 'cpu'
    keep_memory: bool = True
    tolerances: dict[str, Tolerance] = field(default_factory=dict)
    starts_processes: bool = False
