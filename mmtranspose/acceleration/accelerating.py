"""Make the accelerated form of a pose estimator, and get the estimator back from it."""

from __future__ import annotations

from typing import Any

from mmpose.models.pose_estimators import TopdownPoseEstimator
from torch import nn

from mmtranspose.acceleration.accelerated_estimator import AcceleratedPoseEstimator
from mmtranspose.acceleration.options import AccelerationOptions
from mmtranspose.errors import InputError, UnsupportedModelError
from mmtranspose.models.heads import TransPoseHead
from mmtranspose.models.necks import TransPoseNeck
from mmtranspose.models.unwrapping import compiled_part, is_wrapped
from mmtranspose.typing import PoseEstimator


def accelerate(model: PoseEstimator, dtype: str = 'fp32', **options: Any) -> AcceleratedPoseEstimator:
    """Make a faster pose estimator for inference, with the interface and the results of ``model``.

    Measured on a CPU with R-A3 and H-S at 256x192 pixels, with random weights scaled so that activations neither vanish
    nor explode: in fp32, heatmaps differ from those of ``model`` by at most 6e-7 of their range (tests allow 1e-5 for
    all five variants); in bf16 by 0.7 % (R-A3) and 1.1 % (H-S), as much as those of ``model`` in bf16. Compiled code
    adds in another order, and in half precision rounds at other places.

    Args:
        model (PoseEstimator): A ``TopdownPoseEstimator`` in evaluation mode, from ``init_model``. It is not changed,
            and later changes to it (training, loading) do not reach the result. If it is an accelerated model, its
            original is taken.
        dtype (str): The network's number format: ``'fp32'``, ``'bf16'`` or ``'fp16'``.
        **options: The other fields of :class:`~mmtranspose.acceleration.AccelerationOptions`, such as ``compile=True``.

    Returns:
        AcceleratedPoseEstimator: It also has ``heatmaps(inputs)``; :func:`decelerate` returns ``model``.

    Raises:
        InputError: An option or its value is unknown, or the model is in training mode.
        UnsupportedModelError: The model cannot be accelerated; see :func:`require_acceleratable`.
    """
    checked = AccelerationOptions.by_name(dtype=dtype, **options)
    if isinstance(model, AcceleratedPoseEstimator):
        model = model.original
    require_acceleratable(model)
    device = next(model.parameters()).device
    if checked.backend == 'openvino' and device.type != 'cpu':
        raise InputError(f"backend='openvino' runs on the CPU, and the model is on {device}: leave the option out")
    return AcceleratedPoseEstimator(model, checked)


def decelerate(model: PoseEstimator) -> PoseEstimator:
    """Return the model that was accelerated: the same object, unchanged.

    Raises:
        UnsupportedModelError: ``model`` does not come from :func:`accelerate`.
    """
    if not isinstance(model, AcceleratedPoseEstimator):
        raise UnsupportedModelError(f'the model is not accelerated: it is a {type(model).__name__}')
    return model.original


ESTIMATOR_METHODS = (
    'forward',
    'predict',
    'extract_feat',
    '_forward',
    'add_pred_to_datasample',
    'test_step',
    'val_step',
    '_run_forward',
)


def require_acceleratable(model: object) -> None:
    """Check that an accelerated model would compute what ``model`` computes.

    Raises:
        UnsupportedModelError: The model is not a ``TopdownPoseEstimator`` with a :class:`TransPoseNeck` and a
            :class:`TransPoseHead`; overrides a method that acceleration replaces; is compiled; has a module with a
            forward function set from outside; or is wrapped for distributed training.
        InputError: The model or a part of it is in training mode.
    """
    if is_wrapped(model):
        raise UnsupportedModelError(f'the model is wrapped in {type(model).__name__}; accelerate model.module')
    if isinstance(model, nn.Module):
        _require_plain_modules(model)
    _require_class(model, TopdownPoseEstimator, ESTIMATOR_METHODS)
    _require_class(getattr(model, 'neck', None), TransPoseNeck, ('forward',))
    _require_class(getattr(model, 'head', None), TransPoseHead, ('forward', 'predict'))
    if isinstance(model, nn.Module):
        _require_evaluation_mode(model)


def _require_plain_modules(model: nn.Module) -> None:
    """Check that each module runs the forward function of its class, uncompiled."""
    compiled = compiled_part(model)
    if compiled is not None:
        raise UnsupportedModelError(
            f'{_module_title(compiled)} is compiled: accelerate the eager model (of torch.compile(model) it is '
            '._orig_mod), with compile=True if you like'
        )
    for name, module in model.named_modules():
        if 'forward' in vars(module):
            raise UnsupportedModelError(
                f'{_module_title(name)} was given another forward function from outside (by CompileHook, a counter, '
                '...), which a copy would not run: take that out first'
            )


def _require_class(part: object, wanted: type, methods: tuple[str, ...]) -> None:
    """Check that ``part`` is a ``wanted`` whose class does not override the ``methods`` that acceleration replaces."""
    if not isinstance(part, wanted):
        found = 'nothing' if part is None else f'a {type(part).__name__}'
        raise UnsupportedModelError(
            f'only a TopdownPoseEstimator with TransPoseNeck and TransPoseHead can be accelerated; there is {found} '
            f'where a {wanted.__name__} is expected'
        )
    changed = [name for name in methods if getattr(type(part), name) is not getattr(wanted, name)]
    if changed:
        raise UnsupportedModelError(
            f'{type(part).__name__} cannot be accelerated: it has a {changed[0]} of its own, and the fast version '
            f"computes {wanted.__name__}'s"
        )


def _require_evaluation_mode(model: nn.Module) -> None:
    for name, module in model.named_modules():
        if module.training:
            raise InputError(
                f'{_module_title(name)} is in training mode, and what accelerate returns is for inference only: '
                'call model.eval() first'
            )


def _module_title(name: str) -> str:
    return f'model.{name}' if name else 'the model'
