"""A batch of images and keypoints to new weights."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import MethodType, SimpleNamespace
from typing import Any

import numpy as np
import torch
from mmengine.dataset import pseudo_collate
from mmengine.optim import OptimWrapper, build_optim_wrapper
from mmengine.registry import FUNCTIONS
from mmpose.models.heads import HeatmapHead
from mmpose.registry import TRANSFORMS

from mmtranspose.benchmark.benchmark_settings import BenchmarkSettings
from mmtranspose.benchmark.candidate import Candidate, Task, Tolerance
from mmtranspose.benchmark.networks import WITHOUT_DROPOUT, load_baseline, load_model, weights_file
from mmtranspose.engine.hooks.compile_hook import CompileHook
from mmtranspose.errors import InputError
from mmtranspose.typing import Batch, PoseEstimator

TOLERANCES = {
    'fp32': Tolerance(1e-3, relative=True),
    'tf32': Tolerance(5e-2, relative=True),
    'bf16': Tolerance(5e-2, relative=True),
}


def train_step_candidates(settings: BenchmarkSettings, batch: int, folder: Path) -> list[Candidate]:
    """The baseline is MMPose's stock step, ours that of our configs, both without dropout.

    Loss and gradient of the first step are compared.

    Raises:
        InputError: A dtype is fp16, which needs a loss scale; the comparison has none.
    """
    if 'fp16' in settings.dtypes:
        raise InputError('train-step knows --dtype fp32 and bf16, not fp16')
    checkpoint = weights_file(settings, folder)
    shared = dict(config=settings.config, checkpoint=checkpoint, device=settings.device, batch=batch)
    candidates = [Candidate('baseline', build_baseline, shared, settings.device, settings.baseline_keeps_memory)]
    for name, dtype, compiled in settings.variants():
        tolerances = dict.fromkeys(('loss', 'gradient_norm'), TOLERANCES[settings.precision(dtype)])
        arguments = dict(shared, dtype=dtype, compiled=compiled, checkpointing=settings.checkpointing)
        candidates.append(Candidate(name, build_ours, arguments, settings.device, tolerances=tolerances))
    return candidates


def build_baseline(config: str, checkpoint: str, device: str, batch: int) -> Task:
    """Materialised attention, NCHW, samples whose heatmaps the loader makes, accuracy computed at every step."""
    model = load_baseline(config, checkpoint, device, WITHOUT_DROPOUT)
    model.head.loss = MethodType(HeatmapHead.loss, model.head)
    target = dict(type='GenerateTarget', encoder=model.cfg.model.head.decoder)
    optimizer = dict(model.cfg.optim_wrapper.optimizer, fused=False)
    wrapper = build_optim_wrapper(model, dict(type='OptimWrapper', optimizer=optimizer))
    return _task(model, pseudo_collate(random_samples(model, target, batch)), wrapper)


def build_ours(
    config: str, checkpoint: str, device: str, batch: int, dtype: str, compiled: bool, checkpointing: bool
) -> Task:
    """The step of our configs: channels-last, stacked tensors, heatmaps made on the device, fused Adam, fp32 or bf16.

    The accuracy is left out, as at 49 of 50 steps of a training run.
    """
    model = load_model(config, checkpoint, device, WITHOUT_DROPOUT | {'model.neck.with_cp': checkpointing})
    model.to(memory_format=torch.channels_last)
    model.train_cfg = dict(compute_acc=False)
    if compiled:
        CompileHook().before_train(SimpleNamespace(model=model))
    data = FUNCTIONS.get('tensor_collate')(random_samples(model, dict(type='KeypointTarget'), batch))
    cuda = torch.device(device).type == 'cuda'
    if cuda:  # as the loaders of our configs hand it on
        data = dict(inputs=data['inputs'].pin_memory(), data_samples=_pinned(data['data_samples']))
    kind = dict(type='OptimWrapper') if dtype == 'fp32' else dict(type='Bfloat16OptimWrapper')
    if dtype != 'fp32' and not cuda:
        kind['device_type'] = 'cpu'
    wrapper = build_optim_wrapper(model, dict(kind, optimizer=dict(model.cfg.optim_wrapper.optimizer, fused=True)))
    return _task(model, data, wrapper)


def random_samples(model: PoseEstimator, target: dict[str, Any], batch: int) -> list[dict[str, Any]]:
    """Samples as a dataset returns them: uint8 images of noise, and keypoints anywhere; the same ones at each call.

    Args:
        model (PoseEstimator): Its head says the size of the input and the number of keypoints K.
        target (dict): Config of the transform that makes the training target.
        batch (int): Number of samples.
    """
    rng = np.random.default_rng(0)
    w, h = model.head.decoder.input_size
    steps = [TRANSFORMS.build(target), TRANSFORMS.build(dict(type='PackPoseInputs', meta_keys=('id', 'img_path')))]
    samples = []
    for index in range(batch):
        keypoints = rng.uniform(0, (w - 1, h - 1), (1, model.head.out_channels, 2)).astype(np.float32)
        visible = (rng.random((1, model.head.out_channels)) < 0.9).astype(np.float32)
        image = rng.integers(0, 256, (h, w, 3), np.uint8)
        sample = dict(img=image, id=index, transformed_keypoints=keypoints, keypoints_visible=visible)
        for step in steps:
            sample = step(sample)
        samples.append(sample)
    return samples


def _pinned(targets: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    return {name: value.pin_memory() for name, value in targets.items()}


def _task(model: PoseEstimator, data: Batch, wrapper: OptimWrapper) -> Task:
    model.train()
    norm = first_gradient_norm(wrapper.optimizer)

    def outputs(logged: dict[str, torch.Tensor]) -> dict[str, np.ndarray]:
        return dict(loss=np.array(logged['loss'].detach().item()), gradient_norm=np.array(norm()))

    return Task(lambda: model.train_step(data, wrapper), outputs)


def first_gradient_norm(optimizer: torch.optim.Optimizer) -> Callable[[], float]:
    """A function that returns the norm of the whole gradient at the optimiser's first step, once that is done."""
    norms: list[float] = []

    def keep(optimizer: torch.optim.Optimizer, args: Any, kwargs: Any) -> None:  # noqa: ARG001  a hook's signature
        handle.remove()
        gradients = [one.grad for group in optimizer.param_groups for one in group['params'] if one.grad is not None]
        norms.append(torch.nn.utils.get_total_norm(gradients).item())

    handle = optimizer.register_step_pre_hook(keep)
    return lambda: norms[0]
