"""The accelerated pose estimator."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import NoReturn

import torch
from mmengine.model import BaseModel
from mmpose.models.pose_estimators import TopdownPoseEstimator
from mmpose.utils.typing import SampleList
from torch import Tensor, nn

from mmtranspose.acceleration.batch_norm_folding import Folding, fold_batch_norms
from mmtranspose.acceleration.compilation import compile_any_batch
from mmtranspose.acceleration.cuda_graphs import GraphedFunction
from mmtranspose.acceleration.fused_encoder import AcceleratedNeck
from mmtranspose.acceleration.options import AccelerationOptions, compute_dtype
from mmtranspose.acceleration.recent import Recent
from mmtranspose.errors import InputError

CPU, ELSEWHERE = 16, 64  # images: on a CPU more of them take memory and no less time each


def default_size(device: torch.device) -> int:
    """Images that go through a network together on the device."""
    return CPU if device.type == 'cpu' else ELSEWHERE


def in_parts(function: Callable, size: int) -> Callable:
    """``function(inputs, tables)`` for at most ``size`` images at once, its results put together."""

    def call(inputs: Tensor, tables: tuple[Tensor, ...]) -> Tensor:
        results = [function(part, tables) for part in inputs.split(size)]
        return results[0] if len(results) == 1 else torch.cat(results)

    return call


AGAIN = 'then accelerate it again'


class AcceleratedPoseEstimator(TopdownPoseEstimator):
    """A pose estimator's results, faster; made by :func:`~mmtranspose.acceleration.accelerate`.

    It holds transformed copies of the weights and a reference to the original. Its state dict is the original's, so
    that a checkpoint of it is an ordinary one. ``copy.deepcopy`` and ``pickle`` copy the original and accelerate the
    copy.

    Args:
        original (TopdownPoseEstimator): Checked by ``accelerate``; it is not changed.
        options (AccelerationOptions): What to do.

    Attributes:
        original (TopdownPoseEstimator): That object.
        options (AccelerationOptions): As given.
        dtype (torch.dtype): What the network computes in.
        max_batch_size (int): Images that go through it together.
        folding (Folding | None): Batch normalisations that were folded and those that were not.
    """

    def __init__(self, original: TopdownPoseEstimator, options: AccelerationOptions):
        BaseModel.__init__(self, data_preprocessor=copy.deepcopy(original.data_preprocessor))
        self._original = (original,)  # in a tuple: no submodule, so that nothing is done to it
        self.options = options
        self.device = next(original.parameters()).device
        self.dtype = compute_dtype(options.dtype, self.device)
        self.metainfo = original.metainfo
        self.train_cfg, self.test_cfg = copy.deepcopy((original.train_cfg, original.test_cfg))
        for name in ('cfg', 'dataset_meta'):  # set by init_model
            if hasattr(original, name):
                setattr(self, name, getattr(original, name))
        self._add_network(original)
        self._grids: Recent = Recent(16)  # token grid by image size
        self.max_batch_size = options.max_batch_size or default_size(self.device)
        self._graphed: GraphedFunction | None = None
        self._run = self._runner()
        self._register_state_dict_hook(_original_weights)
        nn.Module.train(self, False)
        self.requires_grad_(False)

    @property
    def original(self) -> TopdownPoseEstimator:
        """The model that was accelerated."""
        return self._original[0]

    def _add_network(self, original: TopdownPoseEstimator) -> None:
        backbone, head = copy.deepcopy(original.backbone), copy.deepcopy(original.head)
        for module in (*backbone.modules(), *head.modules()):
            if getattr(module, 'with_cp', False):
                module.with_cp = False  # keeps memory while training; torch.fx cannot follow it
        foldings = [fold_batch_norms(part) for part in (backbone, head)] if self.options.fold_batch_norm else []
        self.folding = Folding(sum(each.folded for each in foldings), sum((each.left for each in foldings), ()))
        self.backbone = backbone.to(self.dtype)
        self.neck = AcceleratedNeck(original.neck, self.dtype, self.options.fuse_encoder)
        self.head = head.to(self.dtype)
        if self.dtype != torch.float32:
            self.head.final_layer = nn.Sequential(self.head.final_layer, _Float32())
        if self.options.channels_last:
            for part in (self.backbone, self.neck.projection, self.head):
                part.to(memory_format=torch.channels_last)

    def _runner(self) -> Callable[[Tensor, tuple[Tensor, ...]], Tensor]:
        run = _Network(self.backbone, self.neck, self.head, self.dtype, self.options.channels_last).heatmaps
        if self.options.compile is not False:
            run = compile_any_batch(run, **({} if self.options.compile is True else self.options.compile))
        if self.options.cuda_graphs and self.device.type == 'cuda':
            run = self._graphed = GraphedFunction(run, self.max_batch_size)
        return in_parts(run, self.max_batch_size)

    def heatmaps(self, inputs: Tensor) -> Tensor:
        """Heatmaps of the keypoints.

        Args:
            inputs (Tensor): Normalised images, (B, 3, H, W); B may be 0.

        Returns:
            Tensor: (B, K, h, w), float32, without a gradient.

        Raises:
            InputError: ``inputs`` has another number of dimensions.
        """
        if inputs.dim() != 4:
            raise InputError(f'inputs must have shape (B, 3, H, W), not {tuple(inputs.shape)}')
        # Nothing kept here (tables, recordings) may be an inference tensor: later calls write to it.
        with torch.inference_mode(False), torch.no_grad(), torch.autocast(self.device.type, enabled=False):
            if len(inputs) == 0:
                return self.heatmaps(inputs.new_zeros(1, *inputs.shape[1:]))[:0]
            size = tuple(inputs.shape[1:])
            grid = self._grids.get_or_make(size, lambda: self._grid(inputs))
            return self._run(inputs.to(torch.float32), self.neck.tables(grid))

    def _grid(self, inputs: Tensor) -> tuple[int, int]:
        """The token grid of images of this size, from one of them."""
        return tuple(self._features(inputs[:1])[-1].shape[-2:])

    def _features(self, inputs: Tensor) -> tuple[Tensor, ...]:
        return self.backbone(_cast(inputs, self.dtype, self.options.channels_last))

    def extract_feat(self, inputs: Tensor) -> tuple[Tensor]:
        """The neck's features (B, d, h, w) of normalised images (B, 3, H, W), in :attr:`dtype`."""
        with torch.no_grad():
            return self.neck(self._features(inputs))

    def _forward(self, inputs: Tensor, data_samples: SampleList | None = None) -> Tensor:
        return self.heatmaps(inputs)

    def predict(self, inputs: Tensor, data_samples: SampleList) -> SampleList:
        """As ``TopdownPoseEstimator.predict``; no samples give no results.

        Args:
            inputs (Tensor): Normalised images, (B, 3, H, W).
            data_samples (list[PoseDataSample]): Theirs.
        """
        if len(data_samples) == 0:
            return []
        heatmaps, flipped = self._with_flipped(inputs)
        predicted = self.head.predict_heatmaps(heatmaps, flipped, data_samples, self.test_cfg)
        instances, fields = predicted if isinstance(predicted, tuple) else (predicted, None)
        return self.add_pred_to_datasample(instances, fields, data_samples)

    def _with_flipped(self, inputs: Tensor) -> tuple[Tensor, Tensor | None]:
        """Heatmaps of the images and, for the flip test, of the mirrored ones."""
        if not self.test_cfg.get('flip_test', False):
            return self.heatmaps(inputs), None
        if self.options.flip_in_one_pass:
            return self.heatmaps(torch.cat([inputs, inputs.flip(-1)])).chunk(2)
        return self.heatmaps(inputs), self.heatmaps(inputs.flip(-1))

    def loss(self, *args, **kwargs) -> NoReturn:
        """Refuses: training is the original's."""
        raise RuntimeError('an accelerated model has no loss and cannot be trained: decelerate(model) can')

    def train_step(self, *args, **kwargs) -> NoReturn:
        """Refuses, as :meth:`loss`."""
        self.loss()

    def train(self, mode: bool = True) -> AcceleratedPoseEstimator:
        """Refuses training mode."""
        if mode:
            raise RuntimeError('an accelerated model is for inference alone: train the original, decelerate(model)')
        return super().train(False)

    def init_weights(self) -> NoReturn:
        """Refuses, as loading does."""
        raise RuntimeError(f'an accelerated model cannot be initialised anew: initialise decelerate(model), {AGAIN}')

    def _load_from_state_dict(self, *args, **kwargs) -> NoReturn:  # what PyTorch's and mmengine's loading both call
        raise RuntimeError(f'weights cannot be loaded into an accelerated model: load into decelerate(model), {AGAIN}')

    def _set_device(self, device: torch.device) -> None:  # what mmengine's to(), cuda() and cpu() call first
        if device.type != self.device.type or device.index not in (None, self.device.index):
            self._refuse_to_move()
        super()._set_device(self.device)

    def _apply(self, fn: Callable, recurse: bool = True) -> AcceleratedPoseEstimator:
        probe = next(self.neck.parameters())
        changed = fn(probe)
        if (changed.device, changed.dtype) != (probe.device, probe.dtype):
            self._refuse_to_move()
        return super()._apply(fn, recurse)

    def _refuse_to_move(self) -> NoReturn:
        raise RuntimeError(
            f'an accelerated model stays on its device ({self.device}) and in its dtype ({self.dtype}): move '
            f'decelerate(model) to another device, {AGAIN}; dtype= is an option of accelerate'
        )

    def __reduce__(self):
        return type(self), (self.original, self.options)

    def extra_repr(self) -> str:
        """What is on."""
        return ', '.join(self._parts())

    def _parts(self) -> list[str]:
        options, folding = self.options, self.folding
        parts = [f'{self.dtype} on {self.device}'.removeprefix('torch.')]
        if options.fold_batch_norm:
            parts.append(f'{folding.folded} batch normalisations folded, {len(folding.left)} left')
        parts += [name for name in ('channels_last', 'fuse_encoder', 'flip_in_one_pass') if getattr(options, name)]
        if options.compile is not False:
            parts.append('compile')
        if self._graphed is not None and not self._graphed.failed:
            parts.append('cuda_graphs')
        parts.append(f'at most {self.max_batch_size} images together')
        return parts


