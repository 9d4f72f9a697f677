"""Build all parts of a run before its first step, so that mistakes in the config are found before anything is lost."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Iterator, Mapping
from math import inf
from typing import Any

import torch
from mmengine.config import Config
from mmengine.optim import OptimWrapper, OptimWrapperDict, ReduceOnPlateauParamScheduler
from mmengine.runner import Runner
from mmpose.evaluation.metrics import CocoMetric

from mmtranspose.engine.config_fields import NO_SAMPLE, mistake, naming_fields
from mmtranspose.engine.metric_check import check_metrics
from mmtranspose.engine.metric_names import metric_names
from mmtranspose.engine.random_states import random_states_kept
from mmtranspose.engine.shape_check import check_input_size, check_shapes, samples_at
from mmtranspose.engine.watched_metrics import check_watched
from mmtranspose.errors import require_choice

TRIED_STEPS = 1000  # of a scheduler; where it begins later, its arithmetic is not tried


def check_run(runner: Runner, loaders: tuple[str, ...]) -> None:
    """Build what a runner builds when it starts, and try it: loaders, optimiser, schedulers, evaluators, shapes.

    The runner keeps what was built, so nothing is built twice. Random states, model and devices are left as they are.

    Args:
        runner (Runner): From ``Runner.from_cfg``.
        loaders (tuple[str, ...]): The data loaders that the run will use (``'train_dataloader'``, ...).

    Raises:
        InputError: A value in the config cannot be used; the message names its field.
    """
    cfg = runner.cfg
    if 'train_dataloader' in loaders:
        with naming_fields(cfg, 'train_cfg', 'train_dataloader'):
            loader = runner.train_loop.dataloader
        _check_dataset(cfg, 'train_dataloader', loader)
        _check_optimizer(runner)
        by_metric = _check_schedulers(runner)
        with random_states_kept():
            check_shapes(runner.model, cfg, 'train_dataloader', loader)
    for split in ('val', 'test'):
        if f'{split}_dataloader' in loaders and cfg.get(f'{split}_cfg') is not None:
            with naming_fields(cfg, f'{split}_cfg', f'{split}_dataloader', f'{split}_evaluator'):
                loop = getattr(runner, f'{split}_loop')
            _check_evaluator(cfg, f'{split}_evaluator', loop.evaluator)
            _check_dataset(cfg, f'{split}_dataloader', loop.dataloader)
            with random_states_kept():
                check_input_size(runner.model, cfg, f'{split}_dataloader', loop.dataloader)
                samples = samples_at(cfg, f'{split}_dataloader', loop.dataloader, _first(loop.dataloader.dataset))
                check_metrics(cfg, split, loop.evaluator, samples)
    if 'train_dataloader' in loaders and 'val_dataloader' in loaders and runner.val_loop is not None:
        check_watched(cfg, runner.val_loop.evaluator, runner.hooks, by_metric)


def _check_dataset(cfg: Config, name: str, loader: Any) -> None:
    """Check that a data loader has batches."""
    samples, batches = len(loader.dataset), len(loader)
    if samples == 0:
        raise mistake(cfg, f'{name}.dataset', NO_SAMPLE)
    if batches == 0:
        raise mistake(
            cfg, name, f'no batch is left: batch_size={loader.batch_size} with drop_last=True, but {samples} samples'
        )


def _first(dataset: Any) -> list[int]:
    """The indices of the first two samples, and of the first of each dataset that was put together."""
    inner = getattr(dataset, 'datasets', ())
    starts = itertools.accumulate(getattr(dataset, 'lens', None) or map(len, inner))
    return sorted({0, *(index for index in (1, *starts) if index < len(dataset))})


def _check_evaluator(cfg: Config, name: str, evaluator: Any) -> None:
    counts = Counter(metric_names(evaluator) or ())
    for metric, count in counts.items():
        if count > 1:
            raise mistake(cfg, name, f'{count} metrics are called {metric!r}; give each a prefix of its own')
    for metric in getattr(evaluator, 'metrics', ()):
        if isinstance(metric, CocoMetric):
            with naming_fields(cfg, name):
                require_choice('iou_type', metric.iou_type, ('keypoints', 'keypoints_crowd'))


def _check_optimizer(runner: Runner) -> None:
    cfg = runner.cfg
    with naming_fields(cfg, 'optim_wrapper'):
        runner.optim_wrapper = runner.build_optim_wrapper(runner.optim_wrapper)
    for wrapper in _wrappers(runner.optim_wrapper):
        for group in wrapper.optimizer.param_groups:
            if not 0 <= group['lr'] < inf:
                raise mistake(cfg, 'optim_wrapper', f'it gives the learning rate {group["lr"]}; 0 or more is expected')


def _wrappers(wrapper: OptimWrapper) -> list[OptimWrapper]:
    return list(wrapper.values()) if isinstance(wrapper, OptimWrapperDict) else [wrapper]


def _check_schedulers(runner: Runner) -> list[tuple[str, Any]]:
    """Build the schedulers for an optimiser of the same learning rates that trains nothing, and step them.

    The runner builds its own later, after it has scaled the learning rates (``auto_scale_lr``).

    Returns:
        list[tuple[str, Any]]: The fields of schedulers that step by a metric, and the schedulers, which did not step.
    """
    cfg, schedulers, wrapper = runner.cfg, runner.param_schedulers, runner.optim_wrapper
    if schedulers is None:
        return []
    by_metric = []
    several = isinstance(wrapper, OptimWrapperDict)
    try:
        runner.optim_wrapper = (
            OptimWrapperDict(**{name: _idle(one) for name, one in wrapper.items()}) if several else _idle(wrapper)
        )
        with naming_fields(cfg, 'param_scheduler'):
            built = runner.build_param_scheduler(schedulers)
        for field, scheduler in _numbered(built):
            if isinstance(scheduler, ReduceOnPlateauParamScheduler):
                by_metric += [(field, scheduler)] if scheduler.by_epoch else []  # mmengine steps no others
                continue
            with naming_fields(cfg, field):
                nonsense = _nonsense(scheduler)
            if nonsense is not None:
                raise mistake(cfg, field, nonsense)
    finally:
        runner.optim_wrapper = wrapper
    return by_metric


def _idle(wrapper: OptimWrapper) -> OptimWrapper:
    """An optimiser of one parameter for each group of another, with the hyperparameters of that."""
    groups = wrapper.optimizer.param_groups
    idle = torch.optim.SGD([dict(params=[torch.nn.Parameter(torch.zeros(()))]) for _ in groups], lr=0.0)
    for group, theirs in zip(idle.param_groups, groups):
        group.update({key: value for key, value in theirs.items() if key != 'params'})
    idle.defaults = dict(wrapper.optimizer.defaults)
    return OptimWrapper(idle)


def _numbered(schedulers: Any) -> Iterator[tuple[str, Any]]:
    """The schedulers and their fields in the config."""
    if isinstance(schedulers, Mapping):
        for name, some in schedulers.items():
            for index, one in enumerate(some):
                yield f'param_scheduler.{name}.{index}', one
    else:
        for index, one in enumerate(schedulers):
            yield f'param_scheduler.{index}' if len(schedulers) > 1 else 'param_scheduler', one


def _nonsense(scheduler: Any) -> str | None:
    """Step a scheduler from its beginning on, and describe the first value that no optimiser takes."""
    for _ in range(min(scheduler.begin + 3, TRIED_STEPS)):  # a division by zero comes up at the second or third step
        scheduler.optimizer.step()
        scheduler.step()
        for group in scheduler.optimizer.param_groups:
            value = group.get(scheduler.param_name, 0)
            if isinstance(value, complex) or not 0 <= value < inf:
                return f'it sets {scheduler.param_name} to {value} after {scheduler.last_step} steps'
    return None
