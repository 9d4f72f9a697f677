"""Private names of torch, mmengine, mmcv and mmpose that this package depends on.

A library may rename or drop a private name in any release, so :data:`PRIVATE_NAMES` lists each one with the version in
which it was seen, and a test looks all of them up in the installed versions. Other files take private functions and
classes from this module. Only private attributes and methods of an object or a base class are used where they are
needed; for those the table names the files.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm as BatchNorm
from torch.nn.modules.conv import _ConvNd as Convolution

if TYPE_CHECKING:
    import numpy as np
    from mmpose.structures import PoseDataSample

__all__ = [
    'PRIVATE_NAMES',
    'BatchNorm',
    'Convolution',
    'cpu_computes_natively',
    'cpu_has',
    'listed_models',
    'load_checkpoint_to_model',
    'mark_dynamic',
    'track_by_oks',
]

TORCH, MMENGINE, MMCV, MMPOSE = 'torch 2.11.0', 'mmengine 0.10.7', 'mmcv 2.1.0', 'mmpose 1.3.2'
MMDET = 'mmdet 3.3.0'
HERE = 'compat/upstream'


class PrivateName(NamedTuple):
    """A private name of a library.

    Attributes:
        seen_in (str): The library and the version in which the name was seen.
        name (str): ``'module:attribute.path'``, as ``pkgutil.resolve_name`` takes it.
        used_by (str): The files of this package that use, override or replace it, without ``.py``, separated by spaces.
    """

    seen_in: str
    name: str
    used_by: str = HERE


ESTIMATOR = 'acceleration/accelerated_estimator'
ACCELERATED = f'{ESTIMATOR} acceleration/accelerating'
ANNOTATIONS = 'dataset_check/annotation_file'
INDICES = 'dataset_check/config_datasets dataset_check/evaluation_needs'
LOOP = 'engine/loops/resumable_train_loop'
SAVING = 'compat/checkpoint_retention engine/hooks/resumable_checkpoint_hook'
TRANSFORMS = 'datasets/transforms/topdown_transforms'

PRIVATE_NAMES = (
    PrivateName(TORCH, 'torch._dynamo:maybe_mark_dynamic'),
    PrivateName(TORCH, 'torch._dynamo.eval_frame:OptimizedModule._orig_mod', 'models/unwrapping'),
    PrivateName(TORCH, 'torch.cpu:_is_amx_fp16_supported'),
    PrivateName(TORCH, 'torch.cpu:_is_amx_tile_supported'),
    PrivateName(TORCH, 'torch.cpu:_is_avx512_bf16_supported'),
    PrivateName(TORCH, 'torch.nn.modules.batchnorm:_BatchNorm'),
    PrivateName(TORCH, 'torch.nn.modules.conv:_ConvNd'),
    PrivateName(TORCH, 'torch.nn:Module._apply', ESTIMATOR),
    PrivateName(TORCH, 'torch.nn:Module._compiled_call_impl', 'models/unwrapping'),
    PrivateName(TORCH, 'torch.nn:Module._load_from_state_dict', ESTIMATOR),
    PrivateName(TORCH, 'torch.nn:Module._register_state_dict_hook', ESTIMATOR),
    PrivateName(TORCH, 'torch.ops:mkldnn._is_mkldnn_bf16_supported'),
    PrivateName(TORCH, 'torch.ops:mkldnn._is_mkldnn_fp16_supported'),
    PrivateName(MMENGINE, 'mmengine.config:Config._get_cfg_path', 'registration'),
    PrivateName(MMENGINE, 'mmengine.dataset:BaseDataset._indices', INDICES),
    PrivateName(MMENGINE, 'mmengine.hooks:CheckpointHook._save_checkpoint_with_step', SAVING),
    PrivateName(MMENGINE, 'mmengine.hooks:CheckpointHook._save_best_checkpoint', SAVING),
    PrivateName(MMENGINE, 'mmengine.infer:BaseInferencer._get_models_from_metafile', f'{HERE} registration'),
    PrivateName(MMENGINE, 'mmengine.infer:BaseInferencer._get_repo_or_mim_dir', f'{HERE} registration'),
    PrivateName(MMENGINE, 'mmengine.infer:BaseInferencer._init_collate', 'compat/inferencer_collate'),
    PrivateName(MMENGINE, 'mmengine.model:BaseModel._run_forward', 'acceleration/accelerating'),
    PrivateName(MMENGINE, 'mmengine.model:BaseModel._set_device', ESTIMATOR),
    PrivateName(
        MMENGINE,
        'mmengine.model:ImgDataPreprocessor._channel_conversion',
        'models/data_preprocessors/transpose_data_preprocessor',
    ),
    PrivateName(MMENGINE, 'mmengine.optim:_ParamScheduler', 'compat/scheduler_resume'),
    PrivateName(MMENGINE, 'mmengine.optim:ConstantLR._global_step', 'compat/scheduler_resume'),
    PrivateName(MMENGINE, 'mmengine.registry:Registry._locations', 'registration'),
    PrivateName(MMENGINE, 'mmengine.runner:EpochBasedTrainLoop._decide_current_val_interval', LOOP),
    PrivateName(MMENGINE, 'mmengine.runner.checkpoint:_load_checkpoint_to_model'),
    PrivateName(MMENGINE, 'mmengine.runner.runner:_load_checkpoint', 'compat/bare_state_dict'),
    PrivateName(MMENGINE, 'mmengine.utils.manager:_release_lock', 'compat/manager_lock'),
    PrivateName(MMCV, 'mmcv._ext:nms', 'compat/mmcv_ops'),
    PrivateName(MMCV, 'mmcv._ext:roi_align_forward', 'compat/mmcv_ops'),
    PrivateName(MMDET, 'mmdet.models.dense_heads:YOLOXHead._bbox_decode', 'detection/detector_graph'),
    PrivateName(MMPOSE, 'mmpose.apis:_track_by_oks'),
    PrivateName(MMPOSE, 'mmpose.datasets.datasets.base:BaseCocoStyleDataset._is_valid_instance', ANNOTATIONS),
    PrivateName(MMPOSE, 'mmpose.datasets.datasets.base:BaseCocoStyleDataset._load_annotations', ANNOTATIONS),
    PrivateName(MMPOSE, 'mmpose.datasets.transforms:RandomBBoxTransform._get_transform_params', TRANSFORMS),
    PrivateName(MMPOSE, 'mmpose.datasets.transforms:TopdownAffine._fix_aspect_ratio', TRANSFORMS),
    PrivateName(
        MMPOSE,
        'mmpose.engine.hooks:PoseVisualizationHook._test_index',
        'engine/hooks/interval_visualization_hook',
    ),
    PrivateName(MMPOSE, 'mmpose.models:HRNet._make_stage', 'models/backbones/hrnet_small'),
    PrivateName(
        MMPOSE,
        'mmpose.models:PoseDataPreprocessor._get_pad_shape',
        'models/data_preprocessors/transpose_data_preprocessor',
    ),
    PrivateName(MMPOSE, 'mmpose.models:TopdownPoseEstimator._forward', f'{ACCELERATED} deployment/exported_estimator'),
    PrivateName(
        MMPOSE,
        'mmpose.models.pose_estimators.base:BasePoseEstimator._load_state_dict_pre_hook',
        'models/released_weights',
    ),
)


def cpu_has(feature: str) -> bool:
    """Whether the processor has ``'amx_fp16'``, ``'amx_tile'`` or ``'avx512_bf16'``; False where torch cannot tell."""
    return getattr(torch.cpu, f'_is_{feature}_supported', lambda: False)()


def cpu_computes_natively(name: str) -> bool:
    """Whether oneDNN computes ``'bf16'`` or ``'fp16'`` on this processor.

    For ``'bf16'`` on x86 oneDNN asks for AVX-512 only, with which it emulates bfloat16.
    """
    return getattr(torch.ops.mkldnn, f'_is_mkldnn_{name}_supported')()


def mark_dynamic(tensor: Tensor, dim: int) -> None:
    """Let ``torch.compile`` leave the size of a dimension open, if it can."""
    torch._dynamo.maybe_mark_dynamic(tensor, dim)


def load_checkpoint_to_model(model: nn.Module, checkpoint: dict) -> None:
    """Load weights as mmengine's ``load_checkpoint`` does, from a file's content instead of from the file.

    Args:
        model (nn.Module): Changed in place.
        checkpoint (dict): A state dict, bare or under ``state_dict``. Entries that do not fit the model are logged and
            left out.
    """
    from mmengine.runner.checkpoint import _load_checkpoint_to_model

    _load_checkpoint_to_model(model, checkpoint)


def listed_models(package: str) -> tuple[Path, Iterator[dict]]:
    """The models in the metafiles of an installed OpenMMLab package.

    Args:
        package (str): ``'mmdet'``, ``'mmpose'``, ...

    Returns:
        tuple[Path, Iterator[dict]]: The folder that paths in the metafiles start from; the models' entries (``Name``,
        ``Config``, ``Weights``, ...).
    """
    from mmengine.infer import BaseInferencer

    folder = BaseInferencer._get_repo_or_mim_dir(package)
    return Path(folder), BaseInferencer._get_models_from_metafile(folder)


def track_by_oks(
    sample: PoseDataSample, known: list[PoseDataSample], oks_threshold: float, sigmas: np.ndarray
) -> tuple[int, list[PoseDataSample]]:
    """Find a person among those of earlier frames by object keypoint similarity (OKS).

    Args:
        sample (PoseDataSample): One person.
        known (list[PoseDataSample]): People of earlier frames, with ``track_id``; the one that is found is removed.
        oks_threshold (float): Samples with a greater similarity may be the same person.
        sigmas (np.ndarray): (K,), of the keypoints.

    Returns:
        tuple[int, list[PoseDataSample]]: The ``track_id`` of the most similar person, -1 if none is similar enough;
        and ``known``.
    """
    from mmpose.apis import _track_by_oks

    track_id, known, _ = _track_by_oks(sample, known, oks_threshold, sigmas=sigmas)
    return track_id, known
