"""What an accelerated model lets be done to it, and what its original keeps."""

import copy
import gc
import pickle
import warnings
import weakref

import pytest
import torch
from mmengine.runner.checkpoint import get_state_dict, load_state_dict
from tiny import tiny_transpose
from torch import nn
from variants import plain_heatmaps, random_images, randomised, range_error

import mmtranspose.acceleration.accelerated_estimator as estimator_module
from mmtranspose.acceleration import AcceleratedPoseEstimator
from mmtranspose.acceleration import options as precision
from mmtranspose.acceleration.accelerated_estimator import in_parts
from mmtranspose.acceleration.cuda_graphs import GraphedFunction
from mmtranspose.apis import InputError, accelerate, decelerate
from mmtranspose.errors import UnsupportedModelError
from mmtranspose.explain import attention_maps
from mmtranspose.models.heads import TransPoseHead


@pytest.fixture
def model():
    model = randomised(tiny_transpose(head=dict(deconv_out_channels=(8,)))).eval()
    model.cfg, model.dataset_meta = object(), dict(num_keypoints=3)
    return model


def test_the_original_comes_back_unchanged(model):
    before = copy.deepcopy(model.state_dict())
    values, modules = list(model.parameters()), list(model.modules())
    states = [(dict(vars(module)), module.training) for module in modules]
    fast = accelerate(model, dtype='bf16')
    fast.heatmaps(random_images())
    assert decelerate(fast) is model and type(fast) is AcceleratedPoseEstimator
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    assert all(one is other for one, other in zip(values, model.parameters()))
    assert all(one is other for one, other in zip(modules, model.modules()))
    assert all(value.requires_grad for value in model.parameters())
    assert [(dict(vars(module)), module.training) for module in modules] == states


def test_no_memory_is_shared(model):
    fast, inputs = accelerate(model), random_images()
    before = fast.heatmaps(inputs)
    with torch.no_grad():
        for value in (*model.parameters(), *model.buffers()):
            value.add_(1) if value.is_floating_point() else None
    fast.neck._tables.cache_clear()
    assert torch.equal(fast.heatmaps(inputs), before)
    assert fast.data_preprocessor is not model.data_preprocessor
    fast.test_cfg['flip_test'] = True
    assert 'flip_test' not in model.test_cfg


def test_what_init_model_set_is_there(model):
    fast = accelerate(model)
    assert fast.cfg is model.cfg and fast.dataset_meta is model.dataset_meta
    assert fast.test_cfg == model.test_cfg and fast.head.out_channels == 3 and fast.with_neck and fast.with_head
    assert not fast.training and not any(module.training for module in fast.modules())


def test_accelerating_again_takes_the_original(model):
    fast = accelerate(accelerate(model, dtype='bf16'), fold_batch_norm=False)
    assert decelerate(fast) is model and fast.dtype == torch.float32 and fast.folding.folded == 0
    with pytest.raises(UnsupportedModelError, match='not accelerated: it is a TopdownPoseEstimator'):
        decelerate(model)


@pytest.mark.parametrize(
    'how', [copy.deepcopy, lambda fast: pickle.loads(pickle.dumps(fast))], ids=['deepcopy', 'pickle']
)
def test_copies_stand_on_their_own(model, how):
    model.cfg = None
    fast, inputs = accelerate(model, dtype='bf16', max_batch_size=3), random_images()
    other = how(fast)
    assert torch.equal(other.heatmaps(inputs), fast.heatmaps(inputs))
    assert other.options == fast.options and decelerate(other) is not model
    assert {value.data_ptr() for value in other.parameters()}.isdisjoint(
        value.data_ptr() for value in fast.parameters()
    )


@pytest.mark.parametrize('read', [lambda module: module.state_dict(), get_state_dict], ids=['torch', 'mmengine'])
@pytest.mark.parametrize('inside', [False, True])
def test_a_checkpoint_of_it_is_the_originals(model, read, inside):
    fast = accelerate(model, dtype='bf16')
    found, expected = (read(nn.ModuleDict(dict(model=one)) if inside else one) for one in (fast, model))
    assert list(found) == list(expected)
    assert all(torch.equal(found[name], value) and found[name].dtype == value.dtype for name, value in expected.items())
    load_state_dict(randomised(tiny_transpose(head=dict(deconv_out_channels=(8,)))), fast.state_dict(), strict=True)


