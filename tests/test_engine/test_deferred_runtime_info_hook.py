"""What training logs, read late: the same numbers, without reads in between."""

import copy
import json
from collections import Counter
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from mmengine.config import Config
from mmengine.logging import MessageHub, MMLogger
from mmengine.runner import Runner
from mmpose.registry import HOOKS
from mmpose.visualization import PoseLocalVisualizer

from mmtranspose.engine.hooks import DeferredRuntimeInfoHook

READS = ('item', 'tolist', 'numpy', 'cpu', '__bool__', '__float__', '__int__', '__index__', '__array__')
STEPS, INTERVAL = 8, 3
LAZY, STOCK = dict(type='DeferredRuntimeInfoHook'), dict(type='RuntimeInfoHook')


def run(tiny_config, work_dir, name, hook, progress=None, **options):
    """A run of 8 steps, logged at every third, without validation; what it read of tensors at each step."""
    for kind in (PoseLocalVisualizer, MessageHub, MMLogger):
        kind._instance_dict.clear()  # mmengine's runs of one process would share them
    cfg = Config.fromfile(tiny_config)
    cfg.merge_from_dict(
        dict(
            default_hooks=dict(runtime_info=hook, logger=dict(interval=INTERVAL), checkpoint=None),
            train_dataloader=dict(num_batch_per_epoch=STEPS, batch_size=2),
            model=dict(train_cfg=dict(compute_acc=True)),
            experiment_name=name,
            work_dir=str(work_dir / name),
            log_level='ERROR',
            **options,
        )
    )
    repeat = dict(type='RepeatDataset', times=9, dataset=cfg.train_dataloader.dataset)
    cfg.train_dataloader.dataset = repeat
    cfg.val_cfg = cfg.val_dataloader = cfg.val_evaluator = None
    cfg.custom_hooks = [*cfg.custom_hooks, *(progress or [])]
    runner = Runner.from_cfg(cfg)
    reads = count_reads(runner)
    runner.train()
    return runner, reads


def count_reads(runner):
    """Of tensors by the host, from the first to the last line of each step (mmengine's ``run_iter``)."""
    reads, counting = [], Counter()
    loop = runner.train_loop
    run_iter = loop.run_iter

    def counted(idx, data_batch):
        counting.clear()
        with pytest.MonkeyPatch.context() as patch:
            for name in READS:
                original = getattr(torch.Tensor, name)

                def read(tensor, *args, _name=name, _original=original, **kwargs):
                    counting[_name] += 1
                    return _original(tensor, *args, **kwargs)

                patch.setattr(torch.Tensor, name, read)
            run_iter(idx, data_batch)
        reads.append(dict(counting))

    loop.run_iter = counted
    return reads


def history(runner):
    """Key to values, of all scalars that do not measure time."""
    scalars = runner.message_hub.log_scalars
    return {key: value.data[0].tolist() for key, value in scalars.items() if not key.endswith('time')}


@pytest.fixture(scope='module')
def runs(tiny_config, tmp_path_factory):
    root = tmp_path_factory.mktemp('runs')
    return {name: run(tiny_config, root, name, hook) for name, hook in (('lazy', LAZY), ('stock', STOCK))}


def test_values_and_their_order_are_mmengines(runs):
    lazy, stock = (history(runs[name][0]) for name in ('lazy', 'stock'))
    assert lazy.pop('train/acc_pose') == [stock['train/acc_pose'][step - 1] for step in (1, 3, 6, 8)]
    assert len(stock.pop('train/acc_pose')) == STEPS
    assert lazy == stock and len(lazy['train/loss_kpt']) == STEPS
    keys = [list(runs[name][0].message_hub.log_scalars) for name in ('lazy', 'stock')]
    assert keys[0] == keys[1]


def test_the_log_is_mmengines(runs):
    def lines(runner):
        (file,) = Path(runner.work_dir).rglob('scalars.json')
        found = [json.loads(line) for line in file.read_text().splitlines()]
        return [{key: value for key, value in line.items() if 'time' not in key} for line in found]

    lazy, stock = (lines(runs[name][0]) for name in ('lazy', 'stock'))
    assert [line['step'] for line in lazy] == [3, 6] and all('acc_pose' in line for line in lazy)
    assert lazy == stock


def test_nothing_is_read_between_logs(runs):
    lazy, stock = (runs[name][1] for name in ('lazy', 'stock'))
    assert [bool(reads) for reads in lazy] == [step in (1, 3, 6, 8) for step in range(1, STEPS + 1)]
    assert lazy[2]['tolist'] <= 2 and 'item' not in lazy[2]  # one for each dtype
    assert all(reads.get('item', 0) >= 2 for reads in stock)  # the counters count


def test_the_progress_bar_reads_nothing_either(tiny_config, tmp_path):
    _, reads = run(tiny_config, tmp_path, 'bar', LAZY, progress=[dict(type='ProgressBarHook')])
    assert [bool(step) for step in reads] == [step in (1, 3, 6, 8) for step in range(1, STEPS + 1)]


