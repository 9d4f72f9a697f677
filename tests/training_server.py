"""A process that has imported everything and forks one command or test after the other, so that each starts at once.

``python tests/training_server.py`` reads requests from standard input, one JSON object a line, and answers each with
the process's number or its exit status. Tests use :class:`TrainingServer`.
"""

from __future__ import annotations

import atexit
import gc
import importlib
import inspect
import json
import os
import signal
import socket
import subprocess
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

STEPS = {'step': 'parse_losses', 'ask': 'parse_losses', 'ask in validation': 'val_step'}  # of the model
WRITES = ('replace', 'fsync', 'unlink', 'remove')  # of os: the moments of writing a checkpoint


class TrainingServer:
    """Client of the server: starts commands, or functions of tests, in one or more processes and waits for them."""

    def __init__(self) -> None:
        environment = {**os.environ, 'OMP_NUM_THREADS': '1'}
        self.process = subprocess.Popen(
            [sys.executable, __file__], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment
        )

    def start(
        self, *argv: object, command: str = 'train', die_at: list | None = None, ranks: int = 1, log: Path
    ) -> list[int]:
        """Start ``mmtranspose COMMAND`` and return the numbers of its processes.

        Args:
            *argv: Arguments of the command.
            command: The module of mmtranspose.commands.
            die_at: Given to rank 0. ``['step', n]``: kill the process within its n-th step; ``['write', n]``: before or
                after (n odd or even) its n // 2-th operation on a file that it writes; ``['half', n]``: when half of
                its n-th checkpoint is written; ``['ask', n, signal]``: send the signal within the n-th step, ``['ask in
                validation', n, signal]``: within the n-th step of validation, to the process and its loaders' workers.
            ranks: Processes that work together.
            log: File for what they print.
        """
        arguments = [str(argument) for argument in argv] + ['--launcher', 'pytorch'] * (ranks > 1)
        return self._start(ranks, die_at, command=command, argv=arguments, log=str(log))

    def call(self, function: Callable, *arguments: object, ranks: int, log: Path) -> None:
        """Call a function of a test file in several processes, which it can let join a process group.

        Args:
            function: At the top of its file.
            *arguments: Numbers, strings, lists or dicts of them.
            ranks: Processes.
            log: File for what they print.

        Raises:
            AssertionError: The function failed in a process.
        """
        called = [inspect.getfile(function), function.__name__, arguments]
        statuses = self.wait(self._start(ranks, None, call=called, log=str(log)))
        assert statuses == [0] * ranks, log.read_text()

    def wait(self, pids: list[int]) -> list[int]:
        """Wait for processes and return their exit statuses; that of a process killed by signal N is -N."""
        return [self._ask(dict(wait=pid)) for pid in pids]

    def run(self, *argv: object, **options: Any) -> list[int]:
        """:meth:`start` and :meth:`wait`."""
        return self.wait(self.start(*argv, **options))

    def _start(self, ranks: int, die_at: list | None, **request: Any) -> list[int]:
        environment, pids = {}, []
        if ranks > 1:
            with socket.socket() as free:
                free.bind(('127.0.0.1', 0))
                environment = dict(
                    MASTER_ADDR='127.0.0.1', MASTER_PORT=str(free.getsockname()[1]), WORLD_SIZE=str(ranks)
                )
        for rank in range(ranks):
            own = {**environment, 'RANK': str(rank), 'LOCAL_RANK': str(rank)} if ranks > 1 else {'LOCAL_RANK': '0'}
            pids.append(self._ask(dict(request, environ=own, die_at=None if rank else die_at)))
        return pids

    def close(self) -> None:
        """End the server."""
        self.process.stdin.close()
        self.process.wait()
        self.process.stdout.close()

    def _ask(self, request: dict) -> int:
        self.process.stdin.write(json.dumps(request) + '\n')
        self.process.stdin.flush()
        answer = self.process.stdout.readline()
        assert answer, 'the training server has ended'
        return int(answer)


