"""Configs moved to the demo's folder, and quiet: a bar instead of a log on the screen."""

from __future__ import annotations

from pathlib import Path

from mmengine.config import Config

from mmtranspose.loading.config import load_config


def demo_config(config: str, data: Path, work_dir: Path, seed: int, epochs: int | None) -> Config:
    """A config on the demo's data.

    Args:
        config (str): Its file.
        data (Path): Replaces its ``data_root``.
        work_dir (Path): Where log and checkpoints go.
        seed (int): Of the run.
        epochs (int | None): None for the config's.
    """
    options = {'data_root': str(data), 'randomness': dict(seed=seed), 'log_level': 'WARNING'}
    if epochs is not None:
        options['train_cfg.max_epochs'] = epochs
        options['param_scheduler.1.T_max'] = epochs
    cfg = load_config(config, options)
    cfg.custom_hooks = [*cfg.get('custom_hooks', []), dict(type='mmpose.ProgressBarHook')]
    cfg.work_dir = str(work_dir)
    cfg.launcher = 'none'
    return cfg


def train_alone(cfg: Config) -> str:
    """Take validation out of a config; returns where the one checkpoint, after the last epoch, will lie."""
    cfg.val_cfg = cfg.val_dataloader = cfg.val_evaluator = None
    cfg.default_hooks.checkpoint.update(save_best=None, interval=cfg.train_cfg.max_epochs)
    return str(Path(cfg.work_dir) / f'epoch_{cfg.train_cfg.max_epochs}.pth')
