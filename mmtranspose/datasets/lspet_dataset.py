"""Leeds Sports Pose Extended: photographs of people in extreme poses, one person each, with 14 keypoints."""

from __future__ import annotations

from typing import ClassVar

from mmpose.datasets.datasets.base import BaseCocoStyleDataset
from mmpose.registry import DATASETS

# Keypoints in the order of AI Challenger, whose models and data fit: name, the one on the other side, part of the body
KEYPOINTS = (
    ('right_shoulder', 'left_shoulder', 'upper'),
    ('right_elbow', 'left_elbow', 'upper'),
    ('right_wrist', 'left_wrist', 'upper'),
    ('left_shoulder', 'right_shoulder', 'upper'),
    ('left_elbow', 'right_elbow', 'upper'),
    ('left_wrist', 'right_wrist', 'upper'),
    ('right_hip', 'left_hip', 'lower'),
    ('right_knee', 'left_knee', 'lower'),
    ('right_ankle', 'left_ankle', 'lower'),
    ('left_hip', 'right_hip', 'lower'),
    ('left_knee', 'right_knee', 'lower'),
    ('left_ankle', 'right_ankle', 'lower'),
    ('head_top', '', 'upper'),
    ('neck', '', 'upper'),
)
SKELETON = (
    ('right_wrist', 'right_elbow'),
    ('right_elbow', 'right_shoulder'),
    ('right_shoulder', 'neck'),
    ('neck', 'left_shoulder'),
    ('left_shoulder', 'left_elbow'),
    ('left_elbow', 'left_wrist'),
    ('right_ankle', 'right_knee'),
    ('right_knee', 'right_hip'),
    ('right_hip', 'left_hip'),
    ('left_hip', 'left_knee'),
    ('left_knee', 'left_ankle'),
    ('head_top', 'neck'),
    ('right_shoulder', 'right_hip'),
    ('left_shoulder', 'left_hip'),
)
# AI Challenger's own are several times smaller than the noise of these labels. So limbs have COCO's, head CrowdPose's.
SIGMAS = dict(shoulder=0.079, elbow=0.072, wrist=0.062, hip=0.107, knee=0.087, ankle=0.089, head_top=0.079, neck=0.079)


def _colour(name: str) -> list[int]:
    return [255, 128, 0] if name.startswith('right') else [0, 255, 0] if name.startswith('left') else [51, 153, 255]


def _part(name: str) -> str:
    return name.removeprefix('left_').removeprefix('right_')


@DATASETS.register_module()
class LspetDataset(BaseCocoStyleDataset):
    """Leeds Sports Pose Extended in COCO's format, with 14 keypoints in the order of ``AicDataset``.

    Its ``sigmas``, the spread of labels relative to the size of a person that COCO's OKS needs, are those of
    ``CocoDataset`` for limbs and of ``CrowdPoseDataset`` for head and neck; there are no published ones.

    Source: Johnson and Everingham, "Learning Effective Human Pose Estimation from Inaccurate Annotation", CVPR 2011.
    """

    METAINFO: ClassVar[dict] = dict(
        dataset_name='lspet',
        paper_info=dict(
            author='Sam Johnson and Mark Everingham',
            title='Learning Effective Human Pose Estimation from Inaccurate Annotation',
            container='IEEE Conference on Computer Vision and Pattern Recognition (CVPR)',
            year='2011',
            homepage='https://sam.johnson.io/research/lspet.html',
        ),
        keypoint_info={
            number: dict(name=name, id=number, color=_colour(name), type=part, swap=other)
            for number, (name, other, part) in enumerate(KEYPOINTS)
        },
        skeleton_info={
            number: dict(link=link, id=number, color=_colour(link[0] if link[0] != 'neck' else link[1]))
            for number, link in enumerate(SKELETON)
        },
        joint_weights=[1.0] * len(KEYPOINTS),
        sigmas=[SIGMAS[_part(name)] for name, *_ in KEYPOINTS],
    )
