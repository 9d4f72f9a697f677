"""People found by a detector of mmdet."""

from mmtranspose.detection.dataset_detection import DatasetDetections, detect_dataset
from mmtranspose.detection.person_detector import PersonDetector

__all__ = ['DatasetDetections', 'PersonDetector', 'detect_dataset']
