"""Gradients of a heatmap's value with respect to the image: plain, smoothed, and integrated."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass, replace
from types import ModuleType
from typing import ClassVar

import torch
from torch import Tensor

from mmtranspose.errors import InputError, require_at_least
from mmtranspose.explain.methods.base import Method, peak_values, pixels_to_grid
from mmtranspose.explain.target import Target
from mmtranspose.typing import PoseEstimator
from mmtranspose_cli.optional_packages import pip_install

Values = Callable[[Tensor, Tensor], Tensor]
BATCH = 8  # images that go through the network together


@dataclass
class InputGradient(Method):
    """Absolute gradient of the peak's value with respect to normalised pixels (Simonyan et al. 2013, arXiv 1312.6034).

    Summed over the channels and over each token's pixels. It takes one forward pass, and one backward pass for each
    keypoint.
    """

    name: ClassVar[str] = 'input-gradient'

    def maps(self, model: PoseEstimator, inputs: Tensor, target: Target) -> Tensor:
        """The maps (B, K, h, w)."""
        inputs = inputs.clone().requires_grad_()
        values = peak_values(model.head.forward(model.extract_feat(inputs)), target)
        maps = []
        for value in values.unbind(1):
            (gradient,) = torch.autograd.grad(value.sum(), inputs, retain_graph=True)
            maps.append(pixels_to_grid(gradient.float().abs().sum(1), target.grid))
        return torch.stack(maps, 1)


@dataclass
class SmoothGrad(Method):
    """The input gradient averaged over noisy copies of the image (Smilkov et al. 2017, arXiv 1706.03825).

    Gradients are averaged by captum, with their signs; then their absolute values are summed as those of
    :class:`InputGradient`. It takes ``samples`` forward and backward passes for each keypoint.

    Args:
        samples (int): Noisy copies.
        noise (float): Standard deviation of the noise, as a share of the range of the image's normalised values.
        seed (int): Of the noise, the same for each keypoint.

    Raises:
        InputError: captum is not installed, or a number is out of range.
    """

    name: ClassVar[str] = 'smooth-grad'
    samples: int = 20
    noise: float = 0.1
    seed: int = 0

    def __post_init__(self) -> None:
        _captum(self.name)
        require_at_least('samples', self.samples, 1)
        require_at_least('seed', self.seed, 0)
        if not 0 <= self.noise < float('inf'):
            raise InputError(f'noise={self.noise} must not be negative')

    def maps(self, model: PoseEstimator, inputs: Tensor, target: Target) -> Tensor:
        """The maps (B, K, h, w)."""
        keypoints = range(target.peaks.shape[1])
        return torch.stack(
            [
                torch.stack(
                    [self._map(model, inputs[image : image + 1], target[image : image + 1], k) for k in keypoints]
                )
                for image in range(len(inputs))
            ]
        )

    def _map(self, model: PoseEstimator, image: Tensor, target: Target, keypoint: int) -> Tensor:
        """The map (h, w) of one keypoint in one image (1, 3, H, W)."""
        captum = _captum(self.name)
        with torch.random.fork_rng(devices=[image.device] if image.is_cuda else []):
            torch.manual_seed(self.seed)
            gradient = captum.NoiseTunnel(captum.Saliency(_values_of(model, image, target))).attribute(
                image.float(),
                nt_type='smoothgrad',
                nt_samples=self.samples,
                nt_samples_batch_size=min(self.samples, BATCH),
                stdevs=self.noise * float(image.amax() - image.amin()),
                target=keypoint,
                additional_forward_args=target.peaks,
                abs=False,
            )
        return pixels_to_grid(gradient.detach().float().abs().sum(1), target.grid)[0]


@dataclass
class IntegratedGradients(Method):
    """Each pixel's share in the value's rise from a blank image (Sundararajan et al. 2017, arXiv 1703.01365).

    A pixel's share is the difference between image and blank image, times the gradient averaged along the straight line
    between the two (captum's Gauss-Legendre quadrature). The blank image has the mean colour, 0 in the normalised
    image. The three channels of a pixel are added up, so contributions of a colour may cancel; then the absolute values
    of the pixels are summed over each token.

    The shares should sum to the value of the image less that of the blank image. For each keypoint, the number of
    points is doubled until the sum misses by at most ``tolerance`` of the larger of the two values' sizes; each point
    is a forward and a backward pass.

    Args:
        n_steps (int): Points of the quadrature at first.
        batch_size (int): Images that go through the network together.
        tolerance (float): Largest error of the sum.
        most_steps (int): Points at which doubling ends; a warning then says by how much the sums miss.

    Raises:
        InputError: captum is not installed, or a number is not positive.
    """

    name: ClassVar[str] = 'integrated-gradients'
    n_steps: int = 20
    batch_size: int = BATCH
    tolerance: float = 0.01
    most_steps: int = 640

    def __post_init__(self) -> None:
        _captum(self.name)
        for name in ('n_steps', 'batch_size', 'most_steps'):
            require_at_least(name, getattr(self, name), 1)
        if not self.tolerance > 0:
            raise InputError(f'tolerance={self.tolerance} must be positive, such as 0.01')

    def maps(self, model: PoseEstimator, inputs: Tensor, target: Target) -> Tensor:
        """The maps (B, K, h, w)."""
        found = [self.attributions(model, inputs, target, k) for k in range(target.peaks.shape[1])]
        worst = max(float(one.errors.max()) for one in found)
        if worst > self.tolerance:
            warnings.warn(
                f'integrated gradients: with {self.most_steps} points the shares still miss the rise of a value by '
                f'{worst:.1%} of it (wanted: {self.tolerance:.1%}); such a map is an approximation',
                stacklevel=2,
            )
        return torch.stack([pixels_to_grid(one.shares.sum(1).abs(), target.grid) for one in found], dim=1)

    def attributions(self, model: PoseEstimator, inputs: Tensor, target: Target, keypoint: int) -> Attributions:
        """Compute how much every channel of every pixel adds to one keypoint's value.

        ``model`` has to be in evaluation mode.
        """
        values = _values_of(model, inputs, target)
        with torch.no_grad():
            ends = [values(images, target.peaks)[:, keypoint] for images in (inputs, torch.zeros_like(inputs))]
        size = torch.maximum(*(end.abs() for end in ends)).clamp(min=torch.finfo(torch.float32).tiny)
        steps = min(self.n_steps, self.most_steps)
        while True:
            shares = self._shares(values, inputs, target, keypoint, steps)
            errors = (shares.flatten(1).sum(1) - (ends[0] - ends[1])).abs() / size
            if steps == self.most_steps or errors.max() <= self.tolerance:
                return Attributions(shares, errors, steps)
            steps = min(2 * steps, self.most_steps)

    def _shares(self, values: Values, inputs: Tensor, target: Target, keypoint: int, steps: int) -> Tensor:
        return (
            _captum(self.name)
            .IntegratedGradients(values, multiply_by_inputs=True)
            .attribute(
                inputs.clone().requires_grad_(),
                target=keypoint,
                additional_forward_args=target.peaks,
                n_steps=steps,
                internal_batch_size=max(self.batch_size, len(inputs)),
            )
            .detach()
            .float()
        )


@dataclass(frozen=True)
class Attributions:
    """The shares of pixels in one keypoint's value, of B images.

    Attributes:
        shares (Tensor): (B, 3, H, W), float32.
        errors (Tensor): (B,), by how much their sum misses the rise of the value from the blank image, as a share of
            the larger of the two values' sizes.
        steps (int): Points of the quadrature.
    """

    shares: Tensor
    errors: Tensor
    steps: int


def _values_of(model: PoseEstimator, inputs: Tensor, target: Target) -> Values:
    """From images (n, 3, H, W) and their peaks (n, K, 2) to the values (n, K) at the peaks, in the inputs' format."""

    def values(images: Tensor, peaks: Tensor) -> Tensor:
        features = model.extract_feat(images.to(inputs.dtype))
        return peak_values(model.head.forward(features), replace(target, peaks=peaks))

    return values


def _captum(method: str) -> ModuleType:
    try:
        import captum.attr
    except ModuleNotFoundError as error:
        raise InputError(f'the method {method!r} needs captum: {pip_install("captum")}') from error
    return captum.attr
