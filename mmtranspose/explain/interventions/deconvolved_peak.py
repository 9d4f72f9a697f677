"""One cell of a heatmap that a single deconvolution makes, computed from the tokens beside it and nothing else."""

from __future__ import annotations

from typing import cast

from torch import Tensor, nn


class DeconvolvedPeak:
    """Computes single cells of the heatmaps of a head with one deconvolution and a last convolution of 1 x 1.

    A deconvolution computes everything that each token hands to its 4 x 4 surroundings; one cell takes a sixteenth.

    Args:
        deconvolution (nn.ConvTranspose2d): The head's.
        after (nn.Module): Normalisation and activation, which treat each cell by itself.
        last (nn.Conv2d): From channels to keypoints.
    """

    def __init__(self, deconvolution: nn.ConvTranspose2d, after: nn.Module, last: nn.Conv2d):
        self.deconvolution, self.after, self.last = deconvolution, after, last

    @classmethod
    def of(cls, head: nn.Module) -> DeconvolvedPeak | None:
        """Take the parts of a head; None where it has others."""
        layers, last = getattr(head, 'deconv_layers', None), getattr(head, 'final_layer', None)
        if not (isinstance(layers, nn.Sequential) and len(layers) and isinstance(last, nn.Conv2d)):
            return None
        first = layers[0]
        if not (isinstance(first, nn.ConvTranspose2d) and first.groups == 1 and first.dilation == (1, 1)):
            return None
        if last.kernel_size != (1, 1) or not isinstance(getattr(head, 'conv_layers', None), nn.Identity):
            return None
        rest = list(layers)[1:]
        known = all(isinstance(one, (nn.BatchNorm2d, nn.ReLU)) for one in rest)
        return cls(first, nn.Sequential(*rest), last) if known else None

    def read(self, tokens: Tensor, inside: Tensor, keypoint: Tensor) -> Tensor:
        """Compute values (M,) of keypoints (M,) at the cells ``inside`` (M, 2) of windows of tokens (M, n, m, d)."""
        values = tokens.new_empty(len(tokens), self.last.in_channels)
        for place in inside.unique(dim=0):
            here = (inside == place).all(-1)
            values[here] = tokens[here].flatten(1) @ self._taps(place.tolist(), tokens.shape[1:3])
        if self.deconvolution.bias is not None:
            values = values + self.deconvolution.bias
        values = self.after(values[..., None, None])[..., 0, 0]
        weight = self.last.weight[:, :, 0, 0][keypoint]
        found = (values * weight).sum(-1)
        return found if self.last.bias is None else found + self.last.bias[keypoint]

    def _taps(self, place: list[int], size: tuple[int, ...]) -> Tensor:
        """What each token of a window of ``size`` hands to the cell ``place``: (n m d, channels)."""
        layer, padding = self.deconvolution, cast(tuple[int, ...], self.deconvolution.padding)
        taps = layer.weight.new_zeros(*size, *layer.weight.shape[:2])
        for row in range(size[0]):
            for col in range(size[1]):
                at = [
                    cell + padding[axis] - layer.stride[axis] * token
                    for axis, (cell, token) in enumerate(zip(place, (row, col)))
                ]
                if all(0 <= tap < layer.kernel_size[axis] for axis, tap in enumerate(at)):
                    taps[row, col] = layer.weight[:, :, at[0], at[1]]
        return taps.flatten(0, 2)