class _Network:
    """Images and tables to heatmaps. It does not know the estimator, which is freed as soon as it is let go."""

    def __init__(self, backbone: nn.Module, neck: AcceleratedNeck, head: nn.Module, dtype: torch.dtype, nhwc: bool):
        self.backbone, self.neck, self.head, self.dtype, self.nhwc = backbone, neck, head, dtype, nhwc

    def heatmaps(self, inputs: Tensor, tables: tuple[Tensor, ...]) -> Tensor:
        feats = self.neck.encode(self.backbone(_cast(inputs, self.dtype, self.nhwc)), tables)
        return self.head.forward(feats).contiguous()


def _cast(inputs: Tensor, dtype: torch.dtype, channels_last: bool) -> Tensor:
    return inputs.to(dtype=dtype, memory_format=torch.channels_last if channels_last else torch.preserve_format)


class _Float32(nn.Module):
    """To float32, in which heatmaps are decoded."""

    def forward(self, x: Tensor) -> Tensor:
        return x.float()


def _original_weights(module: AcceleratedPoseEstimator, destination: dict, prefix: str, local_metadata: dict) -> None:
    """Put the original's state dict in place of the transformed weights."""
    for key in [key for key in destination if key.startswith(prefix)]:
        del destination[key]
    module.original.state_dict(destination=destination, prefix=prefix)
