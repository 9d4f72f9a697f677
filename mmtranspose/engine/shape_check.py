"""Send one batch through a model without memory or arithmetic, so that shapes that do not fit are found at once."""

from __future__ import annotations

import re
import traceback
import warnings
from collections.abc import Iterable
from typing import Any

import torch
from mmengine.config import Config
from mmpose.models import TopdownPoseEstimator
from torch import Tensor, nn

from mmtranspose.compat.upstream import Convolution
from mmtranspose.engine.config_fields import at, mistake, naming_fields
from mmtranspose.errors import InputError, reason
from mmtranspose.models.input_size import size_misfit
from mmtranspose.models.meta_copy import meta_copy
from mmtranspose.models.unwrapping import unwrapped

OF_SHAPES = re.compile(r'\b(shapes?|sizes?|channels?|dimensions?|broadcast\w*)\b', re.IGNORECASE)


class _ChannelMismatch(Exception):
    """A layer is given another number of channels than it takes.

    Args:
        layer (nn.Linear | Convolution): The layer.
        given (int): Channels of its input.
    """

    def __init__(self, layer: Any, given: int):
        super().__init__(layer, given)
        self.layer, self.given = layer, given


def check_shapes(model: nn.Module, cfg: Config, name: str, loader: Any) -> None:
    """Compute the loss of two samples on PyTorch's meta device, with a copy of the model.

    A model that cannot run on the meta device, as some of MMPose's heads, passes.

    Args:
        model (nn.Module): The model, wrapped or not; it is left as it is.
        cfg (Config): Its config.
        name (str): The field of the data loader, ``'train_dataloader'``.
        loader (DataLoader): The data loader; it is not iterated over.

    Raises:
        InputError: A sample cannot be made, or a shape does not fit; the message names the field.
    """
    samples = samples_at(cfg, name, loader, range(min(2, len(loader.dataset))))
    _check_input_size(model, cfg, name, samples[0])
    _check_heatmap_size(model, cfg)
    with naming_fields(cfg, f'{name}.collate_fn', name):
        batch = loader.collate_fn(samples * (1 if len(samples) > 1 else 2))
    double: Any = None
    try:
        double = meta_copy(unwrapped(model)).train()
        double.train_cfg = dict(getattr(double, 'train_cfg', None) or {}, compute_acc=False)  # it needs values
        for layer in double.modules():
            if isinstance(layer, (Convolution, nn.Linear)):
                layer.register_forward_pre_hook(_check_channels)
        with torch.no_grad(), warnings.catch_warnings():
            warnings.simplefilter('ignore')
            double(**double.data_preprocessor(batch, True), mode='loss')
    except Exception as error:  # whatever is not about shapes comes up again in training, if it is real
        if isinstance(error, _ChannelMismatch):
            raise mistake(cfg, *_of_channels(cfg, double, error)) from error
        if isinstance(error, InputError):
            raise mistake(cfg, _part(double, error)[0], str(error)) from error
        if type(error) in (AssertionError, IndexError, RuntimeError, ValueError) and _is_of_shapes(str(error)):
            field, module = _part(double, error)
            raise mistake(cfg, field, f'its shapes do not fit at {module}: {reason(error)}') from error


def check_input_size(model: nn.Module, cfg: Config, name: str, loader: Any) -> None:
    """Make the first sample of a data loader, and check that it has the size that network and head are made for.

    Args:
        model (nn.Module): The model, wrapped or not.
        cfg (Config): Its config.
        name (str): The field of the data loader, ``'val_dataloader'`` or ``'test_dataloader'``.
        loader (DataLoader): The data loader; it is not iterated over.

    Raises:
        InputError: The sample cannot be made or has another size, or the network makes other heatmaps of it than the
            head decodes; the message names the field.
    """
    samples = samples_at(cfg, name, loader, [0])
    _check_input_size(model, cfg, name, samples[0])
    _check_heatmap_size(model, cfg)
    with naming_fields(cfg, f'{name}.collate_fn', name):
        loader.collate_fn(samples)


