"""Replace mmcv's compiled operators if only mmcv-lite is installed.

Fault: mmpose 1.3.2 imports ``mmcv.ops`` unconditionally. mmcv-lite 2.x contains ``mmcv.ops``, but not the compiled
``mmcv._ext`` that it needs, so ``import mmpose.models`` fails with "No module named 'mmcv._ext'". mmcv itself has no
wheel on PyPI, and compiling it takes 15 to 20 minutes.
Versions: mmcv-lite 2.0 to 2.1 with mmpose 1.3.2 and mmdet 3.3.0.
Can go: when mmpose and mmdet guard the import, or a compiled mmcv is on PyPI for the torch in use.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from importlib.machinery import ModuleSpec
from importlib.util import find_spec
from types import ModuleType
from typing import TYPE_CHECKING, NoReturn

if TYPE_CHECKING:
    from torch import Tensor

EXTENSION = 'mmcv._ext'
CURE = (
    'Install the compiled mmcv for your PyTorch in its place: pip uninstall mmcv-lite, then '
    'MMCV_WITH_OPS=1 pip install --no-build-isolation --no-deps "mmcv==2.1.0" (a compiler and 15 to 20 minutes).'
)


class MissingOpError(NotImplementedError):
    """A call of an operator that only the compiled mmcv has."""


def nms(boxes: Tensor, scores: Tensor, iou_threshold: float, offset: int) -> Tensor:
    """Suppress boxes that overlap a better one (non-maximum suppression).

    Args:
        boxes (Tensor): (N, 4), xyxy in pixels.
        scores (Tensor): (N,).
        iou_threshold (float): Overlap (intersection over union) above which the worse box is dropped.
        offset (int): 1 if a box includes its last pixel (its width is ``x2 - x1 + 1``), otherwise 0.

    Returns:
        Tensor: (M,), indices of the boxes that are kept, best first.
    """
    from torchvision.ops import nms as torchvision_nms

    if offset:
        boxes = boxes + boxes.new_tensor([0, 0, offset, offset])
    return torchvision_nms(boxes, scores.to(boxes.dtype), iou_threshold)


def roi_align_forward(
    features: Tensor,
    rois: Tensor,
    output: Tensor,
    argmax_y: Tensor,  # noqa: ARG001  for max pooling
    argmax_x: Tensor,  # noqa: ARG001
    *,
    aligned_height: int,
    aligned_width: int,
    spatial_scale: float,
    sampling_ratio: int,
    pool_mode: int,
    aligned: bool,
) -> None:
    """Pool features in regions by RoIAlign with average pooling.

    Args:
        features (Tensor): (B, C, H, W).
        rois (Tensor): (N, 5), index in the batch and xyxy; ``spatial_scale`` converts them to cells of the features.
        output (Tensor): (N, C, aligned_height, aligned_width); the result is written into it.
        argmax_y, argmax_x (Tensor): For max pooling, which needs the compiled mmcv.
        aligned_height, aligned_width (int): Size of the result.
        spatial_scale (float): Cells per pixel.
        sampling_ratio (int): Samples per bin on each axis; 0 or less: as many as fit.
        pool_mode (int): 1 for average pooling.
        aligned (bool): Whether to shift the regions by half a cell.

    Raises:
        MissingOpError: ``pool_mode`` is not 1.
    """
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
    """A stand-in for ``mmcv._ext``: two operators by torchvision; calling any other one raises MissingOpError."""

    nms = staticmethod(nms)
    roi_align_forward = staticmethod(roi_align_forward)

    def __getattr__(self, name: str) -> Callable:
        if name.startswith('__'):
            raise AttributeError(name)

        def missing(*_args: object, **_kwargs: object) -> NoReturn:
            raise MissingOpError(f'mmcv op "{name}" is compiled code, which mmcv-lite does not have. {CURE}')

        return missing


def is_stand_in() -> bool:
    """Whether ``mmcv._ext`` is the stand-in. False if the compiled mmcv, or none, is installed."""
    return isinstance(sys.modules.get(EXTENSION), _Extension)


def apply() -> None:
    """Put the stand-in in place, unless the compiled mmcv is installed. Must run before mmpose is imported."""
    if EXTENSION in sys.modules or find_spec('mmcv') is None or find_spec(EXTENSION) is not None:
        return
    module = _Extension(EXTENSION)
    module.__spec__ = ModuleSpec(EXTENSION, loader=None)
    sys.modules[EXTENSION] = module
