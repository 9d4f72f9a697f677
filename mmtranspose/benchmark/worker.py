"""The process in which one way lives."""

from __future__ import annotations

import contextlib
import multiprocessing
import signal
import time
import traceback
import warnings
from multiprocessing.connection import Connection
from typing import Any, NamedTuple

import cv2
import numpy as np
import torch
from mmengine.logging import MMLogger

from mmtranspose.benchmark.candidate import Way
from mmtranspose.benchmark.peak_memory import PeakMemory
from mmtranspose.compat import keep_memory
from mmtranspose.errors import InputError

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