def samples_at(cfg: Config, name: str, loader: Any, indices: Iterable[int]) -> list[dict]:
    """Make samples of a dataset.

    Args:
        cfg (Config): The config.
        name (str): The field of the data loader.
        loader (DataLoader): The data loader; it is not iterated over.
        indices (Iterable[int]): Which samples.

    Raises:
        InputError: A sample cannot be made; the message names the step of the pipeline.
    """
    dataset = loader.dataset
    try:
        with naming_fields(cfg, f'{name}.dataset'):
            return [dataset[index] for index in indices]
    except InputError as error:
        steps = getattr(getattr(dataset, 'pipeline', None), 'transforms', [])
        frames = [frame for frame, _ in traceback.walk_tb((error.__cause__ or error).__traceback__)]
        at_work = [i for frame in frames for i, step in enumerate(steps) if frame.f_locals.get('self') is step]
        if not at_work:
            raise
        kind = type(steps[at_work[-1]]).__name__
        field = f'{name}.dataset.pipeline.{at_work[-1]}'
        raise mistake(cfg, field, f'{kind} cannot make a sample: {reason(error.__cause__ or error)}') from error


def _check_input_size(model: nn.Module, cfg: Config, name: str, sample: dict) -> None:
    image, size = sample.get('inputs'), getattr(_decoder(model), 'input_size', None)
    topdown = isinstance(unwrapped(model), TopdownPoseEstimator)  # others resize images to many sizes
    if not topdown or not isinstance(image, Tensor) or image.dim() != 3 or size is None:
        return
    width, height = image.shape[-1], image.shape[-2]
    if tuple(size) != (width, height):
        raise mistake(
            cfg,
            'model.head.decoder.input_size',
            f'={tuple(size)}, but the images of {name} have the size {(width, height)}; give both the same (w, h)',
        )


def _check_heatmap_size(model: nn.Module, cfg: Config) -> None:
    misfit = size_misfit(model)
    if misfit is not None:
        raise mistake(cfg, f'model.head.decoder.{misfit[0]}', misfit[1])


def _decoder(model: nn.Module) -> Any:
    return getattr(getattr(unwrapped(model), 'head', None), 'decoder', None)


def _is_of_shapes(message: str) -> bool:
    return 'meta' not in message.lower() and OF_SHAPES.search(message) is not None


def _part(model: nn.Module | None, error: BaseException) -> tuple[str, str]:
    """The field of the part of the model that was at work when the error came up, and the name of its module."""
    names = {id(module): name for name, module in model.named_modules() if name} if model is not None else {}
    selves = [id(frame.f_locals.get('self')) for frame, _ in traceback.walk_tb(error.__traceback__)]
    at_work = [names[one] for one in selves if one in names]
    if not at_work:
        return 'model', 'model'
    return f'model.{at_work[-1].split(".")[0]}', at_work[-1]


def _check_channels(layer: Any, inputs: tuple[Any, ...]) -> None:
    """Check the input of a layer before it runs: on the meta device PyTorch does not, or does not say the numbers."""
    wanted, axis = (
        (layer.in_features, -1) if isinstance(layer, nn.Linear) else (layer.in_channels, -layer.weight.dim() + 1)
    )
    if inputs and isinstance(inputs[0], Tensor) and inputs[0].shape[axis] != wanted:
        raise _ChannelMismatch(layer, inputs[0].shape[axis])


def _of_channels(cfg: Config, model: nn.Module, error: _ChannelMismatch) -> tuple[str, str]:
    """The field and the sentence about a layer that is given another number of channels than it takes."""
    name = next(name for name, module in model.named_modules() if module is error.layer)
    part = f'model.{name.split(".")[0]}'
    wanted = error.layer.in_features if isinstance(error.layer, nn.Linear) else error.layer.in_channels
    if at(cfg, f'{part}.in_channels') == wanted:
        return f'{part}.in_channels', f'={wanted}, but the part before it gives {error.given} channels'
    return part, f'its layer {name} takes {wanted} channels, but is given {error.given}'
