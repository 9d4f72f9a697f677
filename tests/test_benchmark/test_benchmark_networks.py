"""The networks of the benchmark: the baseline's parts, random weights, and what of them is compared."""

import numpy as np
import pytest
import torch
from mmpose.codecs.utils import get_heatmap_maximum
from mmpose.models.data_preprocessors import PoseDataPreprocessor

from mmtranspose.benchmark.benchmark_settings import BenchmarkSettings
from mmtranspose.benchmark.candidate import Candidate
from mmtranspose.benchmark.measurement import compare
from mmtranspose.benchmark.modes.encoder import build_encoder, build_step
from mmtranspose.benchmark.modes.explanation import TOLERANCES, build_explanation
from mmtranspose.benchmark.networks import (
    MaterialisedAttention,
    load_baseline,
    load_model,
    network,
    random_inputs,
    weights_file,
)
from mmtranspose.errors import InputError
from mmtranspose.models.layers import SelfAttention

NAMES = tuple(TOLERANCES)


@pytest.fixture(scope='module')
def weights(tiny_config, tmp_path_factory):
    """Random weights for the tiny config."""
    return weights_file(BenchmarkSettings(tiny_config), tmp_path_factory.mktemp('weights'))


def test_baseline_is_stock(tiny_config, weights):
    plain = load_baseline(tiny_config, weights, 'cpu')
    assert type(plain.data_preprocessor) is PoseDataPreprocessor and plain.head.batch_decoding is False
    assert all(isinstance(layer.self_attn, MaterialisedAttention) for layer in plain.neck.encoder.layers)
    assert plain.cfg.test_dataloader.dataset.pipeline[0]['type'] == 'LoadImage'


def test_random_weights(tiny_config, weights, tmp_path):
    """The same ones each time, and heatmaps whose peaks lie apart."""
    model = load_model(tiny_config, weights, 'cpu')
    with torch.no_grad():
        heatmaps = network(model, random_inputs(model, 4)).numpy()
    assert 0.1 < heatmaps.std() < 10
    peaks, _ = get_heatmap_maximum(heatmaps.reshape(-1, *heatmaps.shape[2:]))
    assert len(np.unique(peaks, axis=0)) > 20
    before = torch.load(weights)['state_dict']
    after = torch.load(weights_file(BenchmarkSettings(tiny_config), tmp_path))['state_dict']
    assert all(torch.equal(before[name], after[name]) for name in before)


def test_given_weights(tiny_config, weights, tmp_path):
    assert weights_file(BenchmarkSettings(tiny_config, checkpoint=weights), tmp_path) == weights
    assert not list(tmp_path.iterdir())


def test_only_transpose(tmp_path):
    config = 'mmpose::body_2d_keypoint/topdown_heatmap/coco/td-hm_res50_8xb64-210e_coco-256x192.py'
    (tmp_path / 'other.py').write_text(f"_base_ = ['{config}']\n")
    with pytest.raises(InputError, match='other.py has no TransPoseNeck'):
        weights_file(BenchmarkSettings(str(tmp_path / 'other.py')), tmp_path)


@pytest.mark.filterwarnings('ignore:for in_proj:UserWarning')  # copying into a tensor without memory does nothing
def test_materialised_attention_lies_where_its_layer_lies():
    layer = SelfAttention(8, 2).to('meta', torch.bfloat16)
    parameters = dict(MaterialisedAttention(layer).attention.named_parameters())
    assert set(parameters) == {'in_proj_weight', 'in_proj_bias', 'out_proj.weight', 'out_proj.bias'}
    for parameter in parameters.values():
        assert parameter.device.type == 'meta' and parameter.dtype == torch.bfloat16


def test_encoders_agree(tiny_config):
    (fused, pos, shape), (plain, same_pos, _) = (
        build_encoder(tiny_config, 'cpu', materialised) for materialised in (False, True)
    )
    assert pos.shape == shape == (8 * 6, 32) and torch.equal(pos, same_pos) and not pos.requires_grad
    assert len(plain.layers) == 2 and fused.training
    assert all(isinstance(layer.self_attn, MaterialisedAttention) for layer in plain.layers)
    tokens = torch.randn(2, *shape)
    a, b = tokens.clone().requires_grad_(), tokens.clone().requires_grad_()
    out_a, out_b = fused(a, pos), plain(b, pos)
    assert torch.allclose(out_a, out_b, atol=1e-5)
    out_a.square().mean().backward()
    out_b.square().mean().backward()
    assert torch.allclose(a.grad, b.grad, atol=1e-7)


@pytest.mark.parametrize(('name', 'grid', 'layers'), [('h-a6', 64 * 48, 6), ('r-a3', 32 * 24, 3)])
def test_encoders_of_the_paper(name, grid, layers):
    encoder, pos, (tokens, channels) = build_encoder(f'transpose-{name}', 'cpu', materialised=False)
    assert len(encoder.layers) == layers and pos.shape == (tokens, channels)
    assert tokens == grid


def test_encoder_steps_agree(tiny_config):
    norms = []
    for materialised in (False, True):
        task = build_step(tiny_config, 'cpu', 1, materialised)
        norms.append(task.outputs(task.run())['norm'])
    encoder, pos, shape = build_encoder(tiny_config, 'cpu', materialised=False)
    torch.manual_seed(1)
    expected = encoder(torch.randn(1, *shape), pos).norm().item()
    assert norms == [pytest.approx(expected, rel=1e-5)] * 2


@pytest.mark.parametrize('direction', ['dependency', 'affect'])
def test_explanations_agree(tiny_config, weights, direction):
    tasks = [build_explanation(tiny_config, weights, 'cpu', 2, direction, name) for name in NAMES]
    plain, explained, whole = outputs = [task.outputs(task.run()) for task in tasks]
    assert set(plain) == {'heatmaps'} and explained['maps'].shape == (2, 2, 17, 8, 6)
    assert abs(explained['maps'] - whole['maps']).max() < 1e-6
    references = {}
    for name, found in zip(NAMES, outputs):
        compare(Candidate(name, build_explanation, tolerances=TOLERANCES[name]), found, references)
    for name, output, error in (('explained', 'heatmaps', 1e-6), ('whole matrices', 'maps', 0.01)):
        changed = dict(outputs[NAMES.index(name)])
        changed[output] = changed[output] + error
        with pytest.raises(RuntimeError, match=f'{name}: {output} differs'):
            compare(Candidate(name, build_explanation, tolerances=TOLERANCES[name]), changed, references)
