"""The package where POSIX ends: without its modules, functions and signals, with a console that knows few characters.

The commands run on Linux, in a process from which is taken what Windows does not have, and all packages that
``mmtranspose doctor --fix`` does not install.
"""

import ast
import functools
import json
import os
import shutil
import subprocess
import sys
from importlib.metadata import PackageNotFoundError, packages_distributions, requires
from pathlib import Path

import pytest
from conftest import ROOT
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from mmtranspose_cli.doctor.needs import all_needs

POSIX_MODULES = {
    *('fcntl', 'grp', 'posix', 'pty', 'pwd', 'readline', 'resource', 'syslog', 'termios', 'tty'),
    *('_posixshmem', '_curses', 'curses', 'crypt'),
}
POSIX_FUNCTIONS = {
    *('fork', 'forkpty', 'getuid', 'geteuid', 'getgid', 'getegid', 'getpgid', 'killpg', 'setsid', 'nice', 'mkfifo'),
    *('sched_getaffinity', 'getloadavg', 'posix_fadvise', 'wait', 'wait3', 'uname', 'statvfs', 'sysconf', 'ctermid'),
}
POSIX_SIGNALS = {
    *('SIGALRM', 'SIGCHLD', 'SIGCONT', 'SIGHUP', 'SIGKILL', 'SIGPIPE', 'SIGQUIT', 'SIGSTOP', 'SIGTSTP', 'SIGUSR1'),
    *('SIGUSR2', 'alarm', 'pthread_kill', 'pthread_sigmask', 'setitimer', 'sigwait', 'sigwaitinfo'),
}
LIBRARIES_NEED = {'uname', 'getuid', 'sysconf'}  # wherever they find Linux or macOS
FILES = sorted(
    path.relative_to(ROOT).as_posix()
    for folder in ('mmtranspose', 'mmtranspose_cli', 'tools')
    for path in (ROOT / folder).rglob('*.py')
    if '.mim' not in path.parts
)

SCRIPT = f"""
import builtins, ctypes, os, signal, sys
imported = builtins.__import__
# Other libraries ask the system which it is, and import them
def without_posix(name, globals=None, *arguments, **options):
    ours = (globals or {{}}).get('__name__', '').startswith('mmtranspose')
    if ours and name in {sorted(POSIX_MODULES)}:
        raise ModuleNotFoundError(f'No module named {{name!r}}')
    return imported(name, globals, *arguments, **options)
builtins.__import__ = without_posix
for owner, names in ((os, {sorted(POSIX_FUNCTIONS - LIBRARIES_NEED)}), (signal, {sorted(POSIX_SIGNALS)})):
    for name in names:
        if hasattr(owner, name):
            delattr(owner, name)
load = ctypes.CDLL.__init__
def only_ours(self, name, *arguments, **options):
    if name and str(name).startswith('libc.so'):
        raise OSError(f'{{name}}: no such file')
    load(self, name, *arguments, **options)
ctypes.CDLL.__init__ = only_ours

import json
from importlib.machinery import PathFinder
absent = set(json.loads(sys.argv[2]))
class Installed(PathFinder):
    @classmethod
    def find_spec(cls, name, *arguments):
        return None if name.partition('.')[0] in absent else super().find_spec(name, *arguments)
sys.meta_path[sys.meta_path.index(PathFinder)] = Installed

from mmtranspose_cli.main import main
for arguments in json.loads(sys.argv[1]):
    try:
        status = main(arguments)
    except SystemExit as stop:
        status = stop.code
    print('status', arguments[0], status or 0, flush=True)
"""


def not_installed_by_the_doctor():
    """The modules of this environment that its packages and theirs do not include."""
    installed, waiting = set(), [name for need in all_needs() for name in need.distributions]
    while waiting:
        name = canonicalize_name(waiting.pop())
        if name not in installed:
            installed.add(name)
            try:
                lines = map(Requirement, requires(name) or ())
            except PackageNotFoundError:
                continue
            waiting += [line.name for line in lines if line.marker is None or line.marker.evaluate(dict(extra=''))]
    modules = packages_distributions().items()
    return sorted(name for name, owners in modules if not installed & set(map(canonicalize_name, owners)))


