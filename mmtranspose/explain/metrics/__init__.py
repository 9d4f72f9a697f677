"""Measures of maps: where they lie and how faithful they are, for the network's single pass (without flip test)."""

from mmtranspose.explain.metrics.bootstrap import (
    MeanInterval,
    ResampledMeans,
    ResampledSums,
    forget_resamples,
    interval_ends,
    mean_interval,
    mean_intervals,
)
from mmtranspose.explain.metrics.discs import disc_coverage, keypoint_oks, oks_radii
from mmtranspose.explain.metrics.effect_share import effect_share
from mmtranspose.explain.metrics.imputation import linear_imputation
from mmtranspose.explain.metrics.localization import (
    disc_shares,
    energy_pointing_game,
    entropy,
    pointing_game,
    radial_average,
    reach,
    sparseness,
)
from mmtranspose.explain.metrics.perturbation import (
    PerturbationCurve,
    blurred,
    deletion,
    insertion,
    peak_drift,
)
from mmtranspose.explain.metrics.perturbed_images import cell_ranks
from mmtranspose.explain.metrics.road import RoadCurves, road

__all__ = [
    'MeanInterval',
    'PerturbationCurve',
    'ResampledMeans',
    'ResampledSums',
    'RoadCurves',
    'blurred',
    'cell_ranks',
    'deletion',
    'disc_coverage',
    'disc_shares',
    'effect_share',
    'energy_pointing_game',
    'entropy',
    'forget_resamples',
    'insertion',
    'interval_ends',
    'keypoint_oks',
    'linear_imputation',
    'mean_interval',
    'mean_intervals',
    'oks_radii',
    'peak_drift',
    'pointing_game',
    'radial_average',
    'reach',
    'road',
    'sparseness',
]
