"""The process in which one candidate is built and run."""

from __future__ import annotations

import contextlib
import multiprocessing
import signal
import time
import traceback
import warnings
from collections.abc import Callable
from multiprocessing.connection import Connection
from typing import Any, NamedTuple

import cv2
import numpy as np
import torch
from mmengine.logging import MMLogger

from mmtranspose.benchmark.candidate import Candidate
from mmtranspose.benchmark.peak_memory import PeakMemory, map_large_blocks
from mmtranspose.compat import keep_memory
from mmtranspose.errors import InputError

OUT_OF_MEMORY = 'memory ran out; use a smaller --batch-size'
FALLBACKS = '.*(runs in PyTorch|runs uncompiled|runs in fp32)'  # warnings of accelerated models
GRACE = 3.0  # seconds in which a process must end by itself before it is terminated


class Failure(NamedTuple):
    """An error in the process: a sentence for the user if the user can mend it, else None; and the traceback."""

    mistake: str | None
    details: str


class Ready(NamedTuple):
    """The first call: its time in seconds, with what it compiles and caches, and its outputs."""

    seconds: float
    outputs: dict[str, np.ndarray]


class Worker:
    """A spawned process that builds one candidate, runs it once to warm up, and then once per :meth:`run`.

    The process is idle in between. A context manager; leaving it ends the process.

    Args:
        candidate (Candidate): What to build there.
        threads (int | None): Of PyTorch, which ONNX Runtime and OpenVINO get too, and OpenCV; None: as they choose.
        returns_memory (bool): Return freed memory to the system at once, so that peaks can be compared.

    Attributes:
        first_seconds (float): Time of the first call.
        outputs (dict[str, np.ndarray]): Outputs of the first call.

    Raises:
        InputError: The candidate cannot use what was given, or memory ran out.
        RuntimeError: The candidate failed otherwise; the message names it and holds the process's traceback.
    """

    def __init__(self, candidate: Candidate, threads: int | None = None, returns_memory: bool = False):
        self.name = candidate.name
        context = multiprocessing.get_context('spawn')
        self._connection, end = context.Pipe()
        daemon = not candidate.starts_processes  # Python lets daemons start none
        self._process = context.Process(target=serve, args=(end, candidate, threads, returns_memory), daemon=daemon)
        self._process.start()
        end.close()
        try:
            self.first_seconds, self.outputs = self._receive()
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> Worker:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def run(self) -> float:
        """Run the candidate once more; returns the seconds that it took."""
        return self._ask('run')

    def peak_mib(self) -> float:
        """Growth of the process's peak memory since before the first call, in MiB."""
        return self._ask('peak')

    def parts(self) -> dict[str, list[float]]:
        """Seconds of parts of the work by name, an entry for each call from the first on."""
        return self._ask('parts')

    def close(self) -> None:
        """End the process. It leaves by itself when the connection closes, unless it is busy."""
        self._connection.close()
        self._process.join(GRACE)
        self._process.terminate()
        self._process.join()

    def _ask(self, command: str) -> Any:
        with contextlib.suppress(BrokenPipeError):  # the process died: _receive reads its last words
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
        if code == -9:  # of the kernel, where memory is used up
            return InputError(f'{self.name}: its process was killed (signal 9): most likely {OUT_OF_MEMORY}')
        return RuntimeError(f'{self.name}: its process died with exit status {code}')


def serve(
    connection: Connection, candidate: Candidate, threads: int | None = None, returns_memory: bool = False
) -> None:
    """Build a candidate, run it once, and answer ``'run'``, ``'peak'`` and ``'parts'`` until the connection closes.

    This is the main function of a worker's process. The first message that it sends is a :class:`Ready`, the answers
    to ``'run'`` are seconds, those to ``'peak'`` MiB, those to ``'parts'`` seconds by name; a :class:`Failure` is the
    last message.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's to handle
    with contextlib.suppress(EOFError, BrokenPipeError, ConnectionResetError):
        try:
            _serve(connection, candidate, threads, returns_memory)
        except (MemoryError, torch.OutOfMemoryError) as error:
            connection.send(Failure(f'{OUT_OF_MEMORY} ({str(error).splitlines()[0]})', ''))
        except InputError as error:
            connection.send(Failure(str(error), ''))
        except UserWarning as fallback:  # see filter_warnings
            connection.send(Failure(f'{fallback}: this is not what the name says; leave the candidate out', ''))
        except (EOFError, BrokenPipeError, ConnectionResetError):
            raise
        except Exception:  # whatever it is, the parent raises it
            connection.send(Failure(None, traceback.format_exc()))


def _serve(connection: Connection, candidate: Candidate, threads: int | None, returns_memory: bool) -> None:
    filter_warnings()
    MMLogger.get_current_instance().setLevel('WARNING')  # the parent shows a progress bar
    if threads is not None:
        torch.set_num_threads(threads)
        cv2.setNumThreads(threads)
    if torch.device(candidate.device).type == 'cuda':
        torch.cuda.set_device(candidate.device)
    if returns_memory:
        map_large_blocks()
    task = candidate.build(**candidate.arguments)
    memory = PeakMemory(candidate.device)
    if candidate.keep_memory:
        keep_memory.apply()
    seconds, result = timed(task.run, candidate.device)
    connection.send(Ready(seconds, task.outputs(result)))
    del result
    answers: dict[str, Callable[[], Any]] = dict(
        run=lambda: timed(task.run, candidate.device)[0], peak=lambda: memory.mib, parts=task.parts
    )
    while True:
        connection.send(answers[connection.recv()]())


def filter_warnings() -> None:
    """Make an error of the warning that something else runs than a candidate's name says; hide what commands hide."""
    for message in ('The metainfo config file', "'pin_memory' argument is set as true"):  # as in command_line.run
        warnings.filterwarnings('ignore', message=message)
    warnings.filterwarnings('error', message=FALLBACKS)


def timed(run: Callable[[], Any], device: str) -> tuple[float, Any]:
    """Call ``run`` and wait for the device to finish; returns the seconds that it took, and the result."""
    cuda = torch.device(device).type == 'cuda'
    if cuda:
        torch.cuda.synchronize()
    start = time.perf_counter()
    result = run()
    if cuda:
        torch.cuda.synchronize()
    return time.perf_counter() - start, result
