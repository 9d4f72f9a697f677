"""Make a runner of mmengine for ``mmtranspose train`` and ``mmtranspose test`` from a config and options."""

from __future__ import annotations

import argparse
from pathlib import Path

import torch
from mmengine.config import Config
from mmengine.runner import Runner
from mmpose.registry import MODELS

from mmtranspose.compat import cpu_distributed
from mmtranspose.dataset_check.before_run import check_data
from mmtranspose.dataset_check.findings import Report
from mmtranspose.engine.config_check import check_run
from mmtranspose.engine.config_fields import naming_fields
from mmtranspose.engine.config_values import check_values
from mmtranspose.engine.optim import supports_bfloat16
from mmtranspose.errors import InputError
from mmtranspose.files.output_paths import require_output_file, require_writable
from mmtranspose.loading.checkpoint import Checkpoint
from mmtranspose.loading.config import load_config, merge_options, require_model
from mmtranspose.loading.resuming import find_resumable, warn_of_newer
from mmtranspose.models.data_preprocessors import TransPoseDataPreprocessor
from mmtranspose.models.heads import TransPoseHead
from mmtranspose.models.unwrapping import unwrapped
from mmtranspose_cli.terminal import printable


def runner_config(args: argparse.Namespace) -> Config:
    """Read the config and apply the options that ``train`` and ``test`` share.

    The work directory is that of ``--work-dir``, else the config's, else ``work_dirs/CONFIG_NAME``.

    Args:
        args (argparse.Namespace): ``config``, ``cfg_options``, ``launcher``, ``work_dir``, ``allow_partial``, ``show``,
            ``show_dir``, ``wait_time``, ``interval``, ``no_data_check``; those of ``test`` have ``badcase``, too.

    Raises:
        InputError: The config cannot be read, or lacks the hook that draws predictions.
    """
    cfg = load_config(args.config, args.cfg_options)
    require_model(cfg)
    cfg.launcher = args.launcher
    if args.work_dir is not None:
        cfg.work_dir = args.work_dir
    elif cfg.get('work_dir') is None:
        cfg.work_dir = str(Path('work_dirs') / Path(cfg.filename).stem)
    if args.allow_partial:
        cfg.allow_partial = True
    if args.no_data_check:
        cfg.data_check = False
    badcase = getattr(args, 'badcase', False)  # the hook of --badcase shows images itself
    if args.show_dir is not None:
        require_writable(args.show_dir, '--show-dir')
    if (args.show and not badcase) or args.show_dir is not None:
        hook = _default_hook(cfg, 'visualization', 'PoseVisualizationHook')
        if hook['type'] == 'PoseVisualizationHook':
            hook['type'] = 'IntervalVisualizationHook'
        hook.update(
            enable=True,
            show=args.show and not badcase,
            wait_time=args.wait_time,
            out_dir=args.show_dir,
            interval=args.interval,
        )
    return cfg


def _default_hook(cfg: Config, name: str, kind: str) -> dict:
    if name not in cfg.get('default_hooks', {}):
        raise InputError(f'the config has no default_hooks.{name}; add {name}=dict(type={kind!r})')
    return cfg.default_hooks[name]


