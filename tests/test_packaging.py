"""The wheel: built, unpacked elsewhere, and used without the checkout."""

import os
import subprocess
import sys
import zipfile

import pytest
from conftest import ROOT

USE = """
import os, sys
import mmtranspose
assert mmtranspose.__file__.startswith(sys.argv[1]), mmtranspose.__file__
from mmengine.hub import get_config, get_model
name = 'mmtranspose::body_2d_keypoint/topdown_heatmap/coco/td-hm_transpose-h-s_2xb16-240e_coco-256x192.py'
assert get_config(name).filename.startswith(sys.argv[1])
assert type(get_model(name).neck).__name__ == 'TransPoseNeck'
from mmpose.apis.inferencers import get_model_aliases
assert 'transpose-h-a4' in get_model_aliases()
print('fine')
"""


def run(*command, **options):
    return subprocess.run([sys.executable, *map(str, command)], capture_output=True, text=True, **options)


@pytest.fixture(scope='module')
def source(tmp_path_factory):
    """A copy of the checkout, so that nothing is left behind in it."""
    root = tmp_path_factory.mktemp('source')
    files = subprocess.run(
        ['git', 'ls-files', '--cached', '--others', '--exclude-standard'], cwd=ROOT, capture_output=True, text=True
    )
    if files.returncode:
        pytest.skip('needs a git checkout')
    kept = [name for name in files.stdout.splitlines() if (ROOT / name).exists() and not name.startswith('tests/')]
    subprocess.run(['cp', '--parents', '--no-dereference', *kept, str(root)], cwd=ROOT, check=True)
    return root


@pytest.fixture(scope='module')
def wheel(source, tmp_path_factory):
    folder = tmp_path_factory.mktemp('wheel')
    built = run('-m', 'pip', 'wheel', '--no-deps', '--no-build-isolation', '-w', folder, source)
    assert built.returncode == 0, built.stderr
    (path,) = folder.iterdir()
    return path


@pytest.fixture(scope='module')
def installed(wheel, tmp_path_factory):
    """Folder that the wheel is installed in, beside this environment's packages."""
    target = tmp_path_factory.mktemp('installed')
    done = run('-m', 'pip', 'install', '--no-deps', '--no-index', '--target', target, wheel)
    assert done.returncode == 0, done.stderr
    return target


def test_mim_is_real_files(wheel):
    with zipfile.ZipFile(wheel) as archive:
        inside = {name.removeprefix('mmtranspose/.mim/') for name in archive.namelist() if '/.mim/' in name}
    checkout = {
        path.relative_to(ROOT).as_posix()
        for folder in ('configs', 'tools')
        for path in (ROOT / folder).rglob('*')
        if path.is_file() and '__pycache__' not in path.parts
    }
    assert inside == checkout | {'model-index.yml', 'dataset-index.yml'}


def test_the_pages_parts_are_inside(wheel):
    folder = 'mmtranspose/visualization/explanation_page/'
    with zipfile.ZipFile(wheel) as archive:
        inside = {name.removeprefix(folder) for name in archive.namelist() if name.startswith(folder)}
    checkout = {path.name for path in (ROOT / folder).iterdir() if path.is_file()}
    assert {'page.html', 'page.css', 'page.js', 'maps.js'} <= inside == checkout


def test_mim_of_a_checkout_is_the_checkout():
    mim = ROOT / 'mmtranspose' / '.mim'
    for name in ('configs', 'tools', 'model-index.yml', 'dataset-index.yml'):
        assert (mim / name).resolve() == ROOT / name


def test_typed_and_with_a_command(wheel):
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
        points = next(name for name in names if name.endswith('entry_points.txt'))
        assert b'mmtranspose = mmtranspose_cli.main:main' in archive.read(points)
    assert 'mmtranspose/py.typed' in names
    assert not [name for name in names if name.startswith(('tests/', 'requirements/')) or name.endswith('.pyc')]


def test_used_without_the_checkout(installed, tmp_path):
    environment = {**os.environ, 'PYTHONPATH': str(installed)}
    done = run('-c', USE, installed, cwd=tmp_path, env=environment)
    assert done.stdout.endswith('fine\n'), done.stdout + done.stderr


def test_trains_without_the_checkout(installed, people, tiny_config, tmp_path):
    environment = {**os.environ, 'PYTHONPATH': str(installed)}
    command = ('-m', 'mmtranspose_cli', 'train', tiny_config, '--work-dir', tmp_path / 'work')
    done = run(*command, cwd=tmp_path, env=environment)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / 'work' / 'epoch_1.pth').is_file()


def test_editable_install_follows_the_checkout(source, tmp_path):
    """Into a virtual environment that sees this one's packages."""
    assert run('-m', 'venv', '--without-pip', tmp_path / 'venv').returncode == 0
    python = tmp_path / 'venv' / 'bin' / 'python'
    (packages,) = (tmp_path / 'venv' / 'lib').glob('python*/site-packages')
    (packages / 'zz.pth').write_text('\n'.join(path for path in sys.path if path.endswith('-packages')))
    pip = ('-m', 'pip', '--python', python, 'install', '--no-deps', '--no-build-isolation', '-e', source)
    environment = {name: value for name, value in os.environ.items() if name != 'PYTHONPATH'}
    installed = run(*pip, env=environment)
    assert installed.returncode == 0, installed.stderr
    assert not (packages / 'mmtranspose').exists()  # where pkg_resources says that it is
    options = dict(cwd=tmp_path, env=environment, capture_output=True, text=True)
    done = subprocess.run([python, '-c', USE, str(source)], **options)
    assert done.stdout.endswith('fine\n'), done.stdout + done.stderr
    done = subprocess.run([python.with_name('mmtranspose'), 'list', 'transpose-h-s'], **options)
    assert done.returncode == 0 and 'transpose-h-s' in done.stdout, done.stderr
