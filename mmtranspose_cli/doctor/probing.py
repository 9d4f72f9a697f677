"""Runs ``probe`` in fresh processes, so that a module that crashes or hangs is a verdict and not the end."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from typing import NamedTuple

# The child gets this process's sys.path: it must find the same modules, from the same places.
CHILD = (
    'import json, sys; sys.path[:] = json.loads(sys.argv[1]); '
    'from mmtranspose_cli.doctor.probe import main; main(sys.argv[2:])'
)


class Outcome(NamedTuple):
    """What came of trying a module.

    Attributes:
        state: 'ok'; 'failed' (an exception), 'crashed' or 'hung' (its process), 'untried' (something it needs failed)
            or 'missing' (not there).
        error: The exception's line, or what became of the process.
        info: What ``probe`` found.
    """

    state: str
    error: str = ''
    info: dict = {}


def describe_end(code: int) -> str:
    """'ended by SIGSEGV', from a process's return code."""
    if code < 0:
        try:
            return f'its process was ended by {signal.Signals(-code).name}'
        except ValueError:
            return f'its process was ended by signal {-code}'
    return f'its process ended with exit code {code}'


def run_once(names: list, limit: float, say: Callable) -> dict:
    """Tries modules in one process until one fails.

    Args:
        names: What to try, in order.
        limit: Seconds for each; then the process is killed.
        say: Called with each name as it begins.

    Returns:
        dict: Outcomes by name; the last may be a failure, and those after it are not there.
    """
    command = [sys.executable, '-W', 'ignore', '-c', CHILD, json.dumps(sys.path), *names]
    outcomes, current, late = {}, names[0], threading.Event()
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, encoding='utf-8') as process:

        def stop() -> None:
            late.set()
            process.kill()

        timer = threading.Timer(limit, stop)
        timer.start()
        for text in process.stdout:
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


def run_chain(names: list, needs: dict, limit: float, say: Callable) -> dict:
    """Tries modules in as few processes as their failures allow.

    Args:
        names: What to try, in order.
        needs: Names that each name needs; those of other chains are not waited for.
        limit, say: As ``run_once`` takes them.
    """
    outcomes: dict = {}
    while True:
        for name in names:
            if name not in outcomes and any(outcomes.get(n, Outcome('ok')).state != 'ok' for n in needs.get(name, ())):
                outcomes[name] = Outcome('untried')
        waiting = [name for name in names if name not in outcomes]
        if not waiting:
            return outcomes
        outcomes.update(run_once(waiting, limit, say))
