"""Child processes that never outlive their test."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager


@contextmanager
def running(command: Sequence[object], **options) -> Iterator[subprocess.Popen]:
    """A running child process, killed at the end of the block if it has not ended by itself.

    Args:
        command: Program and arguments.
        **options: As ``subprocess.Popen`` takes them.
    """
    with subprocess.Popen([str(part) for part in command], **options) as process:
        try:
            yield process
        finally:
            process.kill()
