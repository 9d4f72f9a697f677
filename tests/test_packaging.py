"""The wheel, used without the checkout; an editable install, which follows it; and types that a user finds in both."""

import os
import re
import subprocess
import sys
import tarfile
import zipfile
from importlib.util import find_spec

import pytest
from conftest import ROOT
from links import Page
from markdown_pages import to_html

from mmtranspose import __version__
from requirements import release_check

BUILD = """
import os, sys, tarfile
from setuptools import build_meta
built = sys.argv[1]
sys.argv = ['setup.py']
build_meta.build_editable(f'{built}/editable')
sdist = build_meta.build_sdist(built)
with tarfile.open(f'{built}/{sdist}') as archive:
    archive.extractall(f'{built}/sdist')
os.chdir(f'{built}/sdist/{sdist.removesuffix(".tar.gz")}')
build_meta.build_wheel(built)
"""

# Arguments: the folder that the package must be in, and a command line of `mmtranspose` to run then.
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
from mmtranspose_cli.main import main
sys.exit(main(sys.argv[2:]))
"""

# Parts of torch that no signature of ours leads to; reading them takes half of mypy's time.
UNNAMED = ','.join(
    f'torch.{name}.*'
    for name in ('_dynamo', '_functorch', '_higher_order_ops', '_inductor', 'distributed', 'export', 'fx', 'onnx')
)


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
    kept = [name for name in files.stdout.splitlines() if (ROOT / name).exists() and not name.startswith('tests/data/')]
    subprocess.run(['cp', '--parents', '--no-dereference', *kept, str(root)], cwd=ROOT, check=True)
    return root


@pytest.fixture(scope='module')
def built(source, tmp_path_factory):
    """Folder of an sdist, a wheel that is built from the sdist, and ``editable``, which has an editable wheel."""
    folder = tmp_path_factory.mktemp('built')
    done = run('-c', BUILD, folder, cwd=source)
    assert done.returncode == 0, done.stderr
    return folder


@pytest.fixture(scope='module')
def wheel(built):
    return next(built.glob('*.whl'))


@pytest.fixture(scope='module')
def installed(wheel, tmp_path_factory):
    """Folder that the wheel is installed in, beside this environment's packages."""
    target = tmp_path_factory.mktemp('installed')
    done = run('-m', 'pip', 'install', '--no-deps', '--no-index', '--no-compile', '--target', target, wheel)
    assert done.returncode == 0, done.stderr
    return target


@pytest.fixture(scope='module')
def editable(built, tmp_path_factory):
    """Python of a virtual environment that sees this one's packages and has the copied checkout installed editable."""
    folder = tmp_path_factory.mktemp('editable') / 'venv'
    assert run('-m', 'venv', '--without-pip', folder).returncode == 0
    python = folder / 'bin' / 'python'
    (packages,) = folder.glob('lib/python*/site-packages')
    (packages / 'zz.pth').write_text('\n'.join(path for path in sys.path if path.endswith('-packages')))
    (wheel,) = (built / 'editable').glob('*.whl')
    done = run('-m', 'pip', '--python', python, 'install', '--no-deps', '--no-index', wheel, env=without_path())
    assert done.returncode == 0, done.stderr
    assert not (packages / 'mmtranspose').exists()  # where pkg_resources says that it is
    return python


def without_path() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if name != 'PYTHONPATH'}


def test_no_tests_are_distributed_without_their_helpers(built):
    (path,) = built.glob('*.tar.gz')
    with tarfile.open(path) as archive:
        names = {name.split('/', 1)[-1] for name in archive.getnames()}
    assert {'setup.py', 'pyproject.toml', 'README.md', 'LICENSE', 'mmtranspose/py.typed'} <= names
    assert not [name for name in names if name.startswith(('tests', 'requirements', '.'))]


def test_the_wheel_has_what_the_repository_has_for_it(wheel, source):
    files = [path.relative_to(source).as_posix() for path in source.rglob('*') if path.is_file()]
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
    assert release_check.wheel_problems(names, files) == []
    assert {'mmtranspose/.mim/model-index.yml', 'mmtranspose/visualization/report_page/report.css'} <= set(names)


def test_links_of_the_description_are_absolute(wheel):
    with zipfile.ZipFile(wheel) as archive:
        (metadata,) = [archive.read(name).decode() for name in archive.namelist() if name.endswith('/METADATA')]
    assert re.search(rf'\]\(https://github\.com/[\w-]+/mmtranspose/blob/v{__version__}/docs/\w', metadata)
    assert f'/mmtranspose/raw/v{__version__}/docs/images/' in metadata
    links = Page(to_html(metadata.partition('\n\n')[2])).links
    assert len(links) > 30
    assert [link for link in links if not re.match('[a-z]+:|#', link)] == []


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


def test_used_and_trained_without_the_checkout(installed, tiny_config, tmp_path):
    command = ('-c', USE, installed, 'train', tiny_config, '--work-dir', tmp_path / 'work')
    done = run(*command, cwd=tmp_path, env={**os.environ, 'PYTHONPATH': str(installed)})
    assert done.returncode == 0 and 'fine\n' in done.stdout, done.stdout + done.stderr
    assert (tmp_path / 'work' / 'epoch_1.pth').is_file()


def test_editable_install_follows_the_checkout(source, editable, tmp_path):
    command = [editable, '-c', USE, source, 'list', 'transpose-h-s']
    done = subprocess.run(command, cwd=tmp_path, env=without_path(), capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    fine, _, listed, *_ = done.stdout.splitlines()
    assert fine == 'fine' and listed.startswith('transpose-h-s ')
    command = [editable.with_name('mmtranspose'), '--version']
    assert (
        subprocess.run(command, cwd=tmp_path, env=without_path(), capture_output=True, text=True).stdout
        == f'{__version__}\n'
    )


@pytest.mark.skipif(find_spec('mypy') is None, reason='needs mypy')
def test_a_typed_script_passes_strictly(editable, tmp_path):
    """Types are found through the editable install, and hold."""
    (tmp_path / 'mypy.ini').write_text(f'[mypy]\n[mypy-{UNNAMED}]\nfollow_imports = skip\n')
    command = ('-m', 'mypy', '--strict', '--python-executable', editable, '--cache-dir', tmp_path / 'cache')
    done = run(*command, ROOT / 'tests' / 'typed_user.py', cwd=tmp_path, env=without_path())
    assert done.returncode == 0, done.stdout + done.stderr
