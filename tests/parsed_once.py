"""Configs that nobody changes while the tests run are parsed once in a process."""

from __future__ import annotations

import functools
import os
from copy import deepcopy
from importlib.util import find_spec
from pathlib import Path

from mmengine.config import Config

ROOT = Path(__file__).resolve().parents[1]


def parse_installed_configs_once() -> None:
    """Keep what mmengine makes of each config of ours, MMPose's and mmdet's, and of each of its bases.

    A config has ten bases, which are parsed anew whenever it is read, and every dataset reads one of MMPose's.
    """
    parse = Config._file2dict
    parsed = functools.cache(parse)
    folders = (f'{ROOT}{os.sep}', *(f'{Path(find_spec(name).origin).parent}{os.sep}' for name in ('mmpose', 'mmdet')))

    def file2dict(filename, *arguments, **options):
        if not str(filename).startswith(folders):
            return parse(filename, *arguments, **options)
        return deepcopy(parsed(str(filename), *arguments, **options))

    Config._file2dict = staticmethod(file2dict)
