"""What every explanation method keeps to: it leaves no trace, and gives the same maps however it is called."""

import copy

import pytest
import torch
from tiny import tiny_transpose

from mmtranspose.errors import InputError
from mmtranspose.explain.methods import AttentionMap, InputGradient, Method, build_method, method_names
from mmtranspose.explain.randomization import rank_correlation
from mmtranspose.explain.target import Target

NAMES = method_names(2)
INTERVENTIONS = ('token-ablation', 'edge-knockout')
OPTIONS = {'integrated-gradients': dict(n_steps=20, most_steps=20, tolerance=10), 'smooth-grad': dict(samples=4)}
ROUNDING = 3e-7  # of heatmaps, whose differences some methods give
CAPTUM = ('integrated-gradients', 'smooth-grad')
CONTROLS = ('gaussian', 'random')


@pytest.fixture
def model():
    return tiny_transpose(head=dict(deconv_out_channels=(8,))).eval()


@pytest.fixture
def inputs():
    return torch.randn(2, 3, 64, 48)


@pytest.fixture
def target(model, inputs):
    with torch.no_grad():
        return Target.of(model.head.forward(model.extract_feat(inputs)), (8, 6))


@pytest.fixture(params=NAMES)
def method(request) -> Method:
    if request.param in CAPTUM:
        pytest.importorskip('captum')
    return build_method(request.param, num_layers=2, **OPTIONS.get(request.param, {}))


def state_of(model):
    hooks = [
        sum(len(value) for name, value in vars(module).items() if name.endswith('_hooks')) for module in model.modules()
    ]
    parameters = [(p.clone(), p.requires_grad, None if p.grad is None else p.grad.clone()) for p in model.parameters()]
    return [m.training for m in model.modules()], hooks, parameters, [b.clone() for b in model.buffers()]


def assert_same_state(model, before):
    after = state_of(model)
    assert after[:2] == before[:2]
    for (p, needs, grad), (p_before, needs_before, grad_before) in zip(after[2], before[2]):
        assert torch.equal(p, p_before) and needs == needs_before
        assert grad is grad_before is None or torch.equal(grad, grad_before)
    assert all(torch.equal(a, b) for a, b in zip(after[3], before[3]))


def leave_marks(model):
    """A state that nothing would come back to by chance."""
    model.train()
    model.head.eval()
    model.backbone.conv1.weight.requires_grad_(False)
    model.neck.projection.weight.grad = torch.ones_like(model.neck.projection.weight)


def test_leaves_no_trace(method, model, inputs, target):
    leave_marks(model)
    before = state_of(model)
    images = inputs.clone()
    maps = method(model, inputs, target)
    assert_same_state(model, before)
    assert torch.equal(inputs, images) and not inputs.requires_grad and inputs.grad is None
    assert maps.dtype == torch.float32 and not maps.requires_grad


@pytest.mark.parametrize('name', [name for name in NAMES if name not in CONTROLS])
def test_leaves_no_trace_after_an_error(name, model, inputs, target):
    if name in CAPTUM:
        pytest.importorskip('captum')

    def fail(*args):
        raise RuntimeError('stop here')

    model.neck.encoder.layers[1].forward = fail
    leave_marks(model)
    before = state_of(model)
    with pytest.raises(RuntimeError, match='stop here'):
        build_method(name, 2, **OPTIONS.get(name, {}))(model, inputs, target)
    assert_same_state(model, before)
    assert torch.is_grad_enabled()


def test_the_same_without_gradients_and_with_a_frozen_network(method, model, inputs, target):
    maps = method(model, inputs, target)
    assert maps.shape == (2, 3, 8, 6) and maps.std((-1, -2)).min() > 0
    with torch.no_grad():
        torch.testing.assert_close(method(model, inputs, target), maps, rtol=1e-5, atol=ROUNDING)
    model.requires_grad_(False)
    with torch.inference_mode():
        made_inside = Target.of(model.head.forward(model.extract_feat(inputs.clone())), (8, 6))
        torch.testing.assert_close(method(model, inputs.clone(), made_inside), maps, rtol=1e-5, atol=ROUNDING)


