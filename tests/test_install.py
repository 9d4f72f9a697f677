"""The set-up's logic: no network is used and no whole environment is made."""

import importlib
import json
import os
import shutil
import subprocess
import sys
from collections import namedtuple
from contextlib import suppress
from importlib.metadata import PackageNotFoundError, metadata
from importlib.util import find_spec
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet

from mmtranspose_cli.doctor.needs import OURS, all_needs
from mmtranspose_cli.doctor.versions import parse

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / 'requirements'))
install, interpreter, owners = (importlib.import_module(name) for name in ('install', 'interpreter', 'owners'))
sys.path.remove(str(ROOT / 'requirements'))

FULL = ['making .venv', 'installing PyTorch', 'installing mmpose', 'installing mmtranspose']
Usage = namedtuple('Usage', 'total used free')


def facts(version, venv=True):
    return {'version': list(version), 'venv': venv}


def fake_python(folder, name, known=None):
    """An executable that answers the probe, or fails as a pyenv shim without its version does."""
    path = folder / name
    path.write_text(f"#!/bin/sh\necho '{json.dumps(known)}'\n" if known else '#!/bin/sh\nexit 127\n')
    path.chmod(0o755)
    return str(path)


@pytest.fixture
def project(tmp_path, monkeypatch):
    """A project whose installation steps are written down instead of run; returns the titles of the steps."""
    pins = []
    for name, text in (
        ('runtime.txt', 'torch==2.11.0\n'),
        ('mmpose.txt', 'mmpose==1.3.2\n'),
        ('app.txt', 'gradio==6.31.0\n'),
        ('dev.txt', 'ruff==0.1\n'),
    ):
        pins.append(tmp_path / name)
        pins[-1].write_text(text)
    titles = []

    def run(self, title, *command):
        titles.append(title)
        if title.startswith('making'):
            (self.env / 'bin').mkdir()
            (self.env / 'bin' / 'python').symlink_to(sys.executable)

    monkeypatch.setattr(install, 'ROOT', tmp_path)
    monkeypatch.setattr(install, 'PINS', pins)
    monkeypatch.setattr(install, 'LOG', tmp_path / 'log')
    monkeypatch.setattr(install, 'choose_python', lambda base: (sys.executable, sys.version_info[:2]))
    monkeypatch.setattr(install.shutil, 'disk_usage', lambda path: Usage(0, 0, 50e9))
    monkeypatch.setattr(install.Steps, 'run', run)
    return titles


def taken(titles):
    """The steps taken since the last call, each cut to its beginning in FULL."""
    steps = [next(start for start in FULL if title.startswith(start)) for title in titles]
    titles.clear()
    return steps


@pytest.mark.parametrize(
    ('known', 'sentence'),
    [
        (facts((3, 10)), ''),
        (facts((3, 13)), ''),
        (facts((3, 14)), ''),
        (facts((3, 9)), 'p (Python 3.9) does not serve: Python 3.10 to 3.14 is needed'),
        (facts((3, 15)), 'p (Python 3.15) does not serve: Python 3.10 to 3.14 is needed'),
        (
            facts((3, 11), venv=False),
            'p (Python 3.11) has no venv module: install it (Debian: apt install python3.11-venv)',
        ),
    ],
)
def test_unfit_python_gets_a_sentence(known, sentence):
    told = interpreter.unfit('p', known)
    assert told.startswith(sentence) and bool(told) == bool(sentence)
    assert '\n' not in told


