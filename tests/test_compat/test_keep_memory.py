"""Memory that stays with the process."""

import ctypes
import platform
import re
import subprocess
import sys
from pathlib import Path

import pytest

from mmtranspose.compat import keep_memory

HEADER = Path('/usr/include/malloc.h')
needs_glibc = pytest.mark.skipif(platform.libc_ver()[0] != 'glibc', reason='glibc only')

# Page faults of taking and giving back 64 MiB ten times, after the first time.
MEASURE = """
import importlib.util, resource, sys
spec = importlib.util.spec_from_file_location('keep_memory', sys.argv[1])
module = importlib.util.module_from_spec(spec)
spec.loader.exec_module(module)
if sys.argv[2] == 'keep':
    assert module.apply() is True
bytearray(2**26)
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(10):
    block = bytearray(2**26)
    block[::4096] = bytes(2**14)
    del block
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


class Library:
    """A libc that writes down what is asked of it."""

    def __init__(self, answer=1):
        self.options, self.answer = {}, answer

    def mallopt(self, option, value):
        self.options[option] = value
        return self.answer


def test_what_is_asked_of_glibc(monkeypatch):
    library = Library()
    monkeypatch.setattr(ctypes, 'CDLL', lambda name: library)
    assert keep_memory.apply() is True
    assert library.options == {-4: 0, -1: 2**31 - 1, -2: 2**26}  # no mapping, no trimming, 64 MiB at a time


@pytest.mark.skipif(not HEADER.is_file(), reason='no header of glibc here')
@pytest.mark.parametrize('name', ['M_TRIM_THRESHOLD', 'M_TOP_PAD', 'M_MMAP_MAX'])
def test_the_constants_are_the_headers(name):
    defined = re.search(rf'#define {name}\s+(-\d+)', HEADER.read_text())
    assert int(defined[1]) == getattr(keep_memory, name)


def test_a_refusal_is_told(monkeypatch):
    monkeypatch.setattr(ctypes, 'CDLL', lambda name: Library(answer=0))
    assert keep_memory.apply() is False


@pytest.mark.parametrize('error', [OSError('no libc.so.6'), AttributeError('mallopt')])
def test_systems_without_glibc(monkeypatch, error):
    def missing(name):
        raise error

    monkeypatch.setattr(ctypes, 'CDLL', missing)
    assert keep_memory.apply() is False


@needs_glibc
def test_freed_memory_is_used_again_without_page_faults():
    def faults(mode):
        command = [sys.executable, '-S', '-c', MEASURE, keep_memory.__file__, mode]
        return int(subprocess.run(command, capture_output=True, text=True, check=True).stdout)

    assert faults('keep') < 0.1 * faults('leave')
