"""The model outside PyTorch: export it to a file, check the file, run it."""

from mmtranspose.deployment.export_options import ExportOptions
from mmtranspose.deployment.exporting import export_model

__all__ = ['ExportOptions', 'export_model']
