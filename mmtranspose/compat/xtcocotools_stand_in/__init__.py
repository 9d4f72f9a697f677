"""Evaluate without xtcocotools.

Fault: mmpose imports xtcocotools, whose last release (1.14.3) has wheels for numpy 1 and Python up to 3.11 alone, and
whose ``mask.area`` fails where it is built on numpy 2.3 or newer. Where it is missing or does not work, the modules of
this folder take its name: the parts of it that mmpose uses, made of pycocotools, with the same figures. Where
xtcocotools is whole, nothing is changed.
Versions: mmpose <= 1.3.2.
Can go: when mmpose does without xtcocotools, or that has wheels for current Pythons.
"""

from __future__ import annotations

import importlib
import sys
from importlib.machinery import ModuleSpec
from types import ModuleType

import numpy as np

NAME = 'xtcocotools'
PARTS = {
    'coco': 'mmtranspose.compat.xtcocotools_stand_in.coco',
    'cocoeval': 'mmtranspose.compat.xtcocotools_stand_in.cocoeval',
    'mask': 'pycocotools.mask',
}


def apply() -> None:
    """Put the stand-in in place of xtcocotools if that does not work, and pycocotools does."""
    if _works(NAME) or not _works('pycocotools'):
        return
    for name in [name for name in sys.modules if name.partition('.')[0] == NAME]:
        del sys.modules[name]
    package = ModuleType(NAME, 'A stand-in, made of pycocotools, by mmtranspose.')
    package.__spec__ = ModuleSpec(NAME, None, is_package=True)
    package.__path__ = []
    sys.modules[NAME] = package
    for part, source in PARTS.items():
        module = importlib.import_module(source)
        sys.modules[f'{NAME}.{part}'] = module
        setattr(package, part, module)


def _works(package: str) -> bool:
    """Whether the compiled part of a package can be imported and measures a mask."""
    try:
        mask = importlib.import_module(f'{package}.mask')
        return mask.area(mask.encode(np.ones((2, 3), np.uint8, order='F'))) == 6
    except Exception:  # depends on the numpy that it was built for: ImportError, ValueError, AttributeError
        return False