def test_images_of_a_batch_do_not_mix(method, model, inputs, target):
    maps = method(model, inputs, target)
    alone = torch.cat([method(model, inputs[b : b + 1], target[b : b + 1]) for b in range(2)])
    torch.testing.assert_close(maps, alone, rtol=1e-4, atol=ROUNDING + 1e-6 * maps.max().item())


def test_keypoints_do_not_mix(method, model, inputs, target):
    if method.name == 'random':
        return
    maps = method(model, inputs, target)
    moved = Target.at(target.peaks.clone().index_fill_(1, torch.tensor([0, 2]), 3), target.heatmap_size, target.grid)
    other = method(model, inputs, moved)
    torch.testing.assert_close(other[:, 1], maps[:, 1], rtol=1e-4, atol=ROUNDING + 1e-6 * maps.max().item())
    assert not torch.allclose(other[:, 0], maps[:, 0])


def test_low_precision_keeps_the_order(method, model, inputs, target):
    maps = method(model, inputs, target)
    with torch.autocast('cpu', torch.bfloat16):
        mixed = method(model, inputs, target)
    if method.name in INTERVENTIONS:  # differences of heatmaps, which half precision rounds away
        torch.testing.assert_close(mixed, maps, rtol=0, atol=ROUNDING)
        with pytest.raises(InputError, match=r'weights are torch.bfloat16.*model.float\(\)'):
            method(model.bfloat16(), inputs.bfloat16(), target)
        return
    half = method(model.bfloat16(), inputs.bfloat16(), target)
    assert mixed.dtype == half.dtype == torch.float32
    if method.name != 'random':  # other pixels, another order
        assert rank_correlation(half, maps).mean() > 0.9
    assert rank_correlation(mixed, maps).mean() > 0.9


def test_works_on_a_mirrored_target(method, model, inputs, target):
    mirrored = target.mirrored([0, 2, 1], shift_heatmap=True)
    row, col = target.peaks.unbind(-1)
    by_hand = torch.stack([row, 15 - 4 - (col - 1).clamp(min=0)], -1)[:, [0, 2, 1]]  # heatmaps are 12 wide
    maps = method(model, inputs.flip(-1), mirrored)
    assert torch.equal(maps, method(model, inputs.flip(-1), Target.at(by_hand, (16, 12), (8, 6))))


def test_names():
    assert NAMES == [
        'attention-1',
        'attention-2',
        'attention-norm-1',
        'attention-norm-2',
        'layer-cam-encoder',
        'layer-cam-stem',
        'rollout',
        'gradient-attention',
        'input-gradient',
        'smooth-grad',
        'integrated-gradients',
        'token-ablation',
        'edge-knockout',
        'gaussian',
        'random',
    ]
    pytest.importorskip('captum')
    assert [build_method(name, 2).name for name in NAMES] == NAMES
    assert build_method('integrated-gradients', 2, n_steps=3).n_steps == 3


@pytest.mark.parametrize('name', ['attention-0', 'attention-3', 'grad-cam'])
def test_unknown_name(name):
    with pytest.raises(
        InputError, match=f"method '{name}' is unknown; choose from attention-1, attention-2, attention-norm-1,"
    ):
        build_method(name, 2)


def test_errors(model, inputs, target):
    with pytest.raises(InputError, match='the target is of 2 images, inputs of 1'):
        InputGradient()(model, inputs[:1], target)
    with pytest.raises(InputError, match='layer=3 does not exist: the encoder has 2'):
        AttentionMap(3)(model, inputs, target)
    with pytest.raises(InputError, match=r'the heatmaps are \(2, 3, 8, 12\); the target was made for \(2, 3, 16, 12\)'):
        InputGradient()(model, inputs[:, :, :32], target)
    with pytest.raises(InputError, match='inputs hold NaN or infinity'):
        InputGradient()(model, inputs * float('nan'), target)
    with pytest.raises(InputError, match=r'inputs must be \(B, 3, H, W\), .*, not torch.uint8'):
        InputGradient()(model, inputs.byte(), target)
    broken = copy.deepcopy(model)
    broken.head.final_layer.weight.data[:] = float('nan')
    with pytest.raises(InputError, match="input-gradient's maps are not finite: .* float32"):
        InputGradient()(broken, inputs, target)
