"""Keep other libraries from printing on the standard output, and nothing else from being seen.

Fault: pycocotools and xtcocotools print each step and a table of results; mmengine's ``CheckpointLoader`` prints the
name of each file. None of them can be told not to. ``contextlib.redirect_stdout`` would also swallow the log, whose
handlers keep the output that they find when they are made.
Versions: pycocotools <= 2.0.11, xtcocotools <= 1.14.3, mmengine <= 0.10.7.
Can go: when they print by ``logging``.
"""

from __future__ import annotations

import builtins
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any


@contextmanager
def without_prints() -> Iterator[None]:
    """Drop what is printed on the standard output in a ``with`` block, and in processes that it starts by fork.

    Log, warnings, errors and progress bars are shown as ever.
    """
    before = builtins.print

    def printed(*values: Any, file: Any = None, **options: Any) -> None:
        if file not in (None, sys.stdout):
            before(*values, file=file, **options)

    builtins.print = printed
    try:
        yield
    finally:
        builtins.print = before
