"""Draw the circles of keypoints on current numpy.

Fault: mmpose's visualiser makes a whole number of an array of one radius, which numpy 1.25 and later warn of and numpy
2.4 refuses: with ``--show`` and ``--show-dir`` a training or test stops at the first image.
Versions: mmpose <= 1.3.2.
Can go: when ``OpencvBackendVisualizer.draw_circles`` takes the number out of the array.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

import numpy as np

from mmtranspose.compat.patching import replace_once


def apply() -> None:
    """Give ``draw_circles`` a number where it is given an array of one."""
    module = sys.modules['mmpose.visualization.opencv_backend_visualizer']
    replace_once(module.OpencvBackendVisualizer, 'draw_circles', _of_one_radius)


def _of_one_radius(original: Callable) -> Callable:
    def draw_circles(self: Any, center: Any, radius: Any, *args: Any, **options: Any) -> Any:
        if self.backend == 'opencv' and np.size(radius) == 1:  # matplotlib's takes arrays alone
            radius = np.ravel(radius)[0]
        return original(self, center, radius, *args, **options)

    return draw_circles
