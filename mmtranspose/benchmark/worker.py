"""The process in which one candidate lives, and the peak of its memory."""

from __future__ import annotations

import contextlib
import ctypes
import gc
import multiprocessing
import resource
import signal
import time
import traceback
import warnings
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, NamedTuple

import cv2
import numpy as np
import torch
from mmengine.logging import MMLogger

from mmtranspose.benchmark.candidate import Way
from mmtranspose.compat import keep_memory
from mmtranspose.errors import InputError

STATUS, CLEAR = Path('/proc/self/status'), Path('/proc/self/clear_refs')


class PeakMemory:
    """How much the peak grows from here on.

    On a CPU the peak resident size of the process, on a GPU the memory allocated by PyTorch. What was freed before goes
    back to the system first, and the peak so far is forgotten (on Linux), so that the building of a model hides
    nothing.

    Args:
        device (str): ``'cpu'`` or ``'cuda:0'``.
    """

    def __init__(self, device: str):
        self.cuda = torch.device(device).type == 'cuda'
        gc.collect()
        if self.cuda:
            torch.cuda.reset_peak_memory_stats()
        else:
            _forget_peak()
        self.before = self._now()

    def _now(self) -> int:
        if self.cuda:
            torch.cuda.synchronize()
            return torch.cuda.max_memory_allocated()
        return _peak_resident_size()

    @property
    def mib(self) -> float:
        """Growth so far, in MiB."""
        return (self._now() - self.before) / 2**20


def _forget_peak() -> None:
    """Free what can be freed and put VmHWM to the resident size; where that cannot be done the peak stays as it is."""
    try:
        ctypes.CDLL('libc.so.6').malloc_trim(0)
        CLEAR.write_text('5')
    except (OSError, AttributeError):
        pass


def _peak_resident_size() -> int:
    """Bytes. (A child's ``ru_maxrss`` begins with its parent's on Linux; VmHWM is the process's own.)"""
    if STATUS.is_file():
        line = next(line for line in STATUS.read_text().splitlines() if line.startswith('VmHWM:'))
        return int(line.split()[1]) * 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


OUT_OF_MEMORY = 'memory ran out; use a smaller --batch-size'


LEAVE = 3.0  # seconds


class Failure(NamedTuple):
    """What went wrong in the process; ``mistake`` is a sentence for the user, if that is what is needed."""

    mistake: str | None
    details: str


class Ready(NamedTuple):
    """The first call's time (what it compiles or caches included) and outputs."""

    seconds: float
    outputs: dict[str, np.ndarray]


class Worker:
    """A spawned process that builds a way, goes it once, and then once more at each command. It sleeps in between.

    A context manager; leaving it ends the process.

    Args:
        way (Way): What to build there.
        threads (int | None): Of PyTorch and OpenCV; None: their own choice.

    Attributes:
        first_seconds (float): Time of the first call.
        outputs (dict[str, np.ndarray]): Its results.

    Raises:
        InputError: The way cannot use what was given, or memory ran out.
        RuntimeError: It failed otherwise; names the way and holds the process's traceback.
    """

    def __init__(self, way: Way, threads: int | None = None):
        self.name = way.name
        context = multiprocessing.get_context('spawn')
        self._connection, end = context.Pipe()
        self._process = context.Process(target=serve, args=(end, way, threads), daemon=True)
        self._process.start()
        end.close()
        try:
            self.first_seconds, self.outputs = self._receive()
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> Worker:
        return self

    def __exit__(self, *error) -> None:
        self.close()

    def run(self) -> float:
        """Go the way once more; the seconds it took."""
        return self._ask('run')

    def peak_mib(self) -> float:
        """Growth of the process's peak memory since before the first call, in MiB."""
        return self._ask('peak')

    def close(self) -> None:
        """End the process, which leaves by itself when the connection closes, unless it is busy."""
        self._connection.close()
        self._process.join(LEAVE)
        self._process.terminate()
        self._process.join()

    def _ask(self, command: str) -> float:
        with contextlib.suppress(BrokenPipeError):  # it died: what it left is read below
            self._connection.send(command)
        return self._receive()

    def _receive(self) -> Any:
        try:
            answer = self._connection.recv()
        except (EOFError, ConnectionResetError):
            raise self._death() from None
        if not isinstance(answer, Failure):
            return answer
        if answer.mistake is not None:
            raise InputError(f'{self.name}: {answer.mistake}')
        raise RuntimeError(f'{self.name} failed in its process:\n{answer.details}')

    def _death(self) -> Exception:
        self._process.join()
        code = self._process.exitcode
        if code == -signal.SIGKILL:
            return InputError(f'{self.name}: its process was killed (signal 9): most likely {OUT_OF_MEMORY}')
        return RuntimeError(f'{self.name}: its process died with exit status {code}')


def serve(connection: Connection, way: Way, threads: int | None) -> None:
    """What the process does: build, go once, and answer ``'run'`` and ``'peak'`` until the other end closes."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's to handle
    with contextlib.suppress(EOFError, BrokenPipeError, ConnectionResetError):
        try:
            _serve(connection, way, threads)
        except (MemoryError, torch.OutOfMemoryError) as error:
            connection.send(Failure(f'{OUT_OF_MEMORY} ({str(error).splitlines()[0]})', ''))
        except InputError as error:
            connection.send(Failure(str(error), ''))
        except (EOFError, BrokenPipeError, ConnectionResetError):
            raise
        except Exception:  # noqa: BLE001  whatever it is, the parent raises it
            connection.send(Failure(None, traceback.format_exc()))


def _serve(connection: Connection, way: Way, threads: int | None) -> None:
    warnings.filterwarnings('ignore', message='The metainfo config file')  # as apis.command_line.run
    MMLogger.get_current_instance().setLevel('WARNING')  # the parent's bar is on the screen
    if threads is not None:
        torch.set_num_threads(threads)
        cv2.setNumThreads(threads)
    if torch.device(way.device).type == 'cuda':
        torch.cuda.set_device(way.device)
    task = way.build(**way.arguments)
    memory = PeakMemory(way.device)
    if way.keep_memory:
        keep_memory.apply()
    seconds, result = _timed(task.run, way.device)
    connection.send(Ready(seconds, task.outputs(result)))
    del result
    while True:
        connection.send(_timed(task.run, way.device)[0] if connection.recv() == 'run' else memory.mib)


def _timed(run, device: str) -> tuple[float, Any]:
    cuda = torch.device(device).type == 'cuda'
    if cuda:
        torch.cuda.synchronize()
    start = time.perf_counter()
    result = run()
    if cuda:
        torch.cuda.synchronize()
    return time.perf_counter() - start, result
