"""Run ``probe`` in fresh processes, so that a module that crashes or hangs yields a verdict and ends nothing else."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from typing import Any, NamedTuple

# The child gets this process's sys.path: it must find the same modules, from the same places.
CHILD = (
    'import json, sys; sys.path[:] = json.loads(sys.argv[1]); '
    'from mmtranspose_cli.doctor.probe import main; main(sys.argv[2:])'
)


class Outcome(NamedTuple):
    """The result of trying a module.

    Attributes:
        state: 'ok'; 'failed' (an exception), 'crashed' or 'hung' (its process), 'untried' (something it needs failed)
            or 'missing' (not installed).
        error: The exception in one line, or how the process ended.
        info: What ``probe`` found out.
    """

    state: str
    error: str = ''
    info: dict[str, Any] = {}  # noqa: RUF012  nobody changes it


def describe_end(code: int) -> str:
    """Say how a process ended: 'its process was ended by SIGSEGV'."""
    if code < 0:
        try:
            return f'its process was ended by {signal.Signals(-code).name}'
        except ValueError:
            return f'its process was ended by signal {-code}'
    return f'its process ended with exit code {code}'


def run_once(names: list[str], limit: float, say: Callable[[str], object]) -> dict[str, Outcome]:
    """Try modules in one process until one fails.

    Args:
        names: Module names in order.
        limit: Seconds for each; then the process is killed.
        say: Called with each name as it begins.

    Returns:
        dict: Outcomes by name up to the first failure.
    """
    command = [sys.executable, '-W', 'ignore', '-c', CHILD, json.dumps(sys.path), *names]
    outcomes: dict[str, Outcome] = {}
    current, late = names[0], threading.Event()
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, encoding='utf-8') as process:

        def stop() -> None:
            late.set()
            process.kill()

        timer = threading.Timer(limit, stop)
        timer.start()
        for text in process.stdout or ():
            timer.cancel()
            line = json.loads(text)
            current = line['name']
            if line['state'] == 'begun':
                say(current)
            else:
                outcomes[current] = Outcome(line['state'], line.get('error', ''), line.get('info', {}))
            timer = threading.Timer(limit, stop)
            timer.start()
        process.wait()
        timer.cancel()
    if len(outcomes) < len(names) and all(outcome.state == 'ok' for outcome in outcomes.values()):
        name = next(name for name in names if name not in outcomes)
        ended = f'it did not come back within {limit:g} s' if late.is_set() else describe_end(process.returncode)
        outcomes[name] = Outcome('hung' if late.is_set() else 'crashed', ended)
    return outcomes


def run_chain(
    names: list[str], needs: dict[str, tuple[str, ...]], limit: float, say: Callable[[str], object]
) -> dict[str, Outcome]:
    """Try modules in as few processes as their failures allow.

    Args:
        names: Module names in order.
        needs: Modules that each module needs; those of other chains are not waited for.
        limit, say: As ``run_once`` takes them.
    """
    outcomes: dict[str, Outcome] = {}
    while True:
        for name in names:
            if name not in outcomes and any(outcomes.get(n, Outcome('ok')).state != 'ok' for n in needs.get(name, ())):
                outcomes[name] = Outcome('untried')
        waiting = [name for name in names if name not in outcomes]
        if not waiting:
            return outcomes
        outcomes.update(run_once(waiting, limit, say))