def test_the_newest_tested_python_that_runs_is_chosen(tmp_path, monkeypatch):
    monkeypatch.setenv('PATH', str(tmp_path))
    with pytest.raises(install.SetupError, match='^No Python found: install one from 3.10 to 3.14'):
        interpreter.choose_python('')
    fake_python(tmp_path, 'python3', facts((3, 15)))
    fake_python(tmp_path, 'python3.13')
    with pytest.raises(install.SetupError, match=r'^python3 \(Python 3.15\) does not serve'):
        interpreter.choose_python('')
    for known in ((3, 14), (3, 10), (3, 12)):
        name = 'python{}.{}'.format(*known)
        for older in tmp_path.iterdir():
            older.unlink()
        fake_python(tmp_path, name, facts(known, venv=False))
        with pytest.raises(install.SetupError, match=r'has no venv module: install it \(Debian: apt install python3'):
            interpreter.choose_python('')
        fake_python(tmp_path, name, facts(known))
        assert interpreter.choose_python('') == (name, known)
    fake_python(tmp_path, 'python3.14', facts((3, 14)))
    fake_python(tmp_path, 'python3.11', facts((3, 11)))
    assert interpreter.choose_python('') == ('python3.12', (3, 12))
    fake_python(tmp_path, 'python3.13', facts((3, 13)))
    assert interpreter.choose_python('') == ('python3.13', (3, 13))


def test_base_python_is_the_only_candidate(tmp_path):
    old = fake_python(tmp_path, 'old', facts((3, 9)))
    with pytest.raises(install.SetupError, match=r'old \(Python 3.9\) does not serve'):
        interpreter.choose_python(old)
    with pytest.raises(install.SetupError, match='^BASE_PYTHON=/nowhere/python does not run'):
        interpreter.choose_python('/nowhere/python')


def test_key_follows_pins_and_python(project):
    key = install.environment_key((3, 11))
    assert key.startswith('py3.11-')
    install.PINS[0].write_text('# a comment\ntorch==2.11.0  # and why\n\n')
    assert install.environment_key((3, 11)) == key
    assert install.environment_key((3, 10)) == key.replace('py3.11', 'py3.10')
    install.PINS[2].write_text('ruff==0.2\n')
    assert install.environment_key((3, 11)) != key


def test_second_setup_does_nothing(project):
    install.setup(env=install.ROOT / '.venv')
    assert taken(project) == FULL
    state = install.ROOT / '.venv' / install.STATE
    assert json.loads(state.read_text()) == {
        'key': install.environment_key(sys.version_info[:2]),
        'project': str(install.ROOT),
    }
    before = state.stat().st_mtime_ns
    install.setup(env=install.ROOT / '.venv')
    assert taken(project) == [] and state.stat().st_mtime_ns == before
    assert not (install.ROOT / '.venv' / 'tmp').exists()


def test_changed_pin_is_installed_into_the_same_environment(project):
    install.setup(env=install.ROOT / '.venv')
    taken(project)
    install.PINS[1].write_text('mmpose==1.3.1\n')
    install.setup(env=install.ROOT / '.venv')
    assert taken(project) == FULL[1:]


def test_moved_project_is_only_linked_again(project, tmp_path, monkeypatch):
    env = tmp_path / '.venv'
    install.setup(env=env)
    taken(project)
    monkeypatch.setattr(install, 'ROOT', tmp_path / 'moved')
    install.setup(env=env)
    assert taken(project) == FULL[3:]
    assert install.read_state(env)['project'] == str(tmp_path / 'moved')


def test_docs_come_on_top_and_once(project, tmp_path, monkeypatch):
    monkeypatch.setattr(install, 'DOCS', tmp_path / 'docs.txt')
    install.DOCS.write_text('zensical==0.0.67\n')
    docs, env = 'installing what builds the documentation', tmp_path / '.venv'
    key = install.environment_key((3, 11))
    install.setup(env=env, docs=True)
    assert project[4:] == [docs] and taken(project[:4]) == FULL
    project.clear()
    assert install.environment_key((3, 11)) == key
    install.setup(env=env, docs=True)
    install.setup(env=env)
    assert project == []
    install.DOCS.write_text('zensical==0.0.73\n')
    install.setup(env=env)
    assert project == []
    install.setup(env=env, docs=True)
    assert project == [docs]
    project.clear()
    monkeypatch.setattr(install, 'ROOT', tmp_path / 'moved')
    install.setup(env=env, docs=True)
    assert taken(project) == FULL[3:]
    install.PINS[1].write_text('mmpose==1.3.1\n')
    install.setup(env=env, docs=True)
    assert project[3:] == [docs]


