"""Exported files in ONNX Runtime: what PyTorch computes, for any number of people and any image."""

import copy
import hashlib
import json
from types import SimpleNamespace

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from mmengine.config import Config

from mmtranspose.apis import explain_topdown, export_model, init_model
from mmtranspose.crops.crop_maker import prepare_crops
from mmtranspose.deployment import ExportOptions, exporting
from mmtranspose.deployment.file_meta import FileMeta
from mmtranspose.errors import InputError, UnsupportedModelError
from mmtranspose.explain import Explainer, ExplainOptions
from mmtranspose.loading.config import load_config
from mmtranspose.models.backbones import HRNetSmall
from mmtranspose.typing import PoseEstimator
from mmtranspose.version import __version__


def run(path, **inputs):
    session = onnxruntime.InferenceSession(str(path))
    names = [one.name for one in session.get_outputs()]
    return dict(zip(names, session.run(names, inputs)))


def explained(model, image, boxes, **options):
    found = explain_topdown(model, image, boxes, **options)
    return [np.stack([getattr(one, name) for one in found]) for name in ('keypoints', 'scores', 'dependency')]


def rgb(image):
    return np.ascontiguousarray(image[..., ::-1])


def thin(cfg: Config) -> Config:
    """A paper config whose HRNet repeats nothing: nodes of the same kinds."""
    if cfg.model.backbone.type == 'HRNetSmall':
        arch = copy.deepcopy(HRNetSmall.arch_settings[cfg.model.backbone.arch])
        for stage in arch.values():
            stage['num_blocks'] = (1,) * stage['num_branches']
        arch['stage3']['num_modules'] = 1
        cfg.model.backbone.arch = arch
    return cfg


def of_random_weights(cfg: Config) -> PoseEstimator:
    model = init_model(cfg)
    with torch.no_grad():  # random weights give almost flat heatmaps, on which a position is rounding alone
        model.head.final_layer.weight.mul_(1000)
    return model


def inputs_and_people(model, graph, scene):
    """Inputs of a graph by name, and what :func:`explain_topdown` finds in the scene."""
    image, boxes = scene
    people = explain_topdown(model, image, boxes, flip_test=False)
    if graph == 'crops':
        return dict(crops=np.stack([rgb(person.crop) for person in people])), people
    return dict(image=rgb(image), boxes=boxes), people


def assert_found(found, people, graph, num_layers):
    assert found['dependency'].shape == (3, num_layers, 17, *people[0].grid)
    # float32: a position may fall on the other side of 1/32 of a pixel, which moves a row of a crop by that much
    dependency, scores = (np.stack([getattr(person, one) for person in people]) for one in ('dependency', 'scores'))
    assert np.median(np.abs(found['dependency'] - dependency)) < 1e-6
    assert np.abs(found['scores'] - scores).max() < 5e-3 * np.abs(scores).max()
    keypoints = [person.keypoints if graph == 'image' else person.crop_keypoints for person in people]
    assert np.median(np.abs(found['keypoints'] - np.stack(keypoints))) < 0.01


@pytest.mark.parametrize(('name', 'graph'), [('r-a3', 'image'), ('h-a4', 'crops')])
def test_kinds_of_networks(name, graph, tmp_path, scene):
    """One file a model, from image or crops to keypoints and what they depend on."""
    model = of_random_weights(thin(load_config(f'transpose-{name}')))
    path = export_model(model, tmp_path / 'a.onnx', dependency=True, graph=graph)
    inputs, people = inputs_and_people(model, graph, scene)
    assert_found(run(path, **inputs), people, graph, len(model.neck.encoder.layers))


@pytest.mark.parametrize(
    ('name', 'converted', 'graph'), [('r-a4', 'r-a3', 'crops'), ('h-s', 'h-a4', 'crops'), ('h-a6', 'h-a4', 'image')]
)
def test_other_paper_models(name, converted, graph, scene, monkeypatch):
    """They are made of the layers of a model that is converted above; the graph that is converted is right."""
    model = of_random_weights(load_config(f'transpose-{name}'))
    other = init_model(thin(load_config(f'transpose-{converted}')))
    assert {type(part) for part in model.modules()} == {type(part) for part in other.modules()}
    monkeypatch.setattr(exporting, 'onnx_model', lambda graph, meta: graph)
    module, meta = exporting.traced(model, ExportOptions(dependency=True, graph=graph), None)
    inputs, people = inputs_and_people(model, graph, scene)
    with torch.no_grad():
        values = module(*map(torch.from_numpy, inputs.values()))
    found = {name: value.numpy() for name, value in zip(meta.outputs, values)}
    assert_found(found, people, graph, len(model.neck.encoder.layers))


