"""What a predicted pose depends on: the prediction's own keypoints, the right rows, the flip test's average."""

from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from mmpose.codecs import MSRAHeatmap
from mmpose.registry import MODELS

from mmtranspose.apis import explain_topdown, inference_topdown, init_model
from mmtranspose.crops.crop_maker import prepare_crops
from mmtranspose.errors import InputError, UnsupportedModelError
from mmtranspose.explain import Explainer, ExplainOptions, Target, attention_maps, explainer
from mmtranspose.explain.methods import base as method_base
from mmtranspose.explain.methods import build_method, method_names

BOXES = np.array([[30, 20, 180, 300], [-20, 40, 100.5, 330]], np.float32)


@pytest.fixture(scope='module')
def model(tiny_config, tiny_checkpoint):
    model = init_model(tiny_config, tiny_checkpoint)
    torch.manual_seed(3)
    for parameter in model.neck.encoder.parameters():
        parameter.data += 0.2 * torch.randn_like(parameter)  # attention that is far from even
    return model


@pytest.fixture(scope='module')
def image(people):
    return cv2.imread(str(people / 'val' / '000000000001.jpg'))


def inputs_of(model, image, boxes=BOXES):
    return model.data_preprocessor(prepare_crops(model, image, boxes), training=False)['inputs']


def heatmaps_of(model, inputs):
    with torch.no_grad():
        return model.head.forward(model.extract_feat(inputs))


@pytest.mark.parametrize('flip_test', [True, False])
def test_keypoints_are_the_prediction(model, image, flip_test, monkeypatch):
    monkeypatch.setitem(model.test_cfg, 'flip_test', flip_test)
    explained = explain_topdown(model, image, BOXES)
    for person, sample in zip(explained, inference_topdown(model, image, BOXES)):
        np.testing.assert_array_equal(person.keypoints, sample.pred_instances.keypoints[0])
        np.testing.assert_allclose(person.scores, sample.pred_instances.keypoint_scores[0], rtol=1e-6)
    assert explained[0].names[9] == 'left_wrist' and (15, 13) in explained[0].skeleton


def test_crop_and_the_way_back(model, image):
    for person, crop in zip(explain_topdown(model, image, BOXES), prepare_crops(model, image, BOXES)['inputs']):
        np.testing.assert_array_equal(person.crop, crop.permute(1, 2, 0).numpy())
        flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
        again = cv2.warpAffine(image, person.crop_to_image, (48, 64), flags=flags)
        assert np.abs(again.astype(int) - person.crop).mean() < 0.1


def test_maps_are_the_attention_of_the_four_tokens_at_the_peak(model, image):
    inputs = inputs_of(model, image)
    explained = explain_topdown(model, image, BOXES, affect=True, heads='all', flip_test=False)
    heatmaps = heatmaps_of(model, inputs)
    for b, person in enumerate(explained):
        for k in (0, 7, 16):
            row, col = np.unravel_index(heatmaps[b, k].argmax(), (16, 12))
            row, col = np.clip([(row - 0.5) / 2, (col - 0.5) / 2], 0, [7, 5])  # in tokens
            for direction in ('dependency', 'affect'):
                expected = 0
                for r, c in [(0, 0), (0, 1), (1, 0), (1, 1)]:
                    cell = torch.tensor([[[min(int(row) + r, 7), min(int(col) + c, 5)]]])
                    share = abs(1 - r - row % 1) * abs(1 - c - col % 1)
                    expected += share * attention_maps(model, inputs[b : b + 1], cell, direction, 'all')[:, 0, :, 0]
                found = getattr(person, direction)[:, :, k]
                np.testing.assert_allclose(found, expected.numpy(), atol=1e-6)
    mean = explain_topdown(model, image, BOXES, flip_test=False)
    np.testing.assert_allclose(mean[0].dependency, explained[0].dependency.mean(1), atol=1e-6)
    assert mean[0].affect is None


