"""Sessions of ONNX Runtime: on the device that was asked for or not at all, and with PyTorch's threads."""

from pathlib import Path
from types import SimpleNamespace

import onnx
import onnxruntime
import pytest
import torch

from mmtranspose.apis import InputError
from mmtranspose.deployment import tensorrt_file
from mmtranspose.deployment.runtimes.onnxruntime_runtime import PROVIDERS, open_session, read_metadata
from mmtranspose.deployment.tensorrt_file import write_tensorrt


@pytest.fixture(scope='module')
def identity():
    """A graph of one operator."""
    values = [onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, [1]) for name in ('x', 'y')]
    graph = onnx.helper.make_graph(
        [onnx.helper.make_node('Identity', ['x'], ['y'])], 'identity', *[[v] for v in values]
    )
    return onnx.helper.make_model(graph, ir_version=10, opset_imports=[onnx.helper.make_opsetid('', 18)])


@pytest.fixture
def libraries_are_missing(monkeypatch):
    """An onnxruntime-gpu on a machine without CUDA: it names providers that it then does not load."""
    monkeypatch.setattr(onnxruntime, 'get_available_providers', lambda: list(PROVIDERS.values()))


def test_as_many_threads_as_pytorch(identity):
    torch.set_num_threads(2)
    assert open_session(identity.SerializeToString(), 'cpu').get_session_options().intra_op_num_threads == 2


def test_providers(identity, monkeypatch):
    """What ONNX Runtime is asked for; an open session does not go on elsewhere after a failure."""
    asked = []

    class Session:
        def __init__(self, model, options, providers):
            asked.append(providers)
            self.falls_back = True

        def get_providers(self):
            return [one if isinstance(one, str) else one[0] for one in asked[-1]]

        def disable_fallback(self):
            self.falls_back = False

    monkeypatch.setattr(onnxruntime, 'get_available_providers', lambda: list(PROVIDERS.values()))
    monkeypatch.setattr(onnxruntime, 'InferenceSession', Session)
    cpu = 'CPUExecutionProvider'
    for arguments, wanted in [
        (('cpu',), [cpu]),
        (('cuda',), [('CUDAExecutionProvider', {'device_id': '0'}), cpu]),
        (('cuda:3',), [('CUDAExecutionProvider', {'device_id': '3'}), cpu]),
        (('cuda:1', 'tensorrt'), [('TensorrtExecutionProvider', {'device_id': '1'}), cpu]),
    ]:
        assert not open_session(b'', *arguments).falls_back
        assert asked[-1] == wanted


@pytest.mark.filterwarnings('ignore:Specified provider')
@pytest.mark.parametrize(('backend', 'provider'), [('onnxruntime', 'CUDA'), ('tensorrt', 'Tensorrt')])
def test_provider_that_is_not_loaded(identity, libraries_are_missing, backend, provider):
    with pytest.raises(InputError, match=f'device cuda:0: .*cannot load its {provider}ExecutionProvider, .*a library'):
        open_session(identity.SerializeToString(), 'cuda:0', backend)


@pytest.mark.filterwarnings('ignore:Specified provider')
def test_nothing_is_compiled_without_tensorrt(identity, libraries_are_missing, tmp_path):
    with pytest.raises(InputError, match='cannot load its TensorrtExecutionProvider'):
        write_tensorrt(identity, SimpleNamespace(precision='fp32'), tmp_path / 'a.onnx')
    assert list(tmp_path.iterdir()) == []


def test_compiled_file(identity, tmp_path, monkeypatch):
    """It is what ONNX Runtime has left where it was told to, and says what it is."""
    left, given = [identity.SerializeToString()], {}

    def compiling(model, device, backend, provider_options):
        given.update(provider_options, model=model, device=device, backend=backend)
        for content in left:
            Path(provider_options['trt_ep_context_file_path']).write_bytes(content)

    monkeypatch.setattr(tensorrt_file, 'open_session', compiling)
    meta = SimpleNamespace(precision='fp16', to_json=lambda: 'what it is')
    write_tensorrt(identity, meta, tmp_path / 'a.onnx')
    assert (given['device'], given['backend'], given['trt_fp16_enable']) == ('cuda:0', 'tensorrt', True)
    assert read_metadata(tmp_path / 'a.onnx') == {'mmtranspose': 'what it is'}
    left.clear()
    with pytest.raises(InputError, match='TensorRT has compiled no part of the graph'):
        write_tensorrt(identity, meta, tmp_path / 'b.onnx')
    assert not (tmp_path / 'b.onnx').exists()


@pytest.mark.parametrize(
    ('arguments', 'message'),
    [
        (('cpu', 'tensorrt'), 'backend tensorrt runs on a GPU: name it'),
        (('tpu', 'tensorrt'), 'backend tensorrt runs on a GPU: name it'),
        (('cuda:0',), 'no provider for it: pip install "onnxruntime-gpu<2"$'),
        (('cuda:0', 'tensorrt'), 'no provider for it: pip install "onnxruntime-gpu<2" tensorrt$'),
        (('tensorrt',), 'device tensorrt: .*; choose cpu or cuda'),
    ],
)
def test_devices_that_are_not_there(identity, arguments, message, monkeypatch):
    monkeypatch.setattr(onnxruntime, 'get_available_providers', lambda: ['CPUExecutionProvider'])
    with pytest.raises(InputError, match=message):
        open_session(identity.SerializeToString(), *arguments)
