"""Evaluate without xtcocotools.

Fault: mmpose imports xtcocotools, whose last release (1.14.3) has wheels for numpy 1 and Python up to 3.11 alone. Where
it is missing, or does not fit the numpy that is installed, the modules of this folder take its name: the parts of it
that mmpose uses, made of pycocotools, with the same figures. Where xtcocotools is whole, nothing is changed.
Versions: mmpose <= 1.3.2.
Can go: when mmpose does without xtcocotools, or that has wheels for current Pythons.
"""

from __future__ import annotations

import importlib
import sys
from importlib.machinery import ModuleSpec
from types import ModuleType

NAME = 'xtcocotools'
PARTS = {
    'coco': 'mmtranspose.compat.xtcocotools_stand_in.coco',
    'cocoeval': 'mmtranspose.compat.xtcocotools_stand_in.cocoeval',
    'mask': 'pycocotools.mask',
}


def apply() -> None:
    """Put the stand-in in place of xtcocotools if that cannot be imported, and pycocotools can."""
    if _is_whole(f'{NAME}._mask') or not _is_whole('pycocotools._mask'):
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


def _is_whole(compiled: str) -> bool:
    """Whether the compiled part of a package can be imported."""
    try:
        importlib.import_module(compiled)
    except (ImportError, ValueError):  # ValueError: numpy.dtype size changed, it was built for another numpy
        return False
    return True
