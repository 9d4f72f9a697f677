"""Max-sensitivity, on a method whose maps are known."""

from dataclasses import dataclass
from types import SimpleNamespace

import pytest
import torch
from torch import nn

from mmtranspose.errors import InputError
from mmtranspose.explain.methods import Method
from mmtranspose.explain.sensitivity import max_sensitivity
from mmtranspose.explain.target import Target


@dataclass
class Pixels(Method):
    """The map is the image's first channel, for the first keypoint twice."""

    name = 'pixels'

    def maps(self, model, inputs, target):
        return torch.stack([2 * inputs[:, 0], inputs[:, 0]], 1)


@pytest.fixture
def case():
    inputs = torch.arange(32.0).reshape(2, 1, 4, 4).expand(2, 3, 4, 4) + 1
    return Pixels(), nn.Identity(), inputs, Target.at(torch.zeros(2, 2, 2, dtype=torch.long), (4, 4), (4, 4))


def test_the_largest_change(case):
    method, model, inputs, target = case
    found = max_sensitivity(method, model, inputs, target, method(model, inputs, target), radius=0.1, samples=3, seed=5)
    generator = torch.Generator().manual_seed(5)
    changes = [0.1 * 15 * (2 * torch.rand(3, 4, 4, generator=generator) - 1)[0] for _ in range(3)]  # 15: the range
    expected = torch.stack([max(change.norm() for change in changes) / image[0].norm() for image in inputs])
    torch.testing.assert_close(found, torch.stack([expected, expected], 1))


def test_maps_of_nothing(case):
    method, model, inputs, target = case
    assert max_sensitivity(method, model, inputs, target, torch.zeros(2, 2, 4, 4)).isnan().all()


@pytest.mark.parametrize('options', [dict(radius=0), dict(samples=0)])
def test_mistakes(case, options):
    method, model, inputs, target = case
    with pytest.raises(InputError, match=next(iter(options))):
        max_sensitivity(method, model, inputs, target, torch.ones(2, 2, 4, 4), **options)


def test_against_captum(case):
    captum = pytest.importorskip('captum.metrics')
    method, model, inputs, target = case
    generator = torch.Generator().manual_seed(0)
    noise = [0.3 * (2 * torch.rand(3, 4, 4, generator=generator) - 1) for _ in range(4)]
    turn = SimpleNamespace(number=0)

    def perturbed(inputs, radius):
        turn.number += 1
        inputs = inputs[0] if isinstance(inputs, tuple) else inputs
        return inputs + noise[turn.number - 1]

    one = inputs[:1]

    def explained(images):
        images = images[0] if isinstance(images, tuple) else images
        return (method.maps(model, images, target)[:, 0],)

    theirs = captum.sensitivity_max(
        explained,
        one,
        perturbed,
        n_perturb_samples=4,
        max_examples_per_batch=1,
    )
    ours = max_sensitivity(method, model, one, target[:1], method(model, one, target[:1]), radius=0.02, samples=4)
    torch.testing.assert_close(ours[0, :1], theirs.float())
