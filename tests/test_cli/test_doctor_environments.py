"""``mmtranspose doctor`` in environments that are broken for real, in a bare Python with small modules on its path."""

import io
import json
import os
import signal
import subprocess
import sys
from importlib import metadata
from pathlib import Path

import pytest
from stack import STACK

from mmtranspose_cli.doctor import fixing
from mmtranspose_cli.doctor.cures import Command
from mmtranspose_cli.doctor.needs import all_needs
from mmtranspose_cli.doctor.probing import run_once

ROOT = Path(__file__).resolve().parents[2]

TORCH = """
class Tensor(list):
    def add(self, other): return self
    def item(self): return 1
def zeros(size, device='cpu'): return Tensor()
def ones(size): return Tensor()
def tensor(values): return Tensor(values)
class version: cuda = '13.0'
class cuda:
    names = []
    def is_available(): return bool(cuda.names)
    def device_count(): return len(cuda.names)
    def get_device_name(index): return cuda.names[index]
"""
# What ``probe`` calls; an override replaces one file.
SOURCES = {
    'torch/__init__.py': TORCH,
    'torchvision/__init__.py': 'from torchvision import ops',
    'torchvision/ops.py': 'def nms(boxes, scores, threshold): return [0]',
    'mmpose/apis.py': '',
    'mmpose/registry.py': "MODELS = {'TransPoseHead': object}",
    'pycocotools/mask.py': '',
}


@pytest.fixture(scope='module')
def bare_python(tmp_path_factory):
    folder = tmp_path_factory.mktemp('bare')
    subprocess.run([sys.executable, '-m', 'venv', '--without-pip', str(folder)], check=True)
    return str(folder / 'bin' / 'python')


def add_distribution(folder, name, version):
    info = folder / f'{name.replace("-", "_")}-{version}.dist-info'
    info.mkdir()
    (info / 'METADATA').write_text(f'Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n')


@pytest.fixture
def stack(tmp_path, bare_python, monkeypatch):
    """Makes a whole stack of small modules, with ``missing`` ones left out, and runs the doctor on it."""
    folder = tmp_path / 'stack'
    (folder / 'tools').mkdir(parents=True)
    monkeypatch.setenv('PYTHONPATH', os.pathsep.join([str(folder), str(ROOT)]))
    monkeypatch.setenv('NO_COLOR', '1')
    monkeypatch.setenv('PATH', os.pathsep.join([str(folder / 'tools'), os.defpath]))

    def make(files=(), versions=(), distributions=(), missing=()):
        known = {**STACK, **dict(versions)}
        names = dict(distributions)
        for need in all_needs():
            if need.module not in missing:
                (folder / need.module).mkdir()
                (folder / need.module / '__init__.py').touch()
                name = names.get(need.module, need.distributions[0])
                add_distribution(folder, name, known.get(need.module, '9.0'))
        for path, text in {**SOURCES, **dict(files)}.items():
            if path.split('/')[0] not in missing:
                (folder / path).write_text(text)
        return lambda *arguments: subprocess.run(
            [bare_python, '-m', 'mmtranspose_cli.doctor', *arguments], cwd=tmp_path, capture_output=True, text=True
        )

    make.folder, make.python = folder, bare_python
    return make


def verdicts(report):
    """{what: (found, remark)} of the rows that are not ok."""
    return {row['what']: (row['verdict'], row['remark']) for row in report['rows'] if row['verdict'] != 'ok'}


def diagnosed(run, code):
    """The JSON report of a run whose exit code is ``code``; the cure without the interpreter."""
    done = run('--json')
    assert (done.returncode, done.stderr) == (code, ''), done.stderr
    report = json.loads(done.stdout)
    assert report['healthy'] is (code == 0)
    return verdicts(report), [command.split(' -m ', 1)[1] for command in report['cure']], report


