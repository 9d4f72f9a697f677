"""MMPose's visualiser draws keypoints whatever numpy there is."""

import warnings

import numpy as np
import pytest
from mmpose.visualization.opencv_backend_visualizer import OpencvBackendVisualizer


@pytest.mark.parametrize('alpha', [1.0, 0.5])
@pytest.mark.parametrize('radius', [np.array([3]), np.array(3.0), 3])
def test_circles(radius, alpha):
    visualizer = OpencvBackendVisualizer(name=f'circles {radius} {alpha}', backend='opencv')
    visualizer.set_image(np.zeros((20, 20, 3), np.uint8))
    with warnings.catch_warnings():
        warnings.simplefilter('error')
        visualizer.draw_circles(np.array([10.0, 8.0]), radius=radius, face_colors=(0, 0, 200), alpha=alpha)
    drawn = visualizer.get_image()[..., 2]
    assert drawn[8, 10] == 200 * alpha and drawn[8, 13] == 200 * alpha and drawn[8, 14] == 0 and drawn[12, 10] == 0
