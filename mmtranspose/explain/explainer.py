"""Explain a model's predictions: one explanation for each crop of a batch, or for each box of an image."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from mmpose.structures import PoseDataSample
from torch import Tensor

from mmtranspose.crops.boxes import boxes_in_image
from mmtranspose.crops.crop_affine import recorded_affine
from mmtranspose.crops.crop_maker import prepare_crops
from mmtranspose.errors import InputError, require_at_least, require_choice, require_finite, require_known
from mmtranspose.explain.attention import DIRECTIONS, HEADS, target_maps
from mmtranspose.explain.flip_test import RecordedPrediction, decoded, require_heatmap_flip, uses_flip_test
from mmtranspose.explain.methods import Method, build_method
from mmtranspose.explain.pose_explanation import PoseExplanation
from mmtranspose.explain.recording import evaluating, require_transpose
from mmtranspose.explain.target import CELLS, Target
from mmtranspose.explain.token_grid import token_to_crop
from mmtranspose.keypoint_names import keypoint_names
from mmtranspose.media import as_image
from mmtranspose.typing import Batch, BoxesLike, DatasetMeta, ImageLike, PoseEstimator


@dataclass(frozen=True)
class ExplainOptions:
    """Options of an explanation: which maps it holds, and how they are computed.

    Attributes:
        affect (bool): Also the columns of attention: the places that each keypoint's place affects.
        heads (str): ``'mean'`` averages the heads of a layer; ``'all'`` keeps them (an axis of one where there is one
            head).
        cell (str): The tokens whose attention is a keypoint's: ``'bilinear'``, the four next to its heatmap's peak, by
            their bilinear weights; ``'nearest'``, the one whose area holds the peak. (The authors' script takes the
            token that holds the refined position, which is another one for about a third of the keypoints.)
        methods (Sequence[str | Method]): Further methods, whose maps go into ``relevance``: names, or methods with
            options of their own; see :mod:`mmtranspose.explain.methods`.
        score_thr (float): Keypoints with a lower score are marked as ``uncertain``; they are not dropped.
        flip_test (bool | None): Explain the prediction averaged over the image and its mirror image; None: as the model
            predicts (``test_cfg.flip_test``).

    Raises:
        InputError: ``heads`` or ``cell`` is unknown, ``score_thr`` is no finite number, or ``methods`` is no list.
    """

    affect: bool = False
    heads: str = 'mean'
    cell: str = 'bilinear'
    methods: Sequence[str | Method] = ()
    score_thr: float = 0.3
    flip_test: bool | None = None

    def __post_init__(self) -> None:
        require_choice('heads', self.heads, HEADS)
        require_choice('cell', self.cell, CELLS)
        require_finite('score_thr', self.score_thr)
        names = isinstance(self.methods, Sequence) and not isinstance(self.methods, str)
        if not names or not all(isinstance(one, (str, Method)) for one in self.methods):
            raise InputError(f"methods={self.methods!r} must be a list of methods or of their names, as ['rollout']")


def require_explainable(model: PoseEstimator, options: ExplainOptions) -> list[Method]:
    """Check that a model can be explained with these options; returns the methods that they name.

    Raises:
        UnsupportedModelError: The model cannot be explained; see :func:`require_transpose`.
        InputError: A method is unknown or needs a package that is not installed, or the model's ``test_cfg.flip_mode``
            cannot be explained.
    """
    require_transpose(model)
    if uses_flip_test(model, options.flip_test):
        require_heatmap_flip(model)
    num_layers = len(model.neck.encoder.layers)
    methods = [build_method(one, num_layers) if isinstance(one, str) else one for one in options.methods]
    return list({method.name: method for method in methods}.values())


class Explainer:
    """Explains what a model's predictions depend on, one batch of crops after the other.

    Model, options and keypoint names are checked once, when the explainer is made; ``test_cfg.flip_test`` of the model
    is read then too. A call leaves the model as it was, after an error too.

    Args:
        model (PoseEstimator): A pose estimator with a :class:`TransPoseNeck`.
        options (ExplainOptions | None): None for the defaults.
        dataset_meta (DatasetMeta | None): Names and skeleton of the keypoints; None: ``model.dataset_meta``, which
            ``init_model`` sets.

    Raises:
        UnsupportedModelError, InputError: As in :func:`require_explainable`.
        InputError: ``dataset_meta`` names another number of keypoints than the head predicts.
    """

    def __init__(
        self, model: PoseEstimator, options: ExplainOptions | None = None, dataset_meta: DatasetMeta | None = None
    ):
        self.model = model
        self.options = options or ExplainOptions()
        self.methods = require_explainable(model, self.options)
        self.flip_test = uses_flip_test(model, self.options.flip_test)
        meta = dataset_meta or getattr(model, 'dataset_meta', None) or {}
        self.names = keypoint_names(meta)
        self.skeleton = [tuple(link) for link in meta.get('skeleton_links', [])]
        if len(self.names) != model.head.out_channels:
            raise InputError(
                f'dataset_meta names {len(self.names)} keypoints, the head predicts {model.head.out_channels}: config '
                'and checkpoint are of different datasets; build both from one config with mmtranspose.apis.init_model'
            )

    def __call__(self, batch: Batch) -> list[PoseExplanation]:
        """Explain the prediction for every crop of a batch.

        Keypoints and scores are those of ``model.test_step``. With the flip test the maps are those of the averaged
        prediction: the mirrored image's maps, mirrored back and with left and right keypoints swapped, are averaged in.

        Args:
            batch (Batch): As a data loader gives it: ``inputs`` (B, 3, H, W) or B tensors (3, H, W), BGR, uint8;
                ``data_samples``, each with the affine ``crop_to_image`` in its metainfo, as :func:`prepare_crops` and
                datasets after :func:`~mmtranspose.crops.crop_affine.record_affines` have it.

        Returns:
            list[PoseExplanation]: One for each crop, in order.

        Raises:
            InputError: A sample does not say how its crop was cut, or the heatmaps are not finite.
        """
        affines = [recorded_affine(sample) for sample in batch['data_samples']]
        with evaluating(self.model):
            data = self.model.data_preprocessor(batch, training=False)
            flip_indices = data['data_samples'][0].metainfo['flip_indices'] if self.flip_test else None
            prediction = RecordedPrediction.of(self.model, data['inputs'], flip_indices)
            heatmaps = prediction.heatmaps
            if not heatmaps.isfinite().all():
                raise InputError('the heatmaps are not finite: weights are not, or a layer makes such values')
            target = Target.of(heatmaps, prediction.run.grid, self.options.cell)
            maps = self._maps(prediction, target)
            samples = decoded(self.model, heatmaps, data['data_samples'])
        return [
            self._explanation(index, sample, crop, affine, target, maps)
            for index, (sample, crop, affine) in enumerate(zip(samples, batch['inputs'], affines))
        ]

    def _maps(self, prediction: RecordedPrediction, target: Target) -> dict[str, np.ndarray]:
        """By direction or method: (L, B, K, h, w) or (L, B, heads, K, h, w) of attention, (B, K, h, w) of methods."""

        def attention(direction: str) -> Tensor:
            heads = self.options.heads
            return prediction.averaged(lambda run, _, at: target_maps(run.records, at, direction, heads), target)

        def relevance(method: Method) -> Tensor:
            return prediction.averaged(lambda _, inputs, at: method.unchecked(self.model, inputs, at), target)

        directions = DIRECTIONS if self.options.affect else ('dependency',)
        maps = {direction: attention(direction) for direction in directions}
        maps |= {method.name: relevance(method) for method in self.methods}
        return {name: values.cpu().numpy() for name, values in maps.items()}

    def _explanation(
        self,
        index: int,
        sample: PoseDataSample,
        crop: Tensor,
        affine: np.ndarray,
        target: Target,
        maps: dict[str, np.ndarray],
    ) -> PoseExplanation:
        """The explanation of one crop (3, H, W) of the batch, which has the number ``index``."""
        cell_size = getattr(self.model.head.decoder, 'scale_factor', None)
        if cell_size is None:
            cell_size = np.array(crop.shape[:0:-1]) / np.array(target.heatmap_size[::-1])
        return PoseExplanation(
            keypoints=np.array(sample.pred_instances.keypoints[0], float),
            scores=np.array(sample.pred_instances.keypoint_scores[0], float),
            dependency=maps['dependency'][:, index],
            affect=maps['affect'][:, index] if self.options.affect else None,
            relevance={method.name: maps[method.name][index] for method in self.methods},
            names=list(self.names),
            skeleton=list(self.skeleton),
            score_thr=self.options.score_thr,
            bbox=np.array(sample.gt_instances.bboxes[0], float),
            crop=crop.permute(1, 2, 0).cpu().numpy(),
            token_to_crop=token_to_crop(target.grid, target.heatmap_size, cell_size),
            crop_to_image=affine,
            cells=target.cells[index].cpu().numpy(),
            cell_weights=target.weights[index].cpu().numpy(),
        )


def explainer_of(model: PoseEstimator, options: ExplainOptions) -> Callable[[Batch], list[PoseExplanation]]:
    """What explains a model's predictions: an :class:`Explainer`, or the model's own (an exported file has one)."""
    own = getattr(model, 'explainer', None)
    return Explainer(model, options) if own is None else own(options)


def explain_topdown(
    model: PoseEstimator,
    image: ImageLike,
    bboxes: BoxesLike | None = None,
    *,
    bbox_format: str = 'xyxy',
    batch_size: int = 8,
    **options: Any,
) -> list[PoseExplanation]:
    """Explain the pose in each box of one image.

    Keypoints and scores are those of :func:`mmtranspose.apis.inference_topdown`.

    Args:
        model (PoseEstimator): From :func:`mmtranspose.apis.init_model`.
        image (ImageLike): A file; or an array (h, w, 3), BGR, uint8, or grey or BGRA, as
            :func:`mmtranspose.media.as_image` takes it.
        bboxes (BoxesLike | None): (N, 4) or (N, 5), in pixels and perhaps a score. None makes one box around the
            image; an empty list gives no explanation.
        bbox_format (str): ``'xyxy'``: x1, y1, x2, y2; or ``'xywh'``: x1, y1, width, height.
        batch_size (int): Boxes that go through the network together.
        **options: The fields of :class:`ExplainOptions`: ``affect``, ``heads``, ``cell``, ``methods``, ``score_thr``,
            ``flip_test``.

    Returns:
        list[PoseExplanation]: One for each box, in order.

    Raises:
        UnsupportedModelError: The model cannot be explained: it has no :class:`TransPoseNeck`, is accelerated,
            compiled, or exported.
        InputError: The image or an option cannot be used; the heatmaps are not finite; the boxes have another shape; or
            a box cannot be used, see :func:`mmtranspose.crops.boxes.box_problem`.
    """
    explainer = explainer_of(model, _options(options))
    require_at_least('batch_size', batch_size, 1)
    image = as_image(image)
    boxes = boxes_in_image(bboxes, image, bbox_format)
    explanations: list[PoseExplanation] = []
    for start in range(0, len(boxes), batch_size):
        explanations.extend(explainer(prepare_crops(model, image, boxes[start : start + batch_size])))
    return explanations


def _options(options: dict[str, Any]) -> ExplainOptions:
    require_known('option', options, [field.name for field in fields(ExplainOptions)])
    return ExplainOptions(**options)
