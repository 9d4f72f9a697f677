"""Whoever is refused one of mmengine's global instances leaves it to others."""

import threading

import pytest
from mmengine.utils import ManagerMixin
from mmengine.utils.manager import _lock

from mmtranspose.compat.patching import REPLACED_BY


class Thing(ManagerMixin):
    def __init__(self, name, inner=None, fails=False):
        super().__init__(name)
        self.inner = Thing.get_instance(inner, fails=fails) if inner else None
        if fails and not inner:
            raise OSError('no file')


@pytest.fixture(autouse=True)
def nothing_made():
    Thing._instance_dict.clear()


def is_free():
    """Whether another thread gets the lock."""
    got = []
    thread = threading.Thread(target=lambda: got.append(_lock.acquire(timeout=1)) or (got[0] and _lock.release()))
    thread.start()
    thread.join()
    return got[0]


def test_it_is_replaced():
    assert hasattr(ManagerMixin.get_instance, REPLACED_BY) and hasattr(ManagerMixin.get_current_instance, REPLACED_BY)
    one = Thing.get_instance('one')
    assert Thing.get_instance('one') is one and Thing.get_current_instance() is one and is_free()


@pytest.mark.parametrize(
    'refused',
    [
        lambda: Thing.get_current_instance(),
        lambda: Thing.get_instance(3),
        lambda: Thing.get_instance('a', fails=True),
        lambda: Thing.get_instance('a', inner='b', fails=True),
        lambda: Thing.get_instance(),
        lambda: Thing.get_instance('a', colour='red'),
    ],
)
def test_the_lock_is_given_back(refused):
    with pytest.raises((AssertionError, OSError, RuntimeError, TypeError)):
        refused()
    assert is_free()
    assert Thing.get_instance('fine').instance_name == 'fine' and is_free()
