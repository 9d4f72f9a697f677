"""Which models can be accelerated."""

from __future__ import annotations

from mmpose.models.pose_estimators import TopdownPoseEstimator
from torch import nn

from mmtranspose.models.heads import TransPoseHead
from mmtranspose.models.necks import TransPoseNeck

PARTS = (
    (
        TopdownPoseEstimator,
        (
            'forward',
            'predict',
            'extract_feat',
            '_forward',
            'add_pred_to_datasample',
            'test_step',
            'val_step',
            '_run_forward',
        ),
    ),
    (TransPoseNeck, ('forward',)),
    (TransPoseHead, ('forward', 'predict')),
)


def require_acceleratable(model: nn.Module) -> None:
    """Check that an accelerated model would compute what ``model`` does.

    Raises:
        TypeError: The model is no ``TopdownPoseEstimator`` with a :class:`TransPoseNeck` and :class:`TransPoseHead`,
            computes something else than these do, is compiled, or is wrapped for distributed training.
        ValueError: The model or a part of it is in training mode.
    """
    if isinstance(getattr(model, 'module', None), nn.Module):
        raise TypeError(f'the model is wrapped in {type(model).__name__}; accelerate model.module')
    modules = dict(model.named_modules()) if isinstance(model, nn.Module) else {}
    for name, module in modules.items():
        if hasattr(module, '_orig_mod') or getattr(module, '_compiled_call_impl', None) is not None:
            raise TypeError(
                f'{_called(name)} is compiled: accelerate the eager model (of torch.compile(model) it is ._orig_mod), '
                'with compile=True if you like'
            )
        if 'forward' in vars(module):
            raise TypeError(
                f'{_called(name)} was given another forward function from outside (by CompileHook, a counter, ...), '
                'which a copy would not run: take that out first'
            )
    for (kind, methods), part in zip(PARTS, (model, *(getattr(model, name, None) for name in ('neck', 'head')))):
        _require_kind(part, kind, methods)
    for name, module in modules.items():
        if module.training:
            raise ValueError(
                f'{_called(name)} is in training mode, and what accelerate returns is for inference alone: '
                'call model.eval() first'
            )


def _called(name: str) -> str:
    return f'model.{name}' if name else 'the model'


def _require_kind(part: object, kind: type, methods: tuple[str, ...]) -> None:
    """Check that ``part`` is a ``kind`` that keeps the ``methods`` which acceleration replaces."""
    if not isinstance(part, kind):
        found = 'nothing' if part is None else f'a {type(part).__name__}'
        raise TypeError(
            f'only a TopdownPoseEstimator with TransPoseNeck and TransPoseHead can be accelerated; there is {found} '
            f'where a {kind.__name__} is wanted'
        )
    changed = [name for name in methods if getattr(type(part), name) is not getattr(kind, name)]
    if changed:
        raise TypeError(
            f'{type(part).__name__} cannot be accelerated: it has a {changed[0]} of its own, and what is fast computes '
            f"{kind.__name__}'s"
        )
