"""Parts of the network compiled while it is trained."""

import copy
import warnings
from types import SimpleNamespace

import pytest
import torch
from mmengine.config import Config
from mmengine.hooks import EMAHook
from mmengine.runner import Runner
from tiny import tiny_transpose

from mmtranspose.engine.hooks import AccelerationHook, CompileHook
from mmtranspose.errors import InputError

# torch._dynamo's own warning of what it does
pytestmark = pytest.mark.filterwarnings('ignore:The .grad attribute of a Tensor:UserWarning')

HEAD = dict(deconv_out_channels=(8,))


@pytest.fixture(autouse=True)
def fresh():
    """What other tests compiled is forgotten."""
    torch._dynamo.reset()
    yield
    torch._dynamo.reset()


@pytest.fixture
def runner():
    return SimpleNamespace(model=tiny_transpose(num_layers=1, head=HEAD, dropout=0.0).train())


class Backend:
    """Runs what it is given as it is, and counts."""

    def __init__(self):
        self.compiled = self.ran = 0

    def __call__(self, graph, inputs):
        self.compiled += 1

        def call(*args):
            self.ran += 1
            return graph.forward(*args)

        return call


def put_in(model):
    """Names of modules whose forward function was replaced."""
    return {name for name, module in model.named_modules() if 'forward' in vars(module)}


def test_parts_run_compiled_in_training_alone(runner):
    model, backend, inputs = runner.model, Backend(), torch.randn(1, 3, 32, 32)
    names = list(model.state_dict())
    expected = model(inputs, None)
    hook = CompileHook(backend=backend)
    hook.before_train(runner)
    tried = backend.compiled
    assert put_in(model) == {'backbone', 'neck.encoder', 'head.deconv_layers'} and tried == 1
    torch.testing.assert_close(model(inputs, None), expected)
    compiled, ran = backend.compiled, backend.ran
    assert compiled - tried >= 3 and ran - 1 >= 3
    model(inputs, None)
    assert backend.compiled == compiled and backend.ran == ran + (ran - 1)
    assert list(model.state_dict()) == names
    hook.before_val(runner)
    assert put_in(model) == set()
    ran = backend.ran
    torch.testing.assert_close(copy.deepcopy(model)(inputs, None), expected)
    assert backend.ran == ran
    hook.after_val(runner)
    model(inputs, None)
    assert backend.compiled == compiled and backend.ran > ran  # nothing is compiled anew
    hook.after_train(runner)
    assert put_in(model) == set()
    hook.after_val(runner)
    assert put_in(model) == set()


def test_gradients(runner):
    inputs, found = torch.randn(2, 3, 32, 32), []
    hook = CompileHook(backend='eager')
    for compiled in (False, True):
        if compiled:
            hook.before_train(runner)
        torch.manual_seed(0)
        runner.model.zero_grad()
        runner.model(inputs, None).square().mean().backward()
        found.append({name: value.grad.clone() for name, value in runner.model.named_parameters()})
    torch.testing.assert_close(found[0], found[1])


def test_without_a_compiler(runner):
    def broken(graph, inputs):
        raise RuntimeError('no C++ compiler')

    expected = runner.model.eval()(torch.ones(1, 3, 32, 32), None)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter('always')
        hook = CompileHook(backend=broken)
        hook.before_train(runner)
        found = runner.model(torch.ones(1, 3, 32, 32), None)
    messages = [str(one.message) for one in caught if 'compiled' in str(one.message)]
    assert len(messages) == 1 and 'the model cannot be compiled and runs uncompiled' in messages[0]
    assert 'no C++ compiler' in messages[0]
    assert put_in(runner.model) == set()
    torch.testing.assert_close(found, expected, rtol=0, atol=0)


def test_what_was_put_in_before_comes_back(runner):
    forward = runner.model.backbone.forward
    runner.model.backbone.forward = lambda inputs: forward(inputs)  # as mmengine's activation checkpointing does
    before = runner.model.backbone.forward
    hook = CompileHook(parts=['backbone'], backend='eager')
    hook.before_train(runner)
    assert runner.model.backbone.forward is not before
    hook.after_train(runner)
    assert runner.model.backbone.forward is before


def test_parts_that_are_not_there(runner):
    hook = CompileHook(parts=['neck.encoder', 'tail'], backend='eager')
    hook.before_train(runner)
    assert put_in(runner.model) == {'neck.encoder'}
    with pytest.raises(InputError, match="none of parts=\\['tail'\\]"):
        CompileHook(parts=['tail']).before_train(runner)


def test_parts_without_parameters():
    model = tiny_transpose(num_layers=1)  # its head has no deconvolution
    hook = CompileHook(backend='eager')
    hook.before_train(SimpleNamespace(model=model))
    assert put_in(model) == {'backbone', 'neck.encoder'}


def test_beside_hooks_that_copy_the_model(tiny_config, tmp_path):
    """Moving averages and the accelerated model are made of what was not compiled."""
    cfg, backend = Config.fromfile(tiny_config), Backend()
    cfg.merge_from_dict(dict(work_dir=str(tmp_path), experiment_name=tmp_path.name, train_cfg=dict(max_epochs=2)))
    runner = Runner.from_cfg(cfg)
    for hook in (AccelerationHook(), EMAHook(momentum=0.5), CompileHook(backend=backend)):
        runner.register_hook(hook)
    runner.train()
    assert backend.ran > 0 and put_in(runner.model) == set()
    saved = torch.load(tmp_path / 'epoch_2.pth', weights_only=False)['state_dict']
    assert list(saved) == list(runner.model.state_dict())
