"""Evaluate a model and its exported file on the same people: what an export to a lower precision costs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from mmengine.config import Config
from mmengine.evaluator import Evaluator
from mmengine.registry import init_default_scope
from mmengine.runner import Runner
from tqdm import tqdm

from mmtranspose.compat.prints import without_prints
from mmtranspose.deployment.exported_estimator import ExportedPoseEstimator
from mmtranspose.deployment.quantisation import annotated_only
from mmtranspose.errors import InputError
from mmtranspose.typing import PoseEstimator

BATCH = 16


@torch.no_grad()
def evaluate(model: PoseEstimator, cfg: Config, title: str, pipeline: Sequence[Any]) -> dict[str, float]:
    """Evaluate poses in the annotated boxes of a config's test data, by its ``test_evaluator``.

    Args:
        model (PoseEstimator): A model or an exported file.
        cfg (Config): Of the dataset: ``test_dataloader`` and ``test_evaluator`` are read.
        title (str): Stands before the progress bar.
        pipeline (Sequence[dict]): The steps that cut crops for the model, as in a config's dataset.

    Returns:
        dict[str, float]: Metrics by name, as ``'coco/AP'``.

    Raises:
        InputError: The config has no evaluator or no test data, or their files are missing or wrong.
    """
    cfg = annotated_only(cfg)
    if not cfg.get('test_evaluator'):
        raise InputError(f'{cfg.filename or "the config"} has no test_evaluator')
    init_default_scope(cfg.get('default_scope', 'mmpose'))
    dataset = {**cfg.test_dataloader.dataset, 'pipeline': pipeline}
    sampler = dict(type='DefaultSampler', shuffle=False, round_up=False)
    with without_prints():
        loader = Runner.build_dataloader(dict(dataset=dataset, sampler=sampler, batch_size=BATCH, num_workers=0))
        evaluator = Evaluator(cfg.test_evaluator)
    evaluator.dataset_meta = loader.dataset.metainfo
    for batch in tqdm(loader, desc=title, unit='batch'):
        evaluator.process(data_samples=model.test_step(batch), data_batch=batch)
    with without_prints():  # COCO's own table
        return evaluator.evaluate(len(loader.dataset))


def before_and_after(model: PoseEstimator, exported: ExportedPoseEstimator, cfg: Config) -> list[tuple[str, ...]]:
    """Evaluate a model and its file, on crops of the model's pipeline; returns a table of both and their differences.

    Args:
        model (PoseEstimator): In evaluation mode; its flip test is that of the file meanwhile.
        exported (ExportedPoseEstimator): The file.
        cfg (Config): Of the dataset.
    """
    before: Any = model.test_cfg
    pipeline = model.cfg.test_dataloader.dataset.pipeline  # a file may not know how its crops are cut
    model.test_cfg = {**(before or {}), 'flip_test': exported.meta.flip_test}
    try:
        wanted = evaluate(model, cfg, 'PyTorch', pipeline)
    finally:
        model.test_cfg = before
    found = evaluate(exported, cfg, exported.meta.precision, pipeline)
    rows: list[tuple[str, ...]] = [('', 'PyTorch', exported.meta.precision, 'difference')]
    rows += [
        (name, f'{value:.4f}', f'{found[name]:.4f}', f'{found[name] - value:+.4f}') for name, value in wanted.items()
    ]
    return rows
