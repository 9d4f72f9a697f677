"""torch.compile of the network, counted by a backend that compiles nothing."""

import warnings

import pytest
import torch
from tiny import tiny_transpose
from variants import plain_heatmaps, random_images, randomised, range_error

from mmtranspose.acceleration import accelerate
from mmtranspose.acceleration.accelerated_estimator import in_parts
from mmtranspose.acceleration.cuda_graphs import GraphedFunction


class Counter:
    def __init__(self):
        self.graphs = 0

    def __call__(self, module, inputs):
        self.graphs += 1
        return module.forward


@pytest.fixture
def model():
    return randomised(tiny_transpose(head=dict(deconv_out_channels=(8,)))).eval()


@pytest.fixture(autouse=True)
def nothing_compiled_before():
    torch._dynamo.reset()
    yield
    torch._dynamo.reset()


@pytest.mark.parametrize('fuse_encoder', [True, False])
def test_few_compilations_serve_every_batch_size(model, fuse_encoder):
    counter = Counter()
    fast = accelerate(model, compile=dict(backend=counter, fullgraph=True), fuse_encoder=fuse_encoder)
    with warnings.catch_warnings():
        warnings.simplefilter('error')
        warnings.filterwarnings('ignore', 'Guards may run slower on Python 3.13.0')
        for size in (3, 1, 2, 4, 5, 6, 7, 8, 9):
            inputs = random_images(size)
            assert range_error(fast.heatmaps(inputs), plain_heatmaps(model, inputs)) < 1e-5
    assert 1 <= counter.graphs <= 2


def test_the_first_batch_size_does_not_matter(model):
    counter = Counter()
    fast = accelerate(model, compile=dict(backend=counter, fullgraph=True))
    for size in (1, 2, 5, 3):
        fast.heatmaps(random_images(size))
    assert 1 <= counter.graphs <= 2
    with torch.inference_mode():  # another kind of tensor
        for size in (6, 7, 8):
            fast.heatmaps(random_images(size))
    assert counter.graphs <= 3


def test_another_image_size_is_served(model):
    counter = Counter()
    fast = accelerate(model, compile=dict(backend=counter))
    for size in ((64, 48), (32, 32), (48, 80), (64, 48)):
        inputs = random_images(2, *size)
        assert range_error(fast.heatmaps(inputs), plain_heatmaps(model, inputs)) < 1e-5
    assert counter.graphs <= 4


def test_models_made_anew_use_the_same_code(model):
    # as AccelerationHook makes them; PyTorch gives up after 8 compilations of one function
    counter, inputs = Counter(), random_images(2)
    for factor in (1.0, 0.5, 2.0):
        with torch.no_grad():
            model.backbone.conv1.weight.mul_(factor)
        fast = accelerate(model, compile=dict(backend=counter))
        assert range_error(fast.heatmaps(inputs), plain_heatmaps(model, inputs)) < 1e-5
    assert counter.graphs == 1


def test_without_a_compiler_it_runs(model):
    def broken(module, inputs):
        raise RuntimeError('no C++ compiler')

    fast = accelerate(model, compile=dict(backend=broken))
    inputs = random_images(2)
    with pytest.warns(UserWarning, match='the accelerated network cannot be compiled .*no C'):
        found = fast.heatmaps(inputs)
    assert range_error(found, plain_heatmaps(model, inputs)) < 1e-5


def test_recorded_and_compiled(model):
    counter, inputs = Counter(), random_images(5)
    fast = accelerate(model, compile=dict(backend=counter))

    def capture(function, static):
        output = function(static)
        return lambda: output.copy_(function(static)), output

    graphed = GraphedFunction(fast._run, 4, capture)
    fast._run = in_parts(graphed, 4)
    for size in (5, 3, 1, 2):
        assert range_error(fast.heatmaps(inputs[:size]), plain_heatmaps(model, inputs[:size])) < 1e-5
    assert counter.graphs <= 2 and not graphed.failed