def test_image_graph(exported, tiny_model, scene):
    image, boxes = scene
    for count, pixels in ((3, image), (1, image[:100]), (2, np.repeat(image, 2, axis=1))):
        found = run(exported / 'image.onnx', image=rgb(pixels), boxes=boxes[:count])
        keypoints, scores, dependency = explained(tiny_model, pixels, boxes[:count], flip_test=False)
        assert np.abs(found['keypoints'] - keypoints).max() < 0.05
        assert np.abs(found['scores'] - scores).max() < 1e-3
        assert np.abs(found['dependency'] - dependency).max() < 1e-3
        assert np.allclose(found['dependency'].sum((-1, -2)), 1, atol=1e-5)


def test_crop_to_image(exported, tiny_model, scene):
    image, boxes = scene
    found = run(exported / 'image.onnx', image=rgb(image), boxes=boxes)['crop_to_image']
    samples = prepare_crops(tiny_model, image, boxes)['data_samples']
    assert np.allclose(found, [sample.metainfo['crop_to_image'] for sample in samples], atol=1e-4)


def test_of_a_model_in_training_mode(tiny_model, exported, scene, monkeypatch):
    """It is exported as it evaluates, its batch normalisations folded, and is left in training mode."""
    monkeypatch.setattr(exporting, 'onnx_model', lambda graph, meta: graph)
    graph, _ = exporting.traced(tiny_model.train(), ExportOptions(), None)
    assert tiny_model.training and not graph.training
    image, boxes = scene
    with torch.no_grad():
        _, scores, *_ = graph(torch.from_numpy(rgb(image)), torch.from_numpy(boxes))
    found = run(exported / 'image.onnx', image=rgb(image), boxes=boxes)['scores']
    assert np.abs(found - scores.numpy()).max() < 1e-4


def test_crops_graph_with_flip_test(exported, tiny_model, scene):
    batch = prepare_crops(tiny_model, *scene)
    crops = np.stack([crop.numpy()[::-1].transpose(1, 2, 0) for crop in batch['inputs']])
    found = run(exported / 'crops.onnx', crops=np.ascontiguousarray(crops))
    wanted = Explainer(tiny_model, ExplainOptions(flip_test=True))(batch)
    for index, one in enumerate(wanted):
        # (flat heatmaps of a barely trained model: now and then a step is a quotient of rounding errors)
        assert np.quantile(np.abs(found['keypoints'][index] - one.crop_keypoints), 0.9) < 1e-3
        assert np.abs(found['scores'][index] - one.scores).max() < 1e-6
        assert np.abs(found['dependency'][index] - one.dependency).max() < 1e-6


def test_nobody_and_hopeless_boxes(exported, scene):
    image, _ = scene
    none = run(exported / 'image.onnx', image=rgb(image), boxes=np.zeros((0, 4), np.float32))
    assert [value.shape[0] for value in none.values()] == [0] * 4
    boxes = np.array([[5, 5, 6, 6], [500, 500, 600, 600], [7, 7, 7, 7]], np.float32)  # a pixel, outside, nothing
    found = run(exported / 'image.onnx', image=rgb(image), boxes=boxes)
    assert all(np.isfinite(value).all() for value in found.values())


def test_what_a_file_says_of_itself(exported, tiny_checkpoint, tiny_model):
    model = onnx.load(str(exported / 'image.onnx'))
    content = json.loads({entry.key: entry.value for entry in model.metadata_props}['mmtranspose'])
    meta = tiny_model.dataset_meta
    assert content['keypoint_names'] == [meta['keypoint_id2name'][k] for k in range(17)]
    assert {tuple(pair) for pair in content['flip_pairs']} == {tuple(sorted(pair)) for pair in meta['flip_pairs']}
    assert content['skeleton'] == [list(pair) for pair in meta['skeleton_links']]
    assert np.allclose(content['sigmas'], meta['sigmas'])
    assert (content['input_size'], content['token_grid'], content['num_layers']) == ([48, 64], [8, 6], 2)
    with open(tiny_checkpoint, 'rb') as file:
        assert content['checkpoint_sha256'] == hashlib.sha256(file.read()).hexdigest()
    assert (content['version'], content['licence'], content['graph']) == (__version__, 'Apache-2.0', 'image')
    assert 'TransPoseNeck' in content['config'] and '/people' not in content['config'].replace('data/people', '')
    data = (exported / 'image.onnx').read_bytes()
    assert not any(trace in data for trace in (b'site-packages', b'.py"', b'mmtranspose/explain', b'stack_trace'))
    assert [entry.version for entry in model.opset_import if not entry.domain] == [18]
    sizes = {
        value.name: [size.dim_param or size.dim_value for size in value.type.tensor_type.shape.dim]
        for value in model.graph.input
    }
    assert sizes == {'image': ['height', 'width', 3], 'boxes': ['people', 4]}


