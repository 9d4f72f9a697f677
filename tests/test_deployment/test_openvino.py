"""OpenVINO's files: the network in its precision, and all else in single precision."""

from dataclasses import replace

import numpy as np
import onnx
import pytest

from mmtranspose.apis import InputError, export_model, load_exported
from mmtranspose.deployment import exporting
from mmtranspose.deployment.file_meta import FileMeta
from mmtranspose.deployment.graphs import boundary_names
from mmtranspose.deployment.onnx_file import write_onnx
from mmtranspose.deployment.openvino_file import write_openvino
from mmtranspose.deployment.openvino_graph import piece

openvino = pytest.importorskip('openvino')
nncf = pytest.importorskip('nncf')


@pytest.fixture(scope='module')
def files(exported, tmp_path_factory, scene):
    """Files of one traced graph: fp32, bf16, and int8 calibrated with the scene."""
    folder = tmp_path_factory.mktemp('openvino')
    image, boxes = scene
    samples = [{'image': np.ascontiguousarray(image[:, :, ::-1]), 'boxes': boxes}]
    graph = onnx.load(str(exported / 'image.onnx'))
    meta = FileMeta.from_json(graph.metadata_props[0].value, 'image.onnx')
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


def test_nothing_is_left_of_a_broken_export(tiny_model, tmp_path, monkeypatch):
    def broken(*_args, **_options):
        raise OSError(28, 'No space left on device')

    monkeypatch.setattr(exporting, 'traced', lambda *_: (None, None))
    monkeypatch.setattr(exporting, 'write_openvino', broken)
    with pytest.raises(OSError, match='No space'):
        export_model(tiny_model, tmp_path / 'a.xml', format='openvino')
    assert list(tmp_path.iterdir()) == []


def test_files_that_cannot_be_used(files, tmp_path, exported):
    (tmp_path / 'a.xml').write_text('<net>')
    with pytest.raises(InputError, match='cannot be read by OpenVINO'):
        load_exported(tmp_path / 'a.xml')
    with pytest.raises(InputError, match='cannot be run on NONSENSE, OpenVINO has CPU'):
        load_exported(files / 'fp32.xml', device='nonsense').poses(np.zeros((9, 9, 3), np.uint8))
    other = openvino.Core().read_model(str(files / 'fp32.xml'))
    other.set_rt_info('', ['mmtranspose'])
    openvino.save_model(other, str(tmp_path / 'other.xml'))
    with pytest.raises(InputError, match='was not written by `mmtranspose export`'):
        load_exported(tmp_path / 'other.xml')
