"""A dictionary that forgets what was used longest ago."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import TypeVar

Value = TypeVar('Value')


class Recent(OrderedDict):
    """The last ``size`` values used, by key.

    Args:
        size (int): Values kept.
    """

    def __init__(self, size: int = 4):
        super().__init__()
        self.size = size

    def get_or_make(self, key: Hashable, make: Callable[[], Value]) -> Value:
        """The value of ``key``, made by ``make()`` where there is none."""
        if key not in self:
            self[key] = make()
        self.move_to_end(key)
        while len(self) > self.size:
            self.popitem(last=False)
        return self[key]