def serve() -> None:
    """Answer requests until standard input ends."""
    import mmengine.config.config
    import torch

    import mmtranspose.commands.train  # noqa: F401  before mmpose: puts the work-arounds in place
    from mmtranspose.utils import register_all_modules

    register_all_modules()
    _do_once_what_every_run_does()

    torch.set_num_threads(1)
    # What takes the most time of a short run, and has nothing to do with what is tested: mmengine lays out the config
    # for every checkpoint, and collects garbage for every dataset.
    mmengine.config.config.FormatCode = lambda text, **_: (text, True)
    gc.collect()
    gc.freeze()
    for line in sys.stdin:
        request = json.loads(line)
        if 'wait' in request:
            _, status = os.waitpid(request['wait'], 0)
            answer = os.waitstatus_to_exitcode(status)
        else:
            answer = os.fork()
            if answer == 0:
                _become(request)
        print(answer, flush=True)


def _do_once_what_every_run_does() -> None:
    """Import what a run imports late, and parse MMPose's file of COCO's keypoints: a tenth of a short run."""
    from mmengine.utils.dl_utils import collect_env
    from mmpose.datasets.datasets.utils import parse_pose_metainfo
    from parsed_once import parse_installed_configs_once

    parse_installed_configs_once()
    parse_pose_metainfo(dict(from_file='configs/_base_/datasets/coco.py'))
    collect_env()
    importlib.import_module('multiprocessing.synchronize')


def _become(request: dict) -> None:
    """Become the command or the function; never returns."""
    from mmtranspose.commands.command_line import run

    log = os.open(request['log'], os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    nothing = os.open(os.devnull, os.O_RDONLY)
    for source, target in ((nothing, 0), (log, 1), (log, 2)):
        os.dup2(source, target)
    os.environ.update(request['environ'])
    status = 1
    try:
        if 'call' in request:
            file, name, arguments = request['call']
            sys.path.insert(0, os.path.dirname(file))
            getattr(importlib.import_module(Path(file).stem), name)(*arguments)
            status = 0
        else:
            _plan_death(request['die_at'])
            run(importlib.import_module(f'mmtranspose.commands.{request["command"]}').main, request['argv'])
    except SystemExit as end:
        status = end.code if isinstance(end.code, int) else int(bool(end.code))
    except BaseException:
        traceback.print_exc()
    finally:
        atexit._run_exitfuncs()  # as Python does at its end: waits for the workers of loaders
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)


def _plan_death(die_at: list | None) -> None:
    if die_at is None:
        return
    kind, left, *number = die_at

    def dying(function: Callable) -> Callable:
        def call(*args: Any, **kwargs: Any) -> Any:
            _count_down(1)
            result = function(*args, **kwargs)
            _count_down(1)
            return result

        return call

    def _count_down(by: int) -> None:
        nonlocal left
        left -= by
        if os.getpid() != main or left > 0:
            return
        if not number:
            os.kill(main, signal.SIGKILL)
        elif left == 0:
            subprocess.run(['kill', f'-{number[0]}', '--', f'-{main}'])  # by another process

    main = os.getpid()
    os.setpgrp()
    if kind == 'write':
        for name in WRITES:
            setattr(os, name, dying(getattr(os, name)))
    elif kind in STEPS:
        from mmengine.model import BaseModel

        name = STEPS[kind]
        step = getattr(BaseModel, name)
        setattr(BaseModel, name, lambda *args, **kwargs: (_count_down(1), step(*args, **kwargs))[1])
    elif kind == 'half':
        from mmengine.fileio import LocalBackend

        from mmtranspose.compat import atomic_write

        write = LocalBackend.put.__wrapped__  # mmengine's own, which writes in place

        def write_half(self: Any, content: bytes, path: Path, *args: Any, **kwargs: Any) -> None:
            if left <= 1:
                Path(path).write_bytes(content[: len(content) // 2])
            _count_down(1)
            write(self, content, path, *args, **kwargs)

        LocalBackend.put = atomic_write._writing_beside(write_half)
    else:
        raise ValueError(die_at)


if __name__ == '__main__':
    serve()
