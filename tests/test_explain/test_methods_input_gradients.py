"""Methods that take gradients by the image, on a network whose gradient is known and on TransPose."""

import sys
from types import SimpleNamespace

import pytest
import torch
from tiny import tiny_transpose
from torch import nn

from mmtranspose.errors import InputError
from mmtranspose.explain.methods import InputGradient, IntegratedGradients
from mmtranspose.explain.target import Target

WEIGHTS = torch.tensor([[1.0, -2.0, 4.0], [1.0, 1.0, -1.0]])


class Linear(nn.Module):
    """Heatmap k at a pixel is that pixel's channels, weighted, plus a quarter of them two columns to the right."""

    def extract_feat(self, inputs):
        return inputs

    @property
    def head(self):
        return SimpleNamespace(forward=self.heatmaps)

    @staticmethod
    def heatmaps(images):
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
    method = IntegratedGradients(n_steps=400, batch_size=50)
    for k in range(3):
        total = method.attributions(model, inputs, target, k).sum((1, 2, 3))
        torch.testing.assert_close(total, rise[:, k], rtol=0, atol=0.01 * rise.abs().max().item())


def test_pixels_are_shared_out_where_the_grid_does_not_divide_them():
    from mmtranspose.explain.methods.base import pixels_to_grid

    assert torch.allclose(pixels_to_grid(torch.ones(1, 5, 7), (2, 3)), torch.full((1, 2, 3), 35 / 6))


def test_without_captum(monkeypatch):
    monkeypatch.setitem(sys.modules, 'captum', None)
    monkeypatch.setitem(sys.modules, 'captum.attr', None)
    with pytest.raises(InputError, match=r'needs captum: pip install captum, or pip install mmtranspose\[exp'):
        IntegratedGradients()


def test_errors():
    pytest.importorskip('captum')
    with pytest.raises(InputError, match='n_steps=0 must be at least 1'):
        IntegratedGradients(n_steps=0)
