"""People found by a detector of mmdet."""

from mmtranspose.apis.detection.dataset import DatasetDetections, detect_dataset
from mmtranspose.apis.detection.detector import PersonDetector

__all__ = ['DatasetDetections', 'PersonDetector', 'detect_dataset']
