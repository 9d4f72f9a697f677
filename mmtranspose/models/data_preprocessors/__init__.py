"""Data preprocessors, from a loader's batch to the network's input."""

from mmtranspose.models.data_preprocessors.transpose_data_preprocessor import TransPoseDataPreprocessor

__all__ = ['TransPoseDataPreprocessor']
