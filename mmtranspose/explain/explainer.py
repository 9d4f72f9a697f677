"""From a batch of crops, or one image with boxes, to one explanation a person."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from mmpose.models.utils.tta import flip_heatmaps
from mmpose.structures import PoseDataSample
from torch import Tensor, nn

from mmtranspose.crops.boxes import check_boxes
from mmtranspose.crops.crop_affine import recorded_affine
from mmtranspose.crops.crop_maker import prepare_crops
from mmtranspose.errors import InputError
from mmtranspose.explain.attention import HEADS, target_maps
from mmtranspose.explain.choices import check_choice
from mmtranspose.explain.methods import Method, build_method
from mmtranspose.explain.pose_explanation import PoseExplanation
from mmtranspose.explain.recording import RecordedForward, evaluating, recorded_forward, require_transpose
from mmtranspose.explain.target import CELLS, Target, mirror_maps
from mmtranspose.explain.token_grid import token_to_crop
from mmtranspose.media import read_image


@dataclass(frozen=True)
class ExplainOptions:
    """What an explanation holds.

    Attributes:
        affect (bool): Columns of attention too.
        heads (str): ``'mean'`` averages them, ``'all'`` keeps them apart (an axis of one where there is one head).
        cell (str): ``'bilinear'``: the four tokens next to a heatmap's peak, by their shares; ``'nearest'``: the one
            that the authors' floor gives.
        methods (tuple[str, ...]): Names of further methods; see :mod:`mmtranspose.explain.methods`.
        score_thr (float): Keypoints with a lower score are marked as uncertain.
        flip_test (bool | None): Explain the prediction averaged over the image and its mirror; None: as the model
            predicts (``test_cfg.flip_test``).
    """

    affect: bool = False
    heads: str = 'mean'
    cell: str = 'bilinear'
    methods: tuple[str, ...] = ()
    score_thr: float = 0.3
    flip_test: bool | None = None


def explain_batch(
    model: nn.Module,
    batch: dict,
    options: ExplainOptions | None = None,
    dataset_meta: dict | None = None,
) -> list[PoseExplanation]:
    """Explain the prediction for every crop of a batch.

    Keypoints and scores are those of ``model.test_step``. With the flip test the maps are those of the averaged
    prediction: the mirrored image's maps, mirrored back and with counterparts swapped, are averaged in.

    Args:
        model (nn.Module): A pose estimator with a :class:`TransPoseNeck`.
        batch (dict): ``inputs`` (B, 3, H, W) or B tensors (3, H, W), BGR, uint8; ``data_samples``. As a data loader
            gives it.
        options (ExplainOptions | None): None for the defaults.
        dataset_meta (dict | None): Names and skeleton of the keypoints; None: ``model.dataset_meta``, which
            ``init_model`` sets.

    Returns:
        list[PoseExplanation]: One a crop, in order.

    Raises:
        TypeError: The model cannot be explained; see :func:`require_transpose`.
        InputError: A sample does not say how its crop was cut.
        ValueError: An option is unknown, ``dataset_meta`` names another number of keypoints than the head predicts, or
            the heatmaps are not finite.
    """
    options = options or ExplainOptions()
    methods = check_options(model, options)
    meta = dataset_meta or getattr(model, 'dataset_meta', None) or {}
    names = keypoint_names(model, meta)
    affines = [recorded_affine(sample) for sample in batch['data_samples']]
    with evaluating(model):
        data = model.data_preprocessor(batch, training=False)
        flip = _flip_settings(model, data['data_samples'], options.flip_test)
        explained = _explain(model, data['inputs'], options, methods, flip)
        samples = _predict(model, explained.heatmaps, data['data_samples'])
    crops = [crop.permute(1, 2, 0).cpu().numpy() for crop in batch['inputs']]
    cell_size = getattr(model.head.decoder, 'scale_factor', None)
    if cell_size is None:
        cell_size = np.array(crops[0].shape[1::-1]) / np.array(explained.target.heatmap_size[::-1])
    tokens = token_to_crop(explained.target.grid, explained.target.heatmap_size, cell_size)
    return [
        PoseExplanation(
            keypoints=np.array(sample.pred_instances.keypoints[0], float),
            scores=np.array(sample.pred_instances.keypoint_scores[0], float),
            bbox=np.array(sample.gt_instances.bboxes[0], float),
            crop=crop,
            names=names,
            skeleton=[tuple(link) for link in meta.get('skeleton_links', [])],
            score_thr=options.score_thr,
            token_to_crop=tokens,
            crop_to_image=affine,
            **explained.of_sample(index),
        )
        for index, (sample, crop, affine) in enumerate(zip(samples, crops, affines))
    ]


def check_options(model: nn.Module, options: ExplainOptions) -> list[Method]:
    """Check that a model can be explained with options; returns the methods that they name.

    Raises:
        TypeError: The model cannot be explained.
        ValueError: An option is unknown.
        ModuleNotFoundError: A method needs a package that is not installed.
    """
    require_transpose(model)
    check_choice('heads', options.heads, HEADS)
    check_choice('cell', options.cell, CELLS)
    mode = (model.test_cfg or {}).get('flip_mode', 'heatmap')
    if _flips(model, options.flip_test) and mode != 'heatmap':
        raise ValueError(f"test_cfg.flip_mode={mode!r}: only 'heatmap' can be explained; set flip_test to False")
    return [build_method(name, len(model.neck.encoder.layers)) for name in dict.fromkeys(options.methods)]


@dataclass
class _Explained:
    heatmaps: Tensor
    target: Target
    dependency: np.ndarray
    affect: np.ndarray | None
    relevance: dict[str, np.ndarray]

    def of_sample(self, index: int) -> dict:
        """What :class:`PoseExplanation` holds of them, for one of the batch's crops."""
        return dict(
            dependency=self.dependency[:, index],
            affect=None if self.affect is None else self.affect[:, index],
            relevance={name: maps[index] for name, maps in self.relevance.items()},
            cells=self.target.cells[index].cpu().numpy(),
            cell_weights=self.target.weights[index].cpu().numpy(),
        )


