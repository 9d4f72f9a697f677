"""An exported file in place of a model: the same poses, samples and explanations, and sentences where it cannot."""

import json

import numpy as np
import onnx
import pytest
import torch
from mmengine.dataset import pseudo_collate
from PIL import Image

from mmtranspose.apis import (
    InputError,
    TopdownPipeline,
    UnsupportedModelError,
    explain_topdown,
    inference_topdown,
    load_exported,
)
from mmtranspose.crops.crop_maker import CropMaker
from mmtranspose.deployment.evaluating import before_and_after, evaluate
from mmtranspose.deployment.runtimes import open_runtime
from mmtranspose.explain import ExplainOptions
from mmtranspose.loading.config import load_config


@pytest.fixture(scope='module')
def estimator(exported):
    return load_exported(exported / 'image.onnx')


@pytest.fixture
def plain_model(tiny_model):
    """The model without flip test, as the file."""
    tiny_model.test_cfg['flip_test'] = False
    return tiny_model


def changed(source, path, change):
    """A copy of an exported file whose metadata ``change`` has changed."""
    model = onnx.load(str(source))
    content = change(json.loads(model.metadata_props[0].value))
    del model.metadata_props[:]
    if content is not None:
        onnx.helper.set_model_props(model, {'mmtranspose': json.dumps(content)})
    onnx.save(model, str(path))
    return path


def test_pipeline(estimator, plain_model, scene):
    image, boxes = scene
    found, wanted = (next(TopdownPipeline(model, boxes)(image)).samples for model in (estimator, plain_model))
    for one, other in zip(found, wanted, strict=True):
        people, expected = one.pred_instances, other.pred_instances
        assert set(people.keys()) == set(expected.keys())
        assert np.quantile(np.abs(people.keypoints - expected.keypoints), 0.9) < 1e-2
        assert np.allclose(people.keypoint_scores, expected.keypoint_scores, atol=1e-6)
        assert np.array_equal(people.bboxes, expected.bboxes)
        assert people.keypoints.shape == (1, 17, 2) and people.keypoints.dtype == expected.keypoints.dtype


def test_explanations(estimator, plain_model, scene):
    found, wanted = (explain_topdown(model, *scene) for model in (estimator, plain_model))
    for one, other in zip(found, wanted, strict=True):
        assert np.allclose(one.dependency, other.dependency, atol=1e-6)
        assert np.array_equal(one.crop, other.crop)
        assert np.allclose(one.token_to_crop, other.token_to_crop)
        assert np.allclose(one.crop_to_image, other.crop_to_image)
        assert one.names == other.names and one.skeleton == other.skeleton
        assert np.array_equal(one.bbox, other.bbox)


def test_whole_file(estimator, plain_model, scene):
    image, boxes = scene
    found = estimator.poses(image, boxes)
    wanted = inference_topdown(plain_model, image, boxes)
    assert np.abs(found.scores - np.concatenate([one.pred_instances.keypoint_scores for one in wanted])).max() < 1e-3
    assert len(estimator.poses(image, []).keypoints) == 0
    assert estimator.poses(image).keypoints.shape == (1, 17, 2)
    with pytest.raises(InputError, match='lies outside the image'):
        estimator.poses(image, [[900, 900, 999, 999]])


def test_many_people_are_computed_in_parts(estimator, scene, monkeypatch):
    image, boxes = scene
    wanted, run, counts = estimator.poses(image, boxes), estimator.runtime.run, []
    monkeypatch.setattr(estimator.runtime, 'run', lambda given: [counts.append(len(given['boxes'])), run(given)][1])
    found = estimator.poses(image, np.resize(boxes, (20, 4)))
    assert counts == [16, 4]
    for name in ('keypoints', 'scores', 'dependency', 'crop_to_image'):
        whole = getattr(wanted, name)
        assert np.allclose(getattr(found, name), np.resize(whole, (20, *whole.shape[1:])), atol=1e-4), name


def test_gray_images(estimator, scene):
    image, boxes = scene
    gray = image[:, :, 0]
    same = np.repeat(gray[:, :, None], 3, axis=2)
    assert np.array_equal(estimator.poses(gray, boxes).keypoints, estimator.poses(same, boxes).keypoints)


def test_file_for_crops(exported, tiny_model, scene):
    estimator = load_exported(exported / 'crops.onnx')
    batch = pseudo_collate(CropMaker(estimator)(*scene))
    tiny_model.test_cfg['flip_test'] = True
    own = tiny_model.test_step(pseudo_collate(CropMaker(tiny_model)(*scene)))
    for one, other in zip(estimator.test_step(batch), own, strict=True):
        assert np.allclose(one.pred_instances.keypoint_scores, other.pred_instances.keypoint_scores, atol=1e-6)
    with pytest.raises(InputError, match='it takes crops'):
        estimator.poses(*scene)
    with pytest.raises(InputError, match='crops must be 48 x 64 pixels, not 10 x 20'):
        estimator.crop_results(torch.zeros(1, 3, 20, 10, dtype=torch.uint8))


