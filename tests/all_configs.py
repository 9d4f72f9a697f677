"""All configs of models, each read once in a process."""

from __future__ import annotations

import copy
import functools

from conftest import ROOT
from mmengine.config import Config

from mmtranspose.loading.config import load_config

CONFIGS = {path.stem: path for path in sorted((ROOT / 'configs').rglob('td-hm_*.py'))}


@functools.cache
def unchanged(name: str) -> Config:
    """The config of a name, for tests that do not change it."""
    return load_config(str(CONFIGS[name]))


def fresh(name: str) -> Config:
    """A copy of it, for tests that do."""
    return copy.deepcopy(unchanged(name))
