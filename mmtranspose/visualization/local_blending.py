"""MMPose's visualizer with transparency that costs what it changes."""

from __future__ import annotations

import numpy as np
from mmpose.visualization import PoseLocalVisualizer


class LocalBlendingVisualizer(PoseLocalVisualizer):
    """A :class:`PoseLocalVisualizer` that blends each transparent shape into its surroundings alone.

    MMPose copies and blends the whole picture for every keypoint. The pixels are the same.
    """

    def draw_circles(self, center: np.ndarray, radius: np.ndarray, *args, **kwargs) -> LocalBlendingVisualizer:
        center, reach = np.asarray(center), int(np.max(radius)) + 2
        offset = self._narrow(center - reach, center + reach)
        super().draw_circles(center - offset, radius, *args, **kwargs)
        return self._widen(offset)

    def draw_polygons(self, polygons: np.ndarray, *args, **kwargs) -> LocalBlendingVisualizer:
        offset = self._narrow(polygons.min(0) - 2, polygons.max(0) + 2)
        super().draw_polygons(polygons - offset, *args, **kwargs)
        return self._widen(offset)

    def _narrow(self, low: np.ndarray, high: np.ndarray) -> np.ndarray:
        """Make the rectangle between two points the picture drawn on; returns its upper left corner (x, y)."""
        size = np.array(self._image.shape[1::-1])
        # At least one pixel, where all lies outside: OpenCV refuses empty pictures.
        x1, y1 = np.clip(np.floor(low), 0, size - 1).astype(np.int32)
        x2, y2 = np.clip(np.ceil(high), (x1 + 1, y1 + 1), size).astype(np.int32)
        self._whole = self._image
        self._image = self._whole[y1:y2, x1:x2].copy()
        return np.array([x1, y1], np.int32)

    def _widen(self, offset: np.ndarray) -> LocalBlendingVisualizer:
        (x, y), (h, w) = offset, self._image.shape[:2]
        self._whole[y : y + h, x : x + w] = self._image
        self._image = self._whole
        return self
