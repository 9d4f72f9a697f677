"""Top-down inference: from images, videos and cameras to the poses of people, in full batches."""

from mmtranspose.inference.box_file import BoxFile
from mmtranspose.inference.pipeline import TopdownPipeline, TopdownResult

__all__ = ['BoxFile', 'TopdownPipeline', 'TopdownResult']
