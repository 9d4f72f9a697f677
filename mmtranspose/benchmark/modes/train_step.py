"""A batch of images and keypoints to new weights."""

from __future__ import annotations

from collections.abc import Callable
from types import MethodType, SimpleNamespace

import numpy as np
import torch
from mmengine.dataset import pseudo_collate
from mmengine.optim import OptimWrapper, build_optim_wrapper
from mmengine.registry import FUNCTIONS
from mmpose.models.heads import HeatmapHead
from mmpose.registry import TRANSFORMS
from torch import nn

from mmtranspose.benchmark.candidate import Task, Tolerance, Way
from mmtranspose.benchmark.networks import load_baseline, load_model, weights_file
from mmtranspose.benchmark.settings import Settings
from mmtranspose.engine.hooks.compile_hook import CompileHook
from mmtranspose.errors import InputError

WITHOUT_DROPOUT = {'model.neck.dropout': 0.0, 'model.neck.attention_dropout': 0.0}


TOLERANCES = {
    'fp32': Tolerance(1e-3, relative=True),
    'tf32': Tolerance(5e-2, relative=True),
    'bf16': Tolerance(5e-2, relative=True),
}


def train_step_ways(settings: Settings, batch: int) -> list[Way]:
    """MMPose's stock step against that of our configs, without dropout; loss and gradient of the first are compared.

    Raises:
        InputError: The dtype is fp16, which needs a loss scale that the comparison does not know.
    """
    if 'fp16' in settings.dtypes:
        raise InputError('train-step knows --dtype fp32 and bf16, not fp16')
    shared = dict(config=settings.config, checkpoint=weights_file(settings), device=settings.device, batch=batch)
    ways = [Way('baseline', build_baseline, shared, settings.device, settings.baseline_keeps_memory)]
    for name, dtype, compiled in settings.variants():
        tolerances = dict.fromkeys(('loss', 'gradient_norm'), TOLERANCES[settings.precision(dtype)])
        arguments = dict(shared, dtype=dtype, compiled=compiled, checkpointing=settings.checkpointing)
        ways.append(Way(name, build_ours, arguments, settings.device, tolerances=tolerances))
    return ways


def build_baseline(config: str, checkpoint: str, device: str, batch: int) -> Task:
    """Materialised attention, NCHW, samples with heatmaps made beforehand (as loaders do), accuracy at every step."""
    model = load_baseline(config, checkpoint, device, WITHOUT_DROPOUT)
    model.head.loss = MethodType(HeatmapHead.loss, model.head)
    target = dict(type='GenerateTarget', encoder=model.cfg.model.head.decoder)
    optimizer = dict(model.cfg.optim_wrapper.optimizer, fused=False)
    wrapper = build_optim_wrapper(model, dict(type='OptimWrapper', optimizer=optimizer))
    return _task(model, pseudo_collate(random_samples(model, target, batch)), wrapper)


def build_ours(
    config: str, checkpoint: str, device: str, batch: int, dtype: str, compiled: bool, checkpointing: bool
) -> Task:
    """Our configs' way: channels-last, stacked tensors, heatmaps drawn on the device, fused Adam, perhaps bfloat16.

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


def random_samples(model: nn.Module, target: dict, batch: int) -> list[dict]:
    """Samples as a dataset gives them: images of noise, uint8, and keypoints anywhere; always the same ones.

    Args:
        model (nn.Module): With ``cfg``; says the size of the input and the number of keypoints K.
        target (dict): The transform that makes the training target.
        batch (int): Samples.
    """
    rng = np.random.default_rng(0)
    w, h = model.head.decoder.input_size
    steps = [TRANSFORMS.build(target), TRANSFORMS.build(dict(type='PackPoseInputs', meta_keys=('id', 'img_path')))]
    samples = []
    for index in range(batch):
        keypoints = rng.uniform(0, (w - 1, h - 1), (1, model.head.out_channels, 2)).astype(np.float32)
        visible = (rng.random((1, model.head.out_channels)) < 0.9).astype(np.float32)
        picture = rng.integers(0, 256, (h, w, 3), np.uint8)
        sample = dict(img=picture, id=index, transformed_keypoints=keypoints, keypoints_visible=visible)
        for step in steps:
            sample = step(sample)
        samples.append(sample)
    return samples


def _pinned(targets: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    return {name: value.pin_memory() for name, value in targets.items()}


def _task(model: nn.Module, data: dict, wrapper: OptimWrapper) -> Task:
    model.train()
    norm = first_gradient_norm(wrapper.optimizer)

    def outputs(logged: dict) -> dict[str, np.ndarray]:
        return dict(loss=np.array(logged['loss'].detach().item()), gradient_norm=np.array(norm()))

    return Task(lambda: model.train_step(data, wrapper), outputs)


def first_gradient_norm(optimizer: torch.optim.Optimizer) -> Callable[[], float]:
    """A function that gives the norm of the whole gradient at the optimiser's first step, once that is done."""
    norms = []

    def keep(optimizer: torch.optim.Optimizer, args, kwargs) -> None:
        handle.remove()
        gradients = [one.grad for group in optimizer.param_groups for one in group['params'] if one.grad is not None]
        norms.append(torch.nn.utils.get_total_norm(gradients).item())

    handle = optimizer.register_step_pre_hook(keep)
    return lambda: norms[0]