def test_docs_pins_are_of_packages_that_no_other_file_pins():
    names = [line.split('==')[0].lower().replace('_', '-') for line in install.pins(install.DOCS)]
    assert len(names) == len(set(names)) > 50
    assert not set(names) & {line.split('==')[0].lower().replace('_', '-') for line in install.pins()}


def test_interrupted_setup_starts_again(project, tmp_path, monkeypatch):
    run, env = install.Steps.run, tmp_path / '.venv'

    def stop(self, title, *command):
        run(self, title, *command)
        if title.startswith('installing PyTorch'):
            (env / 'half').write_text('a package')
            raise KeyboardInterrupt

    monkeypatch.setattr(install.Steps, 'run', stop)
    with pytest.raises(KeyboardInterrupt):
        install.setup(env=env)
    assert taken(project) == FULL[:2]
    monkeypatch.setattr(install.Steps, 'run', run)
    install.setup(env=env)
    assert taken(project) == FULL and not (env / 'half').exists()


def test_environment_without_its_python_is_made_again(project, tmp_path, capsys):
    install.setup(env=tmp_path / '.venv')
    taken(project)
    (tmp_path / '.venv' / 'bin' / 'python').unlink()
    install.setup(env=tmp_path / '.venv')
    assert taken(project) == FULL
    assert 'making a new .venv: its Python does not run any more' in capsys.readouterr().out


def test_another_base_python_makes_a_new_environment(project, tmp_path, monkeypatch):
    install.setup(env=tmp_path / '.venv')
    taken(project)
    install.setup('same', env=tmp_path / '.venv')
    assert taken(project) == []
    monkeypatch.setattr(install, 'choose_python', lambda base: (sys.executable, (3, 0)))
    assert install.plan(tmp_path / '.venv', 'other') == ('make', 'BASE_PYTHON has another version')


def test_foreign_environment_stays(project, tmp_path):
    (tmp_path / '.venv').mkdir()
    (tmp_path / '.venv' / 'pyvenv.cfg').write_text('home = elsewhere')
    with pytest.raises(install.SetupError, match=r'^\.venv was not made by `make setup`, so it stays as it is'):
        install.setup(env=tmp_path / '.venv')
    assert taken(project) == [] and (tmp_path / '.venv' / 'pyvenv.cfg').read_text() == 'home = elsewhere'


def test_linked_environment_is_made_where_the_link_leads(project, tmp_path):
    (tmp_path / '.venv').symlink_to(tmp_path / 'cache' / 'venv-key')
    install.setup(env=tmp_path / '.venv')
    assert (tmp_path / '.venv').is_symlink()
    assert (tmp_path / 'cache' / 'venv-key' / install.STATE).is_file()


def checkout(folder):
    (folder / 'mmtranspose').mkdir(parents=True)
    (folder / 'mmtranspose' / 'version.py').touch()
    return folder


@pytest.fixture
def clone(project, tmp_path, monkeypatch):
    """Makes ``.venv`` of a checkout; then set-up is a second checkout's, which is returned with the first."""
    first, second = checkout(tmp_path / 'first'), checkout(tmp_path / 'second')
    monkeypatch.delenv(owners.SHARED, raising=False)
    monkeypatch.setattr(install, 'ROOT', first)
    install.setup(env=first / '.venv')
    taken(project)
    monkeypatch.setattr(install, 'ROOT', second)
    return second, first


