"""Validation and tests with the accelerated model, everything else with the runner's own."""

import pytest
import torch
from mmengine.config import Config
from mmengine.hooks import Hook
from mmengine.model import MMDistributedDataParallel
from mmengine.runner import Runner
from mmpose.registry import HOOKS

from mmtranspose.acceleration import AcceleratedPoseEstimator, decelerate
from mmtranspose.engine.hooks import AccelerationHook
from mmtranspose.errors import InputError, UnsupportedModelError


class Spy(Hook):
    """What the runner's model is, as seen by a hook of a priority."""

    def __init__(self, seen, priority):
        self.seen, self.priority = seen, priority

    def look(self, runner, where):
        model = runner.model
        own = model.original if isinstance(model, AcceleratedPoseEstimator) else model
        self.seen.append((where, self.priority, type(model).__name__, own.head.final_layer.bias.tolist()))

    def before_val_epoch(self, runner):
        self.look(runner, 'before val')

    def after_val_iter(self, runner, batch_idx, data_batch=None, outputs=None):
        fast, own = runner.model, decelerate(runner.model)
        torch.testing.assert_close(fast.head.final_layer.bias, own.head.final_layer.bias, rtol=0, atol=0)
        assert not any(module.training for module in runner.model.modules())
        self.look(runner, 'val')

    def after_val_epoch(self, runner, metrics=None):
        self.look(runner, 'after val')

    def before_train_epoch(self, runner):
        self.look(runner, 'train')

    def after_test_iter(self, runner, batch_idx, data_batch=None, outputs=None):
        self.look(runner, 'test')

    def after_test(self, runner):
        self.look(runner, 'after test')


@pytest.fixture
def run(tiny_config, tmp_path):
    """Two epochs with moving averages, each validated, then a test: what was seen, and the runner."""

    def run(**options):
        cfg = Config.fromfile(tiny_config)
        cfg.merge_from_dict(dict(work_dir=str(tmp_path), experiment_name=tmp_path.name, train_cfg=dict(max_epochs=2)))
        cfg.custom_hooks = [dict(type='AccelerationHook', **options), dict(type='EMAHook', momentum=0.5)]
        runner, seen = Runner.from_cfg(cfg), []
        for priority in ('VERY_HIGH', 'VERY_LOW'):
            spy = Spy(seen, priority)
            runner.register_hook(spy, priority)
        runner.train()
        runner.test()
        return seen, runner

    return run


def test_the_loops_see_the_right_model(run, tmp_path):
    seen, runner = run()
    kinds = {where: {kind for at, priority, kind, _ in seen if (at, priority) == where} for where in
             {(at, priority) for at, priority, _, _ in seen}}  # fmt: skip
    plain, fast = {'TopdownPoseEstimator'}, {'AcceleratedPoseEstimator'}
    assert kinds[('train', 'VERY_HIGH')] == kinds[('before val', 'VERY_HIGH')] == plain
    assert kinds[('before val', 'VERY_LOW')] == kinds[('val', 'VERY_LOW')] == kinds[('after val', 'VERY_HIGH')] == fast
    assert kinds[('after val', 'VERY_LOW')] == plain  # where CheckpointHook saves
    assert kinds[('test', 'VERY_LOW')] == fast and kinds[('after test', 'VERY_LOW')] == plain
    assert type(runner.model).__name__ == 'TopdownPoseEstimator'

    biases = {(at, priority): bias for at, priority, _, bias in seen}
    assert biases[('val', 'VERY_LOW')] != biases[('before val', 'VERY_HIGH')]  # the averages
    assert biases[('after val', 'VERY_LOW')] == biases[('before val', 'VERY_HIGH')]
    saved = torch.load(tmp_path / 'epoch_2.pth', weights_only=False)['state_dict']
    assert list(saved) == list(runner.model.state_dict())


def test_it_is_built_by_name_and_checks_its_options():
    hook = HOOKS.build(dict(type='AccelerationHook', dtype='bf16', max_batch_size=8))
    assert type(hook) is AccelerationHook and hook.options == dict(dtype='bf16', max_batch_size=8)
    with pytest.raises(InputError, match='dtype'):
        AccelerationHook(dtype='int8')
    with pytest.raises(InputError, match="option 'unknown_option' is unknown; choose from dtype, fold_batch_norm,"):
        AccelerationHook(unknown_option=1)


def test_a_model_that_cannot_be_accelerated_is_named(tiny_model):
    tiny_model.neck = None
    with pytest.raises(UnsupportedModelError, match='only a TopdownPoseEstimator with TransPoseNeck'):
        AccelerationHook().before_test_epoch(type('Runner', (), dict(model=tiny_model)))


def test_a_wrapped_model_is_unwrapped_and_comes_back(tiny_model, monkeypatch):
    monkeypatch.setattr(MMDistributedDataParallel, '__init__', lambda self, module: torch.nn.Module.__init__(self))
    wrapped = MMDistributedDataParallel(tiny_model)
    wrapped.module = tiny_model
    runner, hook = type('Runner', (), dict(model=wrapped)), AccelerationHook()
    tiny_model.train()
    hook.before_test_epoch(runner)
    assert runner.model.original is tiny_model and not tiny_model.training
    hook.after_test_epoch(runner)
    assert runner.model is wrapped
