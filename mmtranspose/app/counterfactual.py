"""The pose before and after a place of the image was replaced, or its tokens were switched off."""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil
from typing import TypeAlias

import cv2
import numpy as np
import torch
from mmpose.structures import PoseDataSample

from mmtranspose.app.painting import require_mask
from mmtranspose.app.place_maps import cells_at
from mmtranspose.crops.crop_maker import prepare_crops
from mmtranspose.errors import require_choice
from mmtranspose.explain import PoseExplanation
from mmtranspose.explain.interventions import poses_without_tokens
from mmtranspose.explain.metrics.imputation import linear_imputation
from mmtranspose.inference.pose_estimation import inference_topdown
from mmtranspose.models.data_preprocessors import mean_colour
from mmtranspose.typing import PoseEstimator

GREY, BLUR, NEIGHBOURS, TOKENS_OFF = 'mean grey', 'blur', "neighbours' colours", 'tokens off'
PIXELS = (GREY, BLUR, NEIGHBOURS)
IMAGENET_GREY = (104, 116, 124)  # BGR: ImageNet's mean colour, which the configs' normalisation turns into 0
BLUR_SHARE = 1 / 24  # of the box's longer side: the standard deviation of the blur
COVERED = 0.5  # of a token's area: painted to this share, it is off
TOLERANCE = 0.01  # of an imputed pixel, of 255
SEEN = 1 / 120  # of the image's longer side: shorter movements get no arrow, and are not the furthest

Colour: TypeAlias = tuple[int, int, int]


@dataclass(frozen=True)
class Counterfactual:
    """A person's pose before and after an intervention, from the same crop of the same box.

    Attributes:
        before (PoseDataSample): The pose in the image as it is.
        after (PoseDataSample): The pose after the intervention.
        image (np.ndarray): (h, w, 3), BGR, uint8: what the network was shown (tokens that are off are not seen in it).
        off (np.ndarray | None): (h, w) of the token grid, bool: tokens that were off; None where pixels were replaced.
    """

    before: PoseDataSample
    after: PoseDataSample
    image: np.ndarray
    off: np.ndarray | None = None

    @property
    def movement(self) -> np.ndarray:
        """(K,), how far each keypoint moved, in pixels of the image."""
        before, after = (sample.pred_instances.keypoints[0] for sample in (self.before, self.after))
        return np.linalg.norm(after - before, axis=-1)

    @property
    def scores(self) -> tuple[np.ndarray, np.ndarray]:
        """The scores (K,) before and after."""
        return self.before.pred_instances.keypoint_scores[0], self.after.pred_instances.keypoint_scores[0]

    @property
    def seen(self) -> float:
        """How far a keypoint must move for an arrow, in pixels of the image."""
        return SEEN * max(self.image.shape[:2])

    @property
    def order(self) -> list[int]:
        """The keypoints' numbers, those that moved furthest first; those that moved equally far in their own order."""
        return np.argsort(-self.movement, kind='stable').tolist()

    def furthest(self, kpt_thr: float) -> int | None:
        """The keypoint that moved furthest of those with a score of at least ``kpt_thr`` before.

        None if none of them moved by at least :attr:`seen`.
        """
        moved = np.where(self.scores[0] >= kpt_thr, self.movement, 0)
        return int(moved.argmax()) if moved.max() >= self.seen else None


def mean_grey(model: PoseEstimator) -> Colour:
    """The colour (B, G, R) that a model's normalisation turns into 0, from 0 to 255.

    ImageNet's mean colour where that is not known: for an exported file, and for a model that does not normalise.
    """
    mean = mean_colour(model.data_preprocessor)
    if mean is None:
        return IMAGENET_GREY
    blue, green, red = (int(value) for value in np.rint(mean).clip(0, 255))
    return blue, green, red


def replace_pixels(
    estimator: PoseEstimator,
    image: np.ndarray,
    box: np.ndarray,
    mask: np.ndarray,
    how: str,
    grey: Colour = IMAGENET_GREY,
) -> Counterfactual:
    """Estimate a person's pose after pixels of the image were replaced.

    Args:
        estimator (PoseEstimator): Estimates the poses.
        image (np.ndarray): (h, w, 3), BGR, uint8.
        box (np.ndarray): (5,), the person's: xyxy in pixels and score.
        mask (np.ndarray): (h, w), bool: the pixels.
        how (str): One of :data:`PIXELS`; see :func:`replaced_image`.
        grey (Colour): (B, G, R), from :func:`mean_grey`.

    Raises:
        InputError: ``mask`` is not of the image, or ``how`` is unknown.
    """
    changed = replaced_image(image, mask, how, BLUR_SHARE * float((box[2:4] - box[:2]).max()), grey)
    before, after = (inference_topdown(estimator, shown, box[None])[0] for shown in (image, changed))
    return Counterfactual(before, after, changed)


