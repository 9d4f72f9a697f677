"""A pinhole camera over a flat ground.

World frame: x right, y up, z towards the camera's side, metres, ground at y = 0. Camera frame: x right, y down, z along
the view. Image frame: pixels, (0, 0) the centre of the top left pixel, u right, v down.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from mmtranspose.datasets.synthetic.skeleton import rotation


@dataclass(frozen=True)
class Camera:
    """Pinhole camera at (0, ``height``, 0) that looks along -z.

    Args:
        size: Image (w, h) in pixels.
        focal: Focal length in pixels.
        height: Metres above the ground.
        pitch: Degrees downwards.
        roll: Degrees clockwise, as the image's content turns.
    """

    size: tuple[int, int]
    focal: float
    height: float
    pitch: float = 0.0
    roll: float = 0.0

    @cached_property
    def centre(self) -> np.ndarray:
        """Principal point (2,) in pixels, the middle of the image."""
        return (np.array(self.size, float) - 1) / 2

    @cached_property
    def rotation(self) -> np.ndarray:
        """World to camera rotation (3, 3)."""
        return rotation(2, self.roll) @ rotation(0, self.pitch) @ np.diag((1.0, -1.0, -1.0))

    @cached_property
    def translation(self) -> np.ndarray:
        """World to camera translation (3,), metres."""
        return -self.rotation @ np.array((0.0, self.height, 0.0))

    def to_camera(self, points: np.ndarray) -> np.ndarray:
        """Transform world points (..., 3) to the camera frame."""
        return points @ self.rotation.T + self.translation

    def project(self, points: np.ndarray) -> np.ndarray:
        """Project camera-frame points (..., 3) with z > 0 to pixels (..., 2)."""
        return points[..., :2] * (self.focal / points[..., 2:]) + self.centre

    def scaled(self, factor: int) -> Camera:
        """The same view with ``factor`` times as many pixels along each side."""
        width, height = self.size
        return Camera((width * factor, height * factor), self.focal * factor, self.height, self.pitch, self.roll)

    def plane_view(
        self,
        origin: np.ndarray | Sequence[float],
        right: np.ndarray,
        up: np.ndarray,
        pixels_per_metre: float,
    ) -> np.ndarray:
        """Homography (3, 3) from a flat surface to the image.

        Args:
            origin: World point (3,) of the surface's point (0, 0), metres.
            right: Unit direction (3,) of the surface's first coordinate.
            up: Unit direction (3,) of its second coordinate.
            pixels_per_metre: Length of one metre in the surface's coordinates.
        """
        intrinsic = np.array(((self.focal, 0, self.centre[0]), (0, self.focal, self.centre[1]), (0, 0, 1)))
        axes = self.rotation @ np.stack((right, up), 1) / pixels_per_metre
        return intrinsic @ np.column_stack((axes, self.to_camera(np.asarray(origin, float))))


def aim(
    size: tuple[int, int], focal: float, pitch: float, roll: float, distance: float, point_height: float, row: float
) -> Camera:
    """Make a camera at the height at which a point appears in a given row of the image.

    Args:
        size: Image (w, h).
        focal: Focal length in pixels.
        pitch: Degrees downwards.
        roll: Degrees clockwise.
        distance: Of the point from the camera along the ground, metres.
        point_height: Of the point above the ground, metres.
        row: Where it should appear (for ``roll`` 0), pixels from the top.
    """
    angle = math.atan((row - (size[1] - 1) / 2) / focal) + math.radians(pitch)
    return Camera(size, focal, max(0.25, point_height + distance * math.tan(angle)), pitch, roll)
