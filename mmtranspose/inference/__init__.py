"""Top-down inference at full batch: images, videos and cameras to people's poses."""

from mmtranspose.inference.box_sources import BoxFile
from mmtranspose.inference.pipeline import TopdownPipeline, TopdownResult

__all__ = ['BoxFile', 'TopdownPipeline', 'TopdownResult']
