"""Explain a place on a person: attention from and to one token of the crop, whether a keypoint lies there or not."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from mmtranspose.crops.crop_maker import prepare_crops
from mmtranspose.explain import PoseExplanation
from mmtranspose.explain.attention import maps_from
from mmtranspose.explain.flip_test import uses_flip_test
from mmtranspose.explain.recording import evaluating, recorded_layers, require_transpose
from mmtranspose.typing import PoseEstimator


@dataclass(frozen=True)
class PlaceMaps:
    """Attention from and to one token.

    Attributes:
        dependency (np.ndarray): (L, heads, h, w), float32: the token's rows of attention, each summing to 1.
        affect (np.ndarray): The same shape: its columns.
    """

    dependency: np.ndarray
    affect: np.ndarray

    def map(self, kind: str, layer: int, head: int | None) -> np.ndarray:
        """Give one map (h, w).

        Args:
            kind (str): ``'dependency'`` or ``'affect'``.
            layer (int): From 0 on.
            head (int | None): From 0 on; None averages.
        """
        maps = getattr(self, kind)[layer]
        return maps.mean(0) if head is None else maps[head]


@torch.no_grad()
def explain_place(model: PoseEstimator, image: np.ndarray, box: np.ndarray, cell: tuple[int, int]) -> PlaceMaps:
    """Compute attention from and to one token of a person's crop.

    Where the model predicts with the flip test, the maps are averaged with those of the mirrored crop at the mirrored
    token, mirrored back, as :func:`mmtranspose.apis.explain_topdown` does for keypoints. (``shift_heatmap`` moves
    heatmaps, not tokens: it plays no part here.)

    Args:
        model (PoseEstimator): From :func:`mmtranspose.apis.init_model`.
        image (np.ndarray): (h, w, 3), BGR, uint8.
        box (np.ndarray): (4,) or (5,), xyxy in pixels and perhaps a score.
        cell (tuple[int, int]): (row, col) of the token grid.

    Raises:
        InputError: The model cannot be explained, the box has no positive size or lies outside the image, or the
            cell lies outside the token grid.
    """
    require_transpose(model)
    with evaluating(model):
        inputs = model.data_preprocessor(prepare_crops(model, image, np.asarray(box)[None]), training=False)['inputs']
    dependency, affect = _maps(model, inputs, cell, mirrored=False)
    if uses_flip_test(model):
        other = _maps(model, inputs.flip(-1), cell, mirrored=True)
        dependency, affect = (dependency + other[0]) / 2, (affect + other[1]) / 2
    return PlaceMaps(dependency.cpu().numpy(), affect.cpu().numpy())


def _maps(model: PoseEstimator, inputs: Tensor, cell: tuple[int, int], mirrored: bool) -> list[Tensor]:
    """Both directions, (L, heads, h, w) each, with left and right as in the image that is not mirrored."""
    records, grid = recorded_layers(model, inputs)
    row, col = cell
    cells = torch.tensor([[[row, grid[1] - 1 - col if mirrored else col]]])
    found = [maps_from(records, cells, grid, kind, 'all')[:, 0, :, 0] for kind in ('dependency', 'affect')]
    return [maps.flip(-1) if mirrored else maps for maps in found]


def cell_at(explanation: PoseExplanation, point: tuple[float, float]) -> tuple[int, int]:
    """Find the token whose middle is nearest to ``point`` (x, y), in pixels of the image; returns (row, col)."""
    row, col = cells_at(explanation, explanation.to_crop(np.asarray(point, float)))
    return int(row), int(col)


def cells_at(explanation: PoseExplanation, points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Find the rows and columns (...) of the tokens nearest to points (..., 2), (x, y), in pixels of the crop."""
    linear, offset = explanation.token_to_crop[:, :2], explanation.token_to_crop[:, 2]
    nearest = np.rint((points - offset) @ np.linalg.inv(linear).T).astype(int)
    h, w = explanation.grid
    return nearest[..., 1].clip(0, h - 1), nearest[..., 0].clip(0, w - 1)


def place_name(cell: tuple[int, int]) -> str:
    """Name a token by its (row, col), counted from 0 as in arrays and on the explanation page."""
    return f'row {cell[0]}, column {cell[1]}'


def cell_corners(explanation: PoseExplanation, cell: tuple[int, int]) -> np.ndarray:
    """Outline the area that is nearer to a token's middle than to any other token's.

    Args:
        explanation (PoseExplanation): Of the person.
        cell (tuple[int, int]): (row, col) of the token grid.

    Returns:
        np.ndarray: (4, 2), corners (x, y) in pixels of the image.
    """
    row, col = cell
    tokens = np.add((col, row), [[-0.5, -0.5], [0.5, -0.5], [0.5, 0.5], [-0.5, 0.5]])
    crop = tokens @ explanation.token_to_crop[:, :2].T + explanation.token_to_crop[:, 2]
    return crop @ explanation.crop_to_image[:, :2].T + explanation.crop_to_image[:, 2]
