"""The house of DESIGN: which room may import which, and figures of the package's files.

``python tests/house.py`` prints the figures; ``python tests/house.py infer [arguments]`` also runs
``mmtranspose infer`` and counts the modules of the package that one run enters.
"""

from __future__ import annotations

import ast
import functools
import inspect
import statistics
import sys
import threading
from collections import Counter
from pathlib import Path

PACKAGE = Path(__file__).resolve().parents[1] / 'mmtranspose'
# What every room may import; all but the first row import nothing else of ours.
VOCABULARY = {'errors', 'typing', 'keypoint_names', 'version', 'compat', 'files'}
PROGRAMS = {'dataset_explanation', 'reproduction', 'benchmark', 'app', 'demo'}
# Room: rooms that it may import beside the vocabulary. From the ground up.
ROOMS = {
    'compat': set(),
    'errors': set(),
    'typing': set(),
    'keypoint_names': set(),
    'version': set(),
    'files': set(),
    'codecs': set(),
    'media': set(),
    'models': {'codecs'},
    'datasets': {'codecs'},
    'crops': {'datasets'},
    'loading': {'models'},
    'dataset_check': {'loading', 'media'},
    'acceleration': {'models'},
    'explain': {'models', 'codecs', 'crops', 'media'},
    'deployment': {
        'models',
        'codecs',
        'acceleration',
        'datasets',
        'crops',
        'loading',
        'dataset_check',
        'explain',
        'media',
    },
    'detection': {'loading', 'media', 'deployment'},
    'inference': {'crops', 'detection', 'acceleration', 'deployment', 'explain', 'media', 'models'},
    'visualization': {'explain'},
    'results': {'inference', 'visualization', 'explain', 'media'},
    'engine': {'loading', 'dataset_check', 'explain', 'visualization', 'acceleration', 'models', 'crops'},
}
LIBRARY = set(ROOMS)
ROOMS |= dict.fromkeys(PROGRAMS, LIBRARY)
ROOMS |= {
    'commands': LIBRARY | PROGRAMS,
    'apis': LIBRARY | PROGRAMS,
    'registration': {'loading'},
    'zoo': {'loading'},
    'utils': {'registration'},
    '__init__': {'registration'},
}


@functools.cache
def files() -> list[Path]:
    """All Python files of the package."""
    return sorted(path for path in PACKAGE.rglob('*.py') if '.mim' not in path.parts)


def room_of(path: Path) -> str:
    """The folder or file directly below the package."""
    return path.relative_to(PACKAGE).parts[0].removesuffix('.py')


