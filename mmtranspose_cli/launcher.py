"""Start the processes of one run on this machine, pass signals on to them, and exit with their status.

``python -m mmtranspose_cli.launcher PROCESSES SCRIPT [arguments]``, from ``tools/dist_*.sh``. Stands in for torchrun,
which kills processes 30 seconds after a signal, while they may be writing a checkpoint, hides their exit status, and
prints 60 lines after the one that says what is wrong. The processes get the environment that torchrun gives them.
"""

from __future__ import annotations

import collections
import errno
import os
import random
import signal
import socket
import subprocess
import sys
import threading
import time
from typing import NamedTuple, NoReturn

from mmtranspose_cli.terminal import print_error

MISTAKE, PREEMPTED, INTERRUPTED = 2, 75, 130  # as in mmtranspose/errors.py
NAMES = ('SIGINT', 'SIGTERM', 'SIGHUP', 'SIGQUIT', 'SIGUSR1', 'SIGUSR2')
PASSED_ON = tuple(getattr(signal, name) for name in NAMES if hasattr(signal, name))  # Windows has but two of them
KILL = getattr(signal, 'SIGKILL', signal.SIGTERM)  # which on Windows kills, too
PORTS = (20000, 32768)  # below those that systems give to outgoing connections
DEFAULT_PORT = 29500  # of several machines, which must agree
HELD = 5.0  # seconds that messages of other ranks than 0 are held back
OTHERS = 3.0  # seconds that the others get to end by themselves after one has failed
WRITING = 600.0  # the same after a signal: they may be writing a checkpoint
READING = 1.0  # seconds that what the processes said last is waited for
ENDING = 10.0  # seconds between SIGTERM and SIGKILL


class Run(NamedTuple):
    """How many processes meet, and where.

    Attributes:
        processes: Number on this machine.
        nodes: Number of machines.
        node: Number of this machine, from 0 on.
        address: Of machine 0.
        port: At which the process of rank 0 listens.
    """

    processes: int
    nodes: int
    node: int
    address: str
    port: int


def stop(sentence: str) -> NoReturn:
    """Print a mistake in what was given, and exit.

    Raises:
        SystemExit: Always, with status 2.
    """
    print_error(sentence)
    sys.exit(2)


def whole_number(name: str, text: str, least: int, most: int) -> int:
    """Read a number that was given.

    Raises:
        SystemExit: It is none, or out of range.
    """
    if not text.isdecimal() or not least <= int(text) <= most:
        stop(f'{name}={text} is not a whole number from {least} to {most}')
    return int(text)


def read_run(processes: str) -> Run:
    """Read ``NNODES``, ``NODE_RANK``, ``MASTER_ADDR`` and ``PORT`` from the environment, and see to a free port.

    Raises:
        SystemExit: One of them cannot be used, or the port is in use.
    """
    count = whole_number('PROCESSES', processes, 1, 4096)
    nodes = whole_number('NNODES', os.environ.get('NNODES') or '1', 1, 65536)
    node = whole_number('NODE_RANK', os.environ.get('NODE_RANK') or '0', 0, nodes - 1)
    address, port = os.environ.get('MASTER_ADDR'), os.environ.get('PORT')
    if node > 0 and not address:
        stop(f'NODE_RANK={node} needs MASTER_ADDR=, the address of the machine with NODE_RANK=0')
    if nodes == 1 and not port:
        return Run(count, nodes, node, '127.0.0.1', free_port())
    number = whole_number('PORT', port or str(DEFAULT_PORT), 1, 65535)
    refusal = why_not_free(number) if node == 0 else None
    if refusal:
        several = ' (the same on all machines)' if nodes > 1 else ', or leave it out, and a free one is taken'
        stop(f'port {number} of this machine {refusal}: choose another by PORT={several}')
    return Run(count, nodes, node, address or '127.0.0.1', number)


def free_port() -> int:
    """A port at which nobody listens, drawn at random: runs that start together take different ones."""
    for number in random.sample(range(*PORTS), 1000):
        if why_not_free(number) is None:
            return number
    stop(f'none of 1000 ports between {PORTS[0]} and {PORTS[1]} is free: choose one by PORT=')


def why_not_free(port: int) -> str | None:
    """Why no process can listen at a port on all addresses of this machine; None where it can."""
    try:
        if socket.has_dualstack_ipv6():
            socket.create_server(('', port), family=socket.AF_INET6, dualstack_ipv6=True).close()
        else:
            socket.create_server(('', port)).close()
    except OSError as error:
        return 'is in use' if error.errno == errno.EADDRINUSE else f'cannot be used ({error.strerror})'
    return None