def test_commands(people, tiny_config, tiny_checkpoint, tmp_path):
    """Each ends with 0, from the first image to a trained checkpoint; names are Chinese, the console is Windows'."""
    root = shutil.copytree(people, tmp_path / 'people')
    image = tmp_path / '图.jpg'
    shutil.copy(root / 'val' / '000000000001.jpg', image)
    box = ['--input', str(image), '--bboxes', 'whole-image', '--output-root']
    data, work = ['--cfg-options', f'data_root={root}'], ['--work-dir', str(tmp_path / 'work')]
    runs = [
        ['--version'],
        ['list'],
        ['demo', '--photograph-only', '--output-root', str(tmp_path / 'demo')],
        ['infer', tiny_config, tiny_checkpoint, *box, str(tmp_path / '出')],
        ['explain', tiny_config, tiny_checkpoint, *box, str(tmp_path / 'explained')],
        ['check-dataset', tiny_config, *data],
        ['train', tiny_config, *work, *data],
        ['test', tiny_config, str(tmp_path / 'work' / 'epoch_1.pth'), *work, *data],
        ['publish', str(tmp_path / 'work' / 'epoch_1.pth'), str(tmp_path / 'published.safetensors')],
    ]
    environment = {name: value for name, value in os.environ.items() if not name.startswith(('LC_', 'LANG'))}
    environment |= dict(PYTHONPATH=str(ROOT), PYTHONIOENCODING='cp1252', PYTHONUTF8='0', LC_ALL='C.UTF-8')
    absent = not_installed_by_the_doctor()
    assert 'pytest' in absent and 'torch' not in absent
    process = subprocess.run(
        [sys.executable, '-X', 'warn_default_encoding', '-c', SCRIPT, json.dumps(runs), json.dumps(absent)],
        env=environment,
        capture_output=True,
        cwd=tmp_path,
    )
    output, errors = process.stdout.decode('cp1252'), process.stderr.decode('cp1252', 'replace')
    assert process.returncode == 0, errors[-3000:]
    statuses = [line.split()[1:] for line in output.splitlines() if line.startswith('status ')]
    assert statuses == [[run[0], '0'] for run in runs], errors[-3000:]
    assert '\\u51fa' in output  # the folder's name
    ours = [line for line in errors.splitlines() if 'EncodingWarning' in line and f'{ROOT}{os.sep}mmtranspose' in line]
    assert ours == []
    assert (tmp_path / '出' / '图.json').is_file() and (tmp_path / 'work' / 'epoch_1.pth').is_file()
    assert (tmp_path / 'published.safetensors').is_file() and (tmp_path / 'explained' / '图.html').is_file()


@functools.cache
def tree_of(name):
    return ast.parse((ROOT / name).read_text(encoding='utf-8'))


class Use(ast.NodeVisitor):
    """What of POSIX a module uses outside of ``try`` and of ``hasattr``, ``sys.platform`` and the like."""

    def __init__(self):
        self.found = []

    def visit_Try(self, node):
        for part in (*node.handlers, *node.orelse, *node.finalbody):
            self.visit(part)

    def visit_If(self, node):
        if any(word in ast.unparse(node.test) for word in ('hasattr', 'sys.platform', 'is not None')):
            for part in node.orelse:
                self.visit(part)
        else:
            self.generic_visit(node)

    def visit_Import(self, node):
        self.found += [f'{node.lineno}: {name.name}' for name in node.names if name.name in POSIX_MODULES]

    def visit_ImportFrom(self, node):
        self.found += [f'{node.lineno}: {node.module}'] * (node.module in POSIX_MODULES)

    def visit_Attribute(self, node):
        of_posix = {'os': POSIX_FUNCTIONS, 'signal': POSIX_SIGNALS}.get(getattr(node.value, 'id', ''), ())
        self.found += [f'{node.lineno}: {ast.unparse(node)}'] * (node.attr in of_posix)
        self.generic_visit(node)


