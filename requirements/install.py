"""Make ``.venv`` and keep it up to date with the pins beside this file: ``install.py setup``.

``install.py docs`` does so too, and adds what builds the documentation (``docs.txt``). ``install.py key`` prints the
name of the environment that ``setup`` would make. Standard library only, and Python 3.8 syntax, so that a wrong Python
gets a sentence. (``mmtranspose_cli.doctor`` says what an existing environment lacks.)
"""

from __future__ import annotations

import argparse
import contextlib
import errno
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

from interpreter import SetupError, choose_python, probe
from owners import require_own

try:
    import fcntl
except ImportError:  # Windows: set-ups at the same time do not wait for each other
    fcntl = None

ROOT = Path(__file__).resolve().parent.parent
PINS = [ROOT / 'requirements' / name for name in ('runtime.txt', 'mmpose.txt', 'app.txt', 'export.txt', 'dev.txt')]
DOCS = ROOT / 'requirements' / 'docs.txt'  # no part of the environment's name: tests do without it
LOG = ROOT / '.venv-install.log'
WHEELS = ('--only-binary', ':all:')  # nothing is compiled
STATE = 'mmtranspose-setup.json'  # in the environment: says that `make setup` made it, and how far it came

NEEDED_GB = 10  # 5.3 are used in the end, 7.1 at the peak, and pip keeps 2.5 more in its cache

# Pattern in pip's output, and what it means. The first pattern that is found counts.
NO_SPACE = f'the disk is full: about {NEEDED_GB} GB are needed for .venv'
CAUSES = (
    (r'\[Errno (28|122)\]|No space left on device|Disk quota exceeded', NO_SPACE),
    (
        r'CERTIFICATE_VERIFY_FAILED',
        "the package index's certificate is not trusted: check pip's `cert` setting or the proxy",
    ),
    (
        r'NewConnectionError|NameResolutionError|ConnectTimeoutError|ReadTimeoutError|ProxyError|Connection refused'
        r'|Max retries exceeded|Network is unreachable|Connection broken|Connection reset',
        'the package index cannot be reached: check the network, or the proxy that pip is to use',
    ),
    (
        r'No matching distribution found for (\S+)',
        r'pip finds no \1: there is none for this Python and machine, or the package index cannot be reached',
    ),
)


def pins(*files: Path) -> list[str]:
    """Read the lines of the requirement files (none named: those of ``setup``), without comments."""
    paths = files or PINS
    lines = (line.split('#')[0].strip() for path in paths for line in path.read_text(encoding='utf-8').splitlines())
    return [line for line in lines if line]


def digest(lines: list[str]) -> str:
    return hashlib.sha256('\n'.join(lines).encode()).hexdigest()[:12]


def environment_key(version) -> str:
    """A name that changes with the pins and with the Python version (major, minor)."""
    return 'py{}.{}-{}'.format(*version, digest(pins()))


def read_state(env: Path) -> dict | None:
    """Read what ``write_state`` left in the environment; None if ``make setup`` did not make it."""
    try:
        return json.loads((env / STATE).read_text(encoding='utf-8'))
    except FileNotFoundError:
        return None
    except ValueError:
        return {}


def write_state(env: Path, key: str = '', project: str = '', **more: str) -> None:
    """Note the state of the installation: no ``key``, it is not complete; no ``project``, mmtranspose is not in it.

    ``docs`` is the digest of the pins of ``docs.txt`` that are in it.
    """
    beside = env / (STATE + '.new')
    beside.write_text(json.dumps({'key': key, 'project': project, **more}), encoding='utf-8')
    os.replace(beside, env / STATE)