def test_openvino_runs_the_same_file(exported, estimator, scene):
    pytest.importorskip('openvino')
    other = load_exported(exported / 'image.onnx', 'openvino')
    assert other.runtime.description.startswith('OpenVINO') and other.runtime.description.endswith('fp32')
    found, wanted = other.poses(*scene), estimator.poses(*scene)
    for name in ('scores', 'dependency', 'crop_to_image'):
        assert np.allclose(getattr(found, name), getattr(wanted, name), atol=1e-4)
    crops = torch.randint(0, 255, (2, 3, 64, 48), dtype=torch.uint8)
    found, wanted = other.crop_results(crops), estimator.crop_results(crops)
    assert np.allclose(found['dependency'], wanted['dependency'], atol=1e-5)


def test_evaluation(estimator, plain_model, tiny_config):
    cfg = load_config(tiny_config)
    pipeline = plain_model.cfg.test_dataloader.dataset.pipeline
    found, wanted = evaluate(estimator, cfg, 'file', pipeline), evaluate(plain_model, cfg, 'model', pipeline)
    assert set(found) == set(wanted) and 'coco/AP' in found
    assert all(abs(found[name] - wanted[name]) < 0.02 for name in wanted)
    plain_model.test_cfg['flip_test'] = True
    table = before_and_after(plain_model, estimator, cfg)
    assert table[0] == ('', 'PyTorch', 'fp32', 'difference')
    assert table[1][:2] == ('coco/AP', f'{wanted["coco/AP"]:.4f}')
    assert plain_model.test_cfg['flip_test'] is True


@pytest.mark.parametrize(
    ('options', 'message'),
    [
        (dict(affect=True), 'affect=True .* needs the model'),
        (dict(heads='all'), "heads='all' .* needs the model"),
        (dict(methods=('rollout',)), 'methods=.* needs the model'),
        (dict(cell='nearest'), "cell='nearest' .* needs the model"),
        (dict(flip_test=True), 'flip_test=True: the file was exported with flip_test=False'),
    ],
)
def test_what_needs_the_model(estimator, scene, options, message):
    with pytest.raises(InputError, match=message):
        explain_topdown(estimator, *scene, **options)


def test_file_without_dependency(exported, tmp_path, scene):
    path = changed(exported / 'image.onnx', tmp_path / 'a.onnx', lambda content: {**content, 'dependency': False})
    with pytest.raises(UnsupportedModelError, match='export it with --dependency'):
        load_exported(path).explainer(ExplainOptions())
    assert set(open_runtime(path).meta.outputs) == {'keypoints', 'scores'}


def test_is_for_inference_only(estimator):
    for forbidden in (estimator.train, estimator.loss, estimator._forward):
        with pytest.raises(RuntimeError, match='exported file'):
            forbidden()
    with pytest.raises(InputError, match='returns keypoints, in its own number format'):
        TopdownPipeline(estimator, 'whole-image', dtype='bf16')
    with pytest.raises(InputError, match='returns keypoints'):
        TopdownPipeline(estimator, 'whole-image', output_heatmaps=True)


def test_crops_that_only_the_config_tells(exported, tmp_path, tiny_model):
    path = changed(exported / 'crops.onnx', tmp_path / 'a.onnx', lambda content: {**content, 'padding': None})
    with pytest.raises(InputError, match='nothing says how crops are cut'):
        CropMaker(load_exported(path))
    [_, ap, *_] = before_and_after(tiny_model, load_exported(path), tiny_model.cfg)  # the model's config tells
    assert ap[0] == 'coco/AP' and abs(float(ap[1]) - float(ap[2])) < 0.02


def other_program(path):
    node = onnx.helper.make_node('Identity', ['x'], ['y'])
    value = [onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, [1]) for name in 'xy']
    graph = onnx.helper.make_graph([node], 'other', value[:1], value[1:])
    onnx.save(onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid('', 18)], ir_version=10), str(path))
    return path


