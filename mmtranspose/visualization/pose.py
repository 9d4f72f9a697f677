"""Draw poses, and the numbers of tracked people, over the image in which they were found."""

from __future__ import annotations

import colorsys
import inspect
from collections.abc import Sequence
from typing import Any

import cv2
import numpy as np
from mmengine.structures import InstanceData, PixelData
from mmpose.structures import PoseDataSample, revert_heatmap
from mmpose.visualization import PoseLocalVisualizer

from mmtranspose.errors import InputError, require_choice, require_known
from mmtranspose.typing import DatasetMeta

SKELETON_STYLES = ('mmpose', 'openpose')
GOLDEN = 0.618033988749895  # steps of this share of a circle spread any number of hues evenly
BLACK = (0, 0, 0)


class PoseDrawer:
    """Draws poses over images with MMPose's :class:`PoseLocalVisualizer`; one drawer serves many images.

    Args:
        dataset_meta (DatasetMeta): Names, skeleton and colours of the keypoints, as ``model.dataset_meta``.
        kpt_thr (float): Keypoints with a lower score are not drawn.
        draw_bbox (bool): Also draw the boxes.
        radius (int | None): Radius of the keypoints in pixels; None fits it to the image.
        thickness (int | None): Thickness of the limbs in pixels; None fits it to the image.
        skeleton_style (str): ``'mmpose'``, or ``'openpose'`` for the keypoints of COCO and COCO-WholeBody.
        alpha (float): Opacity of the keypoints, 0 to 1.
        show_kpt_idx (bool): Write the number of each keypoint beside it (style ``'mmpose'``).
        draw_heatmap (bool): Append below the image, as MMPose does, the image under its heatmaps: at each pixel the
            highest of all keypoints and people. The samples need ``pred_fields.heatmaps`` (K, h, w).

    Raises:
        InputError: The style is unknown, or MMPose does not have the style for this dataset.
    """

    def __init__(
        self,
        dataset_meta: DatasetMeta,
        kpt_thr: float = 0.3,
        draw_bbox: bool = False,
        radius: int | None = None,
        thickness: int | None = None,
        skeleton_style: str = 'mmpose',
        alpha: float = 1.0,
        show_kpt_idx: bool = False,
        draw_heatmap: bool = False,
    ):
        require_choice('skeleton_style', skeleton_style, SKELETON_STYLES)
        self.radius, self.thickness, self.draw_heatmap = radius, thickness, draw_heatmap
        self._options = dict(
            kpt_thr=kpt_thr,
            draw_bbox=draw_bbox,
            skeleton_style=skeleton_style,
            show_kpt_idx=show_kpt_idx,
            draw_heatmap=draw_heatmap,
        )
        self._visualizer = LocalBlendingVisualizer(alpha=alpha)
        try:
            self._visualizer.set_dataset_meta(dataset_meta, skeleton_style=skeleton_style)
        except NotImplementedError:
            name = dataset_meta['dataset_name']
            raise InputError(
                f'--skeleton-style openpose is for the keypoints of coco and coco_wholebody, not of {name}'
            ) from None

    def __call__(self, image: np.ndarray, samples: Sequence[PoseDataSample]) -> np.ndarray:
        """Draw poses over a copy of an image.

        Args:
            image (np.ndarray): (h, w, 3), BGR, uint8.
            samples (Sequence[PoseDataSample]): One sample a person; an empty list gives a copy of the image.

        Returns:
            np.ndarray: (h, w, 3), or (2h, w, 3) with heatmaps; BGR, uint8.
        """
        size = max(2, round(max(image.shape[:2]) / 160))
        self._visualizer.radius = size if self.radius is None else self.radius
        self._visualizer.line_width = max(1, size // 2) if self.thickness is None else self.thickness
        everybody = PoseDataSample(pred_instances=_people(samples))
        if self.draw_heatmap:
            everybody.pred_fields = PixelData(heatmaps=_highest(samples, image.shape[:2])[None])
        rgb = np.ascontiguousarray(image[..., ::-1])
        drawn = self._visualizer.add_datasample('poses', rgb, everybody, draw_gt=False, **self._options)
        return np.ascontiguousarray(drawn[..., ::-1])


def draw_poses(
    image: np.ndarray, samples: Sequence[PoseDataSample], dataset_meta: DatasetMeta, **style: Any
) -> np.ndarray:
    """Draw poses over a copy of one image; for many images, make one :class:`PoseDrawer`.

    Args:
        image (np.ndarray): (h, w, 3), BGR, uint8.
        samples (Sequence[PoseDataSample]): One sample a person; an empty list gives a copy of the image.
        dataset_meta (DatasetMeta): Names, skeleton and colours of the keypoints, as ``model.dataset_meta``.
        style: Options of :class:`PoseDrawer`, by name.

    Returns:
        np.ndarray: As from :class:`PoseDrawer`.

    Raises:
        InputError: An option is unknown, or has a value that it does not take.
    """
    require_known('option', style, list(inspect.signature(PoseDrawer).parameters)[1:])
    return PoseDrawer(dataset_meta, **style)(image, samples)


def _people(samples: Sequence[PoseDataSample]) -> InstanceData:
    if not samples:
        return InstanceData()
    people = InstanceData.cat([sample.pred_instances for sample in samples])
    people.keypoints_visible = people.keypoint_scores  # what MMPose's visualizer compares with the threshold
    return people


def _highest(samples: Sequence[PoseDataSample], size: Sequence[int]) -> np.ndarray:
    """The highest heatmap at each pixel of an image of (h, w), computed one by one: a crowd's would fill memory."""
    highest = np.zeros(size, np.float32)
    for sample in samples:
        for heatmap in sample.pred_fields.heatmaps:
            on_image = revert_heatmap(heatmap, sample.input_center, sample.input_scale, size)
            np.maximum(highest, on_image, out=highest)
    return highest


def draw_tracks(image: np.ndarray, samples: Sequence[PoseDataSample]) -> None:
    """Draw the boxes of tracked people in the colours of their tracks, with their numbers.

    A number stands above the upper left corner of its box, or inside the box at the upper edge of the image.

    Args:
        image (np.ndarray): (h, w, 3), BGR, uint8; drawn on.
        samples (Sequence[PoseDataSample]): One sample a person, with ``track_id`` (an int).
    """
    size = max(image.shape[:2])
    stroke, scale = max(1, round(size / 500)), max(0.4, size / 1600)
    for sample in samples:
        colour = track_colour(sample.track_id)
        x1, y1, x2, y2 = (int(value) for value in np.rint(sample.pred_instances.bboxes[0]))
        cv2.rectangle(image, (x1, y1), (x2, y2), colour, stroke)
        _draw_label(image, str(sample.track_id), (max(x1, 0), y1), colour, scale, stroke)


def track_colour(track_id: int) -> tuple[int, int, int]:
    """The colour (B, G, R) of a track: the same in every frame, and unlike the colours of neighbouring numbers."""
    red, green, blue = colorsys.hsv_to_rgb(track_id * GOLDEN % 1, 0.65, 1.0)
    return round(255 * blue), round(255 * green), round(255 * red)


def _draw_label(
    image: np.ndarray, text: str, corner: tuple[int, int], colour: tuple[int, int, int], scale: float, stroke: int
) -> None:
    """Write black letters on a strip of the colour above a point, or below the point where there is no room above."""
    (width, height), below = cv2.getTextSize(text, cv2.FONT_HERSHEY_SIMPLEX, scale, stroke)
    (x, y), margin = corner, below // 2 + 1
    strip = height + 2 * margin
    y = y - strip if y >= strip else max(y, 0)
    cv2.rectangle(image, (x, y), (x + width + 2 * margin, y + strip), colour, cv2.FILLED)
    place = (x + margin, y + height + margin)
    cv2.putText(image, text, place, cv2.FONT_HERSHEY_SIMPLEX, scale, BLACK, stroke, cv2.LINE_AA)


class LocalBlendingVisualizer(PoseLocalVisualizer):
    """A :class:`PoseLocalVisualizer` that blends each transparent shape into its surroundings only.

    MMPose copies and blends the whole image for every keypoint. The pixels are the same.
    """

    _image: np.ndarray

    def draw_circles(
        self, center: np.ndarray, radius: np.ndarray, *args: Any, **kwargs: Any
    ) -> LocalBlendingVisualizer:
        """Draw a circle as MMPose does."""
        center, size = np.asarray(center), np.max(radius)  # a number: NumPy will refuse MMPose's int() of an array
        offset = self._narrow(center - int(size) - 2, center + int(size) + 2)
        super().draw_circles(center - offset, size, *args, **kwargs)
        return self._widen(offset)

    def draw_polygons(self, polygons: np.ndarray, *args: Any, **kwargs: Any) -> LocalBlendingVisualizer:
        """Draw a polygon as MMPose does."""
        offset = self._narrow(polygons.min(0) - 2, polygons.max(0) + 2)
        super().draw_polygons(polygons - offset, *args, **kwargs)
        return self._widen(offset)

    def _narrow(self, low: np.ndarray, high: np.ndarray) -> np.ndarray:
        """Draw on the rectangle between two points from now on; returns the rectangle's upper left corner (x, y)."""
        size = np.array(self._image.shape[1::-1])
        # At least one pixel where the shape lies outside the image: OpenCV refuses empty images.
        x1, y1 = np.clip(np.floor(low), 0, size - 1).astype(np.int32)
        x2, y2 = np.clip(np.ceil(high), (x1 + 1, y1 + 1), size).astype(np.int32)
        self._whole = self._image
        self._image = self._whole[y1:y2, x1:x2].copy()
        return np.array([x1, y1], np.int32)

    def _widen(self, offset: np.ndarray) -> LocalBlendingVisualizer:
        """Put the rectangle back and draw on the whole image again."""
        (x, y), (h, w) = offset, self._image.shape[:2]
        self._whole[y : y + h, x : x + w] = self._image
        self._image = self._whole
        return self
