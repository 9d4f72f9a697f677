"""The model outside PyTorch: export it to a file, check the file, run it."""

from mmtranspose.deployment.export_options import ExportOptions
from mmtranspose.deployment.exported_estimator import ExportedPoseEstimator, ExportedPoses, load_exported
from mmtranspose.deployment.exporting import export_model

__all__ = ['ExportOptions', 'ExportedPoseEstimator', 'ExportedPoses', 'export_model', 'load_exported']
