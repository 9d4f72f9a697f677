"""mmcv's compiled operators, where only mmcv-lite is installed.

Fault: mmpose 1.3.2 imports ``mmcv.ops`` unguarded, and mmcv-lite 2.x has every module of it but not the compiled
``mmcv._ext``; so ``import mmpose.models`` fails with "No module named 'mmcv._ext'". mmcv itself has no wheel on PyPI
and compiles for 15 to 20 minutes.
Versions: mmcv-lite 2.0 to 2.1 with mmpose 1.3.2 and mmdet 3.3.0.
Can go: when mmpose and mmdet guard the import, or a compiled mmcv is on PyPI for the torch in use.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from importlib.machinery import ModuleSpec
from importlib.util import find_spec
from types import ModuleType

EXTENSION = 'mmcv._ext'
CURE = (
    'Install the compiled mmcv for your PyTorch in its place: pip uninstall mmcv-lite, then '
    'MMCV_WITH_OPS=1 pip install --no-build-isolation --no-deps "mmcv==2.1.0" (a compiler and 15 to 20 minutes).'
)


class MissingOpError(NotImplementedError):
    """An operator of mmcv was called that only the compiled mmcv has."""


def nms(boxes, scores, iou_threshold: float, offset: int):
    """Indices of the boxes kept by non-maximum suppression, best first.

    Args:
        boxes (Tensor): (N, 4), xyxy in pixels.
        scores (Tensor): (N,).
        iou_threshold (float): Boxes that overlap a better one by more are dropped.
        offset (int): 0, or 1 where a box's last pixel belongs to it (width ``x2 - x1 + 1``).
    """
    from torchvision.ops import nms as torchvision_nms

    if offset:
        boxes = boxes + boxes.new_tensor([0, 0, offset, offset])
    return torchvision_nms(boxes, scores.to(boxes.dtype), iou_threshold)


def roi_align_forward(
    features,
    rois,
    output,
    argmax_y,
    argmax_x,
    *,
    aligned_height: int,
    aligned_width: int,
    spatial_scale: float,
    sampling_ratio: int,
    pool_mode: int,
    aligned: bool,
) -> None:
    """Average-pooled RoIAlign of ``features`` (B, C, H, W) at ``rois`` (N, 5), written into ``output``."""
    from torchvision.ops import roi_align

    if pool_mode != 1:
        raise MissingOpError(f'mmcv op "roi_align_forward" with max pooling needs the compiled mmcv. {CURE}')
    pooled = roi_align(
        features,
        rois.to(features.dtype),
        (aligned_height, aligned_width),
        spatial_scale,
        sampling_ratio if sampling_ratio > 0 else -1,
        aligned,
    )
    output.copy_(pooled)


class _Extension(ModuleType):
    """Stands in for ``mmcv._ext``: two operators through torchvision, every other name an explaining error."""

    nms = staticmethod(nms)
    roi_align_forward = staticmethod(roi_align_forward)

    def __getattr__(self, name: str) -> Callable:
        if name.startswith('__'):
            raise AttributeError(name)

        def missing(*args, **kwargs):
            raise MissingOpError(f'mmcv op "{name}" is compiled code, which mmcv-lite does not have. {CURE}')

        return missing


def is_stand_in() -> bool:
    """Whether ``mmcv._ext`` is this module's stand-in (False: a compiled mmcv, or none at all)."""
    return isinstance(sys.modules.get(EXTENSION), _Extension)


def apply() -> None:
    """Put the stand-in in place, unless a compiled mmcv is there. Must run before mmpose is imported."""
    if EXTENSION in sys.modules or find_spec('mmcv') is None or find_spec(EXTENSION) is not None:
        return
    module = _Extension(EXTENSION)
    module.__spec__ = ModuleSpec(EXTENSION, loader=None)
    sys.modules[EXTENSION] = module
