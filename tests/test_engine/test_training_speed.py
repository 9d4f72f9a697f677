"""The fast way to train learns what MMPose's own does, step by step."""

from pathlib import Path

import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.logging import MessageHub, MMLogger
from mmengine.runner import Runner
from mmpose.models.heads import HeatmapHead
from mmpose.visualization import PoseLocalVisualizer

from mmtranspose.models.heads import TransPoseHead

STEPS, INTERVAL = 20, 5
DATA = dict(train_dataloader=dict(collate_fn=dict(type='pseudo_collate'), pin_memory=False))
PREPROCESSOR = dict(model=dict(data_preprocessor=dict(type='PoseDataPreprocessor', non_blocking=False)))
LOGS = dict(default_hooks=dict(runtime_info=dict(type='RuntimeInfoHook')))
ADAM = dict(optim_wrapper=dict(optimizer=dict(fused=False)))
STOCK = (DATA, PREPROCESSOR, LOGS, ADAM)


def config(tiny_config: str, dropout: float) -> Config:
    """20 steps of 4 people in float32, logged at every fifth, as the synthetic config trains."""
    cfg = Config.fromfile(tiny_config)
    cfg.train_dataloader.dataset = dict(type='RepeatDataset', times=20, dataset=cfg.train_dataloader.dataset)
    cfg.train_dataloader.num_batch_per_epoch = STEPS
    cfg.val_cfg = cfg.val_dataloader = cfg.val_evaluator = None
    cfg.default_hooks.logger.interval = INTERVAL
    cfg.default_hooks.checkpoint = None
    cfg.model.train_cfg = dict(compute_acc=True)
    cfg.model.neck.dropout = dropout
    cfg.randomness = dict(seed=3)
    return cfg


def train(cfg: Config, work_dir: Path, name: str) -> Runner:
    for kind in (PoseLocalVisualizer, MessageHub, MMLogger):
        kind._instance_dict.clear()  # mmengine's runs of one process would share them
    cfg.work_dir, cfg.experiment_name, cfg.log_level = str(work_dir / name), name, 'ERROR'
    runner = Runner.from_cfg(cfg)
    runner.train()
    assert runner.iter == STEPS
    return runner


def train_stock(cfg: Config, work_dir: Path) -> Runner:
    """With MMPose's parts alone: targets by the workers, lists of samples, its loss and accuracy, Adam unfused."""
    for changes in STOCK:
        cfg.merge_from_dict(changes)
    steps = cfg.train_dataloader.dataset.dataset.pipeline
    steps[[step.type for step in steps].index('KeypointTarget')] = dict(
        type='GenerateTarget', encoder=cfg.model.head.decoder
    )
    steps[-1] = dict(type='PackPoseInputs')
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(TransPoseHead, 'loss', HeatmapHead.loss)
        return train(cfg, work_dir, 'stock')


def values(runner: Runner, key: str) -> np.ndarray:
    return runner.message_hub.get_scalar(f'train/{key}').data[0]


@pytest.fixture(scope='module', params=[0.0, 0.1], ids=lambda dropout: f'dropout {dropout}')
def runs(request, tiny_config, tmp_path_factory):
    """The fast run and the stock run."""
    root = tmp_path_factory.mktemp('speed')
    torch.set_num_threads(1)
    return (
        train(config(tiny_config, request.param), root, 'fast'),
        train_stock(config(tiny_config, request.param), root),
    )


def test_both_are_what_they_are_called(runs):
    fast, stock = runs
    kinds = [{type(hook).__name__ for hook in runner.hooks} for runner in runs]
    assert 'DeferredRuntimeInfoHook' in kinds[0] - kinds[1] and 'RuntimeInfoHook' in kinds[1] - kinds[0]
    batches = [next(iter(runner.train_dataloader)) for runner in runs]
    assert isinstance(batches[0]['inputs'], torch.Tensor) and set(batches[0]['data_samples']) == {
        'keypoint_labels',
        'keypoint_weights',
    }
    assert isinstance(batches[1]['inputs'], list) and 'heatmaps' in batches[1]['data_samples'][0].gt_fields
    assert fast.optim_wrapper.optimizer.defaults['fused'] and not stock.optim_wrapper.optimizer.defaults['fused']
    assert type(fast.model.data_preprocessor).__name__ == 'TransPoseDataPreprocessor'
    assert type(stock.model.data_preprocessor).__name__ == 'PoseDataPreprocessor'


def test_losses_agree_at_each_step(runs):
    """To 1e-4 of the loss itself; they begin equal to rounding."""
    fast, stock = (values(runner, 'loss') for runner in runs)
    assert len(fast) == len(stock) == STEPS
    np.testing.assert_allclose(fast[0], stock[0], rtol=1e-6)
    np.testing.assert_allclose(fast, stock, rtol=1e-4, atol=0)
    assert stock[-5:].mean() < 0.95 * stock[:5].mean()  # something was learnt
    assert np.median(np.abs(np.diff(stock))) > 1e-3 * stock.mean()  # steps differ by far more than the tolerance above


def test_accuracy_agrees_where_both_have_it(runs):
    fast, stock = (values(runner, 'acc_pose') for runner in runs)
    np.testing.assert_allclose(fast, stock[[0, 4, 9, 14, 19]], rtol=0, atol=1e-9)
    assert len(stock) == STEPS and stock.max() > 0


def test_weights_agree_in_the_end(runs):
    fast, stock = (runner.model.state_dict() for runner in runs)
    for name, value in fast.items():
        torch.testing.assert_close(value, stock[name], rtol=1e-4, atol=1e-5)
