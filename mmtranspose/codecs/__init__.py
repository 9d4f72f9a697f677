"""Codecs: encode keypoints as heatmaps, and decode heatmaps of one person or of a whole batch."""

from mmtranspose.codecs.batch_decoding import BatchDecoder, batch_decoder
from mmtranspose.codecs.unbiased_heatmap import UnbiasedHeatmap

__all__ = ['BatchDecoder', 'UnbiasedHeatmap', 'batch_decoder']
