"""The accelerated network by OpenVINO: PyTorch's heatmaps, and PyTorch where it cannot run."""

import threading
import warnings
from concurrent.futures import ThreadPoolExecutor

import pytest
import torch

from mmtranspose.acceleration import accelerate, openvino_network
from mmtranspose.apis import InputError, TopdownPipeline

pytest.importorskip('openvino')


@pytest.fixture
def inputs():
    return torch.randn(3, 3, 64, 48)


def test_heatmaps(tiny_model, inputs):
    with warnings.catch_warnings():
        warnings.simplefilter('error')
        fast = accelerate(tiny_model, backend='openvino')
        batches = (inputs, inputs[:1], torch.randn(2, 3, 32, 48))
        found = [fast.heatmaps(batch) for batch in batches]  # later calls do not change what was returned
        for batch, heatmaps in zip(batches, found):
            with torch.no_grad():
                assert torch.allclose(heatmaps, tiny_model(batch, None), atol=1e-5)
    assert 'by OpenVINO' in fast.extra_repr() and 'fuse_encoder' not in fast.extra_repr()
    assert fast.heatmaps(inputs[:0]).shape[0] == 0


def test_without_openvino(tiny_model, inputs, monkeypatch):
    monkeypatch.setattr(openvino_network.importlib.util, 'find_spec', lambda name: None)
    with pytest.warns(
        UserWarning, match='OpenVINO is not installed .pip install "openvino<[0-9]+".: the network runs in PyTorch'
    ):
        fast = accelerate(tiny_model, backend='openvino')
    assert torch.equal(fast.heatmaps(inputs), accelerate(tiny_model).heatmaps(inputs))


def test_where_openvino_fails(tiny_model, inputs, monkeypatch):
    def broken(*_):
        raise RuntimeError('no such operator\nmore')

    monkeypatch.setattr(openvino_network.OpenVinoNetwork, '_compile', broken)
    fast = accelerate(tiny_model, backend='openvino')
    with pytest.warns(UserWarning, match='runs in PyTorch: RuntimeError: no such operator$'):
        found = fast.heatmaps(inputs)
    assert torch.allclose(found, accelerate(tiny_model, fuse_encoder=False).heatmaps(inputs), atol=1e-6)
    with warnings.catch_warnings():
        warnings.simplefilter('error')  # said once
        fast.heatmaps(inputs)


class TwoAtATime:
    """As a compiled model, but that it waits for a second caller, and then refuses."""

    def __init__(self):
        self.busy, self.second = threading.Lock(), threading.Event()

    def __call__(self, inputs):
        if not self.busy.acquire(blocking=False):
            self.second.set()
            raise RuntimeError('Infer Request is busy')
        self.second.wait(0.1)
        self.busy.release()
        return [inputs[0] * 2]


def test_threads_take_turns(inputs):
    network = openvino_network.OpenVinoNetwork(lambda images, _: images * 3, torch.float32)
    network.compiled[tuple(inputs.shape[1:])] = TwoAtATime()
    with warnings.catch_warnings(), ThreadPoolExecutor(2) as pool:
        warnings.simplefilter('error')
        found = list(pool.map(lambda batch: network(batch, ()), [inputs, inputs + 1]))
    assert torch.equal(found[0], inputs * 2) and torch.equal(found[1], (inputs + 1) * 2)


def test_as_many_threads_as_pytorch():
    assert torch.get_num_threads() == 1
    network = openvino_network.OpenVinoNetwork(lambda images, _: images * 3, torch.float32)
    assert torch.equal(network(torch.ones(2, 1, 2, 2), ()), torch.full((2, 1, 2, 2), 3.0))
    assert network.compiled[1, 2, 2].get_property('INFERENCE_NUM_THREADS') == 1
    assert not network.compiled[1, 2, 2].get_property('ENABLE_CPU_PINNING')  # not to the cores of other processes


def test_options(tiny_model):
    with pytest.raises(InputError, match="backend='tvm' is unknown"):
        accelerate(tiny_model, backend='tvm')


def test_pipeline(tiny_model, monkeypatch):
    image = torch.randint(0, 255, (90, 70, 3), dtype=torch.uint8).numpy()
    pipelines = [TopdownPipeline(tiny_model, 'whole-image', backend=backend) for backend in ('torch', 'openvino')]
    wanted, found = (next(pipeline(image)).samples[0].pred_instances for pipeline in pipelines)
    assert pipelines[1].estimate.model.uses_openvino
    assert abs(found.keypoint_scores - wanted.keypoint_scores).max() < 1e-5
