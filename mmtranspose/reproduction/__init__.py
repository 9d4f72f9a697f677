"""Measure a released model by the paper's protocol, and compare what is measured with what is reported."""

from mmtranspose.reproduction.comparison import beyond, markdown_lines, text_lines
from mmtranspose.reproduction.protocols import PROTOCOLS
from mmtranspose.reproduction.reproduction_run import ReproductionSettings, reproduce

__all__ = ['PROTOCOLS', 'ReproductionSettings', 'beyond', 'markdown_lines', 'reproduce', 'text_lines']
