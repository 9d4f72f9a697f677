"""The versions of optional packages that messages name."""

import re
from importlib import metadata
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from mmtranspose_cli import optional_packages
from mmtranspose_cli.optional_packages import BELOW, pip_install, requirement

ROOT = Path(__file__).resolve().parents[2]
PINS = [*(ROOT / 'requirements').glob('*.txt'), ROOT / 'examples' / 'ray_data' / 'requirements.txt']


@pytest.fixture(autouse=True)
def numpy_2(monkeypatch):
    monkeypatch.setattr(optional_packages, 'version', lambda _: '2.4.6')


@pytest.mark.parametrize('name', sorted({*BELOW} - {'onnxruntime-gpu'}))
def test_the_tested_versions_are_within(name):
    """Those of requirements/, which is not at hand where the package is installed; the newest of them is no old one."""
    lines = '\n'.join(path.read_text() for path in PINS)
    pins = re.findall(rf'^{name}==([\d.]+)', lines, re.MULTILINE)
    wanted = Requirement(requirement(name)).specifier
    assert pins and all(pin in wanted for pin in pins)
    following = [int(part) for part in max(pins, key=lambda pin: [*map(int, pin.split('.'))]).split('.')]
    major, minor = following[0] + 1, f'{following[0]}.{following[1] + 1}'
    assert BELOW[name] in (str(major), minor)


@pytest.mark.parametrize(('version', 'range'), [('1.26.4', 'pyarrow<20'), ('2.4.6', 'pyarrow<27'), ('', 'pyarrow<27')])
def test_what_fits_the_numpy_at_hand(monkeypatch, version, range):
    def installed(_):
        if not version:
            raise metadata.PackageNotFoundError
        return version

    monkeypatch.setattr(optional_packages, 'version', installed)
    assert pip_install('pyarrow', 'tensorrt') == f'pip install "{range}" tensorrt'
