"""One frame's results as a picture."""

from __future__ import annotations

import numpy as np

from mmtranspose.apis.topdown.result import TopdownResult
from mmtranspose.visualization import PoseDrawer, draw_tracks, overlay_people
from mmtranspose.visualization.overlay import draw_caption, people_caption


class ResultDrawer:
    """Draws poses; beneath them what one joint rests on; and the numbers of people who are followed.

    Args:
        poses (PoseDrawer): Draws the poses.
        joint (str | int | None): Lay this joint's last-layer dependency maps of all people over the picture.
        tracks (bool): Draw the samples' ``track_id``.
    """

    def __init__(self, poses: PoseDrawer, joint: str | int | None = None, tracks: bool = False):
        self.poses, self.joint, self.tracks = poses, joint, tracks

    def __call__(self, result: TopdownResult) -> np.ndarray:
        """(h, w, 3), or (2h, w, 3) with heatmaps; BGR, uint8. The frame is left as it is."""
        image, caption = result.frame.image, ''
        if self.joint is not None and result.explanations:
            last = result.explanations[0].num_layers - 1
            image = overlay_people(image, result.explanations, self.joint, last, caption='')
            caption = people_caption(result.explanations, self.joint, last, 'dependency')
        drawn = self.poses(image, result.samples)
        if self.tracks:
            draw_tracks(drawn, result.samples)
        draw_caption(drawn, caption)  # last, so that nothing covers it
        return drawn