class Loader(list):
    """As long as an epoch."""

    dataset = None


class TestWithoutARunner:
    """The hook alone, on a runner that logs every third of 8 steps."""

    @pytest.fixture
    def runner(self):
        MessageHub._instance_dict.clear()
        hub = MessageHub.get_instance('alone')
        return SimpleNamespace(
            message_hub=hub,
            hooks=[HOOKS.build(dict(type='LoggerHook', interval=INTERVAL))],
            model=SimpleNamespace(train_cfg={}),
            optim_wrapper=SimpleNamespace(get_lr=lambda: {'lr': [0.1]}),
            train_dataloader=Loader(range(STEPS)),
            epoch=0,
            iter=0,
            max_epochs=1,
            max_iters=STEPS,
        )

    @pytest.fixture
    def begun(self, runner):
        hook = DeferredRuntimeInfoHook()
        hook.before_train(runner)
        return hook, runner

    @staticmethod
    def step(hook, runner, idx):
        hook.before_train_iter(runner, idx)
        wanted = runner.model.train_cfg.get('compute_acc', True)
        hook.after_train_iter(runner, idx, outputs=dict(loss=torch.tensor(float(idx)), count=idx))
        runner.iter += 1
        return wanted

    @staticmethod
    def losses(runner):
        return runner.message_hub.log_scalars['train/loss'].data[0].tolist()

    @pytest.mark.parametrize('occasion', ['after_train_epoch', 'before_val', 'after_train', 'before_save_checkpoint'])
    def test_occasions(self, begun, occasion):
        hook, runner = begun
        for idx in range(5):
            self.step(hook, runner, idx)
        assert self.losses(runner) == [0, 1, 2]
        checkpoint = dict(message_hub=copy.deepcopy(runner.message_hub.state_dict()))
        getattr(hook, occasion)(runner, **(dict(checkpoint=checkpoint) if occasion.endswith('checkpoint') else {}))
        assert self.losses(runner) == [0, 1, 2, 3, 4]
        if occasion.endswith('checkpoint'):
            assert checkpoint['message_hub']['log_scalars']['train/loss'].data[0].tolist() == [0, 1, 2, 3, 4]
        hook.after_train_epoch(runner)
        assert len(self.losses(runner)) == 5  # nothing twice

    def test_accuracy_where_it_is_read(self, begun):
        hook, runner = begun
        assert [self.step(hook, runner, idx) for idx in range(STEPS)] == [
            True, False, True, False, False, True, False, True
        ]  # fmt: skip
        hook.after_train(runner)
        assert runner.model.train_cfg == {}

    def test_accuracy_that_is_not_wanted(self, runner, begun):
        hook, runner = begun
        runner.model.train_cfg = dict(compute_acc=False, other=1)
        hook.before_train(runner)
        assert not any(self.step(hook, runner, idx) for idx in range(STEPS))
        assert runner.model.train_cfg == dict(compute_acc=False, other=1)

    def test_the_configs_dict_is_not_changed(self, begun):
        hook, runner = begun
        config = dict(compute_acc=True)
        runner.model.train_cfg = config
        hook.before_train(runner)
        for idx in range(2):
            self.step(hook, runner, idx)
        assert config == dict(compute_acc=True)

    def test_an_interval_of_its_own(self, begun):
        _, runner = begun
        hook = DeferredRuntimeInfoHook(interval=2)
        hook.before_train(runner)
        for idx in range(5):
            self.step(hook, runner, idx)
        assert self.losses(runner) == [0, 1, 2, 3]

    def test_without_a_logger(self, begun):
        _, runner = begun
        runner.hooks = []
        hook = DeferredRuntimeInfoHook()
        hook.before_train(runner)
        for idx in range(STEPS - 1):
            self.step(hook, runner, idx)
        assert self.losses(runner) == [0]
        self.step(hook, runner, STEPS - 1)  # the end of the epoch
        assert self.losses(runner) == list(range(STEPS))

    def test_values_that_are_overwritten_later(self, begun):
        hook, runner = begun
        reused = torch.zeros(())
        for idx in range(3):
            reused.fill_(idx)
            hook.before_train_iter(runner, idx)
            hook.after_train_iter(runner, idx, outputs=dict(loss=reused, exact=torch.tensor(0.1, dtype=torch.float64)))
        assert self.losses(runner) == [0, 1, 2]
        assert runner.message_hub.log_scalars['train/exact'].data[0].tolist() == [0.1] * 3

    def test_mistakes(self):
        with pytest.raises(ValueError, match='interval=0 must be at least 1'):
            DeferredRuntimeInfoHook(interval=0)


def test_a_checkpoint_within_an_epoch_holds_all_values(tiny_config, tmp_path):
    checkpoint = dict(type='CheckpointHook', by_epoch=False, interval=5)
    run(tiny_config, tmp_path, 'within', LAZY, progress=[checkpoint])
    saved = torch.load(tmp_path / 'within' / 'iter_5.pth', weights_only=True)
    assert len(saved['message_hub']['log_scalars']['train/loss'].data[0]) == 5
