"""Show images in a window."""

from __future__ import annotations

import subprocess
import sys

import cv2
import numpy as np

from mmtranspose.errors import InputError

TITLE = 'mmtranspose'
STOP = (27, ord('q'))  # 27: ESC
TRIAL = f'import cv2; cv2.namedWindow({TITLE!r}); cv2.waitKey(1); cv2.destroyAllWindows()'
PATIENCE = 60.0  # seconds that the trial may take


def require_window() -> None:
    """Check that a window can be opened, in a process of its own because Qt ends a process that cannot open one.

    Raises:
        InputError: There is no display, or OpenCV was built without windows.
    """
    try:
        trial = subprocess.run([sys.executable, '-c', TRIAL], capture_output=True, text=True, timeout=PATIENCE)
        opened, said = trial.returncode == 0, trial.stderr
    except subprocess.TimeoutExpired:
        opened, said = False, ''
    if opened:
        return
    if 'The function is not implemented' in said:
        raise InputError('--show: this OpenCV has no windows; pip install opencv-python in place of the headless one')
    raise InputError('--show: no window can be opened here (is there a display?); use --output-root instead')


class Window:
    """Shows images one after another; to be used in the thread that made the window.

    Args:
        interval (float): Seconds that each image stays. 0: an image stays until a key is pressed, a frame of a video
            until the next frame.
    """

    def __init__(self, interval: float = 0.0):
        self.interval = interval
        cv2.namedWindow(TITLE, cv2.WINDOW_NORMAL | cv2.WINDOW_KEEPRATIO)

    def show(self, image: np.ndarray, moving: bool) -> bool:
        """Show an image (h, w, 3), BGR, uint8.

        Args:
            image (np.ndarray): The image.
            moving (bool): Whether the image is a frame of a video or camera.

        Returns:
            bool: Whether to go on: False after ESC or q was pressed, or the window was closed.
        """
        cv2.imshow(TITLE, image)
        wait = round(1000 * self.interval) or (1 if moving else 0)
        key = cv2.waitKey(wait) & 0xFF
        return key not in STOP and cv2.getWindowProperty(TITLE, cv2.WND_PROP_VISIBLE) >= 1

    def close(self) -> None:
        """Close the window."""
        cv2.destroyAllWindows()