@pytest.mark.parametrize(
    ('use', 'words'),
    [
        (lambda fast: fast.train(), 'is for inference only: train the original, decelerate'),
        (lambda fast: fast.train_step({}, None), 'cannot be trained'),
        (lambda fast: fast(random_images(), [], mode='loss'), 'cannot be trained'),
        (lambda fast: fast.load_state_dict(fast.state_dict()), 'load into decelerate'),
        (lambda fast: load_state_dict(fast, fast.state_dict()), 'load into decelerate'),
        (lambda fast: fast.init_weights(), 'cannot be initialised anew'),
        (lambda fast: fast.to('meta'), r'stays on its device \(cpu\)'),
        (lambda fast: fast.to(device='cuda:0'), 'stays on its device'),
        (lambda fast: fast.to(torch.float16), r'in its dtype \(torch.float32\)'),
        (lambda fast: fast.half(), 'dtype= is an option'),
        (lambda fast: fast.cuda(), 'stays on its device'),
    ],
)
def test_refusals(model, use, words):
    fast = accelerate(model)
    before = fast.heatmaps(random_images(1)[:0]).shape
    with pytest.raises(RuntimeError, match=words):
        use(fast)
    assert fast.heatmaps(random_images(1)[:0]).shape == before and fast.data_preprocessor.device == torch.device('cpu')


def test_what_changes_nothing_is_let_through(model):
    fast, inputs = accelerate(model), random_images()
    before = fast.heatmaps(inputs)
    assert fast.eval() is fast and fast.to('cpu') is fast and fast.cpu() is fast and fast.float() is fast
    assert fast.to(memory_format=torch.channels_last) is fast and fast.train(False) is fast
    assert torch.equal(fast.heatmaps(inputs), before)


def test_repr_says_what_is_on(model):
    text = repr(accelerate(model, compile=True)).splitlines()[1]
    assert text.strip() == (
        'float32 on cpu, 11 batch normalisations folded, 0 left, channels_last, fuse_encoder, flip_in_one_pass, '
        'compile, at most 16 images together'
    )
    off = dict(fold_batch_norm=False, channels_last=False, fuse_encoder=False, flip_in_one_pass=False)
    text = repr(accelerate(model, max_batch_size=5, **off)).splitlines()[1]
    assert text.strip() == 'float32 on cpu, at most 5 images together'


@pytest.mark.parametrize(
    ('options', 'words'),
    [
        (dict(dtype='half'), "dtype='half' is unknown; choose 'fp32' or 'bf16' or 'fp16'"),
        (dict(max_batch_size=0), 'max_batch_size=0 must be a whole number'),
        (dict(max_batch_size=2.5), 'max_batch_size=2.5 must be'),
        (dict(max_batch_size=True), 'max_batch_size=True must be'),
        (dict(fuse_encoder='yes'), "fuse_encoder='yes' must be True or False"),
        (dict(fold=True), "option 'fold' is unknown; choose from dtype, fold_batch_norm, channels_last,"),
        (dict(compile='inductor'), "compile='inductor' must be True, False or a dict"),
    ],
)
def test_options_are_checked(model, options, words):
    with pytest.raises(InputError, match=words):
        accelerate(model, **options)


def test_images_are_checked(model):
    with pytest.raises(InputError, match=r'\(B, 3, H, W\), not \(3, 64, 48\)'):
        accelerate(model).heatmaps(random_images()[0])


class Other(type(tiny_transpose())):
    def predict(self, inputs, data_samples):
        return []


class OtherHead(TransPoseHead):
    def predict(self, feats, batch_data_samples, test_cfg=None):
        return []


def change(model, kind):
    if kind == 'training':
        model.train()
    elif kind == 'part training':
        model.neck.train()
    elif kind == 'compiled':
        return torch.compile(model)
    elif kind == 'compiled part':
        model.backbone = torch.compile(model.backbone)
    elif kind == 'compiled in place':
        model.neck.encoder.compile()
    elif kind == 'patched':
        model.backbone.forward = model.backbone.forward
    elif kind == 'wrapped':
        return nn.DataParallel(model)
    elif kind == 'neck':
        del model.neck
    elif kind == 'subclass':
        model.__class__ = Other
    elif kind == 'head':
        model.head.__class__ = OtherHead
    elif kind == 'tensor':
        return torch.zeros(1)
    return model


@pytest.mark.parametrize(
    ('kind', 'error', 'words'),
    [
        ('training', InputError, 'the model is in training mode, .* call model.eval'),
        ('part training', InputError, r'model\.neck is in training mode'),
        ('compiled', UnsupportedModelError, 'the model is compiled: .*_orig_mod'),
        ('compiled part', UnsupportedModelError, r'model\.backbone is compiled'),
        ('compiled in place', UnsupportedModelError, r'model\.neck\.encoder is compiled'),
        ('patched', UnsupportedModelError, r'model\.backbone was given another forward'),
        ('wrapped', UnsupportedModelError, 'wrapped in DataParallel; accelerate model.module'),
        ('neck', UnsupportedModelError, 'there is nothing where a TransPoseNeck is expected'),
        ('subclass', UnsupportedModelError, 'Other cannot be accelerated: it has a predict of its own'),
        ('head', UnsupportedModelError, 'OtherHead cannot be accelerated: it has a predict of its own'),
        ('tensor', UnsupportedModelError, 'there is a Tensor where a TopdownPoseEstimator'),
    ],
)
def test_other_models_are_refused(model, kind, error, words):
    with pytest.raises(error, match=words) as raised:
        accelerate(change(model, kind))
    assert type(raised.value) is error


