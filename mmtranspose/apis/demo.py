"""Moved to ``mmtranspose.demo.pose_demo``; this path goes with the next release."""

from mmtranspose.demo.pose_demo import Demo

__all__ = ['Demo']
