"""Where mmengine finds packages."""

from pathlib import Path

import mmengine.config.config
import mmengine.hub.hub
import mmengine.utils

import mmtranspose
from mmtranspose.compat.installed_path import corrected
from mmtranspose.compat.patching import REPLACED_BY

PACKAGE = Path(mmtranspose.__file__).parent


def test_a_path_that_is_there_is_kept(tmp_path):
    assert corrected(lambda package: str(tmp_path))('mmtranspose') == str(tmp_path)


def test_one_that_is_not_is_looked_up(tmp_path):
    find = corrected(lambda package: str(tmp_path / package))
    assert find('mmtranspose') == str(PACKAGE)
    assert find('no_such_package_here') == str(tmp_path / 'no_such_package_here')


def test_everyone_has_it():
    for module in (mmengine.utils, mmengine.utils.package_utils, mmengine.config.config, mmengine.hub.hub):
        assert hasattr(module.get_installed_path, REPLACED_BY)
    assert mmengine.utils.get_installed_path('mmtranspose') == str(PACKAGE)
