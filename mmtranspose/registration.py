"""Tell MMPose's registries where this package's modules are, and mmengine where its configs and models are."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any

from mmengine.config import Config
from mmengine.config.utils import MODULE2PACKAGE
from mmengine.registry import FUNCTIONS
from mmpose.registry import (
    DATASETS,
    HOOKS,
    KEYPOINT_CODECS,
    LOOPS,
    METRICS,
    MODELS,
    OPTIM_WRAPPERS,
    TRANSFORMS,
)

from mmtranspose.compat import auto_resume, detector_box_categories, safetensors_files
from mmtranspose.compat.patching import replace_once, when_imported
from mmtranspose.files.coco_format import person_boxes
from mmtranspose.loading import zoo

PACKAGE = 'mmtranspose'
LOCATIONS = (  # a registry, MMPose's or mmengine's modules for it, ours
    (HOOKS, 'mmpose.engine.hooks', 'mmtranspose.engine.hooks'),
    (LOOPS, 'mmpose.engine', 'mmtranspose.engine.loops'),
    (MODELS, 'mmpose.models', 'mmtranspose.models'),
    (KEYPOINT_CODECS, 'mmpose.codecs', 'mmtranspose.codecs'),
    (TRANSFORMS, 'mmpose.datasets', 'mmtranspose.datasets.transforms'),
    (DATASETS, 'mmpose.datasets', 'mmtranspose.datasets.lspet_dataset'),
    (METRICS, 'mmpose.evaluation', 'mmtranspose.engine.metrics'),
    (OPTIM_WRAPPERS, 'mmpose.engine', 'mmtranspose.engine.optim'),
    (FUNCTIONS, 'mmengine.dataset', 'mmtranspose.datasets.collate'),
    (FUNCTIONS, 'mmengine.dataset', 'mmtranspose.engine.preemption'),
)


def register() -> None:
    """Make modules, configs and models known to MMPose and mmengine. Runs when ``mmtranspose`` is imported."""
    register_modules()
    register_configs()
    when_imported('mmengine.infer.infer', register_models)
    auto_resume.apply(find_latest_checkpoint)
    when_imported('mmengine.runner.checkpoint', lambda: safetensors_files.apply_to_urls(fetched))
    when_imported(
        'mmpose.datasets.datasets.base.base_coco_style_dataset', lambda: detector_box_categories.apply(person_boxes)
    )


def register_modules() -> None:
    """Register the modules: at once if MMPose's own are loaded already, else together with them on first use.

    To wait keeps ``import mmtranspose`` as quick as ``import mmpose``: loading MMPose's models takes 2 s.
    """
    for registry, theirs, ours in LOCATIONS:
        if theirs in sys.modules:
            import_module(ours)
        elif ours not in registry._locations:
            registry._locations.append(ours)


def register_configs() -> None:
    """Let ``mmengine.hub`` and ``_base_`` of configs resolve ``'mmtranspose::...'``.

    mmengine takes the part before ``::`` also for the scope of the registries to build from; modules of this package
    are in MMPose's.
    """
    MODULE2PACKAGE[PACKAGE] = PACKAGE
    replace_once(Config, '_get_cfg_path', _in_mmpose_scope)
    for name in ('mmengine.hub.hub', 'mmengine.hub'):
        when_imported(name, partial(_find_shipped_weights, name))


def _find_shipped_weights(hub: str) -> None:
    replace_once(sys.modules[hub], 'get_config', _with_place_of_weights)


def _with_place_of_weights(read: Callable) -> Callable:
    def get_config(cfg_path: str, pretrained: bool = False) -> Config:
        cfg = read(cfg_path, pretrained)
        if pretrained and cfg_path.startswith(f'{PACKAGE}::'):
            cfg.model_path = zoo.place(cfg.model_path)
        return cfg

    return get_config


def _in_mmpose_scope(resolve: Callable) -> Callable:
    def get_cfg_path(cfg_path: str, filename: str) -> tuple[str, str | None]:
        path, scope = resolve(cfg_path, filename)
        return path, 'mmpose' if scope == PACKAGE else scope

    return get_cfg_path


def register_models() -> None:
    """Let MMPose's inferencers find this package's models by name and alias, after MMPose's own."""
    from mmengine.infer.infer import BaseInferencer

    replace_once(BaseInferencer, '_get_models_from_metafile', _with_models)


def _with_models(listed: Callable) -> Callable:
    from mmengine.infer.infer import BaseInferencer

    def get_models_from_metafile(dir: str) -> Iterator[dict[str, Any]]:  # mmengine's name
        yield from listed(dir)
        if dir == BaseInferencer._get_repo_or_mim_dir('mmpose'):
            yield from zoo.models()

    return get_models_from_metafile


def fetched(url: str) -> Path:
    """The file that a URL of weights is kept in, fetched if need be."""
    from mmtranspose.loading import download

    return download.fetched(url, zoo.weights_sha256(url))


def find_latest_checkpoint(path: str) -> str | None:
    """Find the checkpoint that ``resume=True`` goes on from, in place of mmengine's function of this name.

    Raises:
        InputError: The work directory has checkpoints and none can be used.
    """
    from mmtranspose.loading.resuming import find_resumable

    found = find_resumable(path)
    return None if found is None else str(found)
