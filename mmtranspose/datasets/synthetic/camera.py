"""A pinhole camera over a flat ground.

World frame: x right, y up, z towards the camera's side, metres, ground at y = 0. Camera frame: x right, y down, z along
the view. Image frame: pixels, (0, 0) the centre of the top left pixel, u right, v down.
"""
import math
from dataclasses import dataclass
from typing import Tuple

import numpy as np

from .skeleton import rotation


@dataclass(frozen=True)
class Camera:
    """Pinhole camera at (0, ``height``, 0) that looks along -z.

    Args:
        size: Picture (w, h) in pixels.
        focal: Focal length in pixels.
        height: Metres above the ground.
        pitch: Degrees downwards.
        roll: Degrees clockwise, as the picture's content turns.
    """
    size: Tuple[int, int]
    focal: float
    height: float
    pitch: float = 0.
    roll: float = 0.

    @property
    def centre(self) -> np.ndarray:
        """Principal point (2,) in pixels, the middle of the picture."""
        return (np.array(self.size, float) - 1) / 2

    @property
    def rotation(self) -> np.ndarray:
        """World to camera rotation (3, 3)."""
        return rotation(2, self.roll) @ rotation(0, self.pitch) @ np.diag((1., -1., -1.))

    @property
    def translation(self) -> np.ndarray:
        """World to camera translation (3,), metres."""
        return -self.rotation @ np.array((0., self.height, 0.))

    def to_camera(self, points: np.ndarray) -> np.ndarray:
        """World points (..., 3) in the camera frame."""
        return points @ self.rotation.T + self.translation

    def project(self, points: np.ndarray) -> np.ndarray:
        """Camera-frame points (..., 3), z > 0, to pixels (..., 2)."""
        return points[..., :2] * (self.focal / points[..., 2:]) + self.centre

    def scaled(self, factor: int) -> 'Camera':
        """The same view with ``factor`` times as many pixels each way."""
        width, height = self.size
        return Camera((width * factor, height * factor), self.focal * factor, self.height, self.pitch, self.roll)

    def ground(self) -> Tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Where each pixel's ray meets the ground.

        Returns:
            World x and distance -z, and whether the ray goes down to the ground at all, each (h, w).
        """
        width, height = self.size
        u = (np.arange(width, dtype=np.float32) - np.float32(self.centre[0])) / np.float32(self.focal)
        v = (np.arange(height, dtype=np.float32) - np.float32(self.centre[1]))[:, None] / np.float32(self.focal)
        turn = self.rotation.T.astype(np.float32)  # camera to world
        down = turn[1, 0] * u + turn[1, 1] * v + turn[1, 2]
        below = down < -1e-3
        reach = np.float32(-self.height) / np.where(below, down, -1)
        return ((turn[0, 0] * u + turn[0, 1] * v + turn[0, 2]) * reach,
                -(turn[2, 0] * u + turn[2, 1] * v + turn[2, 2]) * reach, below)


def aim(size: Tuple[int, int], focal: float, pitch: float, roll: float, distance: float, point_height: float,
        row: float) -> Camera:
    """A camera whose height puts a point at a row of the picture.

    Args:
        size: Picture (w, h).
        focal: Focal length in pixels.
        pitch: Degrees downwards.
        roll: Degrees clockwise.
        distance: Of the point from the camera along the ground, metres.
        point_height: Of the point above the ground, metres.
        row: Where it should appear (for ``roll`` 0), pixels from the top.
    """
    angle = math.atan((row - (size[1] - 1) / 2) / focal) + math.radians(pitch)
    return Camera(size, focal, max(.25, point_height + distance * math.tan(angle)), pitch, roll)
