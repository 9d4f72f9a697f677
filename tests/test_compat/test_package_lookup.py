"""Where mmengine finds packages."""

import importlib
import importlib.metadata
import sys
from pathlib import Path

import mmengine.config.config
import mmengine.hub.hub
import mmengine.utils
import mmpose
import pytest
from mmengine.config import Config
from mmengine.utils.package_utils import get_installed_path, is_installed, package2module

import mmtranspose
from mmtranspose.compat.patching import REPLACED_BY


@pytest.fixture(autouse=True)
def without_pkg_resources(monkeypatch):
    monkeypatch.setitem(sys.modules, 'pkg_resources', None)


@pytest.fixture
def installed(tmp_path, monkeypatch):
    """A distribution ``far-away`` of the module ``faraway``, and a namespace package."""
    (tmp_path / 'faraway').mkdir()
    (tmp_path / 'faraway' / '__init__.py').touch()
    (tmp_path / 'nothing_but_a_folder').mkdir()
    for name, modules in (('far_away', 'faraway\n'), ('unsaid', '')):
        info = tmp_path / f'{name}-1.0.dist-info'
        info.mkdir()
        (info / 'METADATA').write_text(f'Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n')
        (info / 'top_level.txt').write_text(modules)
    monkeypatch.setattr(sys, 'path', [str(tmp_path), *sys.path])
    importlib.invalidate_caches()
    return tmp_path


def test_everyone_has_it():
    for module in (mmengine.utils, mmengine.utils.package_utils, mmengine.config.config, mmengine.hub.hub):
        assert hasattr(module.get_installed_path, REPLACED_BY)
    assert mmengine.utils.get_installed_path('mmtranspose') == str(Path(mmtranspose.__file__).parent)
    assert mmengine.utils.get_installed_path('mmpose') == str(Path(mmpose.__file__).parent)


def test_configs_of_other_packages(tmp_path):
    (tmp_path / 'a.py').write_text("_base_ = 'mmpose::_base_/datasets/coco.py'\n")
    assert Config.fromfile(tmp_path / 'a.py').dataset_info.dataset_name == 'coco'


def test_modules_and_distributions(installed):
    folder = str(installed / 'faraway')
    assert get_installed_path('faraway') == get_installed_path('far-away') == folder
    assert package2module('far-away') == 'faraway' and package2module('far_away') == 'faraway'
    found = [is_installed(name) for name in ('faraway', 'far-away', 'unsaid', 'nothing_but_a_folder', 'no_such')]
    assert found == [True, True, True, False, False]


def test_what_cannot_be_found(installed):
    with pytest.raises(importlib.metadata.PackageNotFoundError):
        get_installed_path('no_such_package_here')
    with pytest.raises(RuntimeError, match='nothing_but_a_folder is a namespace package'):
        get_installed_path('nothing_but_a_folder')
    with pytest.raises(ValueError, match='module of the distribution unsaid is not known'):
        package2module('unsaid')
