"""What predictions rest on, for the people in given boxes of one picture."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from torch import nn

from mmtranspose.apis.boxes import check_boxes
from mmtranspose.apis.crops import prepare_crops
from mmtranspose.errors import InputError
from mmtranspose.explain import ExplainOptions, PoseExplanation, explain_batch
from mmtranspose.explain.explaining import check_options, keypoint_names
from mmtranspose.explain.geometry import cuts_udp
from mmtranspose.explain.methods import Method
from mmtranspose.media import read_image


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
    """Explain the pose in each box of one picture.

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
        flip_test (bool | None): Explain the prediction averaged over the picture and its mirror; None: as the model
            predicts (``test_cfg.flip_test``).
        batch_size (int): Boxes that go through the network together.

    Returns:
        list[PoseExplanation]: One a box, in order.

    Raises:
        InputError: The model cannot be explained (no :class:`TransPoseNeck`, compiled, or exported); an option is
            unknown; its heatmaps are not finite; the picture is no (h, w, 3) uint8; a box is not finite, has no
            positive size, or lies outside the picture.
    """
    options = ExplainOptions(affect, heads, cell, tuple(methods), score_thr, flip_test)
    require_explainable(model, options)
    if batch_size < 1:
        raise InputError(f'batch_size={batch_size} must be at least 1')
    image = read_image(str(image)) if isinstance(image, (str, Path)) else image
    if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8:
        raise InputError(f'the picture must be (h, w, 3), BGR, uint8, not {image.shape} {image.dtype}')
    bboxes = np.asarray(bboxes, dtype=np.float32)
    if bboxes.size == 0:
        return []
    check_boxes(bboxes, image.shape[:2])
    udp = cuts_udp(model.cfg.test_dataloader.dataset.pipeline)
    explanations = []
    for start in range(0, len(bboxes), batch_size):
        batch = prepare_crops(model, image, bboxes[start : start + batch_size])
        explanations.extend(explain_batch(model, batch, options, udp))
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
