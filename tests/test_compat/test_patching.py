"""Functions that wait for a module, and functions of libraries that are replaced once."""

import importlib
import importlib.util
import sys

import pytest

from mmtranspose.compat.patching import replace_once, when_imported


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


class Library:
    def double(self, x):
        """Twice the value."""
        return 2 * x

    @staticmethod
    def half(x):
        return x / 2


def plus_one(function):
    return lambda *args: function(*args) + 1


def plus_two(function):
    return lambda *args: function(*args) + 2


@pytest.fixture
def library():
    return type('Copy', (), dict(vars(Library)))


@pytest.mark.parametrize(('name', 'expected'), [('double', 9), ('half', 3)])
def test_a_function_is_replaced_once(library, name, expected):
    for _ in range(2):
        replace_once(library, name, plus_one)
    assert getattr(library(), name)(4) == expected
    assert getattr(library, name).__name__ == name
    assert Library.double.__doc__ == library.double.__doc__


def test_two_replacements_of_one_function(library):
    for make in (plus_one, plus_two, plus_one, plus_two):
        replace_once(library, 'half', make)
    assert library.half(4) == 5
