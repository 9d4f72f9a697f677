"""Check that the last commit can be released: `make release-check`, or with RELEASE_ARGS=--allow-placeholders.

The sdist and the wheel that passed are left in build/release-check/dist. Standard library; the tools that it runs are
installed from release.txt into build/release-check/tools. Each check returns its findings as sentences.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Iterable, Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
WORK = ROOT / 'build' / 'release-check'
PINS = Path(__file__).with_name('release.txt')

HEADING = re.compile(r'^## (\S+)(?: - (\S+))?$', re.MULTILINE)  # of CHANGELOG.md
PLACEHOLDER = re.compile(r"github\.com/OWNER\b|\bOWNER\.github\.io|'OWNER'")


class CheckError(Exception):
    """The check cannot go on; the message says why."""


def version_problems(root: Path, tags: Iterable[str] = ()) -> list[str]:
    """Compare version.py, CHANGELOG.md, CITATION.cff and the tags of the commit."""
    version = _found(root, 'mmtranspose/version.py', r"^__version__ = '([^']+)'")
    changes = (root / 'CHANGELOG.md').read_text(encoding='utf-8')
    problems = []
    headings = list(HEADING.finditer(changes))
    released = [heading for heading in headings if heading[1] != 'Unreleased']
    name, date = (released[0][1], released[0][2]) if released else (None, None)
    if name != version:
        problems.append(f'CHANGELOG.md: its newest version is {name}, and mmtranspose/version.py has {version}.')
    if not re.fullmatch(r'\d{4}-\d\d-\d\d', date or ''):
        problems.append(f'CHANGELOG.md: the heading of {name} needs a date: "## {version} - YYYY-MM-DD".')
    if (
        len(headings) > 1
        and headings[0][1] == 'Unreleased'
        and changes[headings[0].end() : headings[1].start()].strip()
    ):
        problems.append(f'CHANGELOG.md: there are changes under "Unreleased"; move them under {version}.')
    for field, wanted in (('version', version), ('date-released', date)):
        given = _found(root, 'CITATION.cff', rf"^{field}: '?([^'\n]+)")
        if given != wanted:
            problems.append(f'CITATION.cff: {field} is {given}, and should be {wanted}.')
    return problems + [
        f'The commit has the tag {tag}, and mmtranspose/version.py has {version}.'
        for tag in tags
        if tag.startswith('v') and tag != f'v{version}'
    ]


def placeholder_problems(root: Path, files: Sequence[str]) -> list[str]:
    """Name each line that still has the placeholder of the repository's owner."""
    problems = []
    for name in files:
        if name.startswith('tests/') or (root / name).is_symlink() or name == 'requirements/release_check.py':
            continue
        lines = (root / name).read_bytes().decode('utf-8', 'replace').splitlines()
        for number, line in enumerate(lines, 1):
            if PLACEHOLDER.search(line):
                problems.append(f'{name}:{number}: OWNER is a placeholder; write the owner of the repository.')
    return problems


def expected_in_wheel(files: Iterable[str]) -> set[str]:
    """Files of the wheel beside its metadata: both packages, and configs, tools and indices below ``.mim``."""
    expected = set()
    for name in files:
        if name.startswith(('mmtranspose/', 'mmtranspose_cli/')) and '/.mim/' not in name:
            expected.add(name)
        if name.startswith(('configs/', 'tools/')) or name in ('model-index.yml', 'dataset-index.yml'):
            expected.add(f'mmtranspose/.mim/{name}')
    return expected


def wheel_problems(names: Iterable[str], files: Iterable[str]) -> list[str]:
    """Compare the files of a wheel with those that the repository has for it."""
    inside = {name for name in names if '.dist-info/' not in name}
    expected = expected_in_wheel(files)
    return [f'The wheel lacks {name}: see package_data in setup.py.' for name in sorted(expected - inside)] + [
        f'The wheel contains {name}, which does not belong there.' for name in sorted(inside - expected)
    ]


def twin_problems(first: Path, second: Path) -> list[str]:
    """Compare the wheel that was built from the sdist with the one that was built from the repository."""
    with zipfile.ZipFile(first) as one, zipfile.ZipFile(second) as other:
        contents = [{name: archive.read(name) for name in archive.namelist()} for archive in (one, other)]
    names = sorted(name for name in {*contents[0], *contents[1]} if not name.endswith('/RECORD'))
    unequal = [name for name in names if contents[0].get(name) != contents[1].get(name)]
    return [f'{name} differs between the wheel of the sdist and the wheel of the repository.' for name in unequal]


def _found(root: Path, name: str, pattern: str) -> str:
    match = re.search(pattern, (root / name).read_text(encoding='utf-8'), re.MULTILINE)
    if match is None:
        raise CheckError(f'{name} has no line like {pattern}.')
    return match[1].strip()


def run(*command: str | Path, cwd: Path = ROOT) -> str:
    """Run a command; returns what it printed.

    Raises:
        CheckError: It failed; the message has the end of what it printed.
    """
    variables = {name: value for name, value in os.environ.items() if not name.startswith('PYTHON')}
    done = subprocess.run(
        [str(word) for word in command],
        cwd=str(cwd),
        env={**variables, 'NO_COLOR': '1', 'PIP_DISABLE_PIP_VERSION_CHECK': '1'},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding='utf-8',
        errors='replace',
    )
    if done.returncode:
        said = '\n    '.join(done.stdout.strip().splitlines()[-15:])
        raise CheckError(f'`{" ".join(Path(word).name for word in map(str, command[:4]))} ...` failed:\n    {said}')
    return done.stdout