def train_config(args: argparse.Namespace) -> Config:
    """Make the config of a training run, as MMPose's ``tools/train.py`` does from its options.

    Args:
        args (argparse.Namespace): As for :func:`runner_config`, with ``no_validate``, ``amp``, ``resume``,
            ``auto_scale_lr``, ``save_every``.

    Raises:
        InputError: The config cannot be read, or an option does not fit it; or the run is to be resumed, and none of
            the checkpoints in its work directory can be used.
    """
    cfg = runner_config(args)
    if args.no_validate:
        cfg.val_cfg = cfg.val_dataloader = cfg.val_evaluator = None
    if args.amp:
        _use_amp(cfg)
    if args.resume not in (None, 'auto'):
        cfg.resume, cfg.load_from = True, args.resume
    if (cfg.get('default_hooks', {}).get('checkpoint') or {}).get('type') == 'CheckpointHook':
        cfg.default_hooks.checkpoint.type = 'ResumableCheckpointHook'
    if args.save_every is not None:
        _default_hook(cfg, 'checkpoint', 'ResumableCheckpointHook')['save_every'] = args.save_every
    loop = cfg.get('train_cfg') or {}
    if loop.get('type') == 'ResumableTrainLoop' and loop.get('by_epoch'):
        del cfg.train_cfg['by_epoch']  # mmengine takes a type or by_epoch
    if args.auto_scale_lr:
        if not cfg.get('auto_scale_lr', {}).get('base_batch_size'):
            raise InputError('--auto-scale-lr needs auto_scale_lr=dict(base_batch_size=...) in the config')
        cfg.auto_scale_lr.enable = True
    merge_options(cfg, args.cfg_options)  # again, so that options override flags, as in MMPose's tools
    if args.resume not in (None, 'auto'):
        warn_of_newer(args.resume, checkpoint_folder(cfg))
    if args.resume == 'auto' or (cfg.get('resume') and cfg.get('load_from') is None):
        found = find_resumable(checkpoint_folder(cfg))
        cfg.resume = found is not None
        if found is not None:  # else a transfer starts, which needs its load_from
            cfg.load_from = str(found)
    return cfg


def checkpoint_folder(cfg: Config) -> Path:
    """Where the checkpoints of a run are: in its work directory, or in a folder of its name in ``out_dir``."""
    out_dir = (cfg.get('default_hooks', {}).get('checkpoint') or {}).get('out_dir')
    return Path(cfg.work_dir) if out_dir is None else Path(out_dir) / Path(cfg.work_dir).name


def _use_amp(cfg: Config) -> None:
    """Set mixed precision: bfloat16 where the GPU has it, else float16 with a loss scale, as MMPose's ``--amp``."""
    if not torch.cuda.is_available():
        raise InputError('--amp needs a GPU: on a CPU mixed precision makes training slower')
    kind = cfg.optim_wrapper.get('type', 'OptimWrapper')
    if kind not in ('OptimWrapper', 'AmpOptimWrapper', 'Bfloat16OptimWrapper'):
        raise InputError(f'--amp cannot be used with optim_wrapper.type={kind!r}')
    if kind == 'OptimWrapper' and 'loss_scale' not in cfg.optim_wrapper and supports_bfloat16():
        kind = 'Bfloat16OptimWrapper'
    cfg.optim_wrapper.type = 'AmpOptimWrapper' if kind == 'OptimWrapper' else kind
    if cfg.optim_wrapper.type == 'AmpOptimWrapper':
        cfg.optim_wrapper.setdefault('loss_scale', 'dynamic')


def test_config(args: argparse.Namespace) -> Config:
    """Make the config of a test run, as MMPose's ``tools/test.py`` does from its options.

    Args:
        args (argparse.Namespace): As for :func:`runner_config`, with ``checkpoint``, ``badcase``, ``accelerate``,
            ``out``, ``dump``, ``split``, ``allow_non_finite``.

    Raises:
        InputError: The config cannot be read, or an option does not fit it.
    """
    cfg = runner_config(args)
    cfg.load_from = args.checkpoint
    if args.split == 'val':
        if not (cfg.get('val_dataloader') and cfg.get('val_evaluator')):
            raise InputError('--split val: the config has no val_dataloader or no val_evaluator')
        cfg.test_dataloader, cfg.test_evaluator = cfg.val_dataloader, cfg.val_evaluator
    if args.badcase:
        badcase = _default_hook(cfg, 'badcase', 'BadCaseAnalysisHook')
        badcase.update(enable=True, show=args.show, wait_time=args.wait_time, interval=args.interval)
        by_loss = badcase.get('metric_type', 'loss') == 'loss'
        badcase.setdefault('metric', cfg.model.head.loss if by_loss else cfg.test_evaluator)
    merge_options(cfg, args.cfg_options)  # again, so that options override flags, as in MMPose's tools
    if 'allow_partial' in cfg:  # in the config it is meant for training
        cfg.allow_partial = args.allow_partial
    if args.allow_non_finite:
        cfg.allow_non_finite = True
    if args.accelerate is not None:
        cfg.custom_hooks = [*cfg.get('custom_hooks', []), dict(type='AccelerationHook', dtype=args.accelerate)]
    if args.out is not None:
        require_output_file(args.out, '--out', (args.config, args.checkpoint))
        if not args.out.endswith(('.json', '.yaml', '.yml', '.pkl', '.pickle')):
            raise InputError(f'--out {args.out}: the file must end in .json, .yaml or .pkl')
        cfg.custom_hooks = [*cfg.get('custom_hooks', []), dict(type='SaveMetricsHook', path=args.out)]
    if args.dump is not None:
        require_output_file(args.dump, '--dump', (args.config, args.checkpoint))
        if not args.dump.endswith(('.pkl', '.pickle')):
            raise InputError(f'--dump {args.dump}: the file must end in .pkl or .pickle')
        evaluators = cfg.test_evaluator if isinstance(cfg.test_evaluator, (list, tuple)) else [cfg.test_evaluator]
        cfg.test_evaluator = [*evaluators, dict(type='DumpResults', out_file_path=args.dump)]
    return cfg


