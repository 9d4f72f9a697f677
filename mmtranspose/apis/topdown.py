"""Moved to ``mmtranspose.inference``; this path goes with the next release."""

from mmtranspose.inference import BoxFile, TopdownPipeline, TopdownResult

__all__ = ['BoxFile', 'TopdownPipeline', 'TopdownResult']
