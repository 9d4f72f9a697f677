"""From a model to its faster double and back."""

from __future__ import annotations

from mmpose.models.pose_estimators import TopdownPoseEstimator
from torch import nn

from mmtranspose.acceleration.estimator import AcceleratedPoseEstimator
from mmtranspose.acceleration.options import AccelerationOptions
from mmtranspose.acceleration.support import require_acceleratable


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
        flip_in_one_pass (bool): In the flip test, pictures and mirrored ones in one batch.
        compile (bool | dict): ``torch.compile``, and its arguments; once for all batch sizes of a picture size (twice
            where there are batches of one). Without a compiler, one warning, and uncompiled.
        cuda_graphs (bool): Record the network for batches of 1, 2, 4, ... pictures and replay that; on GPUs alone.
        max_batch_size (int | None): Pictures that go through the network together; larger batches go in parts. (The
            flip test in one pass has two pictures for each person.) None: 16 on a CPU, where more take memory and no
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
