"""Functions that wait for a module."""

import importlib
import importlib.util
import sys

import pytest

from mmtranspose.compat.when_imported import when_imported


@pytest.fixture
def package(tmp_path, monkeypatch):
    """A package ``slow`` with a module ``slow.part``, not imported."""
    (tmp_path / 'slow').mkdir()
    (tmp_path / 'slow' / '__init__.py').write_text('')
    (tmp_path / 'slow' / 'part.py').write_text('value = 1\n')
    monkeypatch.syspath_prepend(tmp_path)
    yield 'slow.part'
    for name in ('slow', 'slow.part'):
        sys.modules.pop(name, None)


def test_now_where_it_is_loaded():
    calls = []
    when_imported('json', lambda: calls.append(1))
    assert calls == [1]


def test_after_the_import(package):
    seen = []
    for _ in range(2):
        when_imported(package, lambda: seen.append(sys.modules[package].value))
    assert not seen and package not in sys.modules
    assert importlib.import_module(package).value == 1
    assert seen == [1, 1]
    importlib.reload(sys.modules[package])
    assert seen == [1, 1]


def test_a_module_that_fails_may_succeed_later(package, tmp_path):
    (tmp_path / 'slow' / 'part.py').write_text('raise ValueError("broken at first")\n')
    calls = []
    when_imported(package, lambda: calls.append(1))
    with pytest.raises(ValueError, match='broken'):
        importlib.import_module(package)
    assert not calls
    (tmp_path / 'slow' / 'part.py').write_text('value = 2\n')
    importlib.invalidate_caches()
    assert importlib.import_module(package).value == 2
    assert calls == [1]


def test_looking_for_it_is_not_importing_it(package):
    calls = []
    when_imported(package, lambda: calls.append(1))
    assert importlib.util.find_spec(package) is not None and not calls
    importlib.import_module(package)
    assert calls == [1]


def test_a_module_that_is_not_there():
    calls = []
    when_imported('no_such_module_here', lambda: calls.append(1))
    with pytest.raises(ModuleNotFoundError):
        importlib.import_module('no_such_module_here')
    assert not calls