def test_whole_stack_is_healthy(stack):
    run = stack({'mmcv/_ext.py': ''}, distributions={'mmcv': 'mmcv'})
    done = run()
    assert (done.returncode, done.stderr) == (0, '')
    lines = done.stdout.splitlines()
    assert lines[0].startswith(f'{stack.python} (Python 3.')
    assert lines[2].split() == ['what', 'found', 'verdict', 'remark']
    table = [line.split()[:4] for line in lines[3 : lines.index('', 3)]]
    names = 'Python torch CUDA torchvision mmengine mmcv mmdet mmpose mmtranspose numpy opencv pycocotools'
    assert [row[0] for row in table] == names.split(' ')
    assert ['mmcv', '2.1.0', '(compiled)', 'ok'] in table and ['torch', '2.11.0', 'ok'] in table
    assert lines[-1] == 'Nothing is broken.' and '\x1b' not in done.stdout
    quiet = run('--quiet')
    assert (quiet.returncode, quiet.stdout, quiet.stderr) == (0, '', '')


def test_mmcv_lite_is_a_note_with_the_way_to_a_compiled_one(stack):
    rows, cure, report = diagnosed(stack(), 0)
    assert rows == {'mmcv': ('note', 'no compiled operators: enough for mmtranspose')} and cure == []
    pip, remove, build = report['findings'][0]['otherwise']  # JSON has each command by itself
    assert pip.endswith(' -m ensurepip') and remove.endswith(' -m pip uninstall -y mmcv mmcv-lite')
    assert build.startswith('MMCV_WITH_OPS=1 ') and '--no-cache-dir "mmcv==2.1.0"' in build


