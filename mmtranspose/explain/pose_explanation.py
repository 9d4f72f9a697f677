"""The explanation of one person's pose: keypoints, their maps over the token grid, and the way back to the image."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
import torch.nn.functional as F

from mmtranspose.errors import InputError, require_choice, require_size


@dataclass
class PoseExplanation:
    """A person's predicted keypoints and, for each, maps over the token grid, as raw values.

    Attributes:
        keypoints (np.ndarray): (K, 2), (x, y) in pixels of the image, as the model predicts them.
        scores (np.ndarray): (K,), heights of the heatmaps' peaks.
        dependency (np.ndarray): (L, K, h, w), or (L, heads, K, h, w) with ``heads='all'``; float32. The places that
            each keypoint depends on: rows of attention at its peak, each summing to 1.
        affect (np.ndarray | None): The same shape: columns of attention, the places that each keypoint's peak affects.
            None unless asked for.
        relevance (dict[str, np.ndarray]): Maps (K, h, w) of the methods asked for, by name; the higher, the more the
            keypoint depends on the place.
        names (list[str]): (K,), of the keypoints.
        skeleton (list[tuple[int, int]]): Limbs, as pairs of keypoints.
        score_thr (float): Keypoints with a lower score are marked in :attr:`uncertain`.
        bbox (np.ndarray): (4,), xyxy in pixels of the image.
        crop (np.ndarray): (H, W, 3), BGR, uint8: the network's input before normalisation.
        token_to_crop (np.ndarray): (2, 3), from a token's (col, row) to (x, y) in pixels of the crop.
        crop_to_image (np.ndarray): (2, 3), from (x, y) in pixels of the crop to pixels of the image.
        cells (np.ndarray): (K, P, 2), integer (row, col) of the tokens at each peak.
        cell_weights (np.ndarray): (K, P), the tokens' weights; they sum to 1.
    """

    keypoints: np.ndarray
    scores: np.ndarray
    dependency: np.ndarray
    affect: np.ndarray | None
    names: list[str]
    skeleton: list[tuple[int, int]]
    score_thr: float
    bbox: np.ndarray
    crop: np.ndarray
    token_to_crop: np.ndarray
    crop_to_image: np.ndarray
    cells: np.ndarray
    cell_weights: np.ndarray
    relevance: dict[str, np.ndarray] = field(default_factory=dict)

    @property
    def uncertain(self) -> np.ndarray:
        """(K,), bool: keypoints whose score is below ``score_thr`` (or not a number)."""
        return ~(self.scores >= self.score_thr)

    @property
    def num_layers(self) -> int:
        """Number of encoder layers L."""
        return len(self.dependency)

    @property
    def num_heads(self) -> int | None:
        """Number of heads, or None where the maps are the heads' mean."""
        return self.dependency.shape[1] if self.dependency.ndim == 5 else None

    @property
    def grid(self) -> tuple[int, int]:
        """Token grid (h, w)."""
        h, w = self.dependency.shape[-2:]
        return h, w

    @property
    def crop_keypoints(self) -> np.ndarray:
        """(K, 2), (x, y) of the keypoints in pixels of the crop."""
        return self.to_crop(self.keypoints)

    def to_crop(self, points: np.ndarray) -> np.ndarray:
        """Convert points (..., 2), (x, y), from pixels of the image to pixels of the crop."""
        linear, offset = self.crop_to_image[:, :2], self.crop_to_image[:, 2]
        return (points - offset) @ np.linalg.inv(linear).T

    def maps(self, direction: str = 'dependency', head: int | None = None) -> np.ndarray:
        """Take the attention maps (L, K, h, w) of one head, or the mean of all heads.

        Args:
            direction (str): ``'dependency'`` or ``'affect'``.
            head (int | None): From 0 on; None averages.

        Raises:
            InputError: ``direction`` or ``head`` is unknown, affect was not asked for, or the heads were averaged.
        """
        require_choice('direction', direction, ('dependency', 'affect'))
        maps = getattr(self, direction)
        if maps is None:
            raise InputError('there are no affect maps: explain with affect=True')
        if head is None:
            return maps.mean(1) if maps.ndim == 5 else maps
        if maps.ndim != 5:
            raise InputError(f"head={head}: the maps are the heads' mean; explain with heads='all'")
        if not 0 <= head < maps.shape[1]:
            raise InputError(f'head={head} does not exist: the model has {maps.shape[1]}, numbered from 0')
        return maps[:, head]

    def on_crop(self, maps: np.ndarray) -> np.ndarray:
        """Interpolate maps (..., h, w) over the token grid bilinearly over the crop: (..., H, W).

        Beyond the middles of the outermost tokens the maps keep those tokens' values.

        Raises:
            InputError: The maps are not over the token grid.
        """
        return self._sampled(maps, np.eye(2, 3), self.crop.shape[:2], inside_only=False)

    def on_image(self, maps: np.ndarray, image_size: Sequence[int]) -> np.ndarray:
        """Interpolate maps over the token grid bilinearly over the image: (..., height, width).

        Each pixel is mapped by the exact inverse of the crop's affine and interpolated once. Pixels outside the crop
        are 0: the network did not see them.

        Args:
            maps (np.ndarray): (..., h, w).
            image_size (Sequence[int]): (height, width) of the image.

        Raises:
            InputError: The maps are not over the token grid, or ``image_size`` is not two numbers.
        """
        require_size('image_size, the (height, width) of the image,', image_size)
        image_to_crop = np.linalg.inv(np.vstack([self.crop_to_image, [0, 0, 1]]))[:2]
        return self._sampled(maps, image_to_crop, image_size, inside_only=True)

    def _sampled(self, maps: np.ndarray, to_crop: np.ndarray, size: Sequence[int], inside_only: bool) -> np.ndarray:
        """Maps (..., height, width) at the pixels of a lattice, which ``to_crop`` (2, 3) takes into the crop."""
        maps = np.asarray(maps)
        if maps.shape[-2:] != self.grid:
            raise InputError(f'maps must end in the token grid {self.grid}, not {maps.shape[-2:]}')
        y, x = np.mgrid[: size[0], : size[1]].astype(np.float64)
        crop_xy = np.stack([x, y], -1) @ to_crop[:, :2].T + to_crop[:, 2]
        token_xy = (crop_xy - self.token_to_crop[:, 2]) @ np.linalg.inv(self.token_to_crop[:, :2]).T
        h, w = self.grid
        normalised = torch.from_numpy(token_xy / np.maximum([w - 1, h - 1], 1) * 2 - 1).float()
        flat = torch.from_numpy(maps.astype(np.float32)).reshape(1, -1, h, w)
        sampled = F.grid_sample(flat, normalised[None], 'bilinear', 'border', align_corners=True)[0].numpy()
        if inside_only:
            last = np.array(self.crop.shape[1::-1]) - 1
            sampled *= ((crop_xy >= -0.5) & (crop_xy <= last + 0.5)).all(-1)
        return sampled.reshape(*maps.shape[:-2], *size)