def build_runner(cfg: Config, loaders: tuple[str, ...]) -> Runner:
    """Check a config, its data files and its checkpoint, and build mmengine's runner with all of its parts.

    Args:
        cfg (Config): From :func:`train_config` or :func:`test_config`.
        loaders (tuple[str, ...]): The data loaders that the run will use (``'train_dataloader'``, ...).

    Raises:
        InputError: A data file, the checkpoint or a value in the config cannot be used, or the work directory cannot
            be written to; the message names it.
    """
    require_writable(cfg.work_dir, '--work-dir')
    check_values(cfg, loaders)
    found = check_data(cfg, loaders) if cfg.get('data_check', True) else None
    if 'train_dataloader' in loaders:
        _check_batches(cfg)
    if cpu_distributed.init_process_group(cfg.launcher):
        cpu_distributed.wrap_on_cpu(cfg)
    load_from = cfg.get('load_from')
    on_disk = load_from is not None and '://' not in load_from
    allowed = cfg.get('allow_non_finite', False)
    checkpoint = Checkpoint.read(load_from, allowed) if on_disk else None  # before anything is built or written
    with naming_fields(cfg, 'model', 'default_hooks', 'custom_hooks', 'visualizer', 'log_processor', 'env_cfg'):
        runner = Runner.from_cfg(cfg)
    if load_from is not None:  # a URL is fetched now: only rank 0 does it once there is a process group
        _check_checkpoint(runner, checkpoint or Checkpoint.read(load_from, allowed), cfg)
    if found is not None:
        _warn(runner, found)
    check_run(runner, loaders)
    return runner


def _warn(runner: Runner, found: Report) -> None:
    """Log what the check of the data left out, and its warnings."""
    lines = [*found.left_out(), *found.lines('warning')]
    if lines:
        runner.logger.warning('the check of the data found:\n%s', '\n'.join(map(printable, lines)))


def _check_batches(cfg: Config) -> None:
    """Check that preprocessor and head take the batches of ``tensor_collate``: tensors, without samples.

    MMPose's preprocessor and heads do not; they would fail at the first step.

    Raises:
        InputError: One of the two does not take such batches.
    """
    collate = cfg.train_dataloader.get('collate_fn') or {}
    if collate.get('type') != 'tensor_collate' or collate.get('keep_samples'):
        return
    for name, wanted in (('data_preprocessor', TransPoseDataPreprocessor), ('head', TransPoseHead)):
        kind = (cfg.model.get(name) or {}).get('type')
        known = MODELS.get(kind) if isinstance(kind, str) else kind
        if known is not None and not issubclass(known, wanted):
            raise InputError(
                f"model.{name} is a {known.__name__}, which does not take tensor_collate's batches: set "
                "train_dataloader.collate_fn=dict(type='tensor_collate', keep_samples=True), and put GenerateTarget in "
                'place of KeypointTarget into the train_pipeline'
            )


def _check_checkpoint(runner: Runner, checkpoint: Checkpoint, cfg: Config) -> None:
    model = unwrapped(runner.model)
    if cfg.get('resume'):
        checkpoint.require_resumable()
        checkpoint.require_match(model, advice='A run is resumed with the config that it began with.')
    else:
        checkpoint.require_match(model, cfg.get('allow_partial', False))
