"""The accelerated pose estimator, which computes the results of another pose estimator in less time."""

from __future__ import annotations

import copy
from collections.abc import Callable
from functools import lru_cache
from typing import Any, NoReturn

import torch
from mmengine.model import BaseModel
from mmpose.models.pose_estimators import TopdownPoseEstimator
from mmpose.utils.typing import SampleList
from torch import Tensor, nn

from mmtranspose.acceleration.batch_norm_folding import Folding, fold_batch_norms
from mmtranspose.acceleration.compilation import compile_any_batch
from mmtranspose.acceleration.cuda_graphs import GraphedFunction
from mmtranspose.acceleration.fused_encoder import AcceleratedNeck
from mmtranspose.acceleration.openvino_network import OpenVinoNetwork, is_installed
from mmtranspose.acceleration.options import AccelerationOptions, compute_dtype
from mmtranspose.errors import InputError

CPU_BATCH_SIZE, BATCH_SIZE = 16, 64  # on a CPU, larger batches need more memory, but no less time per image
IMAGE_SIZES = 16  # number of image sizes whose token grids are kept
NetworkFunction = Callable[[Tensor, tuple[Tensor, ...]], Tensor]  # from images and tables to heatmaps
AGAIN = 'then accelerate it again'


class AcceleratedPoseEstimator(TopdownPoseEstimator):
    """A faster pose estimator with the results of another one; made by :func:`~mmtranspose.acceleration.accelerate`.

    It holds transformed copies of the weights and a reference to the original. Its state dict is the original's, so a
    checkpoint of it is an ordinary checkpoint. ``copy.deepcopy`` and ``pickle`` copy the original and accelerate the
    copy. It can neither be trained nor loaded nor moved: the original can.

    Args:
        original (TopdownPoseEstimator): Checked by ``accelerate``; it is not changed.
        options (AccelerationOptions): What to do.

    Attributes:
        original (TopdownPoseEstimator): The object given.
        options (AccelerationOptions): As given.
        dtype (torch.dtype): In which the network computes.
        max_batch_size (int): Images that go through the network together.
        folding (Folding): Which batch normalisations were folded.
        uses_openvino (bool): Whether the network was made for OpenVINO.
    """

    def __init__(self, original: TopdownPoseEstimator, options: AccelerationOptions):
        BaseModel.__init__(self, data_preprocessor=copy.deepcopy(original.data_preprocessor))
        self._original = (original,)  # in a tuple, so that it is not registered as a submodule
        self.options = options
        self.device = next(original.parameters()).device
        self.dtype = compute_dtype(options.dtype, self.device)
        self.uses_openvino = options.backend == 'openvino' and is_installed()
        self.metainfo = original.metainfo
        self.train_cfg, self.test_cfg = copy.deepcopy((original.train_cfg, original.test_cfg))
        for name in ('cfg', 'dataset_meta'):  # set by init_model
            if hasattr(original, name):
                setattr(self, name, getattr(original, name))
        self._add_network(original)
        default_size = CPU_BATCH_SIZE if self.device.type == 'cpu' else BATCH_SIZE
        self.max_batch_size = options.max_batch_size or default_size
        self._graphed: GraphedFunction | None = None
        self._openvino: OpenVinoNetwork | None = None
        self._run = self._network_function()
        self._register_state_dict_hook(_original_state_dict)
        nn.Module.train(self, False)
        self.requires_grad_(False)

    @property
    def original(self) -> TopdownPoseEstimator:
        """The model that was accelerated."""
        return self._original[0]

    @property
    def backend(self) -> str:
        """What runs the network now: ``'torch'`` where OpenVINO was asked for, but is missing or has failed."""
        return 'torch' if self._openvino is None or self._openvino.failed else 'openvino'

    def _add_network(self, original: TopdownPoseEstimator) -> None:
        """Add transformed copies of the original's parts."""
        backbone, head = copy.deepcopy(original.backbone), copy.deepcopy(original.head)
        for module in (*backbone.modules(), *head.modules()):
            if getattr(module, 'with_cp', False):
                module.with_cp = False  # saves memory in training only, and torch.fx cannot trace it
        foldings = [fold_batch_norms(part) for part in (backbone, head)] if self.options.fold_batch_norm else []
        self.folding = Folding(sum(each.folded for each in foldings), sum((each.left for each in foldings), ()))
        dtype = torch.float32 if self.uses_openvino else self.dtype
        self.backbone = backbone.to(dtype)
        self.neck = AcceleratedNeck(original.neck, dtype, self.options.fuse_encoder and not self.uses_openvino)
        self.head = head.to(dtype)
        if dtype != torch.float32:
            self.head.final_layer = nn.Sequential(self.head.final_layer, _ToFloat32())
        channels_last = self.options.channels_last and not self.uses_openvino
        if channels_last:
            parts: tuple[Any, ...] = (self.backbone, self.neck.projection, self.head)
            for part in parts:
                part.to(memory_format=torch.channels_last)
        self._network = _Network(self.backbone, self.neck, self.head, dtype, channels_last)
        self._token_grid = lru_cache(maxsize=IMAGE_SIZES)(self._network.token_grid)

    def _network_function(self) -> NetworkFunction:
        """Make the function from images to heatmaps: compiled, recorded and split into parts, as the options say."""
        run: NetworkFunction = self._network.heatmaps
        if self.uses_openvino:
            run = self._openvino = OpenVinoNetwork(run, self.dtype)
            return in_parts(run, self.max_batch_size)
        if self.options.compile is not False:
            run = compile_any_batch(run, **({} if self.options.compile is True else self.options.compile))
        if self.options.cuda_graphs and self.device.type == 'cuda':
            run = self._graphed = GraphedFunction(run, self.max_batch_size)
        return in_parts(run, self.max_batch_size)

    def heatmaps(self, inputs: Tensor) -> Tensor:
        """Compute the heatmaps of the keypoints.

        Args:
            inputs (Tensor): Normalised images, (B, 3, H, W); B may be 0.

        Returns:
            Tensor: (B, K, h, w), float32, without a gradient.

        Raises:
            InputError: ``inputs`` does not have four dimensions.
        """
        if inputs.dim() != 4:
            raise InputError(f'inputs must have shape (B, 3, H, W), not {tuple(inputs.shape)}')
        # Tables and recordings that are kept must not be inference tensors: later calls write to them.
        with torch.inference_mode(False), torch.no_grad(), torch.autocast(self.device.type, enabled=False):
            if len(inputs) == 0:
                return self.heatmaps(inputs.new_zeros(1, *inputs.shape[1:]))[:0]
            grid = self._token_grid(tuple(inputs.shape[1:]), inputs.device)
            return self._run(inputs.to(torch.float32), self.neck.tables(grid))

    def extract_feat(self, inputs: Tensor) -> tuple[Tensor]:
        """Compute the neck's features (B, d, h, w) of normalised images (B, 3, H, W), in :attr:`dtype`."""
        with torch.no_grad():
            return self.neck(self._network.features(inputs))

    def _forward(self, inputs: Tensor, data_samples: SampleList | None = None) -> Tensor:  # noqa: ARG002  mmpose's
        return self.heatmaps(inputs)

    def predict(self, inputs: Tensor, data_samples: SampleList) -> SampleList:
        """Predict poses as ``TopdownPoseEstimator.predict`` does; an empty list of samples gives an empty list.

        Args:
            inputs (Tensor): Normalised images, (B, 3, H, W).
            data_samples (list[PoseDataSample]): The images' samples.

        Returns:
            list[PoseDataSample]: The samples, with ``pred_instances``: keypoints in pixels of the original image.
        """
        if len(data_samples) == 0:
            return []
        heatmaps, flipped = self._with_flipped(inputs)
        predicted = self.head.predict_heatmaps(heatmaps, flipped, data_samples, self.test_cfg)
        instances, fields = predicted if isinstance(predicted, tuple) else (predicted, None)
        return self.add_pred_to_datasample(instances, fields, data_samples)

    def _with_flipped(self, inputs: Tensor) -> tuple[Tensor, Tensor | None]:
        """Heatmaps of the images and, for the flip test, of the mirrored images."""
        if not self.test_cfg.get('flip_test', False):
            return self.heatmaps(inputs), None
        if self.options.flip_in_one_pass:
            heatmaps, flipped = self.heatmaps(torch.cat([inputs, inputs.flip(-1)])).chunk(2)
            return heatmaps, flipped
        return self.heatmaps(inputs), self.heatmaps(inputs.flip(-1))

    def loss(self, *_args: object, **_kwargs: object) -> NoReturn:
        """Raise an error: only the original can be trained."""
        raise RuntimeError('an accelerated model has no loss and cannot be trained: decelerate(model) can')

    def train_step(self, *_args: object, **_kwargs: object) -> NoReturn:
        """Raise an error, as :meth:`loss` does."""
        self.loss()

    def train(self, mode: bool = True) -> AcceleratedPoseEstimator:
        """Raise an error if ``mode`` is True: only the original can be trained."""
        if mode:
            raise RuntimeError('an accelerated model is for inference only: train the original, decelerate(model)')
        return super().train(False)

    def init_weights(self) -> NoReturn:
        """Raise an error: only the original can be initialised."""
        raise RuntimeError(f'an accelerated model cannot be initialised anew: initialise decelerate(model), {AGAIN}')

    # PyTorch's and mmengine's loading both call this
    def _load_from_state_dict(self, *_args: object, **_kwargs: object) -> NoReturn:
        raise RuntimeError(f'weights cannot be loaded into an accelerated model: load into decelerate(model), {AGAIN}')

    def _set_device(self, device: torch.device) -> None:  # mmengine's to(), cuda() and cpu() call this first
        if device.type != self.device.type or device.index not in (None, self.device.index):
            self._refuse_to_move()
        super()._set_device(self.device)

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> AcceleratedPoseEstimator:
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

    def __reduce__(self) -> tuple[type, tuple[TopdownPoseEstimator, AccelerationOptions]]:
        return type(self), (self.original, self.options)

    def extra_repr(self) -> str:
        """Name dtype, device and the options that are on."""
        options, folding = self.options, self.folding
        parts = [f'{self.dtype} on {self.device}'.removeprefix('torch.')]
        if self.uses_openvino:
            parts.append('by OpenVINO')
        if options.fold_batch_norm:
            parts.append(f'{folding.folded} batch normalisations folded, {len(folding.left)} left')
        shown = ('channels_last', 'fuse_encoder', 'flip_in_one_pass')[2 if self.uses_openvino else 0 :]
        parts += [name for name in shown if getattr(options, name)]
        if options.compile is not False:
            parts.append('compile')
        if self._graphed is not None and not self._graphed.failed:
            parts.append('cuda_graphs')
        parts.append(f'at most {self.max_batch_size} images together')
        return ', '.join(parts)