def imported_modules(path: Path, source: str | None = None) -> set[str]:
    """Modules of the package that a file imports, inside functions and for type checking too."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text() if source is None else source)):
        if isinstance(node, ast.ImportFrom) and node.module and node.module.split('.')[0] == 'mmtranspose':
            found |= {node.module} | {f'{node.module}.{name.name}' for name in node.names}
        elif isinstance(node, ast.ImportFrom) and node.level:
            raise AssertionError(f'{path}: imports are absolute')
        elif isinstance(node, ast.Import):
            found |= {name.name for name in node.names if name.name.split('.')[0] == 'mmtranspose'}
    return found & _modules()


@functools.cache
def _modules() -> set[str]:
    return {module_of(path) for path in files()}


@functools.cache
def _packages() -> set[str]:
    return {module_of(path) for path in files() if path.name == '__init__.py'}


def module_of(path: Path) -> str:
    """The dotted name of a file."""
    return '.'.join(path.relative_to(PACKAGE.parent).with_suffix('').parts).removesuffix('.__init__')


def forbidden_imports(path: Path, source: str | None = None) -> list[str]:
    """Imports of a file that its room may not have."""
    room = room_of(path)
    allowed = {room} | ROOMS[room] | (VOCABULARY if room not in VOCABULARY - {'keypoint_names', 'files'} else set())
    if room in ('keypoint_names', 'files'):
        allowed = {room, 'errors', 'typing'} | ({'compat'} if room == 'files' else set())
    rooms = {module.split('.')[1] for module in imported_modules(path, source) if '.' in module}
    return [f'{path.relative_to(PACKAGE)} imports {other}' for other in sorted(rooms - allowed)]


def circles() -> list[list[str]]:
    """Files that import each other in a loop when they are loaded, each loop once."""
    edges = {module_of(path): _imported_on_loading(path) for path in files()}
    found, state = [], dict.fromkeys(edges, 0)

    def visit(module: str, trail: list[str]) -> None:
        state[module] = 1
        for other in sorted(edges[module]):
            if state[other] == 1:
                found.append([*trail[trail.index(other) :], other])
            elif state[other] == 0:
                visit(other, [*trail, other])
        state[module] = 2

    for module in edges:
        if state[module] == 0:
            visit(module, [module])
    return found


def _imported_on_loading(path: Path) -> set[str]:
    """Modules imported at the top of a file; a package's own face (``__init__``) does not count as imported."""
    known, packages = _modules(), _packages()
    found = set()
    for node in ast.parse(path.read_text()).body:
        if isinstance(node, ast.ImportFrom) and node.module and node.module.split('.')[0] == 'mmtranspose':
            names = {f'{node.module}.{name.name}' for name in node.names} & known
            found |= names or {node.module}
    own = module_of(path)
    return {module for module in found & known if not (module in packages and own.startswith(f'{module}.'))}


def with_content() -> list[Path]:
    """The files but ``__init__.py`` and those that only re-export names: old paths, and names that people import."""
    return [path for path in files() if path.name != '__init__.py' and room_of(path) not in ('apis', 'zoo')]


def twins() -> dict[str, list[str]]:
    """File names that occur more than once, among files with content."""
    names = Counter(path.name for path in with_content())
    return {
        name: [str(path.parent.relative_to(PACKAGE)) for path in with_content() if path.name == name]
        for name, count in names.items()
        if count > 1
    }


def line_counts() -> list[int]:
    """Lines of each file with content."""
    return [len(path.read_text().splitlines()) for path in with_content()]


def modules_entered(run) -> set[str]:
    """Modules of the package in which a function is called while ``run`` runs, in all of its threads."""
    entered: set[str] = set()
    prefix = str(PACKAGE)

    def profile(frame, event, argument):
        code = frame.f_code
        if event == 'call' and code.co_filename.startswith(prefix) and code.co_flags & inspect.CO_OPTIMIZED:
            entered.add(code.co_filename)  # a function: the code of modules and class bodies, run by imports, is not

    sys.setprofile(profile)
    threading.setprofile(profile)
    try:
        run()
    finally:
        sys.setprofile(None)
        threading.setprofile(None)
    return entered


def main(arguments: list[str]) -> None:
    """Print the figures."""
    lines = line_counts()
    print(f'files                  {len(lines)} (and {len(files()) - len(lines)} __init__.py and re-exports)')
    print(f'lines                  {sum(lines)}, median {statistics.median(lines):.0f} a file')
    print(f'files under 60 lines   {sum(count < 60 for count in lines)}')
    print(f'file names used twice  {len(twins())} {twins() or ""}')
    print(f'forbidden imports      {[one for path in files() for one in forbidden_imports(path)] or "none"}')
    print(f'circles                {circles() or "none"}')
    if arguments:
        sys.path.insert(0, str(PACKAGE.parent))
        from mmtranspose_cli.main import run

        def command() -> None:
            try:
                run(arguments[0], arguments[1:])
            except SystemExit as stop:
                print(f'exit status            {stop.code or 0}')

        entered = modules_entered(command)
        compat = sum('/compat/' in name for name in entered)
        print(f'modules entered        {len(entered)}, {compat} of them in compat')


if __name__ == '__main__':
    main(sys.argv[1:])