def test_bare_python_lacks_everything_and_the_cure_is_in_order(bare_python, tmp_path):
    environment = {**os.environ, 'PYTHONPATH': str(ROOT)}
    done = subprocess.run(
        [bare_python, '-m', 'mmtranspose_cli.doctor', '--quiet', '--also', 'pytest', '--also', 'ruff'],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 1 and done.stderr == ''
    lines = [' '.join(line.split()) for line in done.stdout.splitlines()]
    assert lines[0].endswith('lacks what mmtranspose needs:')
    assert {'torch - broken missing', 'pytest - broken missing', 'ruff - broken missing'} <= set(lines)
    assert 'CUDA - broken unknown without torch' in lines
    cure = lines[lines.index('Cure (mmtranspose doctor --fix asks, and runs it)') + 1 :]
    assert cure[0] == f'{bare_python} -m ensurepip &&' and cure[1].endswith(' yapf pytest ruff &&')
    assert cure[1].startswith(f'{bare_python} -m pip install ') and '"torch>=2.6,<3" torchvision ' in cure[1]
    assert cure[-1] == f'{bare_python} -m pip install --no-deps "mmpose>=1.3,<1.4"'
    assert 'chumpy' in done.stdout


def test_crash_and_hang_are_verdicts_and_the_rest_is_tried(stack):
    crash = 'import os, signal\nos.kill(os.getpid(), signal.SIGSEGV)'
    run = stack({'scipy/__init__.py': crash, 'shapely/__init__.py': 'import time\ntime.sleep(60)'}, {'scipy': '1.17.1'})
    done = run('--json', '--timeout', '1')
    report = json.loads(done.stdout)
    assert done.returncode == 1
    rows = verdicts(report)
    assert rows['scipy'] == ('broken', 'crashes when tried') and rows['shapely'] == ('broken', 'hangs when tried')
    assert set(rows) == {'scipy', 'shapely', 'mmcv'}
    told = {finding['concerns'][0]: finding for finding in report['findings']}
    assert told['scipy']['sentence'] == 'scipy crashes when it is tried: its process was ended by SIGSEGV'
    assert told['shapely']['sentence'] == 'shapely hangs when it is tried: it did not come back within 1 s'
    assert told['scipy']['commands'][-1].endswith('--force-reinstall --no-deps --no-cache-dir "scipy==1.17.1"')


def test_module_that_ends_or_prints_does_no_harm(stack):
    files = {
        'tqdm/__init__.py': 'print("hello")',
        'yapf/__init__.py': 'import os\nos._exit(0)',
        'rich/__init__.py': 'raise SystemExit(3)',
        'mmengine/__init__.py': 'import yapf',
    }
    rows, _, report = diagnosed(stack(files), 1)
    assert rows['yapf'] == ('broken', 'crashes when tried') and rows['rich'] == ('broken', 'fails when tried')
    assert 'tqdm' not in rows
    sentences = ' '.join(finding['sentence'] for finding in report['findings'])
    assert 'its process ended with exit code 0' in sentences and 'SystemExit: 3' in sentences
    assert rows['mmengine'] == ('broken', 'needs rich and 1 more')


def test_mmcv_that_mmdet_refuses(stack):
    refusal = 'MMCV==2.2.0 is used but incompatible. Please install mmcv>=2.0.0rc4, <2.2.0.'
    run = stack(
        {'mmdet/__init__.py': f'assert False, {refusal!r}', 'mmcv/_ext.py': ''},
        {'mmcv': '2.2.0'},
        {'mmcv': 'mmcv'},
    )
    rows, cure, _ = diagnosed(run, 1)
    assert rows['mmcv'] == ('broken', 'mmdet takes >=2.0.0rc4,<2.2.0')
    assert rows['mmdet'] == ('broken', 'needs mmcv')
    assert cure[1:] == ['pip uninstall -y mmcv', 'pip install "mmcv-lite>=2.0.0rc4,<2.2.0"']


def test_refusal_is_worded_as_mmdet_words_it(tmp_path, monkeypatch):
    """The real mmdet beside an mmcv 2.2.0."""
    (tmp_path / 'mmcv.py').write_text("__version__ = '2.2.0'")
    monkeypatch.syspath_prepend(str(tmp_path))
    from mmtranspose_cli.doctor.faults.openmmlab import REFUSED

    outcome = run_once(['mmdet'], 120, lambda name: None)['mmdet']
    assert outcome.state == 'failed'
    assert REFUSED.search(outcome.error).groups() == ('2.2.0', '>=2.0.0rc4', '<2.2.0')


def test_compiled_mmcv_that_does_not_load(stack):
    error = 'mmcv/_ext.cpython-311-x86_64-linux-gnu.so: undefined symbol: _ZN3c106detail'
    run = stack({'mmcv/_ext.py': f'raise ImportError({error!r})'}, distributions={'mmcv': 'mmcv'})
    rows, cure, report = diagnosed(run, 1)
    assert rows['mmcv'] == ('broken', 'compiled, but does not load')
    assert cure[1:] == ['pip uninstall -y mmcv', 'pip install "mmcv-lite>=2.0,<2.2"']
    assert error in report['findings'][0]['sentence']


def test_torchvision_of_another_torch(stack):
    error = 'operator torchvision::nms does not exist'
    files = {'torchvision/__init__.py': f'raise RuntimeError({error!r})'}
    run = stack(files, {'torch': '2.10.0', 'torchvision': '0.24.1'})
    rows, cure, report = diagnosed(run, 1)
    assert rows['torchvision'] == ('broken', 'does not fit torch')
    assert rows['mmtranspose'] == ('broken', 'needs torchvision')
    command, comment = cure[-1].split('  # ')
    assert command == 'pip install --force-reinstall --no-deps "torchvision==0.25.*"'
    assert comment == 'from the index that torch came from'
    assert 'torchvision 0.24.1 beside torch 2.10.0' in report['findings'][0]['sentence']


def test_torch_too_old_is_broken_as_it_loads_pickles(stack):
    run = stack(versions={'torch': '2.5.1', 'torchvision': '0.20.1'})
    rows, cure, report = diagnosed(run, 1)
    assert rows['torch'] == ('broken', 'needs 2.6 or newer')
    assert cure[1:] == ['pip install "torch>=2.6,<3" torchvision']
    assert 'pickle' in report['findings'][0]['sentence']


def test_gpu_names_and_a_gpu_that_fails(stack):
    gpus = TORCH.replace('names = []', "names = ['H200', 'H200']")
    run = stack({'torch/__init__.py': gpus})
    row = next(row for row in diagnosed(run, 0)[2]['rows'] if row['what'] == 'CUDA')
    assert (row['found'], row['verdict'], row['remark']) == ('built for CUDA 13.0', 'ok', '2 x H200')
    failing = gpus.replace('return Tensor()\n', "return Tensor() if device == 'cpu' else 1 / 0\n", 1)
    (stack.folder / 'torch' / '__init__.py').write_text(failing)
    rows, _, report = diagnosed(run, 1)
    assert rows['CUDA'] == ('broken', 'a GPU that fails') and 'torch' not in rows
    assert 'ZeroDivisionError' in report['findings'][0]['sentence']


def test_gpu_driver_that_torch_does_not_use_is_a_note(stack):
    run = stack()
    tool = stack.folder / 'tools' / 'nvidia-smi'
    tool.write_text('#!/bin/sh\n')
    tool.chmod(0o755)
    assert diagnosed(run, 0)[0]['CUDA'] == ('note', 'driver there, no GPU usable')
    (stack.folder / 'torch' / '__init__.py').write_text(TORCH.replace("cuda = '13.0'", 'cuda = None'))
    assert diagnosed(run, 0)[0]['CUDA'] == ('note', 'CPU build beside a GPU driver')


def test_opencv_for_numpy_2_is_a_note_until_it_fails(stack):
    run = stack(versions={'cv2': '4.12.0.88'}, distributions={'cv2': 'opencv-python-headless'})
    rows, cure, report = diagnosed(run, 0)
    assert rows['opencv'] == ('note', 'asks for numpy 2') and cure == []
    advice = next(finding for finding in report['findings'] if finding['concerns'] == ['opencv'])['otherwise'][-1]
    assert advice.endswith('pip install "opencv-python-headless<4.12" "numpy<2"')
    (stack.folder / 'cv2' / '__init__.py').write_text("raise ImportError('numpy.core.multiarray failed to import')")
    (stack.folder / 'mmengine' / '__init__.py').write_text('import cv2')
    rows, cure, _ = diagnosed(run, 1)
    assert rows['opencv'] == ('broken', 'asks for numpy 2') and rows['mmengine'] == ('broken', 'needs opencv')
    assert cure[1:] == ['pip install "opencv-python-headless<4.12" "numpy<2"']


def test_opencv_without_its_system_library(stack):
    error = 'libGL.so.1: cannot open shared object file: No such file or directory'
    rows, cure, _ = diagnosed(stack({'cv2/__init__.py': f'raise ImportError({error!r})'}), 1)
    assert rows['opencv'] == ('broken', 'libGL.so.1 is not there')
    assert cure[1:] == ['pip install --force-reinstall --no-deps "opencv-python-headless==4.11.0.86"']


def test_openmim_and_two_mmcvs_are_notes(stack):
    run = stack({'mmcv/_ext.py': ''})
    add_distribution(stack.folder, 'openmim', '0.3.9')
    add_distribution(stack.folder, 'mmcv', '2.1.0')
    rows, _, _ = diagnosed(run, 0)
    assert rows['openmim'] == ('note', 'asks for an old setuptools')
    assert rows['mmcv'] == ('note', 'mmcv and mmcv-lite are both installed')


def test_folder_of_a_module_s_name_is_no_module(stack, tmp_path):
    """The working directory may hold a clone of mmpose in a folder ``mmpose``."""
    run = stack(missing=('mmpose',))
    (tmp_path / 'mmpose' / 'configs').mkdir(parents=True)
    assert diagnosed(run, 1)[0]['mmpose'] == ('broken', 'missing')


def test_mmtranspose_that_does_not_register_is_broken(stack):
    run = stack({'mmpose/registry.py': 'MODELS = {}'})
    rows, cure, report = diagnosed(run, 1)
    assert rows['mmtranspose'] == ('broken', 'fails when tried') and cure == []
    assert 'did not register TransPoseHead' in report['findings'][-1]['sentence']


@pytest.mark.parametrize('arguments', [['--timeout', '0'], ['--timeout', 'soon'], ['--frobnicate'], ['extra']])
def test_bad_arguments_exit_with_2(stack, arguments):
    done = stack()(*arguments)
    assert done.returncode == 2 and 'error: ' in done.stderr and done.stdout == ''


def test_help_has_an_example_and_the_exit_codes(stack):
    done = stack()('--help')
    assert done.returncode == 0
    assert 'mmtranspose doctor --json' in done.stdout and 'exit code: 0 where nothing is broken' in done.stdout


def test_this_environment_is_healthy_and_its_versions_are_told():
    """The trials against the real libraries."""
    environment = {**os.environ, 'PYTHONPATH': str(ROOT)}
    done = subprocess.run(
        [sys.executable, '-m', 'mmtranspose_cli.doctor', '--json'], env=environment, capture_output=True, text=True
    )
    report = json.loads(done.stdout)
    assert done.returncode == 0 and report['cure'] == [], report['findings']
    found = {row['what']: row['found'] for row in report['rows']}
    for name in ('torch', 'mmengine', 'mmdet', 'mmpose', 'numpy', 'pycocotools'):
        assert found[name].split('+')[0] == metadata.version(name).split('+')[0]


class TestFix:
    """``--fix`` on a whole stack that lacks tqdm, where pip is a module that installs it, or fails."""

    PIP = """
import pathlib, sys
folder = pathlib.Path(__file__).parent
(folder / 'pip.log').write_text(' '.join(sys.argv[1:]))
if (folder / 'fails').exists():
    sys.exit(7)
(folder / 'tqdm').mkdir()
(folder / 'tqdm' / '__init__.py').touch()
"""

    @pytest.fixture
    def run(self, stack):
        run = stack({'pip.py': self.PIP}, missing=('tqdm',))
        run.log = stack.folder / 'pip.log'
        run.folder = stack.folder
        return run

    def test_it_runs_the_cure_and_looks_again(self, run):
        done = run('--fix', '--yes')
        assert done.returncode == 0, done.stdout + done.stderr
        assert run.log.read_text() == 'install tqdm'
        assert '\n$ ' in done.stdout and done.stdout.endswith('Nothing is broken.\n')

    def test_nothing_to_do(self, run):
        assert run('--fix', '--yes').returncode == 0
        run.log.unlink()
        assert run('--fix', '--yes').returncode == 0 and not run.log.exists()

    def test_nobody_to_ask(self, run):
        done = run('--fix')
        assert done.returncode == 1 and not run.log.exists()
        assert done.stderr == 'Nothing was run: there is nobody to ask; --yes runs it without asking.\n'
        assert 'pip install tqdm' in done.stdout

    def test_a_command_that_fails(self, run):
        (run.folder / 'fails').touch()
        done = run('--fix', '--yes')
        assert done.returncode == 1 and 'tqdm is not installed' in done.stdout
        assert done.stderr == 'error: it failed (exit status 7); what comes after it was not run\n'

    @pytest.mark.parametrize('options', [('--yes',), ('--fix', '--json')])
    def test_options_that_do_not_go_together(self, run, options):
        assert run(*options).returncode == 2 and not run.log.exists()

    @pytest.mark.parametrize(('answer', 'expected'), [('y', True), ('YES ', True), ('', False), ('n', False)])
    def test_answers(self, monkeypatch, answer, expected):
        monkeypatch.setattr('sys.stdin', io.StringIO(f'{answer}\n'))
        monkeypatch.setattr(sys.stdin, 'isatty', lambda: True, raising=False)
        assert fixing.agreed(yes=False) is expected

    def test_variables_of_a_command(self, tmp_path, capfd):
        script = f'import os, sys; open({str(tmp_path / "a")!r}, "w").write(os.environ["A"] + sys.argv[1])'
        assert fixing.run([Command((sys.executable, '-c', script, 'b<2'), 'slow, and so on', 'A=1')])
        assert (tmp_path / 'a').read_text() == '1b<2'

    def test_what_does_not_run_stops_it(self, tmp_path, capfd):
        assert not fixing.run([Command(('/nowhere/python', '-m', 'pip')), Command(('touch', str(tmp_path / 'a')))])
        assert not (tmp_path / 'a').exists()
        assert capfd.readouterr().err == 'error: /nowhere/python does not run: No such file or directory\n'

    def test_what_no_command_cures(self, stack):
        done = stack({'mmpose/registry.py': 'MODELS = {}'})('--fix', '--yes')
        assert done.returncode == 1
        assert done.stderr == 'Nothing was run: no command here cures what is broken.\n'


def test_signal_is_named():
    from mmtranspose_cli.doctor.probing import describe_end

    assert describe_end(-signal.SIGABRT) == 'its process was ended by SIGABRT'
    assert describe_end(3) == 'its process ended with exit code 3'