def test_it_is_freed_when_it_is_let_go(model):
    """After a validation its memory is wanted at once: no waiting for the collector of cycles."""
    fast = accelerate(model)
    fast.heatmaps(torch.randn(1, 3, 64, 48))
    parts = [weakref.ref(part) for part in (fast, fast.backbone, fast.neck.encoder)]
    gc.collect()
    gc.disable()
    try:
        del fast
        assert [part() for part in parts] == [None] * 3
    finally:
        gc.enable()


def test_what_the_processor_lacks_is_told_and_fp32_taken(model, monkeypatch):
    monkeypatch.setattr(precision, 'cpu_has', lambda feature: feature == 'avx512_bf16')
    monkeypatch.setattr(precision.platform, 'machine', lambda: 'x86_64')
    monkeypatch.setattr(precision, '_cpu_fp16', lambda: False)
    with pytest.warns(UserWarning, match="this cpu has no native fp16: .* in fp32; dtype='bf16' is computed natively"):
        fast = accelerate(model, dtype='fp16')
    inputs = random_images()
    assert fast.dtype == torch.float32
    assert range_error(fast.heatmaps(inputs), plain_heatmaps(model, inputs)) < 1e-5
    with warnings.catch_warnings():
        warnings.simplefilter('error')
        assert accelerate(model, dtype='bf16').dtype == torch.bfloat16
    monkeypatch.setattr(precision, 'cpu_has', lambda feature: False)
    with pytest.warns(UserWarning, match='no native bf16: the network runs in fp32$'):
        accelerate(model, dtype='bf16')


@pytest.mark.parametrize(('has_bf16', 'dtype'), [(True, torch.bfloat16), (False, torch.float32)])
def test_gpus_without_bf16(monkeypatch, has_bf16, dtype):
    monkeypatch.setattr(torch.cuda, 'is_bf16_supported', lambda including_emulation: has_bf16)
    device = torch.device('cuda')
    assert precision.compute_dtype('fp16', device) == torch.float16
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter('always')
        assert precision.compute_dtype('bf16', device) == dtype
    assert [str(one.message) for one in caught] == (
        []
        if has_bf16
        else ["this cuda has no native bf16: the network runs in fp32; dtype='fp16' is computed natively here"]
    )


def test_autocast_does_not_change_the_dtype(model):
    fast, inputs = accelerate(model), random_images()
    before = fast.heatmaps(inputs)
    with torch.autocast('cpu', dtype=torch.bfloat16):
        assert torch.equal(fast.heatmaps(inputs), before)


def test_inference_mode_leaves_nothing_behind(model):
    fast, inputs = accelerate(model), random_images()
    with torch.inference_mode():
        found = fast.heatmaps(inputs)
    assert not found.is_inference()
    assert torch.equal(fast.heatmaps(inputs), found)


def test_recordings_give_the_same(model):
    fast, inputs, sizes = accelerate(model), random_images(11), []

    def capture(function, static):
        sizes.append(len(static))
        output = function(static)
        return lambda: output.copy_(function(static)), output

    fast._graphed = GraphedFunction(fast._run, 4, capture)
    fast._run = in_parts(fast._graphed, 4)
    for size in (11, 1, 2, 3):
        assert range_error(fast.heatmaps(inputs[:size]), plain_heatmaps(model, inputs[:size])) < 1e-5
    assert sizes == [4, 1, 2] and 'cuda_graphs' not in repr(accelerate(model)) and 'cuda_graphs' in repr(fast)


def test_recordings_are_for_gpus(model, monkeypatch):
    made = []
    monkeypatch.setattr(estimator_module, 'GraphedFunction', lambda run, size: made.append((run, size)))
    fast = accelerate(model, max_batch_size=7)
    assert made == []
    fast.device = torch.device('cuda')
    fast._network_function()
    assert [(run.__self__.backbone, size) for run, size in made] == [(fast.backbone, 7)]


def test_explaining_it_says_what_to_do(model):
    with pytest.raises(UnsupportedModelError, match=r'the model is accelerated: .* Explain decelerate\(model\)'):
        attention_maps(accelerate(model), random_images(1), torch.zeros(1, 1, 2, dtype=torch.long))