def test_nearest_cell(model, image):
    person = explain_topdown(model, image, BOXES[:1], cell='nearest', flip_test=False)[0]
    row, col = np.unravel_index(heatmaps_of(model, inputs_of(model, image, BOXES[:1]))[0, 5].argmax(), (16, 12))
    assert person.cells[5].tolist() == [[row // 2, col // 2]]
    expected = attention_maps(model, inputs_of(model, image, BOXES[:1]), torch.tensor([[[row // 2, col // 2]]]))
    np.testing.assert_allclose(person.dependency[:, 5], expected[:, 0, 0].numpy(), atol=1e-6)


def test_flip_test_averages_the_mirrored_images_maps(model, image):
    """By hand: the averaged heatmap's peak, its mirror image in the mirrored image for the counterpart keypoint."""
    inputs = inputs_of(model, image, BOXES[:1])
    flip = model.dataset_meta['flip_indices']
    heatmaps = (heatmaps_of(model, inputs) + heatmaps_of(model, inputs.flip(-1)).flip(-1)[:, flip]) / 2
    person = explain_topdown(model, image, BOXES[:1], cell='nearest', methods=['input-gradient'], flip_test=True)[0]
    for k in (0, 9):
        row, col = np.unravel_index(heatmaps[0, k].argmax(), (16, 12))
        assert person.scores[k] == pytest.approx(heatmaps[0, k].max().item(), abs=1e-6)
        plain = attention_maps(model, inputs, torch.tensor([[[row // 2, col // 2]]]))[:, 0, 0]
        mirrored = attention_maps(model, inputs.flip(-1), torch.tensor([[[row // 2, (11 - col) // 2]]]))[:, 0, 0]
        np.testing.assert_allclose(person.dependency[:, k], (plain + mirrored.flip(-1)).numpy() / 2, atol=1e-6)
        assert not torch.allclose(plain, mirrored.flip(-1), atol=1e-3)
        gradients = []
        for crops, keypoint, column in ((inputs, k, col), (inputs.flip(-1), flip[k], 11 - col)):
            crops = crops.clone().requires_grad_()
            model.head.forward(model.extract_feat(crops))[0, keypoint, row, column].backward()
            gradients.append(crops.grad.abs().sum(1)[0].unflatten(0, (8, 8)).unflatten(2, (6, 8)).sum((1, 3)))
        model.zero_grad()
        expected = (gradients[0] + gradients[1].flip(-1)) / 2
        np.testing.assert_allclose(person.relevance['input-gradient'][k], expected.numpy(), rtol=1e-4, atol=1e-6)


def test_mirrored_crop_gives_the_mirrored_explanation(model, image):
    """With the flip test, swapping the crop and its mirror changes nothing but the side."""
    batch = prepare_crops(model, image, BOXES)
    mirrored = dict(batch, inputs=[crop.flip(-1) for crop in batch['inputs']])
    explain = Explainer(model, ExplainOptions(flip_test=True))
    flip = model.dataset_meta['flip_indices']
    for person, mirror in zip(explain(batch), explain(mirrored)):
        np.testing.assert_allclose(mirror.dependency[:, flip][..., ::-1], person.dependency, atol=1e-6)
        assert np.abs(mirror.dependency - person.dependency).max() > 1e-3


def test_methods_are_the_methods(model, image):
    inputs = inputs_of(model, image)
    explained = explain_topdown(model, image, BOXES, methods=['rollout', 'gaussian'], flip_test=False)
    assert list(explained[0].relevance) == ['rollout', 'gaussian']
    target = Target.of(heatmaps_of(model, inputs), (8, 6))
    for name in ('rollout', 'gaussian'):
        maps = build_method(name, 2)(model, inputs, target)
        np.testing.assert_allclose(explained[1].relevance[name], maps[1].numpy(), rtol=1e-5)


def test_batches_change_nothing(model, image):
    together, apart = (explain_topdown(model, image, BOXES, batch_size=size) for size in (8, 1))
    np.testing.assert_allclose(together[1].dependency, apart[1].dependency, atol=1e-6)
    distances = np.linalg.norm(together[1].keypoints - apart[1].keypoints, axis=-1)
    assert np.sort(distances)[:-2].max() < 0.1 and distances.max() < 2  # a flat peak magnifies rounding


def test_leaves_the_model_as_it_was(model, image):
    model.train()
    state = {name: value.clone() for name, value in model.state_dict().items()}
    before = explain_topdown(model, image, BOXES, methods=['gradient-attention'])
    assert model.training and model.neck.training
    assert all(torch.equal(value, state[name]) for name, value in model.state_dict().items())
    assert all(not m._forward_pre_hooks and not m._forward_hooks for m in model.modules())
    assert all(parameter.grad is None for parameter in model.parameters())
    model.eval()
    np.testing.assert_array_equal(before[0].dependency, explain_topdown(model, image, BOXES)[0].dependency)


def test_leaves_the_model_as_it_was_after_an_error(model, image, monkeypatch):
    def fail(*args):
        raise RuntimeError('stop here')

    explain = Explainer(model, ExplainOptions(flip_test=True))
    batch = prepare_crops(model, image, BOXES)
    for part, name in ((model.neck.encoder.layers[1], 'forward'), (model.head, 'forward'), (model.head, 'decode')):
        model.train()
        with monkeypatch.context() as broken:
            broken.setattr(part, name, fail)
            with pytest.raises(RuntimeError, match='stop here'):
                explain(batch)
        assert all(module.training for module in model.modules())
        assert all(not m._forward_pre_hooks and not m._forward_hooks for m in model.modules())
    model.eval()


def test_checks_once(model, image, monkeypatch):
    checked = []
    for module in (explainer, method_base):
        monkeypatch.setattr(module, 'require_transpose', checked.append)
    explain = Explainer(model, ExplainOptions(flip_test=True, methods=method_names(2)[:4]))
    batch = prepare_crops(model, image, BOXES)
    assert len(explain(batch)) == len(explain(batch)) == 2
    assert checked == [model]


def test_names_of_another_dataset(model, image):
    meta = dict(keypoint_id2name={k: f'point {k}' for k in range(17)}, skeleton_links=[(3, 4)])
    [person] = Explainer(model, dataset_meta=meta)(prepare_crops(model, image, BOXES[:1]))
    assert person.names[16] == 'point 16' and person.skeleton == [(3, 4)]


def test_uncertain_keypoints_are_marked_not_dropped(model, image):
    person = explain_topdown(model, image, BOXES[:1])[0]
    middle = float(np.median(person.scores))
    again = explain_topdown(model, image, BOXES[:1], score_thr=middle)[0]
    np.testing.assert_array_equal(again.uncertain, person.scores < middle)
    assert again.uncertain.sum() == 8 and again.dependency.shape[1] == 17


@pytest.fixture
def biased_model(tiny_config):
    """MMPose's usual pipeline: cells of 4 pixels, crops from edge to edge."""
    codec = dict(input_size=(48, 64), heatmap_size=(12, 16), sigma=1.0)
    model = init_model(tiny_config)
    model.head.decoder = MSRAHeatmap(**codec)
    pipeline = model.cfg.test_dataloader.dataset.pipeline
    cut = dict(type='TopdownAffine', input_size=(48, 64))
    pipeline[[step['type'] for step in pipeline].index('UnbiasedTopdownAffine')] = cut
    return model


def test_biased_codec_and_crop(biased_model, image):
    person = explain_topdown(biased_model, image, BOXES[:1])[0]
    np.testing.assert_allclose(person.token_to_crop, [[8, 0, 2], [0, 8, 2]])  # tokens of 2 cells
    again = cv2.warpAffine(image, person.crop_to_image, (48, 64), flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP)
    assert np.abs(again.astype(int) - person.crop).mean() < 0.1


def test_biased_crops_lie_where_they_were_cut(biased_model):
    """Without being told how: the image holds its own coordinates, and so do the crops."""
    y, x = np.mgrid[:250, :200].astype(np.uint8)
    image = np.stack([x, y, np.ones_like(x)], axis=-1)
    [person] = Explainer(biased_model)(prepare_crops(biased_model, image, np.array([[40, 50, 120, 150]])))
    row, col = np.nonzero(person.crop[..., 2])
    found = np.stack([col, row], axis=-1) @ person.crop_to_image[:, :2].T + person.crop_to_image[:, 2]
    assert np.abs(found - person.crop[row, col, :2]).max() < 0.6  # whole numbers; half a crop pixel is 1.3
    token = np.zeros((8, 6))
    token[5, 4] = 1
    x, y = person.token_to_crop @ [4, 5, 1]  # the token's middle, in pixels of the crop
    expected = person.crop[round(y), round(x), 1::-1].astype(int)
    highest = np.unravel_index(person.on_image(token, image.shape[:2]).argmax(), image.shape[:2])
    np.testing.assert_allclose(highest, expected, atol=1)


def test_crops_that_do_not_say_how_they_were_cut(model, image):
    batch = prepare_crops(model, image, BOXES)
    sample = batch['data_samples'][1]
    sample.pop('crop_to_image')
    with pytest.raises(InputError, match='a sample does not say where its crop lies in the image'):
        Explainer(model)(batch)


@pytest.mark.parametrize('boxes', [[], np.zeros((0, 4)), np.zeros((0, 5))])
def test_no_people(model, image, boxes):
    assert explain_topdown(model, image, boxes) == []


@pytest.mark.parametrize(
    ('kwargs', 'words'),
    [
        (dict(bboxes=[[10, 10, 5, 50]]), 'box 0 .* no positive width'),
        (dict(bboxes=[[1000, 10, 1100, 50]]), 'lies outside the image'),
        (dict(heads='some'), "heads='some' is unknown"),
        (dict(cell='near'), "cell='near' is unknown"),
        (dict(methods=['lime']), "method 'lime' is unknown; choose from attention-1, attention-2, attention-norm-1"),
        (dict(image='missing.jpg'), 'missing.jpg does not exist'),
        (dict(image=Path('missing.jpg')), 'missing.jpg does not exist'),
        (dict(image=np.zeros((50, 40, 2), np.uint8)), r'the image has shape \(50, 40, 2\), not \(h, w, 3\)'),
        (dict(image=np.zeros((50, 40, 3))), 'the image has dtype float64, and values from 0 to 255 of dtype uint8'),
        (dict(image=[[0]]), 'the image is of type list, not an array'),
        (dict(bboxes=[*BOXES, *BOXES, [1000, 10, 1100, 50]], batch_size=2), 'box 4 .* lies outside the image'),
        (dict(methods='rollout'), r"methods='rollout' must be a list of methods or of their names, as \['rollout'\]"),
        (dict(methods=[7]), r'methods=\[7\] must be a list'),
        (dict(score_thr=float('nan')), 'score_thr=nan must be a finite number'),
        (dict(score_thr='0.3'), "score_thr='0.3' must be a finite number"),
        (dict(batch_size=-1), 'batch_size=-1 must be at least 1'),
        (dict(hedas='all'), "option 'hedas' is unknown; choose from affect, heads, cell, methods, score_thr"),
    ],
)
def test_mistakes(model, image, kwargs, words):
    with pytest.raises(InputError, match=words):
        explain_topdown(model, **(dict(image=image, bboxes=BOXES) | kwargs))


def test_models_that_cannot_be_explained(model, image, tiny_config):
    with pytest.raises(UnsupportedModelError, match='is compiled.*before torch.compile'):
        explain_topdown(torch.compile(model), image, BOXES)
    other = init_model(tiny_config)
    other.neck = MODELS.build(dict(type='FeatureMapProcessor'))
    with pytest.raises(
        UnsupportedModelError, match='is a FeatureMapProcessor. Only a pose estimator with .*TransPoseNeck'
    ):
        explain_topdown(other, image, BOXES)


def test_dataset_of_another_keypoint_count(tiny_config, image):
    model = init_model(tiny_config)
    model.dataset_meta = dict(model.dataset_meta, keypoint_id2name={0: 'a', 1: 'b'})
    with pytest.raises(InputError, match='names 2 keypoints, the head predicts 17: config and checkpoint'):
        explain_topdown(model, image, BOXES)


def test_flip_mode_that_cannot_be_explained(model, image, monkeypatch):
    monkeypatch.setitem(model.test_cfg, 'flip_mode', 'udp_combined')
    with pytest.raises(InputError, match="flip_mode='udp_combined': only 'heatmap' can be explained"):
        explain_topdown(model, image, BOXES)
    assert len(explain_topdown(model, image, BOXES, flip_test=False)) == 2


def test_weights_that_are_not_finite(tiny_config, image):
    model = init_model(tiny_config)
    model.head.final_layer.bias.data[3] = float('nan')
    with pytest.raises(InputError, match='the heatmaps are not finite: weights are not'):
        explain_topdown(model, image, BOXES)


def test_one_head_kept_apart_is_an_axis_of_one(tiny_config, image):
    model = init_model(tiny_config, cfg_options={'model.neck.num_heads': 1})
    apart, mean = (explain_topdown(model, image, BOXES[:1], heads=heads)[0] for heads in ('all', 'mean'))
    assert apart.num_heads == 1 and apart.dependency.shape == (2, 1, 17, 8, 6)
    np.testing.assert_allclose(apart.dependency[:, 0], mean.dependency, atol=1e-7)
