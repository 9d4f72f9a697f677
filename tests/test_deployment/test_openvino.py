"""OpenVINO's files: the network in its precision, and all else in single precision."""

import os
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch

from mmtranspose.apis import InputError, load_exported
from mmtranspose.commands.machine_errors import machine_error
from mmtranspose.deployment.file_meta import FileMeta
from mmtranspose.deployment.graphs import boundary_names
from mmtranspose.deployment.onnx_file import write_onnx
from mmtranspose.deployment.openvino_file import write_openvino
from mmtranspose.deployment.openvino_graph import piece

openvino = pytest.importorskip('openvino')
nncf = pytest.importorskip('nncf')


@pytest.fixture(scope='module')
def traced(exported):
    """A traced graph and what it says about itself."""
    graph = onnx.load(str(exported / 'image.onnx'))
    return graph, FileMeta.from_json(graph.metadata_props[0].value, 'image.onnx')


@pytest.fixture(scope='module')
def files(traced, tmp_path_factory, scene):
    """Files of one traced graph: fp32, bf16, and int8 calibrated with the scene."""
    folder = tmp_path_factory.mktemp('openvino')
    image, boxes = scene
    samples = [{'image': np.ascontiguousarray(image[:, :, ::-1]), 'boxes': boxes}]
    graph, meta = traced
    for precision in ('fp32', 'bf16', 'int8'):
        write_openvino(graph, replace(meta, precision=precision), folder / f'{precision}.xml', samples)
    write_onnx(graph, replace(meta, precision='int8'), folder / 'int8.onnx', samples)
    return folder


def test_single_precision(files, exported, scene):
    found, wanted = (
        load_exported(files / 'fp32.xml').poses(*scene),
        load_exported(exported / 'image.onnx').poses(*scene),
    )
    for name in ('scores', 'dependency', 'crop_to_image'):
        assert np.allclose(getattr(found, name), getattr(wanted, name), atol=1e-4), name
    assert load_exported(files / 'fp32.xml').meta.keypoint_names[0] == 'nose'


@pytest.mark.parametrize('precision', ['bf16', 'int8'])
def test_lower_precision(files, precision, scene):
    """Crops are cut where they are in fp32, to the last bit: their affines would be off by pixels in bf16."""
    found, wanted = (load_exported(files / f'{name}.xml').poses(*scene) for name in (precision, 'fp32'))
    assert np.allclose(found.crop_to_image, wanted.crop_to_image, atol=1e-6)
    assert np.abs(found.scores - wanted.scores).max() < 0.2 * wanted.scores.max()
    assert np.allclose(found.dependency.sum((-1, -2)), 1, atol=1e-4)


@pytest.mark.parametrize('precision', ['bf16', 'int8'])
def test_only_the_network_loses_precision(files, precision, scene):
    """What goes into the network is that of fp32 to the last bit, and so is what is made of given heatmaps, nearly."""
    core, (image, boxes) = openvino.Core(), scene
    peaks, (rows, columns) = np.random.default_rng(0).uniform(2, 10, (2, 3, 17, 1, 1)), np.indices((16, 12))
    heatmaps = np.exp(-((columns - peaks[0]) ** 2 + (rows - peaks[1]) ** 2) / 4).astype(np.float32)
    given = {'image': np.ascontiguousarray(image[:, :, ::-1]), 'boxes': boxes, 'heatmaps': heatmaps}
    single, lower = (core.read_model(str(files / f'{name}.xml')) for name in ('fp32', precision))
    for inputs, outputs, atol in [
        (['image', 'boxes'], ['network_input'], 0),
        (['image', 'boxes', 'heatmaps'], ['keypoints', 'scores'], 1e-4),
    ]:
        found, wanted = (
            core.compile_model(piece(model, inputs, outputs), 'CPU', {'INFERENCE_PRECISION_HINT': 'f32'})
            for model in (lower, single)
        )
        values = {port.get_any_name(): given[port.get_any_name()] for port in wanted.inputs}
        for name in outputs:
            assert np.allclose(found(values)[name], wanted(values)[name], rtol=0, atol=atol), name


def test_weights_that_half_precision_lacks_stay(traced, tmp_path):
    graph, meta = onnx.ModelProto(), replace(traced[1], precision='bf16')
    graph.CopyFrom(traced[0])
    [large] = [one for one in graph.graph.initializer if one.name.endswith('final_layer.weight')]
    weights = onnx.numpy_helper.to_array(large) * 0 + 1e6
    large.CopyFrom(onnx.numpy_helper.from_array(weights, large.name))
    write_openvino(graph, meta, tmp_path / 'a.xml', [])
    constants = [one for one in openvino.Core().read_model(str(tmp_path / 'a.xml')).get_ops() if hasattr(one, 'data')]
    assert [one.data.dtype for one in constants if one.data.size == weights.size and one.data.max() > 1e5] == ['f4']


def test_weights_are_smaller(files):
    full, half, eighth = ((files / f'{name}.bin').stat().st_size for name in ('fp32', 'bf16', 'int8'))
    assert half < 0.6 * full and eighth < half


