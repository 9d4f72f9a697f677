"""People found by a detector of mmdet."""

from mmtranspose.detection import DatasetDetections, PersonDetector, detect_dataset

__all__ = ['DatasetDetections', 'PersonDetector', 'detect_dataset']