def plan(env: Path, base: str) -> tuple[str, str]:
    """Decide what to do with the environment ('make', 'update', 'link' or 'nothing'), and say why.

    Raises:
        SetupError: There is a ``.venv`` that ``make setup`` did not make.
    """
    state = read_state(env)
    if state is None:
        if not os.path.lexists(env) or (env.is_dir() and not any(env.iterdir())):
            return 'make', ''
        raise SetupError(
            '.venv was not made by `make setup`, so it stays as it is: move it away, or use it with '
            'PYTHON=.venv/bin/python.'
        )
    if not state.get('key'):
        return 'make', 'its installation was interrupted'
    facts = probe(env / 'bin' / 'python')
    if facts is None:
        return 'make', 'its Python does not run any more'
    version = tuple(facts['version'])
    if base and choose_python(base)[1] != version:
        return 'make', 'BASE_PYTHON has another version'
    if state['key'] != environment_key(version):
        return 'update', 'the pins changed'
    return ('nothing', '') if state.get('project') == str(ROOT) else ('link', '')


def explain(output: str) -> str:
    """Find the cause of a failure in pip's output."""
    for pattern, cause in CAUSES:
        found = re.search(pattern, output)
        if found:
            return found.expand(cause)
    errors = [line.strip() for line in output.splitlines() if line.lower().startswith(('error:', 'oserror:'))]
    return errors[-1] if errors else 'no reason given'


class Steps:
    """Run commands, and print one line for each, with the time since the start; their output goes into the log."""

    def __init__(self, env: Path):
        self.env = env
        self.start = time.monotonic()
        self.clear = '\r\x1b[K' if sys.stdout.isatty() else ''  # a terminal shows pip's progress bar
        LOG.write_bytes(b'')

    def say(self, text: str) -> None:
        print(f'{self.clear}[{time.monotonic() - self.start:4.0f} s] {text}', flush=True)

    def run(self, title: str, *command) -> None:
        """Run a command to its end.

        Raises:
            SetupError: The command failed; the message says why in a sentence.
        """
        self.say(title)
        with open(LOG, 'ab', buffering=0) as log:
            log.write(f'\n=== {title}\n'.encode())
            begin = log.tell()
            with subprocess.Popen(
                [str(part) for part in command],
                cwd=str(ROOT),
                env=self.variables(),
                stdout=subprocess.PIPE,
                stderr=log,
                encoding='utf-8',
                errors='replace',
            ) as process:
                for line in process.stdout:
                    log.write(self.show(line).encode())
        if process.returncode:
            output = LOG.read_bytes()[begin:].decode(errors='replace')
            raise SetupError(f'"{title}" failed: {explain(output)} (details: {LOG.name}; then run make again).')

    def pip(self, title: str, *arguments) -> None:
        self.run(title, self.env / 'bin' / 'python', '-m', 'pip', 'install', *arguments)

    def show(self, line: str) -> str:
        """Show the progress that a line of pip's output means; return the part of the line for the log."""
        line = re.sub(r'\x1b\[[0-9;?]*[A-Za-z]', '', line)
        if '\u2501' in line:  # pip's progress bar
            if self.clear:
                print(self.clear + line.strip(), end='', flush=True)
            return ''
        download = re.match(r'\s*(Downloading|Using cached) (?:\S*/)?([^\s-]+-[^\s-]+)\S* \((\d{3,}\.\d MB)\)', line)
        if download:
            self.say(f'  {download.group(2)}: {download.group(1).lower()} {download.group(3)}')
        elif line.startswith('Installing collected packages'):
            self.say('  unpacking')
        return line

    def variables(self) -> dict:
        """Environment variables for pip: none of another Python, and temporary files in a place with enough space."""
        kept = {name: value for name, value in os.environ.items() if name not in ('PYTHONPATH', 'PYTHONHOME')}
        bar = {'FORCE_COLOR': '1'} if self.clear else {}  # or pip draws none into a pipe
        return {**kept, **bar, 'TMPDIR': str(self.env / 'tmp'), 'PIP_USER': '0', 'PIP_DISABLE_PIP_VERSION_CHECK': '1'}


def check_space(env: Path) -> None:
    free = shutil.disk_usage(str(env)).free / 1e9
    if free < NEEDED_GB:
        raise SetupError(
            f'{free:.1f} GB are free for .venv and about {NEEDED_GB} are needed: make room, then run make again.'
        )


