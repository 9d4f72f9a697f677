"""Methods that take gradients by the image, on a network whose gradient is known and on TransPose."""

import sys
from types import SimpleNamespace

import pytest
import torch
from tiny import tiny_transpose
from torch import nn

from mmtranspose.errors import InputError
from mmtranspose.explain.methods import InputGradient, IntegratedGradients, LayerCAM, SmoothGrad
from mmtranspose.explain.target import Target

WEIGHTS = torch.tensor([[1.0, -2.0, 4.0], [1.0, 1.0, -1.0]])


class Linear(nn.Module):
    """Heatmap k at a pixel is that pixel's channels, weighted, plus a quarter of them two columns to the right."""

    def extract_feat(self, inputs):
        return (inputs,)

    @property
    def head(self):
        return SimpleNamespace(forward=self.heatmaps)

    @staticmethod
    def heatmaps(features):
        (images,) = features
        weighted = torch.einsum('kc,bchw->bkhw', WEIGHTS, images)
        return weighted + 0.25 * weighted.roll(-2, -1)


@pytest.fixture
def linear():
    """The network, an image 4x4 whose pixels are (1, 2, 3) times their number, peaks, tokens of 2x2 pixels."""
    number = torch.arange(16.0).reshape(1, 1, 4, 4)
    images = number * torch.tensor([1.0, 2.0, 3.0]).reshape(1, 3, 1, 1)
    return Linear(), images, Target.at(torch.tensor([[[0, 1], [3, 0]]]), (4, 4), (2, 2))


def test_input_gradient_of_a_linear_network(linear):
    # |1| + |-2| + |4| at the peak's token, a quarter of it at the next one
    assert InputGradient()(*linear).tolist() == [[[[7, 1.75], [0, 0]], [[0, 0], [3, 0.75]]]]


def test_smooth_grad_of_a_linear_network(linear):
    pytest.importorskip('captum')
    torch.testing.assert_close(SmoothGrad(samples=3)(*linear), InputGradient()(*linear))  # the same gradient everywhere


def test_layer_cam_of_a_linear_network(linear):
    # keypoint 0: (1 + 0 + 12) n at pixel 1, a quarter of it at 3; keypoint 1: (1 + 2) n at 12, a quarter at 14
    expected = torch.tensor([[[[13, 0.25 * 39], [0, 0]], [[0, 0], [36, 0.25 * 42]]]]) / 4  # the mean of four pixels
    torch.testing.assert_close(LayerCAM('encoder')(*linear), expected)


def test_integrated_gradients_of_a_linear_network(linear):
    pytest.importorskip('captum')
    # keypoint 0: (1 - 4 + 12) n = 9 n at pixels 1 and 3 (a quarter); keypoint 1: (1 + 2 - 3) n = 0 everywhere
    expected = torch.tensor([[[[9.0, 27 / 4], [0, 0]], [[0, 0], [0, 0]]]])
    torch.testing.assert_close(IntegratedGradients(n_steps=2)(*linear), expected)


def test_input_gradient_of_transpose():
    model = tiny_transpose(head=dict(deconv_out_channels=(8,))).eval()
    inputs = torch.randn(2, 3, 32, 24)

    def heatmaps(images):
        return model.head.forward(model.extract_feat(images))

    target = Target.of(heatmaps(inputs), (4, 3))
    jacobian = torch.autograd.functional.jacobian(lambda x: target.values(heatmaps(x)), inputs)  # (B, K, B, 3, H, W)
    expected = torch.stack([jacobian[b, :, b].abs().sum(1).reshape(3, 4, 8, 3, 8).sum((2, 4)) for b in range(2)])
    torch.testing.assert_close(InputGradient()(model, inputs, target), expected, rtol=1e-4, atol=1e-6)


