"""OpenVINO's devices leave the stack of a thread's signals alone, whatever the order in which they are freed."""

import subprocess
import sys

import pytest

from mmtranspose.compat.openvino_signal_stack import signal_stack

pytest.importorskip('openvino')
pytestmark = pytest.mark.skipif(sys.platform != 'linux', reason='signal stacks are set on Linux alone')

IMPORTED_FIRST = """
import faulthandler, openvino, torch
faulthandler.enable()  # has a stack for signals
import mmtranspose
from mmtranspose.compat.openvino_signal_stack import signal_stack
before = bytes(signal_stack())
cores = [openvino.Core(), openvino.Core()]
[core.get_property('CPU', 'FULL_DEVICE_NAME') for core in cores]
assert bytes(signal_stack()) == before, signal_stack().address
"""


def test_stack_stays():
    import openvino

    before = bytes(signal_stack())
    cores = [openvino.Core(), openvino.Core()]
    for core in cores:
        assert core.get_property('CPU', 'FULL_DEVICE_NAME')
    assert bytes(signal_stack()) == before
    del core
    while cores:
        cores.pop(0)
    assert bytes(signal_stack()) == before


def test_openvino_imported_first():
    run = subprocess.run([sys.executable, '-c', IMPORTED_FIRST], capture_output=True, text=True, timeout=120)
    assert run.returncode == 0, run.stderr
