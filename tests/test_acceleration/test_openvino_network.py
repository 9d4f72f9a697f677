"""The accelerated network by OpenVINO: PyTorch's heatmaps, and PyTorch where it cannot run."""

import warnings

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
        UserWarning, match='OpenVINO is not installed .pip install openvino.: the network runs in PyTorch'
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


def test_options(tiny_model):
    with pytest.raises(InputError, match="backend='tvm' is unknown"):
        accelerate(tiny_model, backend='tvm')


def test_pipeline(tiny_model, monkeypatch):
    image = torch.randint(0, 255, (90, 70, 3), dtype=torch.uint8).numpy()
    pipelines = [TopdownPipeline(tiny_model, 'whole-image', backend=backend) for backend in ('torch', 'openvino')]
    wanted, found = (next(pipeline(image)).samples[0].pred_instances for pipeline in pipelines)
    assert pipelines[1].estimate.model.uses_openvino
    assert abs(found.keypoint_scores - wanted.keypoint_scores).max() < 1e-5
