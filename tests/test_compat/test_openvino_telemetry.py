"""OpenVINO and NNCF send nothing."""

import sys

import pytest

import mmtranspose  # noqa: F401  puts the work-arounds in place
from mmtranspose.compat import openvino_telemetry


def test_is_blocked():
    with pytest.raises(ImportError):
        import openvino_telemetry  # noqa: F401


def test_stays_where_somebody_has_imported_it(monkeypatch):
    monkeypatch.setitem(sys.modules, openvino_telemetry.NAME, sys)
    openvino_telemetry.apply()
    assert sys.modules[openvino_telemetry.NAME] is sys


def test_openvino_uses_its_stand_in():
    telemetry = pytest.importorskip('openvino.tools.ovc.telemetry_utils')
    assert 'stub' in telemetry.tm.__name__
