"""Person boxes from a detector of mmdet, in single images and over whole datasets."""

from mmtranspose.detection.dataset_detection import DatasetDetections, detect_dataset
from mmtranspose.detection.person_detector import PersonDetector

__all__ = ['DatasetDetections', 'PersonDetector', 'detect_dataset']