# Guarded by a condition that stands elsewhere
GUARDED = {'mmtranspose/engine/preemption.py': {'signal.pthread_sigmask', 'signal.sigwaitinfo'}}


def test_nothing_of_posix_alone():
    assert len(FILES) > 300
    found = []
    for name in FILES:
        use = Use()
        use.visit(tree_of(name))
        allowed = GUARDED.get(name, set())
        found += [f'{name}:{one}' for one in use.found if one.split(': ')[1] not in allowed]
    assert found == []


def test_the_search_finds_what_it_is_for():
    use = Use()
    use.visit(
        ast.parse(
            'import fcntl\nfrom pwd import getpwnam\nos.fork()\nsignal.SIGKILL\n'
            'try:\n    import resource\nexcept ImportError:\n    os.nice(1)\n'
            "if hasattr(os, 'getuid'):\n    os.getuid()\nelse:\n    signal.alarm(1)\n"
        )
    )
    assert use.found == ['1: fcntl', '2: pwd', '3: os.fork', '4: signal.SIGKILL', '8: os.nice', '12: signal.alarm']


def reads_or_writes_text(node):
    """Whether a call opens, reads or writes a file of text, and names no encoding."""
    if not isinstance(node, ast.Call) or any(key.arg in ('encoding', None) for key in node.keywords):
        return False
    name = node.func.id if isinstance(node.func, ast.Name) else getattr(node.func, 'attr', '')
    owner = ast.unparse(node.func.value) if isinstance(node.func, ast.Attribute) else ''
    if name in ('read_text', 'write_text'):
        return not owner.startswith('metadata.')
    mode = ast.literal_eval(node.args[1]) if len(node.args) > 1 and isinstance(node.args[1], ast.Constant) else 'r'
    return name == 'open' and not owner and 'b' not in str(mode)


def test_text_has_an_encoding():
    """Without one, files are read in the encoding of the system: cp1252 on most of Windows."""
    allowed = {'mmtranspose/compat/byte_order_mark.py'}  # hands on what it is given
    found = [
        f'{name}:{node.lineno}: {ast.unparse(node)}'
        for name in FILES
        if name not in allowed
        for node in ast.walk(tree_of(name))
        if reads_or_writes_text(node)
    ]
    assert found == []


@pytest.mark.parametrize(
    ('call', 'seen'),
    [
        ('open(path)', True),
        ("open(path, 'w')", True),
        ("open(path, 'rb')", False),
        ("open(path, encoding='utf-8')", False),
        ('path.read_text()', True),
        ('path.write_text(text)', True),
        ("metadata.distribution(name).read_text('RECORD')", False),
        ('image.open(path)', False),
    ],
)
def test_a_call_without_an_encoding_is_seen(call, seen):
    assert reads_or_writes_text(ast.parse(call, mode='eval').body) is seen


def test_a_script_needs_bash(monkeypatch):
    from mmtranspose_cli import main

    monkeypatch.setattr(main.shutil, 'which', lambda name: None)
    with pytest.raises(SystemExit, match='mmtranspose dist-train is a script for bash, which is not there'):
        main.run_script('dist-train', [])


def test_an_output_that_knows_few_characters(tmp_path):
    """A name that the console cannot show is escaped."""
    script = 'from mmtranspose_cli.terminal import print_any_character as f; f(); print(chr(0x56fe), chr(0xe9))'
    environment = dict(os.environ, PYTHONPATH=str(ROOT), PYTHONIOENCODING='cp1252')
    done = subprocess.run([sys.executable, '-c', script], env=environment, capture_output=True)
    assert done.stdout.decode('cp1252').split() == ['\\u56fe', 'é'] and done.stderr == b''


def test_names_of_files():
    """None of the package's files has a character in its name that Windows forbids."""
    assert all(set(path.name).isdisjoint('<>:"|?*') for path in Path(ROOT / 'mmtranspose').rglob('*'))
