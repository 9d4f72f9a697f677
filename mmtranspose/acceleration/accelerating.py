"""From a model to its faster double and back."""

from __future__ import annotations

from mmpose.models.pose_estimators import TopdownPoseEstimator
from torch import nn

from mmtranspose.acceleration.accelerated_estimator import AcceleratedPoseEstimator
from mmtranspose.acceleration.options import AccelerationOptions
from mmtranspose.models.heads import TransPoseHead
from mmtranspose.models.necks import TransPoseNeck
from mmtranspose.models.unwrapping import is_compiled


def accelerate(
    model: TopdownPoseEstimator,
    dtype: str = 'fp32',
    fold_batch_norm: bool = True,
    channels_last: bool = True,
    fuse_encoder: bool = True,
    flip_in_one_pass: bool = True,
    compile: bool | dict = False,  # noqa: A002  torch's name
    cuda_graphs: bool = True,
    max_batch_size: int | None = None,
) -> AcceleratedPoseEstimator:
    """A model with the same interface and results as ``model``, faster at inference.

    Measured with R-A3 and H-S on a CPU, 256x192 pixels, weights drawn at random by a rule that keeps activations in
    scale: heatmaps differ from ``model``'s by at most 6e-7 of their range in fp32 (tests hold all five variants to
    1e-5), in bf16 by 0.7 % (R-A3) and 1.1 % (H-S), which is what the plain model has in bf16. Compiled code changes the
    order of sums, and in half precision where it rounds. CUDA graphs have not been run yet: there was no GPU to run
    them on.

    Args:
        model (TopdownPoseEstimator): From ``init_model``, in evaluation mode; it is not changed. What is done to it
            later (training, loading) does not reach the accelerated one. An accelerated model's original is taken.
        dtype (str): ``'fp32'``, ``'bf16'`` or ``'fp16'``, for the network; heatmaps are decoded in float32. A format
            that the processor would only emulate is replaced by fp32, with a warning.
        fold_batch_norm (bool): Put batch normalisations into the weights of the convolutions that feed them.
        channels_last (bool): Convolve in NHWC memory order.
        fuse_encoder (bool): One product a layer for queries, keys and values; positions in a table kept for the last
            four token grids.
        flip_in_one_pass (bool): In the flip test, images and mirrored ones in one batch.
        compile (bool | dict): ``torch.compile``, and its arguments; once for all batch sizes of an image size (twice
            where there are batches of one). Without a compiler, one warning, and uncompiled.
        cuda_graphs (bool): Record the network for batches of 1, 2, 4, ... images and replay that; on GPUs alone.
        max_batch_size (int | None): Images that go through the network together; larger batches go in parts. (The
            flip test in one pass has two images for each person.) None: 16 on a CPU, where more take memory and no
            less time each, 64 elsewhere.

    Returns:
        AcceleratedPoseEstimator: Also with ``heatmaps(inputs)``; back with :func:`decelerate`.

    Raises:
        InputError: An option's value is not one of those that it takes.
        TypeError: The model is not one that can be accelerated: see ``require_acceleratable``.
        ValueError: The model is in training mode.
    """
    options = AccelerationOptions(
        dtype, fold_batch_norm, channels_last, fuse_encoder, flip_in_one_pass, compile, cuda_graphs, max_batch_size
    )
    if isinstance(model, AcceleratedPoseEstimator):
        model = model.original
    require_acceleratable(model)
    return AcceleratedPoseEstimator(model, options)


def decelerate(model: nn.Module) -> TopdownPoseEstimator:
    """The model that was accelerated: the same object, unchanged.

    Raises:
        TypeError: ``model`` is not from :func:`accelerate`.
    """
    if not isinstance(model, AcceleratedPoseEstimator):
        raise TypeError(f'the model is not accelerated: it is a {type(model).__name__}')
    return model.original


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
        if is_compiled(module):
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
