"""Heads, from encoded features to heatmaps and keypoints."""

from mmtranspose.models.heads.transpose_head import TransPoseHead

__all__ = ['TransPoseHead']
