"""Top-down inference at full batch: pictures, videos and cameras to people's poses."""

from mmtranspose.apis.topdown.box_sources import BoxFile
from mmtranspose.apis.topdown.pipeline import TopdownPipeline
from mmtranspose.apis.topdown.result import TopdownResult

__all__ = ['BoxFile', 'TopdownPipeline', 'TopdownResult']
