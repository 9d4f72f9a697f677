"""Take keypoints as the targets of training; the head draws their heatmaps."""

from __future__ import annotations

import numpy as np
from mmcv.transforms import BaseTransform
from mmpose.registry import TRANSFORMS

from mmtranspose.errors import InputError

DRAWN_FROM = 0.5  # MMPose's codecs draw keypoints with at least this visibility


@TRANSFORMS.register_module()
class KeypointTarget(BaseTransform):
    """Give the keypoints themselves as targets, in place of the heatmaps of MMPose's :class:`GenerateTarget`.

    A sample then carries K keypoints instead of K heatmaps: 17 x 12 bytes, not 17 x 64 x 48 x 4 = 204 KB.
    :class:`TransPoseHead` draws the same heatmaps from them on its own device.

    Reads ``transformed_keypoints`` or else ``keypoints``, (1, K, 2) in pixels of the input, and ``keypoints_visible``,
    (1, K), or (1, K, 2) with a weight beside each visibility, which are separated as :class:`GenerateTarget` does.
    Adds ``keypoint_labels`` (1, K, 2) and ``keypoint_weights`` (1, K), both float32.

    Args:
        use_dataset_keypoint_weights (bool): Multiply the weights by ``joint_weights`` of the dataset's metainfo.
    """

    def __init__(self, use_dataset_keypoint_weights: bool = False):
        super().__init__()
        self.use_dataset_keypoint_weights = use_dataset_keypoint_weights

    def transform(self, results: dict) -> dict:
        """Add the labels and their weights.

        Raises:
            InputError: There are no keypoints, or not those of one person; or a keypoint's weight in the dataset is
                between 0 and 0.5, too small for a heatmap to be drawn.
        """
        keypoints = results.get('transformed_keypoints')
        keypoints = results.get('keypoints') if keypoints is None else keypoints
        if keypoints is None:
            raise InputError("KeypointTarget needs 'transformed_keypoints' or 'keypoints' in the results")
        if keypoints.ndim != 3 or keypoints.shape[0] != 1 or keypoints.shape[2] != 2:
            raise InputError(f'KeypointTarget needs keypoints of one person, (1, K, 2), not {keypoints.shape}')
        visible = results['keypoints_visible']
        if visible.ndim == 3 and visible.shape[2] == 2:
            results['keypoints_visible'], results['keypoints_visible_weights'] = visible[..., 0], visible[..., 1]
            visible = visible[..., 0]
        if self.use_dataset_keypoint_weights:
            visible = visible * _joint_weights(results)
        results['keypoint_labels'] = keypoints.astype(np.float32)
        results['keypoint_weights'] = visible.astype(np.float32)
        return results

    def __repr__(self) -> str:
        return f'{type(self).__name__}(use_dataset_keypoint_weights={self.use_dataset_keypoint_weights})'


def _joint_weights(results: dict) -> np.ndarray:
    """The dataset's weights (K,).

    Raises:
        InputError: A weight is between 0 and ``DRAWN_FROM``.
    """
    weights = np.asarray(results['dataset_keypoint_weights'])
    light = (weights > 0) & (weights < DRAWN_FROM)
    if light.any():
        raise InputError(
            f'joint_weights of the dataset: keypoint {int(light.argmax())} has {weights[light][0]:g}, but with '
            f'KeypointTarget weights between 0 and {DRAWN_FROM} draw no heatmap: use larger ones, or GenerateTarget'
        )
    return weights
