"""Convert a pose dataset of Ultralytics YOLO to COCO's keypoint format."""

from mmtranspose.datasets.yolo_pose.coco_conversion import Conversion, convert_yolo_pose

__all__ = ['Conversion', 'convert_yolo_pose']