@pytest.mark.parametrize('hops', [1, 2])
def test_a_link_to_the_environment_of_another_checkout_is_refused(project, clone, monkeypatch, hops):
    second, first = clone
    (second / 'link').symlink_to(os.path.join('..', 'first', '.venv'))
    env = second / '.venv'
    env.symlink_to('link' if hops == 2 else first / '.venv')
    before = (first / '.venv' / install.STATE).read_text()
    for change in (None, 'mmpose==1.3.1\n'):  # its pins agree; or it would be brought up to date
        if change:
            install.PINS[1].write_text(change)
        with pytest.raises(install.SetupError) as refused:
            install.setup(env=env)
        assert str(refused.value) == (
            f'{env} (a link to {first}/.venv) is the environment of the checkout {first}, and set-up would make its '
            f'commands run the code of {second}: remove {env} and run make again, which makes an environment of its '
            'own; or use it as it is with PYTHON=.venv/bin/python; or go on with MMTRANSPOSE_SHARED_VENV=1.'
        )
        assert taken(project) == [] and (first / '.venv' / install.STATE).read_text() == before
    monkeypatch.setenv(owners.SHARED, '1')
    install.setup(env=env)
    assert taken(project) == FULL[1:] and install.read_state(env)['project'] == str(second)


def test_an_unfinished_environment_of_another_checkout_is_not_made_again(project, clone):
    second, first = clone
    install.write_state(first / '.venv')
    (second / '.venv').symlink_to(first / '.venv')
    with pytest.raises(install.SetupError, match=f'is the environment of the checkout {first}, and'):
        install.setup(env=second / '.venv')
    assert taken(project) == [] and (first / '.venv' / 'bin' / 'python').exists()


def test_an_environment_that_another_checkout_took_over_is_refused(project, clone, tmp_path):
    second, first = clone
    for env in (tmp_path / 'elsewhere', second / '.venv'):
        shutil.copytree(first / '.venv', env, symlinks=True)
        with pytest.raises(install.SetupError, match=f'^{env} is the environment of the checkout {first}, and'):
            install.setup(env=env)
        assert taken(project) == []
    shutil.rmtree(first)
    install.setup(env=env)
    assert taken(project) == FULL[3:] and install.read_state(env)['project'] == str(second)


def test_clones_take_turns_with_the_environment_of_ci(project, clone, tmp_path):
    second, first = clone
    cached = tmp_path / 'cache' / f'venv-{install.environment_key(sys.version_info[:2])}'
    shutil.copytree(first / '.venv', cached, symlinks=True)
    (second / '.venv').symlink_to(cached)
    install.setup(env=second / '.venv')
    assert taken(project) == FULL[3:] and install.read_state(cached)['project'] == str(second)
    script = (ROOT / '.ci' / 'run').read_text()
    assert '"$caches/venv-$key" .venv' in script and 'make -s venv-key' in script