def test_integrated_gradients_are_complete():
    pytest.importorskip('captum')
    model = tiny_transpose().eval()
    inputs = torch.randn(2, 3, 32, 24)

    def heatmaps(images):
        return model.head.forward(model.extract_feat(images))

    with torch.no_grad():
        target = Target.of(heatmaps(inputs), (4, 3))
        rise = target.values(heatmaps(inputs)) - target.values(heatmaps(torch.zeros_like(inputs)))
        blank = target.values(heatmaps(torch.zeros_like(inputs)))
    method = IntegratedGradients(n_steps=1, batch_size=50, tolerance=0.1, most_steps=256)
    steps = set()
    for k in range(3):
        found = method.attributions(model, inputs, target, k)
        size = torch.maximum((rise + blank)[:, k].abs(), blank[:, k].abs())
        missed = (found.shares.sum((1, 2, 3)) - rise[:, k]).abs() / size
        torch.testing.assert_close(found.errors, missed, rtol=1e-3, atol=1e-5)
        assert missed.max() <= 0.1
        steps.add(found.steps)
    assert min(steps) > 1 and max(steps) <= 256
    with pytest.warns(UserWarning, match=r'with 2 points the shares still miss the rise of a value by \d+\.\d% of it'):
        IntegratedGradients(n_steps=1, tolerance=1e-9, most_steps=2)(model, inputs, target)


def test_smooth_grad_averages_gradients_of_noisy_images():
    pytest.importorskip('captum')
    model = tiny_transpose().eval()
    inputs = torch.randn(1, 3, 32, 24)

    def heatmaps(images):
        return model.head.forward(model.extract_feat(images))

    with torch.no_grad():
        target = Target.of(heatmaps(inputs), (4, 3))
    torch.testing.assert_close(
        SmoothGrad(samples=1, noise=0)(model, inputs, target), InputGradient()(model, inputs, target)
    )
    state = torch.get_rng_state()
    found = SmoothGrad(samples=4, noise=0.2, seed=3)(model, inputs, target)
    assert torch.equal(torch.get_rng_state(), state)
    torch.manual_seed(3)
    deviation = 0.2 * (inputs.max() - inputs.min())
    noisy = torch.stack([inputs[0] + torch.normal(0, torch.full_like(inputs[0], float(deviation))) for _ in range(4)])
    noisy.requires_grad_()
    at_peak = heatmaps(noisy)[:, 1, target.peaks[0, 1, 0], target.peaks[0, 1, 1]]
    (gradient,) = torch.autograd.grad(at_peak.sum(), noisy)
    expected = gradient.mean(0).abs().sum(0).reshape(4, 8, 3, 8).sum((1, 3))
    torch.testing.assert_close(found[0, 1], expected, rtol=1e-4, atol=1e-7)


@pytest.mark.parametrize('place', ['encoder', 'stem'])
def test_layer_cam_of_transpose(place):
    model = tiny_transpose(head=dict(deconv_out_channels=(8,))).eval()
    inputs = torch.randn(1, 3, 32, 24)
    with torch.no_grad():
        (features,) = model.backbone(inputs) if place == 'stem' else model.extract_feat(inputs)
        target = Target.of(model.head.forward(model.extract_feat(inputs)), (4, 3))

    def values(features):
        return target.values(model.head.forward(model.neck((features,)) if place == 'stem' else (features,)))[0]

    jacobian = torch.autograd.functional.jacobian(values, features)[:, 0]  # (K, C, 4, 3)
    expected = (jacobian.clamp(min=0) * features[0]).sum(1).clamp(min=0)
    torch.testing.assert_close(LayerCAM(place)(model, inputs, target)[0], expected, rtol=1e-4, atol=1e-7)


def test_pixels_are_shared_out_where_the_grid_does_not_divide_them():
    from mmtranspose.explain.methods.base import pixels_to_grid

    assert torch.allclose(pixels_to_grid(torch.ones(1, 5, 7), (2, 3)), torch.full((1, 2, 3), 35 / 6))


def test_without_captum(monkeypatch):
    monkeypatch.setitem(sys.modules, 'captum', None)
    monkeypatch.setitem(sys.modules, 'captum.attr', None)
    with pytest.raises(InputError, match='needs captum: pip install "captum<'):
        IntegratedGradients()
    with pytest.raises(InputError, match="method 'smooth-grad' needs captum"):
        SmoothGrad()


def test_errors():
    pytest.importorskip('captum')
    with pytest.raises(InputError, match='n_steps=0 must be at least 1'):
        IntegratedGradients(n_steps=0)
    with pytest.raises(InputError, match='tolerance=0 must be positive'):
        IntegratedGradients(tolerance=0)
    with pytest.raises(InputError, match='noise=-1 must not be negative'):
        SmoothGrad(noise=-1)
    with pytest.raises(InputError, match="place='head'"):
        LayerCAM('head')
