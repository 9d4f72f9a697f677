"""Check that a network makes heatmaps whose cells lie where the decoder takes them to be, and say which sizes do."""

from __future__ import annotations

import itertools
import warnings
from typing import Any

import torch
from mmpose.models import TopdownPoseEstimator
from torch import Tensor, nn

from mmtranspose.codecs import UnbiasedHeatmap
from mmtranspose.models.meta_copy import meta_copy
from mmtranspose.models.unwrapping import unwrapped

STRIDES = (2, 4, 8, 16, 32, 64)  # of backbones
SIZES_NAMED = 2
Size = tuple[int, int]


def size_misfit(model: nn.Module) -> tuple[str, str] | None:
    """Find out whether the heatmaps of a network are those of its decoder, and cover the input evenly.

    A network whose input is no multiple of its backbone's stride pads the feature maps: their last cells lie beyond the
    image, and a decoder that knows only both sizes takes all cells for nearer to each other than they are. MMPose's
    decoders have a factor for each axis, as their targets have; :class:`UnbiasedHeatmap` has one for both axes, so it
    needs sizes that both are multiples of the stride.

    Args:
        model (nn.Module): The model, wrapped or not; it is left as it is, and nothing is computed with its weights.

    Returns:
        tuple[str, str] | None: The field of the decoder, ``'input_size'`` or ``'heatmap_size'``, and what is wrong with
        its value (the end of a sentence, from the ``=`` on); None if the sizes fit, or the model is none that makes one
        heatmap tensor with a decoder that has both sizes, or it cannot be tried.
    """
    model = unwrapped(model)
    decoder = getattr(getattr(model, 'head', None), 'decoder', None)
    sizes: list[Any] = [getattr(decoder, name, None) for name in ('input_size', 'heatmap_size')]
    if not isinstance(model, TopdownPoseEstimator) or any(size is None or len(size) != 2 for size in sizes):
        return None
    given, wanted = ((int(size[0]), int(size[1])) for size in sizes)
    network = meta_copy(model).eval()
    made = _heatmap_size(network, given)
    if made is not None and (_is_even(given, made) or (made == wanted and type(decoder) is not UnbiasedHeatmap)):
        return None if made == wanted else ('heatmap_size', _other_heatmaps(network, given, wanted, made))
    stride = next((stride for stride in STRIDES if _fits(network, given, stride)), None)
    if stride is None:
        return None if made in (None, wanted) else ('heatmap_size', _other_heatmaps(network, given, wanted, made))
    near = ' or '.join(
        f'{size} with heatmap_size={_heatmap_size(network, size)}' for size in _nearest(given, stride)[:SIZES_NAMED]
    )
    return 'input_size', (
        f'={given} does not fit the network, whose input must be a multiple of {stride} in width and height: the '
        f'nearest sizes (w, h) are {near}'
    )


def _heatmap_size(network: Any, size: Size) -> Size | None:
    """Size (w, h) of the heatmaps that a network on the meta device makes of an image; None if it makes none."""
    try:
        with torch.no_grad(), warnings.catch_warnings():
            warnings.simplefilter('ignore')
            heatmaps = network(torch.empty(1, 3, size[1], size[0], device='meta'), None, mode='tensor')
    except Exception:  # the network does not take that size, or cannot run on the meta device
        return None
    if not isinstance(heatmaps, Tensor) or heatmaps.dim() != 4:
        return None
    return heatmaps.shape[-1], heatmaps.shape[-2]


def _is_even(size: Size, heatmap: Size) -> bool:
    """Whether all cells have the same whole number of pixels, in both directions."""
    return size[0] % heatmap[0] == 0 and size[0] // heatmap[0] * heatmap[1] == size[1]


def _fits(network: Any, given: Size, stride: int) -> bool:
    """Whether the multiples of a stride around a size give heatmaps that cover the image."""
    around = [tuple(axis) for axis in zip(*(_multiples(length, stride) for length in given))]
    made = [(size, _heatmap_size(network, size)) for size in around]
    return all(heatmap is not None and _is_even(size, heatmap) for size, heatmap in made)


def _multiples(length: int, stride: int) -> Size:
    """The multiples of a stride below and above a length; twice the length itself if it is one."""
    below = max(length // stride, 1) * stride
    return below, max(-(-length // stride) * stride, below)


def _nearest(given: Size, stride: int) -> list[Size]:
    sizes = set(itertools.product(_multiples(given[0], stride), _multiples(given[1], stride)))
    return sorted(sizes, key=lambda size: (abs(size[0] - given[0]) + abs(size[1] - given[1]), size))


def _other_heatmaps(network: Any, given: Size, wanted: Size, made: Size) -> str:
    """The end of a sentence about a decoder's ``heatmap_size``, and what may be meant."""
    swapped = '; width and height seem to be swapped, sizes are (w, h)' if wanted == made[::-1] != made else ''
    other = wanted[0] * (given[0] // made[0]), wanted[1] * (given[0] // made[0])
    cure = f', or input_size to {other}' if _heatmap_size(network, other) == wanted else ''
    return (
        f'={wanted}, but from images of the size {given} the network makes heatmaps of {made} (w, h){swapped}; set '
        f'heatmap_size to that{cure}, or change the network'
    )
