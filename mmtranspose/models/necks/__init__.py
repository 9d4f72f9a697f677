"""Necks, from a feature map to encoded features."""

from mmtranspose.models.necks.transpose_neck import TransPoseNeck

__all__ = ['TransPoseNeck']
