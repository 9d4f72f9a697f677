"""Poses drawn over the picture that they were found in."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from mmpose.structures import PoseDataSample, merge_data_samples
from mmpose.visualization import PoseLocalVisualizer


def draw_poses(
    image: np.ndarray,
    samples: Sequence[PoseDataSample],
    dataset_meta: dict,
    kpt_thr: float = 0.3,
    draw_bbox: bool = False,
    radius: int | None = None,
    thickness: int | None = None,
) -> np.ndarray:
    """The picture with poses, by MMPose's :class:`PoseLocalVisualizer`.

    Args:
        image (np.ndarray): (h, w, 3), BGR, uint8.
        samples (Sequence[PoseDataSample]): One a person; none at all gives a copy of the picture.
        dataset_meta (dict): Names, skeleton and colours of the keypoints, as ``model.dataset_meta``.
        kpt_thr (float): Keypoints with a lower score are left out.
        draw_bbox (bool): Draw the boxes too.
        radius (int | None): Of a keypoint, in pixels; None fits it to the picture.
        thickness (int | None): Of a limb, in pixels; None fits it to the picture.

    Returns:
        np.ndarray: (h, w, 3), BGR, uint8.
    """
    if not samples:
        return image.copy()
    size = max(2, round(max(image.shape[:2]) / 160))
    visualizer = PoseLocalVisualizer(radius=radius or size, line_width=thickness or max(1, size // 2))
    visualizer.set_dataset_meta(dataset_meta)
    visualizer.add_datasample(
        'poses',
        image[..., ::-1].copy(),
        merge_data_samples(list(samples)),
        draw_gt=False,
        draw_bbox=draw_bbox,
        kpt_thr=kpt_thr,
    )
    return np.ascontiguousarray(visualizer.get_image()[..., ::-1])
