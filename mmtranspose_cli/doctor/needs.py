"""The modules that mmtranspose needs, and the ranges of their versions."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple

from mmtranspose_cli.doctor.versions import limits


class Need(NamedTuple):
    """A module that mmtranspose, or MMPose below it, imports.

    Attributes:
        title: Its name in the table.
        module: The module that is imported.
        distributions: Names of the distributions that provide it; the first is the one to install.
        low: The lowest version that works, or ''.
        below: The lowest version that was not tried, or ''.
        needs: Modules without which its own import says nothing about it.
        shown: Whether it has a row in the table where nothing is wrong with it.
    """

    title: str
    module: str
    distributions: tuple[str, ...]
    low: str = ''
    below: str = ''
    needs: tuple[str, ...] = ()
    shown: bool = False

    def requirement(self) -> str:
        """The requirement as pip takes it: 'mmpose>=1.3,<1.4'."""
        return self.distributions[0] + limits(self.low, self.below)


def shown(title: str, module: str, *distributions: str, **others: Any) -> Need:
    """A need that has a row in the table even if nothing is wrong with it."""
    return Need(title, module, distributions or (module,), shown=True, **others)


def plain(module: str, *distributions: str, **others: Any) -> Need:
    """A need that has a row in the table only if something is wrong with it."""
    return Need((distributions or (module,))[0], module, distributions or (module,), **others)


OPENCV = ('opencv-python', 'opencv-python-headless', 'opencv-contrib-python', 'opencv-contrib-python-headless')

# Two lists that are tried at the same time: importing PyTorch takes as long as importing all of the second.
FRAMEWORK = (
    shown('torch', 'torch', low='2.6', below='3'),  # older ones load checkpoints as pickles, which can run code
    shown('torchvision', 'torchvision', needs=('torch',)),
    shown('mmengine', 'mmengine', low='0.10', below='1', needs=('numpy', 'cv2', 'addict', 'yaml', 'yapf', 'rich')),
    shown('mmcv', 'mmcv', 'mmcv-lite', 'mmcv', low='2.0', below='2.2', needs=('torch', 'mmengine', 'packaging')),
    shown('mmdet', 'mmdet', low='3.0', below='3.4', needs=('mmcv',)),
    shown('mmpose', 'mmpose', low='1.3', below='1.4', needs=('mmcv',)),
)
SCIENCE = (
    shown('numpy', 'numpy', low='1.21'),
    shown('opencv', 'cv2', *OPENCV, low='4.0', needs=('numpy',)),
    shown('pycocotools', 'pycocotools', needs=('numpy',)),
    plain('scipy', needs=('numpy',)),
    plain('matplotlib', needs=('numpy', 'PIL')),
    plain('shapely', needs=('numpy',)),
    plain('PIL', 'pillow'),
    plain('json_tricks', 'json_tricks', 'json-tricks'),
    plain('munkres'),
    plain('terminaltables'),
    plain('tqdm'),
    plain('addict'),
    plain('packaging'),
    plain('yaml', 'pyyaml'),
    plain('rich'),
    plain('six'),
    plain('safetensors'),  # the weights that come with the package
    plain('termcolor'),
    plain('yapf'),
)
OURS = shown('mmtranspose', 'mmtranspose', needs=tuple(need.module for need in FRAMEWORK + SCIENCE))
CHAINS = ((*FRAMEWORK, OURS), SCIENCE)


def all_needs(also: Iterable[str] = ()) -> tuple[Need, ...]:
    """All needs in the order of the table; ``also`` names further distributions, whose modules have the same names."""
    return (*FRAMEWORK, OURS, *SCIENCE, *(plain(name) for name in also))