class _Network:
    """The network's parts in order.

    It holds no reference to the estimator, so the estimator can be freed without a garbage collection: after a
    validation its memory is needed at once.
    """

    def __init__(
        self, backbone: nn.Module, neck: AcceleratedNeck, head: nn.Module, dtype: torch.dtype, channels_last: bool
    ):
        self.backbone, self.neck, self.head = backbone, neck, head
        self.dtype = dtype
        self.memory_format = torch.channels_last if channels_last else torch.preserve_format

    def features(self, inputs: Tensor) -> tuple[Tensor, ...]:
        """The backbone's feature maps of normalised images (B, 3, H, W)."""
        return self.backbone(inputs.to(dtype=self.dtype, memory_format=self.memory_format))

    def token_grid(self, size: tuple[int, int, int], device: torch.device) -> tuple[int, int]:
        """The token grid (h, w) of images of a size (3, H, W)."""
        height, width = self.features(torch.zeros(1, *size, device=device))[-1].shape[-2:]
        return height, width

    def heatmaps(self, inputs: Tensor, tables: tuple[Tensor, ...]) -> Tensor:
        """Heatmaps (B, K, h, w) of normalised images (B, 3, H, W), with the neck's tables for their token grid."""
        return self.head.forward(self.neck.encode(self.features(inputs), tables)).contiguous()


class _ToFloat32(nn.Module):
    """Converts heatmaps to float32, in which they are decoded."""

    def forward(self, x: Tensor) -> Tensor:
        return x.float()


def in_parts(function: NetworkFunction, size: int) -> NetworkFunction:
    """Wrap a function of images and tables so that it gets at most ``size`` images at once.

    Args:
        function (Callable): Takes images (B, ...) and tables, and returns (B, ...).
        size (int): Images of the largest part.

    Returns:
        Callable: With the same arguments; joins the parts' results.
    """

    def call(inputs: Tensor, tables: tuple[Tensor, ...]) -> Tensor:
        results = [function(part, tables) for part in inputs.split(size)]
        return results[0] if len(results) == 1 else torch.cat(results)

    return call


def _original_state_dict(
    module: AcceleratedPoseEstimator,
    destination: dict[str, Any],
    prefix: str,
    local_metadata: dict,  # noqa: ARG001  torch gives it to every such hook
) -> None:
    """Put the original's state dict in place of the transformed weights."""
    for key in [key for key in destination if key.startswith(prefix)]:
        del destination[key]
    module.original.state_dict(destination=destination, prefix=prefix)
