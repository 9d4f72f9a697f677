"""Pose one photograph by the weights that come with the package, and show what the pose depends on."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from mmtranspose.explain.explainer import explain_topdown
from mmtranspose.inference.pose_estimation import inference_topdown
from mmtranspose.loading.init_model import init_model
from mmtranspose.media import read_image, write_animation, write_image
from mmtranspose.visualization import contact_sheet, dependency_animation, draw_poses, overlay_people, write_page

MODEL = 'transpose-r-small_photographs'
# "camera" of scikit-image (`skimage.data.camera`), by Lav Varshney, who gave it to the public domain (CC0)
PHOTOGRAPH = Path(__file__).with_name('camera.jpg')
BOX = (0, 40, 340, 760)  # of the whole person, whose legs the photograph leaves out; (x1, y1, x2, y2) in pixels
SHOWN = ('right_shoulder', 'right_hip', 'right_ear')


def pose_photograph(root: Path, device: str = 'cpu') -> dict[str, str]:
    """Write the pose of the photograph that comes with the package, and what its keypoints depend on.

    The files are ``photograph.png`` (the pose, and three keypoints), ``photograph.gif`` (all keypoints, one after the
    other) and ``photograph.html`` (the page to explore).

    Args:
        root (Path): The folder.
        device (str): Device of the network.

    Returns:
        dict[str, str]: The files, by what they are.
    """
    model, image, boxes = init_model(MODEL, device=device), read_image(str(PHOTOGRAPH)), np.array([BOX], np.float32)
    samples = inference_topdown(model, image, boxes)
    people = explain_topdown(model, image, boxes, affect=True)
    overlays = [overlay_people(image, people, keypoint, people[0].num_layers - 1) for keypoint in SHOWN]
    kinds = dict(photograph='png', photograph_animation='gif', photograph_explained='html')
    files = {name: str(root / f'photograph.{suffix}') for name, suffix in kinds.items()}
    drawn = [draw_poses(image, samples, model.dataset_meta), *overlays]
    write_image(files['photograph'], contact_sheet(drawn, len(drawn), (image.shape[1], image.shape[0])))
    write_animation(files['photograph_animation'], *dependency_animation(image, people))
    write_page(files['photograph_explained'], image, people, 'A photographer (Lav Varshney, CC0)')
    return files
