"""Poses drawn over the picture that they were found in."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from mmengine.structures import InstanceData, PixelData
from mmpose.structures import PoseDataSample, revert_heatmap

from mmtranspose.errors import InputError
from mmtranspose.visualization.local_blending import LocalBlendingVisualizer

SKELETON_STYLES = ('mmpose', 'openpose')


class PoseDrawer:
    """Draws poses over pictures, by MMPose's :class:`PoseLocalVisualizer`; made once for many pictures.

    Args:
        dataset_meta (dict): Names, skeleton and colours of the keypoints, as ``model.dataset_meta``.
        kpt_thr (float): Keypoints with a lower score are left out.
        draw_bbox (bool): Draw the boxes too.
        radius (int | None): Of a keypoint, in pixels; None fits it to the picture.
        thickness (int | None): Of a limb, in pixels; None fits it to the picture.
        skeleton_style (str): ``'mmpose'``, or ``'openpose'`` for the keypoints of COCO and COCO-WholeBody.
        alpha (float): Opacity of the keypoints, 0 to 1.
        show_kpt_idx (bool): Write each keypoint's number beside it (style ``'mmpose'``).
        draw_heatmap (bool): Put the picture with the heatmaps over it (highest joint, highest person) below the other,
            as MMPose does; the samples need ``pred_fields.heatmaps`` (K, h, w).

    Raises:
        InputError: The style is unknown, or MMPose does not have it for this data set.
    """

    def __init__(
        self,
        dataset_meta: dict,
        kpt_thr: float = 0.3,
        draw_bbox: bool = False,
        radius: int | None = None,
        thickness: int | None = None,
        skeleton_style: str = 'mmpose',
        alpha: float = 1.0,
        show_kpt_idx: bool = False,
        draw_heatmap: bool = False,
    ):
        if skeleton_style not in SKELETON_STYLES:
            raise InputError(f'skeleton style {skeleton_style!r} is unknown; choose from {", ".join(SKELETON_STYLES)}')
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
        """The picture with poses.

        Args:
            image (np.ndarray): (h, w, 3), BGR, uint8; left as it is.
            samples (Sequence[PoseDataSample]): One a person; none at all gives a copy of the picture.

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


def _people(samples: Sequence[PoseDataSample]) -> InstanceData:
    if not samples:
        return InstanceData()
    people = InstanceData.cat([sample.pred_instances for sample in samples])
    people.keypoints_visible = people.keypoint_scores  # what MMPose's visualizer holds against the threshold
    return people


def _highest(samples: Sequence[PoseDataSample], size: tuple[int, int]) -> np.ndarray:
    """(h, w): the highest heatmap at each pixel of the picture. One at a time: a crowd's would fill memory."""
    highest = np.zeros(size, np.float32)
    for sample in samples:
        for heatmap in sample.pred_fields.heatmaps:
            on_image = revert_heatmap(heatmap, sample.input_center, sample.input_scale, size)
            np.maximum(highest, on_image, out=highest)
    return highest


def draw_poses(
    image: np.ndarray,
    samples: Sequence[PoseDataSample],
    dataset_meta: dict,
    kpt_thr: float = 0.3,
    draw_bbox: bool = False,
    radius: int | None = None,
    thickness: int | None = None,
    **options: object,
) -> np.ndarray:
    """One picture with poses; arguments and result as of :class:`PoseDrawer`, which serves many pictures better.

    Raises:
        InputError: See :class:`PoseDrawer`.
    """
    return PoseDrawer(dataset_meta, kpt_thr, draw_bbox, radius, thickness, **options)(image, samples)