def tools() -> Path:
    """The folder of the tools' commands, installed if their pins are not there yet."""
    folder, note = WORK / 'tools', WORK / 'tools' / 'pins'
    if not note.is_file() or note.read_text(encoding='utf-8') != PINS.read_text(encoding='utf-8'):
        shutil.rmtree(str(folder), ignore_errors=True)
        run(sys.executable, '-m', 'venv', folder)
        run(folder / 'bin' / 'python', '-m', 'pip', 'install', '--only-binary', ':all:', '-r', PINS)
        shutil.copy(str(PINS), str(note))
    return folder / 'bin'


def build(python: Path) -> tuple[Path, Path, Path]:
    """Build from a fresh clone; returns the sdist, the wheel built from it, and a wheel built from the clone."""
    for name in ('source', 'dist', 'direct'):
        shutil.rmtree(str(WORK / name), ignore_errors=True)
    run('git', 'clone', '--quiet', '--no-hardlinks', ROOT, WORK / 'source')
    run(python, '-m', 'build', '--outdir', WORK / 'dist', '.', cwd=WORK / 'source')
    run(python, '-m', 'build', '--wheel', '--outdir', WORK / 'direct', '.', cwd=WORK / 'source')
    (sdist,) = (WORK / 'dist').glob('*.tar.gz')
    (wheel,), (direct,) = (WORK / 'dist').glob('*.whl'), (WORK / 'direct').glob('*.whl')
    return sdist, wheel, direct


def use(wheel: Path, python: Path) -> list[str]:
    """Install the wheel into an environment that sees the packages of this one, and list the models with it."""
    folder = WORK / 'installed'
    shutil.rmtree(str(folder), ignore_errors=True)
    run(sys.executable, '-m', 'venv', '--without-pip', folder)
    (packages,) = folder.glob('lib/python*/site-packages')
    (packages / 'zz.pth').write_text('\n'.join(path for path in sys.path if path.endswith('-packages')))
    run(python, '-m', 'pip', '--python', folder / 'bin' / 'python', 'install', '--no-deps', '--no-index', wheel)
    where = run(
        folder / 'bin' / 'python', '-W', 'ignore', '-c', 'import mmtranspose; print(mmtranspose.__file__)', cwd=WORK
    )
    problems = []
    if str(packages) not in where:
        problems.append(f'The installed wheel is not what Python imports, but {where.strip()}.')
    if 'transpose-h-a4' not in run(folder / 'bin' / 'mmtranspose', 'list', cwd=WORK):
        problems.append('`mmtranspose list` of the installed wheel does not name transpose-h-a4.')
    return problems


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        '--allow-placeholders', action='store_true', help='do not fail where OWNER is still a placeholder'
    )
    options = parser.parse_args(arguments)
    failed = noted = False

    def report(title: str, problems: Sequence[str], fatal: bool = True) -> None:
        nonlocal failed, noted
        failed |= fatal and bool(problems)
        noted |= bool(problems)
        print(
            f'{"ok    " if not problems else "FAILED" if fatal else "note  "} {title}',
            *problems,
            sep='\n       ',
            flush=True,
        )

    def passes(title: str, *command: str | Path) -> None:
        try:
            run(*command)
            report(title, [])
        except CheckError as error:
            report(title, [str(error)])

    try:
        files = run('git', 'ls-files').splitlines()
        changed = run('git', 'status', '--porcelain').splitlines()
        report('everything is committed', [f'{line[3:]} has changes that the release would lack.' for line in changed])
        report('versions agree', version_problems(ROOT, run('git', 'tag', '--points-at', 'HEAD').split()))
        report('no placeholders', placeholder_problems(ROOT, files), fatal=not options.allow_placeholders)
        WORK.mkdir(parents=True, exist_ok=True)
        folder = tools()
        sdist, wheel, direct = build(folder / 'python')
        report(f'{sdist.name} and {wheel.name} are built from a fresh clone', [])
        passes('links of the pages', folder / 'python', WORK / 'source' / 'docs' / 'scripts' / 'links.py')
        passes('twine', folder / 'twine', 'check', '--strict', sdist, wheel)
        passes('pyroma, repository', folder / 'pyroma', '-n', '10', WORK / 'source')
        passes('pyroma, sdist', folder / 'pyroma', '-n', '10', sdist)
        passes('check-wheel-contents', folder / 'check-wheel-contents', '--config', ROOT / 'pyproject.toml', wheel)
        with zipfile.ZipFile(wheel) as archive:
            report('contents of the wheel', wheel_problems(archive.namelist(), files))
        report('the sdist makes the same wheel', twin_problems(wheel, direct))
        report('the wheel can be used', use(wheel, folder / 'python'))
    except CheckError as error:
        report('the check could not go on', [str(error)])
    if failed or noted:
        print('Not ready for release.' if failed else 'Ready for release but for the placeholders.', flush=True)
    else:
        print(f'Ready for release: {WORK.relative_to(ROOT)}/dist', flush=True)
    return int(failed)


if __name__ == '__main__':
    sys.exit(main())