def test_half_precision_network(tiny_model, tmp_path, scene):
    """In the file alone: the model keeps its weights, their type and its mode."""
    before = {name: value.clone() for name, value in tiny_model.train().state_dict().items()}
    path = export_model(tiny_model, tmp_path / 'half.onnx', precision='fp16')
    assert tiny_model.training and all(one.training for one in tiny_model.modules())
    after = tiny_model.eval().state_dict()
    assert list(before) == list(after)
    assert all(one.dtype == after[name].dtype and torch.equal(one, after[name]) for name, one in before.items())
    types = {one.data_type for one in onnx.load(str(path)).graph.initializer if 'backbone' in one.name}
    assert types == {onnx.TensorProto.FLOAT16}
    image, boxes = scene
    found = run(path, image=rgb(image), boxes=boxes)
    _, scores, _ = explained(tiny_model, image, boxes, flip_test=False)
    assert set(found) == {'keypoints', 'scores'}
    assert 0 < np.abs(found['scores'] - scores).max() < 0.01


def test_plain_torch_export(tiny_model):
    """The bare model can be traced, and keeps nothing of it: the table of positions is a number, not a symbol."""
    inputs = torch.randn(2, 3, 64, 48)
    program = torch.export.export(tiny_model, (inputs, None), dynamic_shapes=({0: torch.export.Dim.DYNAMIC}, None))
    with torch.no_grad():
        other = torch.randn(3, 3, 64, 48)
        assert torch.allclose(program.module()(other, None), tiny_model(other, None), atol=1e-5)


def test_home_folder(tiny_model, tmp_path, monkeypatch):
    """`~` is whose it is on writing, as it is on reading."""
    monkeypatch.setenv('HOME', str(tmp_path))
    monkeypatch.setattr(exporting, 'traced', lambda *_: (onnx.ModelProto(), SimpleNamespace(precision='fp32')))
    assert export_model(tiny_model, '~/a.onnx') == tmp_path / 'a.onnx'
    assert (tmp_path / 'a.onnx').is_file()


@pytest.mark.parametrize(
    ('options', 'message'),
    [
        (dict(graph='video'), "graph='video' is unknown"),
        (dict(precision='bf16'), "precision='bf16': a file for onnx has fp32 or fp16 or int8"),
        (dict(format='coreml'), "format='coreml' is unknown"),
        (dict(dependancy=True), "option 'dependancy' is unknown"),
        (dict(flip_test=1), 'flip_test=1 must be True or False'),
        (dict(format='openvino'), 'a file for openvino ends in .xml'),
        (dict(format='tensorrt'), "graph='image': a file for tensorrt takes crops, .*choose graph='crops'"),
        (dict(format='tensorrt', graph='crops', precision='bf16'), 'a file for tensorrt has fp32 or fp16'),
    ],
)
def test_wrong_options(tiny_model, tmp_path, options, message):
    with pytest.raises(InputError, match=message):
        export_model(tiny_model, tmp_path / 'a.onnx', **options)


def test_models_that_cannot_be_exported(tiny_model, tmp_path):
    tiny_model.test_cfg['output_keypoint_indices'] = [0]
    with pytest.raises(UnsupportedModelError, match='output_keypoint_indices'):
        export_model(tiny_model, tmp_path / 'a.onnx')
    tiny_model.neck = None
    with pytest.raises(UnsupportedModelError, match='TransPoseNeck'):
        export_model(tiny_model, tmp_path / 'a.onnx')
    assert list(tmp_path.iterdir()) == []


def test_missing_packages_are_named(tiny_model, tmp_path, monkeypatch):
    monkeypatch.setattr('importlib.util.find_spec', lambda name: None)
    with pytest.raises(InputError, match='onnx and onnxscript not installed: pip install "onnx<2" "onnxscript<'):
        export_model(tiny_model, tmp_path / 'a.onnx')


def test_meta_of_a_later_version(exported):
    model = onnx.load(str(exported / 'image.onnx'))
    content = json.loads(model.metadata_props[0].value)
    with pytest.raises(InputError, match='is newer'):
        FileMeta.from_json(json.dumps({**content, 'format': 99}), 'a.onnx')