def make_environment(env: Path, base: str, steps: Steps) -> None:
    """Make an empty virtual environment, marked as made by ``make setup`` and not complete."""
    python, version = choose_python(base)
    env.mkdir(parents=True, exist_ok=True)
    write_state(env)
    for path in env.iterdir():
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(str(path))
        elif path.name != STATE:
            path.unlink()
    check_space(env)
    (env / 'tmp').mkdir()
    steps.run('making .venv from {} (Python {}.{})'.format(python, *version), python, '-m', 'venv', env)


def install_pins(env: Path, steps: Steps) -> None:
    """Install every pinned package, whatever version is there."""
    runtime, mmpose, *others = PINS
    files = [part for path in (runtime, *others) for part in ('-r', path)]
    write_state(env)
    (env / 'tmp').mkdir(exist_ok=True)
    steps.pip('installing PyTorch and OpenMMLab (minutes)', *WHEELS, *files)
    steps.pip('installing mmpose', *WHEELS, '--no-deps', '-r', mmpose)
    write_state(env, environment_key(probe(env / 'bin' / 'python')['version']))


def link_project(env: Path, steps: Steps) -> None:
    """Install mmtranspose itself, editable."""
    (env / 'tmp').mkdir(exist_ok=True)
    steps.pip('installing mmtranspose itself, editable', '--no-deps', '--no-build-isolation', '-e', ROOT)
    shutil.rmtree(str(env / 'tmp'))
    write_state(env, **{**read_state(env), 'project': str(ROOT)})


def install_docs(env: Path, steps: Steps) -> None:
    """Install what builds the documentation."""
    (env / 'tmp').mkdir(exist_ok=True)
    steps.pip('installing what builds the documentation', *WHEELS, '-r', DOCS)
    shutil.rmtree(str(env / 'tmp'))
    write_state(env, **{**read_state(env), 'docs': digest(pins(DOCS))})


@contextlib.contextmanager
def locked(env: Path):
    """Wait until no other set-up works on the environment, which several clones may share."""
    env.parent.mkdir(parents=True, exist_ok=True)
    if fcntl is None:
        yield
        return
    with open(f'{env}.lock', 'w') as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            print(f'Waiting for another set-up of {env}.', flush=True)
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def setup(base: str = '', env: Path = ROOT / '.venv', docs: bool = False) -> None:
    """Make, repair or update ``.venv``; do nothing if it agrees with the pins.

    Args:
        base: The Python to make it from; none named: the newest tested one.
        env: The environment.
        docs: With what builds the documentation.

    Raises:
        SetupError: It cannot be done, or the environment is another checkout's.
    """
    named, env = env, Path(os.path.realpath(str(env)))  # .ci/run links one from outside
    with locked(env):
        task, reason = plan(env, base)
        if task == 'nothing' and not (docs and lacks_docs(env)):
            return
        require_own(named, ROOT, (read_state(env) or {}).get('project', ''))
        steps = Steps(env)
        if reason:
            steps.say('{} .venv: {}'.format('making a new' if task == 'make' else 'updating', reason))
        if task == 'make':
            make_environment(env, base, steps)
        if task in ('make', 'update'):
            install_pins(env, steps)
        if task != 'nothing':
            link_project(env, steps)
        if docs and lacks_docs(env):
            install_docs(env, steps)
        steps.say('.venv is ready')


def lacks_docs(env: Path) -> bool:
    """Whether the environment, which is complete otherwise, lacks the pins of ``docs.txt``."""
    return read_state(env).get('docs') != digest(pins(DOCS))


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('command', choices=('setup', 'docs', 'key'))
    parser.add_argument('--base', default='', help='the Python to make .venv from')
    options = parser.parse_args(arguments)
    try:
        if options.command == 'key':
            print(environment_key(choose_python(options.base)[1]))
        else:
            setup(options.base, docs=options.command == 'docs')
    except SetupError as error:
        print(error, file=sys.stderr)
    except OSError as error:
        full = error.errno in (errno.ENOSPC, errno.EDQUOT)
        print(f'Set-up failed: {NO_SPACE if full else error}.', file=sys.stderr)
    except KeyboardInterrupt:
        print('Interrupted: the next make starts the installation again.', file=sys.stderr)
    else:
        return 0
    return 1


if __name__ == '__main__':
    sys.exit(main())