@dataclass(frozen=True)
class _Flip:
    """The flip test's settings, as MMPose's ``test_cfg`` has them."""

    indices: Sequence[int]
    shift_heatmap: bool


def _explain(
    model: nn.Module, inputs: Tensor, options: ExplainOptions, methods: Sequence[Method], flip: _Flip | None
) -> _Explained:
    run = recorded_forward(model, inputs)
    mirrored = None if flip is None else recorded_forward(model, inputs.flip(-1))
    heatmaps = run.heatmaps
    if flip is not None:
        back = flip_heatmaps(mirrored.heatmaps, flip.indices, shift_heatmap=flip.shift_heatmap)
        heatmaps = (run.heatmaps + back) * 0.5
    if not heatmaps.isfinite().all():
        raise InputError('the heatmaps are not finite: the checkpoint holds weights that are not, or the model broke')
    target = Target.of(heatmaps, run.grid, options.cell)

    def averaged(maps_of: Callable[[RecordedForward, Tensor, Target], Tensor]) -> np.ndarray:
        maps = maps_of(run, inputs, target)
        if flip is not None:
            other = maps_of(mirrored, inputs.flip(-1), target.mirrored(flip.indices, flip.shift_heatmap))
            maps = (maps + mirror_maps(other, flip.indices)) / 2
        return maps.cpu().numpy()

    def attention(direction: str) -> np.ndarray:
        return averaged(lambda run, inputs, target: target_maps(run.records, target, direction, options.heads))

    relevance = {
        method.name: averaged(lambda run, inputs, target, method=method: method(model, inputs, target))
        for method in methods
    }
    return _Explained(
        heatmaps, target, attention('dependency'), attention('affect') if options.affect else None, relevance
    )


def _flips(model: nn.Module, flip_test: bool | None) -> bool:
    return (model.test_cfg or {}).get('flip_test', False) if flip_test is None else flip_test


def _flip_settings(model: nn.Module, samples: Sequence[PoseDataSample], flip_test: bool | None) -> _Flip | None:
    if not _flips(model, flip_test):
        return None
    test_cfg = model.test_cfg or {}
    return _Flip(samples[0].metainfo['flip_indices'], test_cfg.get('shift_heatmap', False))


