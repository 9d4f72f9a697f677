"""Data preprocessors, from a loader's batch to the network's input."""

from mmtranspose.models.data_preprocessors.transpose_data_preprocessor import (
    TransPoseDataPreprocessor,
    mean_colour,
    reverses_channels,
)

__all__ = ['TransPoseDataPreprocessor', 'mean_colour', 'reverses_channels']
