"""Moved to ``mmtranspose.loading.conversion``; this path goes with the next release."""

from mmtranspose.loading.conversion import conversion_error, convert_official, heatmaps_of, sha256

__all__ = ['conversion_error', 'convert_official', 'heatmaps_of', 'sha256']