def test_files_that_cannot_be_used(exported, tmp_path, monkeypatch):
    (tmp_path / 'text.onnx').write_text('not a model')
    (tmp_path / 'folder.onnx').mkdir()
    damaged = tmp_path / 'damaged.onnx'
    damaged.write_bytes((exported / 'image.onnx').read_bytes()[:20000])
    (tmp_path / 'a.pth').touch()
    (tmp_path / 'a.xml').touch()
    whole = exported / 'image.onnx'
    cases = [
        ((tmp_path / 'none.onnx',), 'none.onnx does not exist'),
        ((tmp_path / 'folder.onnx',), 'is a folder; name a file'),
        ((tmp_path / 'text.onnx',), 'text.onnx is not an ONNX file, or is damaged'),
        ((damaged,), 'damaged.onnx is not an ONNX file, or is damaged'),
        ((other_program(tmp_path / 'other.onnx'),), 'was not written by `mmtranspose export`'),
        ((tmp_path / 'a.pth',), 'end in .onnx or .xml'),
        ((tmp_path / 'a.xml', 'onnxruntime'), 'onnxruntime runs files that end in .onnx'),
        ((whole, 'tensorrt'), 'backend tensorrt runs on a GPU: name it'),
        ((whole, 'tensorrt', 'cuda:0'), 'has no provider for it: pip install "onnxruntime-gpu<2"'),
        ((whole, 'coreml'), "backend='coreml' is unknown"),
        ((whole, None, 'tpu'), 'device tpu: this onnxruntime has no provider for it; choose cpu or cuda'),
        ((whole, None, 'cuda:0'), 'has no provider for it: pip install "onnxruntime-gpu<2"'),
        ((changed(whole, tmp_path / 'new.onnx', lambda content: {**content, 'format': 9}),), 'is newer'),
        ((changed(whole, tmp_path / 'poor.onnx', lambda content: {'graph': 'image'}),), 'was not written by'),
    ]
    for arguments, message in cases:
        with pytest.raises(InputError, match=message):
            load_exported(*arguments)
    monkeypatch.setattr('importlib.util.find_spec', lambda name: None)
    with pytest.raises(InputError, match='pip install "onnx<2" "onnxruntime<2"'):
        load_exported(whole)


def test_operator_that_the_runtime_lacks(exported, tmp_path):
    model = onnx.load(str(exported / 'image.onnx'))
    node = next(node for node in model.graph.node if node.op_type == 'ArgMax')
    node.op_type = 'ArgMostest'
    onnx.save(model, str(tmp_path / 'a.onnx'))
    with pytest.raises(InputError, match='cannot be run by ONNX Runtime .*ArgMostest'):
        load_exported(tmp_path / 'a.onnx')


def test_other_opset(exported, tmp_path):
    model = onnx.load(str(exported / 'image.onnx'))
    model.opset_import[0].version = 99
    onnx.save(model, str(tmp_path / 'a.onnx'))
    with pytest.raises(InputError, match='cannot be run by ONNX Runtime .*[Oo]pset'):
        load_exported(tmp_path / 'a.onnx')


def test_file_without_its_inner_values(exported, tmp_path, scene):
    model = onnx.load(str(exported / 'image.onnx'))
    del model.graph.value_info[:]
    onnx.save(model, str(tmp_path / 'a.onnx'))
    with pytest.raises(InputError, match='no value cut_crops inside any more .*: export it again'):
        explain_topdown(load_exported(tmp_path / 'a.onnx'), *scene)


def test_options_of_the_other_kind(exported, tiny_config, tiny_checkpoint, run_command, tmp_path):
    """Mistakes on the command line are named as they were typed."""
    file, inputs = exported / 'image.onnx', ('--input', tmp_path, '--bboxes', 'whole-image')
    cases = [
        (('infer', file, '--backend', 'torch', *inputs), '--backend torch is for models'),
        (('infer', file, tiny_checkpoint, *inputs), 'an exported file with its own weights: leave out'),
        (('infer', file, '--allow-partial', *inputs), '--allow-partial is for models'),
        (('infer', file, '--cfg-options', 'a=1', *inputs), '--cfg-options is for models'),
        (('infer', file, '--bf16', *inputs), '--draw-heatmap, --bf16, --fp16'),
        (('infer', tiny_config, tiny_checkpoint, '--backend', 'onnxruntime', *inputs), 'is for exported files'),
    ]
    Image.new('RGB', (40, 30)).save(tmp_path / 'a.png')
    for arguments, message in cases:
        with pytest.raises(InputError, match=message):
            run_command(*arguments, '--output-root', tmp_path / 'out')
    image = ('--input', tmp_path / 'a.png', '--bboxes', 'whole-image', '--output-root', tmp_path / 'out')
    with pytest.raises(InputError, match='--backend openvino is for exported files here'):
        run_command('explain', tiny_config, tiny_checkpoint, '--backend', 'openvino', *image)
    with pytest.raises(InputError, match="heads='all' .--heads. needs the model"):
        run_command('explain', file, '--heads', 'all', *image)
