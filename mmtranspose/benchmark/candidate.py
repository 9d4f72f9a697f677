"""One way to do a piece of work, and how near its results must be to the first way's."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np


class Task(NamedTuple):
    """The work, ready to be done again and again in the process that built it.

    Args:
        run: Does it once; this is what is timed.
        outputs: From what ``run`` returned to small arrays by name, for comparison between ways.
    """

    run: Callable[[], Any]
    outputs: Callable[[Any], dict[str, np.ndarray]]


@dataclass(frozen=True)
class Tolerance:
    """How far an output may lie from the first way's.

    Args:
        limit (float): Largest difference allowed.
        relative (bool): In units of the largest magnitude in the first way's output.
        quantile (float): Which of all the differences counts: 1 the largest, 0.5 the median.
    """

    limit: float
    relative: bool = False
    quantile: float = 1.0

    def difference(self, reference: np.ndarray, found: np.ndarray) -> float:
        """The difference of two arrays, by this measure; NaN where the second is not finite or has another shape."""
        if reference.shape != found.shape or not np.isfinite(found).all():
            return float('nan')
        reference, found = (np.asarray(values, np.float64) for values in (reference, found))
        difference = np.quantile(np.abs(found - reference), self.quantile)
        scale = np.abs(reference).max() if self.relative else 1.0
        return float(difference / scale) if scale else float(difference)


@dataclass(frozen=True)
class Way:
    """One way to do the work, built and run in a process of its own.

    Args:
        name (str): As in tables.
        build (Callable[..., Task]): A function of a module, called in that process.
        arguments (dict): Of ``build``; picklable.
        device (str): ``'cpu'`` or ``'cuda:0'``.
        keep_memory (bool): With :mod:`mmtranspose.compat.keep_memory`, as our command lines run.
        tolerances (dict[str, Tolerance]): By output's name.
    """

    name: str
    build: Callable[..., Task]
    arguments: dict = field(default_factory=dict)
    device: str = 'cpu'
    keep_memory: bool = True
    tolerances: dict[str, Tolerance] = field(default_factory=dict)
