from mmtranspose.codecs.unbiased_heatmap import UnbiasedHeatmap

__all__ = ['UnbiasedHeatmap']
