"""Metrics for mmengine's evaluators, beside MMPose's."""

from mmtranspose.engine.metrics.torso_pck import TorsoPCK

__all__ = ['TorsoPCK']
