"""What many tests share: a handful of synthetic people, a model small enough to train in a second, and set seeds."""

from __future__ import annotations

import importlib
import json
import random
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from mmengine.logging import MessageHub, MMLogger

import mmtranspose  # noqa: F401  (before mmpose: puts the work-arounds in place)
from mmtranspose.datasets.synthetic import generate_dataset
from mmtranspose.loading.config import load_config

ROOT = Path(__file__).resolve().parents[1]
CONFIGS = ROOT / 'configs' / 'body_2d_keypoint' / 'topdown_heatmap'
SYNTHETIC_CONFIG = next((CONFIGS / 'synthetic').glob('td-hm_transpose-r-tiny_*.py'))


@pytest.fixture(autouse=True)
def seeded():
    """Every test starts from the same random state, on one thread: what the tests compute is tiny."""
    torch.set_num_threads(1)
    random.seed(0)
    np.random.seed(0)
    torch.manual_seed(0)


@pytest.fixture(scope='session')
def people(tmp_path_factory) -> Path:
    """Root of a tiny synthetic dataset: 6 images to train with, 4 to validate with."""
    root = tmp_path_factory.mktemp('data') / 'people'
    generate_dataset(root, num_train=6, num_val=4, seed=0, num_workers=1, progress=False, difficulty='easy')
    return root


@pytest.fixture(scope='session')
def tiny_config(people, tmp_path_factory) -> str:
    """File of the synthetic config made smaller still: 64x48 input, 8x6 tokens, loaders without processes."""
    cfg = load_config(str(SYNTHETIC_CONFIG), dict(data_root=str(people)))
    codec = dict(type='UnbiasedHeatmap', input_size=(48, 64), heatmap_size=(12, 16), sigma=1.0)
    cfg.merge_from_dict(
        dict(
            codec=codec,
            model=dict(
                backbone=dict(stem_channels=16, base_channels=16),
                neck=dict(in_channels=32, embed_dims=32, num_layers=2, num_heads=4, feedforward_channels=48),
                head=dict(in_channels=32, deconv_out_channels=(24,), decoder=codec),
            ),
            train_cfg=dict(max_epochs=1, val_interval=1),
            train_dataloader=dict(batch_size=4),
            default_hooks=dict(checkpoint=dict(interval=1), logger=dict(interval=1)),
            randomness=dict(seed=0),
        )
    )
    for name in ('train_dataloader', 'val_dataloader', 'test_dataloader'):
        cfg[name].update(num_workers=0, persistent_workers=False)
        for step in cfg[name].dataset.pipeline:
            if 'input_size' in step:
                step['input_size'] = codec['input_size']
            if 'encoder' in step:
                step['encoder'] = codec
    path = tmp_path_factory.mktemp('config') / 'tiny.py'
    cfg.dump(str(path))
    return str(path)


@pytest.fixture(scope='session')
def run_command():
    """Runs ``mmtranspose COMMAND`` with arguments in this process; errors are raised."""

    from mmpose.visualization import PoseLocalVisualizer

    def run(name: str, *arguments: object):
        for kind in (PoseLocalVisualizer, MessageHub, MMLogger):
            kind._instance_dict.clear()  # mmengine's runs of one process would share them
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv('LOCAL_RANK', '0')
            module = importlib.import_module(f'mmtranspose.commands.{name.replace("-", "_")}')
            return module.main([str(argument) for argument in arguments])

    return run


@pytest.fixture(scope='session')
def trained(tiny_config, run_command, tmp_path_factory) -> Path:
    """Work directory of one epoch by ``mmtranspose train``; the predictions of its validation: val.keypoints.json."""
    work_dir = tmp_path_factory.mktemp('trained') / 'work'
    options = ('experiment_name=trained', f'val_evaluator.outfile_prefix={work_dir / "val"}')
    run_command('train', tiny_config, '--work-dir', work_dir, '--cfg-options', *options)
    return work_dir


@pytest.fixture(scope='session')
def tiny_checkpoint(trained) -> str:
    """The checkpoint of that epoch."""
    return str(trained / 'epoch_1.pth')


@pytest.fixture(scope='session')
def tested(tiny_config, tiny_checkpoint, run_command, tmp_path_factory) -> SimpleNamespace:
    """``metrics`` that ``mmtranspose test`` wrote for that checkpoint, and the file of its ``predictions``."""
    root = tmp_path_factory.mktemp('tested')
    options = ('experiment_name=tested', f'test_evaluator.outfile_prefix={root / "test"}')
    outputs = ('--work-dir', root / 'work', '--out', root / 'metrics.json')
    run_command('test', tiny_config, tiny_checkpoint, *outputs, '--cfg-options', *options)
    metrics = json.loads((root / 'metrics.json').read_text())
    return SimpleNamespace(metrics=metrics, predictions=root / 'test.keypoints.json')


@pytest.fixture
def tiny_model(tiny_config, tiny_checkpoint):
    """The trained tiny model, in evaluation mode on the CPU."""
    from mmtranspose.apis import init_model

    return init_model(tiny_config, tiny_checkpoint)