def replaced_image(
    image: np.ndarray, mask: np.ndarray, how: str, sigma: float, grey: Colour = IMAGENET_GREY
) -> np.ndarray:
    """Replace pixels of an image.

    Args:
        image (np.ndarray): (h, w, 3), BGR, uint8.
        mask (np.ndarray): (h, w), bool: the pixels.
        how (str): ``'mean grey'``: by ``grey``. ``'blur'``: by the image blurred. ``"neighbours' colours"``:
            each by the weighted mean of its neighbours, solved for all together (ROAD's imputation without noise),
            which reads no painted pixel; grey where the whole image is painted.
        sigma (float): Standard deviation of the blur, in pixels.
        grey (Colour): (B, G, R).

    Returns:
        np.ndarray: (h, w, 3), BGR, uint8.

    Raises:
        InputError: ``mask`` is not of the image, or ``how`` is unknown.
    """
    require_mask(mask, (image.shape[0], image.shape[1]))
    require_choice('replacement', how, PIXELS)
    changed = image.copy()
    if not mask.any():
        return changed
    if how == GREY or (how == NEIGHBOURS and mask.all()):
        changed[mask] = grey
        return changed
    sigma = max(sigma, 1)
    # OpenCV's kernel for uint8 reaches as far as three standard deviations, rounded up.
    part = _around(mask, ceil(3 * sigma) + 1 if how == BLUR else 1)
    pixels, removed = image[part], mask[part]
    put = cv2.GaussianBlur(pixels, (0, 0), sigma) if how == BLUR else _imputed(pixels, removed)
    changed[part][removed] = put[removed]
    return changed


def _around(mask: np.ndarray, margin: int) -> tuple[slice, ...]:
    """The rectangle (rows, columns) that holds all painted pixels, and ``margin`` pixels around it in the image."""
    rows, columns = (np.flatnonzero(mask.any(axis)) for axis in (1, 0))
    return tuple(slice(max(side[0] - margin, 0), side[-1] + margin + 1) for side in (rows, columns))


def _imputed(image: np.ndarray, removed: np.ndarray) -> np.ndarray:
    """An image (h, w, 3), uint8, whose pixels ``removed`` (h, w) are computed from the others."""
    pixels = image.astype(np.float32)
    pixels[removed] = pixels[~removed].mean(0)  # where the solver starts: it must not start from what was painted over
    solved = linear_imputation(
        torch.from_numpy(pixels).permute(2, 0, 1)[None], torch.from_numpy(removed)[None], TOLERANCE
    )
    return np.rint(solved[0].permute(1, 2, 0).numpy()).clip(0, 255).astype(np.uint8)


def switch_tokens_off(
    model: PoseEstimator, explanation: PoseExplanation, image: np.ndarray, box: np.ndarray, mask: np.ndarray
) -> Counterfactual:
    """Estimate a person's pose after tokens under the paint were replaced by the mean of the image's tokens.

    Args:
        model (PoseEstimator): Its encoder can be read.
        explanation (PoseExplanation): Of the person: it says where the tokens lie.
        image (np.ndarray): (h, w, 3), BGR, uint8.
        box (np.ndarray): (5,), the person's: xyxy in pixels and score.
        mask (np.ndarray): (h, w), bool: the painted pixels. Tokens of whose area half is painted are off.

    Raises:
        InputError: ``mask`` is not of the image.
    """
    require_mask(mask, (image.shape[0], image.shape[1]))
    off = painted_shares(explanation, mask) >= COVERED

    def pose(chosen: np.ndarray) -> PoseDataSample:
        crops = prepare_crops(model, image, box[None])
        return poses_without_tokens(model, crops, torch.from_numpy(chosen)[None])[0]

    return Counterfactual(pose(np.zeros_like(off)), pose(off), image, off)


def painted_shares(explanation: PoseExplanation, mask: np.ndarray) -> np.ndarray:
    """Measure how much of each token's area in the crop is painted.

    Args:
        explanation (PoseExplanation): Of the person.
        mask (np.ndarray): (height, width) of the image, bool.

    Returns:
        np.ndarray: (h, w) over the token grid, from 0 to 1. What lies outside the image is not painted.
    """
    height, width = explanation.crop.shape[:2]
    to_crop = cv2.invertAffineTransform(explanation.crop_to_image)
    on_crop = cv2.warpAffine(mask.astype(np.float32), to_crop, (width, height))
    y, x = np.mgrid[:height, :width]
    rows, columns = cells_at(explanation, np.stack([x, y], -1))
    cells, count = (rows * explanation.grid[1] + columns).ravel(), int(np.prod(explanation.grid))
    sums = np.bincount(cells, on_crop.ravel(), count)
    return (sums / np.maximum(np.bincount(cells, minlength=count), 1)).reshape(explanation.grid)