def test_space_is_checked_before_anything_is_installed(project, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(install.shutil, 'disk_usage', lambda path: Usage(0, 0, 1.26e9))
    with pytest.raises(install.SetupError, match=r'^1\.3 GB are free for \.venv and about 10 are needed: make room'):
        install.setup(env=tmp_path / '.venv')
    assert taken(project) == []


@pytest.mark.parametrize(
    ('output', 'cause'),
    [
        (
            'ERROR: Could not install packages due to an OSError: [Errno 28] No space left on device\n',
            'the disk is full',
        ),
        (
            'urllib3.exceptions.ProtocolError: ("Connection broken: OSError(28, \'No space left on device\')")\n',
            'the disk is full',
        ),
        (
            "WARNING: Retrying after connection broken by 'NewConnectionError(...): Temporary failure in name "
            "resolution')'\nERROR: No matching distribution found for cython==3.3.1\n",
            'the package index cannot be reached',
        ),
        (
            'ERROR: No matching distribution found for torch==2.11.0\n',
            'pip finds no torch==2.11.0: there is none for this Python and machine, or',
        ),
        ('ERROR: one\nERROR: two\nnote\n', 'ERROR: two'),
        ('', 'no reason given'),
    ],
)
def test_cause_is_found_in_pips_output(output, cause):
    assert install.explain(output).startswith(cause)


@pytest.mark.skipif(not find_spec('pip'), reason='pip is not there')
def test_unreachable_index_gets_a_sentence_from_pips_own_words(tmp_path, monkeypatch):
    monkeypatch.setattr(install, 'LOG', tmp_path / '.venv-install.log')
    for name in [name for name in os.environ if name.startswith('PIP_')]:
        monkeypatch.delenv(name)
    for name, value in {'CONFIG_FILE': os.devnull, 'INDEX_URL': 'http://127.0.0.1:9/', 'RETRIES': '1'}.items():
        monkeypatch.setenv(f'PIP_{name}', value)
    (tmp_path / 'tmp').mkdir()
    command = (sys.executable, '-m', 'pip', 'download', '-d', tmp_path, 'no-such-package==1.0')
    with pytest.raises(install.SetupError) as failure:
        install.Steps(tmp_path).run('downloading', *command)
    assert str(failure.value) == (
        '"downloading" failed: the package index cannot be reached: check the network, or the proxy that pip is to use '
        '(details: .venv-install.log; then run make again).'
    )
    assert 'no-such-package' in install.LOG.read_text()


def test_progress_names_large_downloads_and_keeps_bars_out_of_the_log(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(install, 'LOG', tmp_path / 'log')
    steps = install.Steps(tmp_path)
    large = '  Downloading torch-2.11.0-cp311-cp311-manylinux_2_28_x86_64.whl (530.6 MB)\n'
    small = '  Downloading mmdet-3.3.0-py3-none-any.whl (2.2 MB)\n'
    bar = '\x1b[2K     \u2501\u2501\u2501\u2501 5.1/530.6 MB 99.0 MB/s eta 0:00:05\n'
    assert [steps.show(line) for line in (large, small, bar)] == [large, small, '']
    assert capsys.readouterr().out == '[   0 s]   torch-2.11.0: downloading 530.6 MB\n'


def test_pins_lie_in_the_ranges_that_the_doctor_accepts():
    pinned = {line.split('==')[0] for line in install.pins()}
    ranges = {need.distributions[0]: (parse(need.low), need.below) for need in all_needs() if need is not OURS}
    not_imported = {'av', 'captum', 'setuptools', 'xtcocotools'}  # or on demand, or only to build
    for name in ('app.txt', 'export.txt', 'dev.txt'):
        lines = (ROOT / 'requirements' / name).read_text().splitlines()
        not_imported |= {line.split('==')[0] for line in lines if '==' in line}
    assert set(ranges) == pinned - not_imported
    for name, pin in (line.split(';')[0].strip().split('==') for line in install.pins()):
        low, below = ranges.get(name, ((), None))
        assert low <= parse(pin) and (not below or parse(pin) < parse(below)), name


@pytest.mark.skipif(not find_spec('setuptools'), reason='setuptools is not there')
def test_pins_are_for_every_python_that_is_supported():
    """As the metadata of those that are installed here say. A pin that holds for some Pythons has a marker."""
    wrong, known = [], 0
    for line in install.pins(*(ROOT / 'requirements').glob('*.txt')):
        if line.startswith('-'):
            continue
        pin = Requirement(line)
        with suppress(PackageNotFoundError):
            found = metadata(pin.name)
            if found['Version'] not in pin.specifier:
                continue
            known += 1
            accepted = SpecifierSet(found['Requires-Python'] or '')
            for python in ('3.10', '3.11', '3.12', '3.13'):
                used = pin.marker is None or pin.marker.evaluate(dict(python_version=python))
                if used and not accepted.contains(f'{python}.20'):
                    wrong.append(f'{line}: requires Python {accepted}, and is used with {python}')
    assert wrong == [] and known > 60


def test_package_requires_nothing(tmp_path):
    shutil.copy(ROOT / 'setup.py', tmp_path)
    (tmp_path / 'mmtranspose' / '.mim').mkdir(parents=True)
    (tmp_path / 'mmtranspose' / '.mim' / 'model-index.yml').touch()
    (tmp_path / 'mmtranspose' / '__init__.py').touch()
    (tmp_path / 'mmtranspose' / 'version.py').write_text("__version__ = '9.8.7'\n")
    subprocess.run([sys.executable, 'setup.py', '-q', 'egg_info'], cwd=tmp_path, check=True, capture_output=True)
    info = (tmp_path / 'mmtranspose.egg-info' / 'PKG-INFO').read_text().splitlines()
    assert {'Name: mmtranspose', 'Version: 9.8.7', 'Requires-Python: >=3.10'} <= set(info)
    assert [line for line in info if line.startswith('Requires-Dist') and 'extra ==' not in line] == []
    extras = (tmp_path / 'mmtranspose.egg-info' / 'requires.txt').read_text()
    assert 'torch' not in extras and 'mm' not in extras


def run_make(folder, *arguments, path=None):
    """`make` on a copy of the Makefile, with nothing but what ``path`` holds to be found."""
    shutil.copy(ROOT / 'Makefile', folder)
    (folder / 'requirements').mkdir(exist_ok=True)
    for name in ('install.py', 'interpreter.py', 'owners.py'):
        shutil.copy(ROOT / 'requirements' / name, folder / 'requirements')
    shutil.copytree(ROOT / 'mmtranspose_cli', folder / 'mmtranspose_cli', dirs_exist_ok=True)
    clean = {
        name: value for name, value in os.environ.items() if not name.startswith(('MAKE', 'PYTHON', 'BASE_PYTHON'))
    }
    clean.update(PATH=path or clean['PATH'])
    return subprocess.run([shutil.which('make'), *arguments], cwd=folder, env=clean, capture_output=True, text=True)


@pytest.mark.skipif(not shutil.which('make'), reason='make is not there')
def test_make_prints_help_and_names_a_missing_python(tmp_path):
    assert 'make demo' in run_make(tmp_path).stdout
    tools = tmp_path / 'tools'
    tools.mkdir()
    (tools / 'sh').symlink_to('/bin/sh')
    bare = run_make(tmp_path, 'setup', path=str(tools))
    assert bare.returncode and bare.stderr.startswith('No Python found: install one from 3.10 to 3.14')
    (tools / 'python3').symlink_to(sys.executable)
    (tmp_path / '.venv').mkdir()
    (tmp_path / '.venv' / 'mine').touch()
    foreign = run_make(tmp_path, 'setup', path=str(tools))
    assert foreign.returncode and foreign.stderr.startswith('.venv was not made by `make setup`')
    wrong = run_make(tmp_path, 'test', 'PYTHON=/nowhere/python')
    assert wrong.returncode and wrong.stderr.startswith('PYTHON=/nowhere/python does not run')


@pytest.mark.skipif(not shutil.which('make'), reason='make is not there')
def test_make_names_what_an_existing_environment_lacks_and_the_cure(tmp_path):
    python = str(tmp_path / 'bare' / 'bin' / 'python')
    subprocess.run([sys.executable, '-m', 'venv', '--without-pip', str(tmp_path / 'bare')], check=True)
    done = run_make(tmp_path, 'test', f'PYTHON={python}')
    assert done.returncode and done.stdout == ''
    lines = [' '.join(line.split()) for line in done.stderr.splitlines()]
    assert {'torch - broken missing', 'opencv - broken missing', 'pytest - broken missing'} <= set(lines)
    assert 'ruff - broken missing' not in lines
    assert f'{python} -m pip install --no-deps "mmpose>=1.3,<1.4"' in lines


@pytest.mark.skipif(not shutil.which('make'), reason='make is not there')
@pytest.mark.parametrize(('xdist', 'workers'), [(0, ['-n', '2', '--dist', 'worksteal']), (1, [])])
def test_make_runs_the_tests_in_two_processes_where_xdist_is_there(tmp_path, xdist, workers):
    python = tmp_path / 'python'
    python.write_text(
        f'#!/bin/sh\nif [ "$2" = "import xdist" ]; then exit {xdist}; fi\nif [ "$2" = pytest ]; then echo "$@"; fi\n'
    )
    python.chmod(0o755)
    done = run_make(tmp_path, '-s', 'test', f'PYTHON={python}', 'TEST_ARGS=-n 0 tests/x.py')
    options = ['-m', 'pytest', '-q', '--durations=5', '-W', 'default', *workers, '-n', '0', 'tests/x.py']
    assert (done.stdout.split(), done.stderr) == (options, '')
