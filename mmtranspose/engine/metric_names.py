"""The names of the metrics that MMPose's evaluators give, and which is better, known before they are computed."""

from __future__ import annotations

from mmengine.evaluator import BaseMetric, DumpResults, Evaluator
from mmpose.evaluation import MultiDatasetEvaluator
from mmpose.evaluation.metrics import (
    AUC,
    EPE,
    NME,
    CocoMetric,
    CocoWholeBodyMetric,
    InterHandMetric,
    JhmdbPCKAccuracy,
    KeypointPartitionMetric,
    MpiiPCKAccuracy,
    PCKAccuracy,
    PoseTrack18Metric,
    SimpleMPJPE,
)

from mmtranspose.engine.metrics import TorsoPCK

# As in MMPose 1.3.2
COCO = ('AP', 'AP .5', 'AP .75', 'AP (M)', 'AP (L)', 'AR', 'AR .5', 'AR .75', 'AR (M)', 'AR (L)')
CROWD = ('AP', 'AP .5', 'AP .75', 'AR', 'AR .5', 'AR .75', 'AP(E)', 'AP(M)', 'AP(H)')
MPII = (*(f'{part} PCK' for part in ('Head', 'Shoulder', 'Elbow', 'Wrist', 'Hip', 'Knee', 'Ankle')), 'PCK', 'PCK@0.1')
JHMDB_PARTS = ('Head', 'Sho', 'Elb', 'Wri', 'Hip', 'Knee', 'Ank')
PCK = dict(bbox='PCK', head='PCKh', torso='tPCK')
POSETRACK = (*(f'{part} AP' for part in ('Head', 'Shou', 'Elb', 'Wri', 'Hip', 'Knee', 'Ankl')), 'AP')
HANDS = dict(
    MPJPE=('MPJPE_all', 'MPJPE_single', 'MPJPE_interacting'), HandednessAcc=('HandednessAcc',), MRRPE=('MRRPE',)
)
ERRORS = ('EPE', 'NME', 'MPJPE', 'P-MPJPE', 'N-MPJPE', *HANDS['MPJPE'], *HANDS['MRRPE'])
EVALUATORS = (Evaluator, MultiDatasetEvaluator)


def metric_names(evaluator: Evaluator) -> list[str] | None:
    """The names of the metrics that an evaluator gives, in its order.

    None if one of its metrics is neither MMPose's nor ours, or is one whose names depend on the samples (``MPJPE``).
    """
    if type(evaluator) not in EVALUATORS:
        return None
    names: list[str] = []
    for metric in evaluator.metrics:
        own = _names(metric)
        if own is None:
            return None
        names += own
    return names


def is_error(name: str) -> bool:
    """Whether a metric measures an error, so that less is better.

    Args:
        name (str): One of :func:`metric_names`.
    """
    return name.rpartition('/')[2] in ERRORS


def _names(metric: BaseMetric) -> list[str] | None:
    """The names of a metric; None: not known."""
    if type(metric) is KeypointPartitionMetric:  # whose own prefix nobody reads
        names = []
        for part, inner in metric.metrics.items():
            own = _names(inner)
            if own is None:
                return None
            names += [f'{part}/{name}' for name in own]
        return names
    own = _own_names(metric)
    return None if own is None else [f'{metric.prefix}/{name}' if metric.prefix else name for name in own]


def _own_names(metric: BaseMetric) -> list[str] | None:
    """The names of a metric without its prefix; None: not known."""
    kind, items = type(metric), getattr(metric, 'norm_item', ())
    if kind is DumpResults or (isinstance(metric, CocoMetric) and metric.format_only):
        return []
    if kind is PCKAccuracy:
        return [name for item, name in PCK.items() if item in items]
    if kind is MpiiPCKAccuracy:
        return list(MPII) if 'head' in items else []
    if kind is JhmdbPCKAccuracy:
        rates = [name for item, name in PCK.items() if item in items and item != 'head']
        return [name for rate in rates for name in (*(f'{part} {rate}' for part in JHMDB_PARTS), rate)]
    if kind is InterHandMetric:
        return [name for mode, names in HANDS.items() if mode in metric.modes for name in names]
    crowd_pose = kind is CocoMetric and metric.iou_type == 'keypoints_crowd'
    known = {
        CocoMetric: CROWD if crowd_pose else COCO,
        CocoWholeBodyMetric: COCO,
        PoseTrack18Metric: POSETRACK,
        TorsoPCK: getattr(metric, 'names', ()),
        SimpleMPJPE: (str(getattr(metric, 'mode', '')).upper(),),
        **{one: (one.__name__,) for one in (AUC, EPE, NME)},
    }
    return list(known[kind]) if kind in known else None
