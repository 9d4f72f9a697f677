"""Check that an evaluator gives the metrics that hooks and schedulers watch, and that they take the better for better.

mmengine finds out after the first validation; and a rule that is turned round keeps the worst checkpoint as the best.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from mmengine.config import Config
from mmengine.evaluator import Evaluator
from mmengine.hooks import CheckpointHook, EarlyStoppingHook, Hook

from mmtranspose.engine.config_fields import mistake
from mmtranspose.engine.metric_names import is_error, metric_names
from mmtranspose.loading.config_overrides import did_you_mean

AUTO = 'auto'  # of CheckpointHook: the first metric


class _Watched(NamedTuple):
    """A metric that decides something.

    Attributes:
        field (str): The dotted field of its name.
        metric (str): Its name, or ``'auto'``.
        rule (str | None): ``'greater'`` or ``'less'``: which of two values is better; None if nothing says so.
    """

    field: str
    metric: str
    rule: str | None


def check_watched(cfg: Config, evaluator: Evaluator, hooks: list[Hook], schedulers: list[tuple[str, Any]]) -> None:
    """Check what ``CheckpointHook``, ``EarlyStoppingHook`` and ``ReduceOnPlateau...`` schedulers watch.

    Args:
        cfg (Config): The config.
        evaluator (Evaluator): Of the validation; if it has metrics of others, whose names are not known, all passes.
        hooks (list[Hook]): The hooks of the run.
        schedulers (list[tuple[str, Any]]): The fields of schedulers that step by a metric, and the schedulers.

    Raises:
        InputError: The evaluator does not give the metric, or the rule is missing or turned round.
    """
    names = metric_names(evaluator)
    if names is None:
        return
    for watched in (*_of_hooks(cfg, hooks, names), *(_of_scheduler(*one) for one in schedulers)):
        _check(cfg, watched, names)


def _of_hooks(cfg: Config, hooks: list[Hook], names: list[str]) -> Iterator[_Watched]:
    for hook in hooks:
        if isinstance(hook, CheckpointHook) and hook.save_best:
            for metric, rule in zip(hook.save_best, hook.rules):
                if metric == AUTO and names and rule is None:
                    rule = _inferred(hook, names[0])
                yield _Watched(_field_of_hook(cfg, 'save_best', metric, 'default_hooks.checkpoint'), metric, rule)
        elif isinstance(hook, EarlyStoppingHook):
            yield _Watched(_field_of_hook(cfg, 'monitor', hook.monitor, 'custom_hooks'), hook.monitor, hook.rule)


def _inferred(hook: CheckpointHook, metric: str) -> str | None:
    """The rule that mmengine tells from the name of a metric after the first validation; None if it cannot."""
    try:
        return CheckpointHook(save_best=metric, greater_keys=hook.greater_keys, less_keys=hook.less_keys).rules[0]
    except ValueError:
        return None


def _of_scheduler(field: str, scheduler: Any) -> _Watched:
    return _Watched(f'{field}.monitor', scheduler.monitor, scheduler.rule)


def _check(cfg: Config, watched: _Watched, names: list[str]) -> None:
    field, metric, rule = watched
    if metric == AUTO and not names:
        raise mistake(cfg, field, f'={AUTO!r}, but val_evaluator gives no metric; set it to None')
    if metric == AUTO:
        metric = names[0]
    elif metric not in names:
        near = did_you_mean(metric, names) or f'; choose from {", ".join(names) or "none"}'
        raise mistake(cfg, field, f'={metric!r} is not a metric that val_evaluator gives{near}')
    right = 'less' if is_error(metric) else 'greater'
    if rule != right:
        better = 'smaller' if is_error(metric) else 'greater'
        field = f'{field.rpartition(".")[0]}.rule'
        raise mistake(cfg, field, f'={rule!r}, but a {better} {metric} is better; set it to {right!r}')


def _field_of_hook(cfg: Config, key: str, metric: str, otherwise: str) -> str:
    """The field of a hook that holds the name of a metric."""
    for section in ('default_hooks', 'custom_hooks'):
        hooks = cfg.get(section) or {}
        for name, hook in hooks.items() if isinstance(hooks, Mapping) else enumerate(hooks):
            if isinstance(hook, Mapping) and metric in str(hook.get(key)):
                return f'{section}.{name}.{key}'
    return f'{otherwise}.{key}'
