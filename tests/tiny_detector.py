"""A detector of mmdet small enough for tests: RTMDet with an eighth of the channels, 96x96 input, random weights."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch
from conftest import ROOT
from mmengine.registry import DefaultScope
from torch import nn

from mmtranspose.loading.config import load_config

CONFIG = next((ROOT / 'configs' / 'person_detection').glob('rtmdet_tiny_*.py'))
SIZE = (96, 96)


def write_detector(folder: Path, classes: Sequence[str] = ('person',), bias: float = -1.0) -> tuple[str, str]:
    """Config and checkpoint of a detector that finds something everywhere.

    Args:
        folder: Where ``detector.py`` and ``detector.pth`` are written.
        classes: Names in the checkpoint; as many as the head has.
        bias: Added to all scores before the sigmoid.
    """
    cfg = load_config(str(CONFIG))
    cfg.merge_from_dict(
        dict(
            model=dict(
                backbone=dict(widen_factor=0.125, deepen_factor=0.167),
                neck=dict(in_channels=[32, 64, 128], out_channels=32),
                bbox_head=dict(in_channels=32, feat_channels=32, num_classes=len(classes)),
            )
        )
    )
    for name in ('val_dataloader', 'test_dataloader'):
        for step in cfg[name].dataset.pipeline:
            step.update({key: SIZE for key in ('scale', 'size') if key in step})
    config, checkpoint = str(folder / 'detector.py'), str(folder / 'detector.pth')
    cfg.dump(config)
    model = _random_model(cfg.model, bias)
    torch.save(dict(state_dict=model.state_dict(), meta=dict(dataset_meta=dict(classes=tuple(classes)))), checkpoint)
    return config, checkpoint


def _random_model(cfg: dict, bias: float) -> nn.Module:
    """Random weights with fitting statistics of the norms, so that scores and boxes differ from place to place."""
    from mmdet.registry import MODELS

    torch.manual_seed(0)
    with DefaultScope.overwrite_default_scope('mmdet'):
        model = MODELS.build(cfg)
    for layer in model.modules():
        if isinstance(layer, nn.BatchNorm2d):
            layer.momentum = None  # statistics of the one pass below
    for classify, regress in zip(model.bbox_head.rtm_cls, model.bbox_head.rtm_reg):
        nn.init.normal_(classify.weight, std=0.5)
        nn.init.constant_(classify.bias, bias)
        nn.init.constant_(regress.bias, 2.5)
    with torch.no_grad():
        model.train()(torch.randn(8, 3, *SIZE))
    return model