@torch.no_grad()
def _predict(model: nn.Module, heatmaps: Tensor, samples: Sequence[PoseDataSample]) -> list[PoseDataSample]:
    return model.add_pred_to_datasample(model.head.decode(heatmaps.float()), None, samples)


def keypoint_names(model: nn.Module, dataset_meta: dict) -> list[str]:
    """Of the K keypoints that the model predicts.

    Raises:
        ValueError: ``dataset_meta`` names another number of keypoints.
    """
    id2name = dataset_meta.get('keypoint_id2name', {})
    if len(id2name) != model.head.out_channels:
        raise ValueError(
            f'dataset_meta names {len(id2name)} keypoints, the head predicts {model.head.out_channels}: config '
            'and checkpoint are of different datasets; build both from one config with mmtranspose.apis.init_model'
        )
    return [id2name[k] for k in range(len(id2name))]


def explain_topdown(
    model: nn.Module,
    image: np.ndarray | str | Path,
    bboxes: np.ndarray | Sequence[Sequence[float]],
    affect: bool = False,
    heads: str = 'mean',
    cell: str = 'bilinear',
    methods: Sequence[str] = (),
    score_thr: float = 0.3,
    flip_test: bool | None = None,
    batch_size: int = 8,
) -> list[PoseExplanation]:
    """Explain the pose in each box of one image.

    Keypoints and scores are those of :func:`mmtranspose.apis.inference_topdown`.

    Args:
        model (nn.Module): From :func:`mmtranspose.apis.init_model`.
        image (np.ndarray | str | Path): (h, w, 3), BGR, uint8; or a file.
        bboxes (np.ndarray | Sequence): (N, 4) or (N, 5), xyxy in pixels and perhaps a score; none at all: no people.
        affect (bool): Columns of attention too: which places draw on each keypoint's.
        heads (str): ``'mean'`` averages the heads, ``'all'`` keeps them apart (an axis of one where there is one head).
        cell (str): ``'bilinear'``: a keypoint's map is that of the four tokens next to its heatmap's peak, by their
            bilinear shares; ``'nearest'``: of the one token that the authors' floor gives.
        methods (Sequence[str]): Further methods, into ``relevance``: :mod:`mmtranspose.explain.methods` names them.
        score_thr (float): Keypoints with a lower score are marked as ``uncertain``, not dropped.
        flip_test (bool | None): Explain the prediction averaged over the image and its mirror; None: as the model
            predicts (``test_cfg.flip_test``).
        batch_size (int): Boxes that go through the network together.

    Returns:
        list[PoseExplanation]: One a box, in order.

    Raises:
        InputError: The model cannot be explained (no :class:`TransPoseNeck`, compiled, or exported); an option is
            unknown; its heatmaps are not finite; the image is no (h, w, 3) uint8; a box is not finite, has no
            positive size, or lies outside the image.
    """
    options = ExplainOptions(affect, heads, cell, tuple(methods), score_thr, flip_test)
    require_explainable(model, options)
    if batch_size < 1:
        raise InputError(f'batch_size={batch_size} must be at least 1')
    image = read_image(str(image)) if isinstance(image, (str, Path)) else image
    if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8:
        raise InputError(f'the image must be (h, w, 3), BGR, uint8, not {image.shape} {image.dtype}')
    bboxes = np.asarray(bboxes, dtype=np.float32)
    if bboxes.size == 0:
        return []
    check_boxes(bboxes, image.shape[:2])
    explanations = []
    for start in range(0, len(bboxes), batch_size):
        batch = prepare_crops(model, image, bboxes[start : start + batch_size])
        explanations.extend(explain_batch(model, batch, options))
    return explanations


def require_explainable(model: nn.Module, options: ExplainOptions) -> list[Method]:
    """Check that a model can be explained, with these options; returns the methods that they name.

    Raises:
        InputError: It cannot; says what is needed.
    """
    try:
        methods = check_options(model, options)
        keypoint_names(model, getattr(model, 'dataset_meta', None) or {})
    except (TypeError, ValueError, ModuleNotFoundError) as error:
        raise InputError(str(error)) from None
    return methods
