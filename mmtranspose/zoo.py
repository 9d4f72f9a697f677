"""Moved to ``mmtranspose.loading.zoo``; this path goes with the next release."""

from mmtranspose.loading.zoo import MIM, find_config, models, names_of, relative, summary

__all__ = ['MIM', 'find_config', 'models', 'names_of', 'relative', 'summary']