class Worker:
    """One process. What ranks other than 0 say of errors is held back for a moment: one of them is enough.

    Args:
        run: Where the processes meet.
        local_rank: Number on this machine.
        command: The command line.
    """

    def __init__(self, run: Run, local_rank: int, command: list[str]):
        self.rank = run.node * run.processes + local_rank
        self.ended: float | None = None
        self.lines: collections.deque[tuple[float, bytes]] = collections.deque()
        variables = {
            'RANK': self.rank,
            'LOCAL_RANK': local_rank,
            'GROUP_RANK': run.node,
            'WORLD_SIZE': run.nodes * run.processes,
            'LOCAL_WORLD_SIZE': run.processes,
            'MASTER_ADDR': run.address,
            'MASTER_PORT': run.port,
        }
        environment = {**os.environ, **{name: str(value) for name, value in variables.items()}}
        if run.processes > 1 and 'OMP_NUM_THREADS' not in environment:  # where PyTorch has MKL, MKL's number decides
            environment = {'OMP_NUM_THREADS': '1', 'MKL_NUM_THREADS': '1', **environment}
        # A session of its own: Ctrl-C reaches the launcher alone, which passes it on once.
        held = subprocess.PIPE if local_rank else None
        self.process = subprocess.Popen(command, env=environment, stderr=held, start_new_session=True)
        if local_rank:
            self._reader = threading.Thread(target=self._read, daemon=True)
            self._reader.start()

    def _read(self) -> None:
        for line in self.process.stderr or ():
            self.lines.append((time.monotonic(), line))

    @property
    def status(self) -> int | None:
        """Its exit status, 128 + N after signal N; None while it runs."""
        code = self.process.poll()
        if code is not None and self.ended is None:
            self.ended = time.monotonic()
        return code if code is None or code >= 0 else 128 - code

    def read_to_the_end(self, until: float) -> None:
        """Wait for the rest of what it said before it ended, at most until then: a child of it may go on."""
        if self.process.stderr is not None:
            self._reader.join(max(0.0, until - time.monotonic()))

    @property
    def explains(self) -> bool:
        """Whether it has said in one sentence what is wrong, and has not printed it yet."""
        return any(line.startswith(b'error: ') for _, line in list(self.lines))

    def say(self, age: float = 0.0) -> None:
        """Print the lines of the standard error that are older than ``age`` seconds."""
        while self.lines and self.lines[0][0] <= time.monotonic() - age:
            sys.stderr.buffer.write(self.lines.popleft()[1])
        sys.stderr.flush()

    def say_last_words(self) -> None:
        """Print what it said before it ended, or what ended it."""
        self.say()
        code = self.process.returncode
        if code is not None and code < 0:
            memory = "; most likely the machine's memory is used up" if code == -KILL else ''
            print_error(f'the process of rank {self.rank} was ended by {signal.Signals(-code).name}{memory}')

    def send(self, number: int) -> None:
        """Send a signal to it, and not to its loaders: they end with it."""
        if self.process.poll() is None:
            self.process.send_signal(number)


class Launcher:
    """Starts the processes, waits for them, and ends the others where one has failed.

    Signals that this process was told to ignore (nohup) stay ignored.
    """

    def __init__(self, run: Run, command: list[str]):
        self.signals: list[int] = []
        self.workers: list[Worker] = []
        for number in PASSED_ON:
            if signal.getsignal(number) is not signal.SIG_IGN:
                signal.signal(number, self._pass_on)
        for local_rank in range(run.processes):
            self.workers.append(Worker(run, local_rank, command))
            for missed in self.signals:  # that came while the processes were started
                self.workers[-1].send(missed)

    def _pass_on(self, number: int, _: object) -> None:
        self.signals.append(number)
        self._send(number)

    def _send(self, number: int) -> None:
        for worker in self.workers:
            worker.send(number)

    def wait(self) -> int:
        """Wait until all processes have ended; returns the exit status of the run."""
        stopping: float | None = None  # when the others were told to end
        while any(worker.status is None for worker in self.workers):
            failed = [worker for worker in self.workers if worker.status]
            now = time.monotonic()
            if not failed:
                for worker in self.workers:
                    worker.say(HELD)
            elif stopping is None:
                writing = self.signals or all(worker.status == PREEMPTED for worker in failed)
                if now > min(worker.ended or now for worker in failed) + (WRITING if writing else OTHERS):
                    stopping = now
                    self._send(signal.SIGTERM)
            elif now > stopping + ENDING:
                self._send(KILL)
            time.sleep(0.05)
        failed = sorted((worker for worker in self.workers if worker.status), key=lambda worker: worker.ended or 0.0)
        if not failed:
            for worker in self.workers:
                worker.say()
            return 0
        until = time.monotonic() + READING
        for worker in failed:
            worker.read_to_the_end(until)
        speaker = self._speaker([worker for worker in failed if worker.status != PREEMPTED] or failed)
        speaker.say_last_words()
        return speaker.status or 0

    def _speaker(self, failed: list[Worker]) -> Worker:
        """The process whose words tell best what is wrong; what the first one printed is on the screen already."""
        first = self.workers[0]
        if first in failed and first.status in (MISTAKE, PREEMPTED, INTERRUPTED):
            return first
        return next((worker for worker in failed if worker.explains), failed[0])


def main(arguments: list[str]) -> int:
    """Run a script in several processes; returns the exit status."""
    if len(arguments) < 2:
        stop('usage: python -m mmtranspose_cli.launcher PROCESSES SCRIPT [arguments]')
    processes, *command = arguments
    return Launcher(read_run(processes), [sys.executable, *command]).wait()


if __name__ == '__main__':
    sys.exit(main(sys.argv[1:]))