def test_only_the_network_is_quantised(files):
    model = openvino.Core().read_model(str(files / 'int8.xml'))
    entry, *passed = boundary_names(2, True)
    everywhere, inside = (
        sum(one.get_type_name() == 'FakeQuantize' for one in part.get_ops())
        for part in (model, piece(model, [entry], passed))
    )
    assert everywhere == inside > 10


def test_onnx_file_is_quantised_where_the_network_is(files, exported, scene):
    model = onnx.load(str(files / 'int8.onnx'))
    entry, *passed = boundary_names(2, True)
    everywhere, inside = (
        sum(node.op_type == 'QuantizeLinear' for node in one.graph.node)
        for one in (model, onnx.utils.Extractor(model).extract_model([entry], passed))
    )
    assert everywhere == inside > 10
    found, wanted = (
        load_exported(files / 'int8.onnx').poses(*scene),
        load_exported(exported / 'image.onnx').poses(*scene),
    )
    assert np.abs(found.scores - wanted.scores).max() < 0.2 * wanted.scores.max()


def test_pieces_join(files, scene):
    """What a model computes is what its pieces compute one after the other."""
    core = openvino.Core()
    model = core.read_model(str(files / 'fp32.xml'))
    image, boxes = scene
    given = {'image': np.ascontiguousarray(image[:, :, ::-1]), 'boxes': boxes}
    whole = core.compile_model(model, 'CPU', {'INFERENCE_PRECISION_HINT': 'f32'})(given)
    first = core.compile_model(piece(model, ['image', 'boxes'], ['network_input']), 'CPU')(given)[0]
    assert first.shape == (3, 3, 64, 48)
    rest = piece(model, ['boxes', 'network_input'], ['keypoints', 'scores'])
    found = core.compile_model(rest, 'CPU', {'INFERENCE_PRECISION_HINT': 'f32'})(
        {'boxes': boxes, 'network_input': first}
    )
    assert np.allclose(found[1], whole['scores'], atol=1e-5)
    with pytest.raises(InputError, match="no value 'nonsense' any more"):
        piece(model, ['nonsense'], ['scores'])


def test_full_disk(traced, tmp_path, monkeypatch):
    """OpenVINO's words tell nobody what to do; nothing is left, and files of an earlier export are."""
    write_openvino(*traced, tmp_path / 'a.xml', [])
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}

    def full(_model, path, **_options):
        Path(path).write_text('<net')
        raise RuntimeError('basic_ios::clear: iostream error')

    monkeypatch.setattr(openvino, 'save_model', full)
    with pytest.raises(OSError, match='No space left') as error:
        write_openvino(*traced, tmp_path / 'a.xml', [])
    assert 'no space is left on the disk' in machine_error(error.value)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_no_graph_stands_beside_weights_of_another(traced, tmp_path, monkeypatch):
    """As of an export that is killed once the weights have their name."""
    write_openvino(*traced, tmp_path / 'a.xml', [])

    def only_weights(source, target):
        assert Path(target).suffix == '.bin', 'killed'
        shutil.move(source, target)

    monkeypatch.setattr(os, 'replace', only_weights)
    with pytest.raises(AssertionError, match='killed'):
        write_openvino(*traced, tmp_path / 'a.xml', [])
    assert [path.name for path in tmp_path.iterdir()] == ['a.bin']


def test_folder_is_made(traced, tmp_path):
    write_openvino(*traced, tmp_path / 'new' / 'folder' / 'a.xml', [])
    assert sorted(path.name for path in (tmp_path / 'new' / 'folder').iterdir()) == ['a.bin', 'a.xml']


def test_devices_and_threads(files):
    assert torch.get_num_threads() == 1
    runtimes = [load_exported(files / 'fp32.xml', device=name).runtime for name in ('cpu', 'AUTO', 'hetero:CPU')]
    assert runtimes[0]._core.get_property('CPU', 'INFERENCE_NUM_THREADS') == 1
    for device in ('nonsense', 'cuda:0', 'CPU.1'):
        with pytest.raises(InputError, match=f'device {device.upper()}: OpenVINO has CPU'):
            load_exported(files / 'fp32.xml', device=device)
    with pytest.raises(InputError, match='cannot be run on HETERO:NONE, OpenVINO has CPU'):
        load_exported(files / 'fp32.xml', device='HETERO:NONE').poses(np.zeros((9, 9, 3), np.uint8))


def test_files_that_cannot_be_used(files, tmp_path, exported):
    (tmp_path / 'a.xml').write_text('<net>')
    with pytest.raises(InputError, match='cannot be read by OpenVINO'):
        load_exported(tmp_path / 'a.xml')
    other = openvino.Core().read_model(str(files / 'fp32.xml'))
    other.set_rt_info('', ['mmtranspose'])
    openvino.save_model(other, str(tmp_path / 'other.xml'))
    with pytest.raises(InputError, match='was not written by `mmtranspose export`'):
        load_exported(tmp_path / 'other.xml')
