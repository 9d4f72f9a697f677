"""How far a run is, what was left out, and how fast it is."""

from __future__ import annotations

import sys
import time

from tqdm import tqdm

from mmtranspose.apis.topdown.result import TopdownResult


class Progress:
    """A bar on the standard error, and the counts that a run ends with.

    Args:
        total (int | None): Frames; None where it is not known.

    Attributes:
        frames (int): Frames that were finished.
        people (int): People in them.
        skipped (int): What could not be used.
    """

    def __init__(self, total: int | None = None):
        self.frames = self.people = self.skipped = 0
        self._moving = False
        self._start = time.perf_counter()
        self._bar = tqdm(total=total, unit='frame', mininterval=0.5)

    def advance(self, result: TopdownResult) -> None:
        """A frame is finished."""
        self.frames += 1
        self.people += len(result.samples)
        self._moving |= result.frame.video is not None
        self._bar.set_postfix({'people/s': f'{self.people / self._seconds():.1f}'}, refresh=False)
        self._bar.update()

    def skip(self, name: str, reason: str) -> None:
        """Something was left out: say so."""
        self.skipped += 1
        tqdm.write(f'{name}: {reason}', file=sys.stderr)

    def close(self) -> None:
        """End the bar."""
        self._bar.close()

    def summary(self) -> str:
        """Counts and speed, for people."""
        unit = 'frame' if self._moving else 'picture'
        speed = self.frames / self._seconds()
        counts = f'{_counted(self.frames, unit)}, {_counted(self.people, "pose")}, {self.skipped} skipped'
        return f'{counts}, {speed:.1f} {unit}s/s'

    def _seconds(self) -> float:
        return max(time.perf_counter() - self._start, 1e-9)


def _counted(number: int, what: str) -> str:
    return f'{number} {what}{"" if number == 1 else "s"}'
