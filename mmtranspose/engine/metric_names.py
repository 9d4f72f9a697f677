"""The names of the metrics that MMPose's evaluators give, known before they are computed."""

from __future__ import annotations

from mmengine.evaluator import BaseMetric, DumpResults, Evaluator
from mmpose.evaluation.metrics import (
    AUC,
    EPE,
    NME,
    CocoMetric,
    CocoWholeBodyMetric,
    JhmdbPCKAccuracy,
    MpiiPCKAccuracy,
    PCKAccuracy,
)

from mmtranspose.engine.metrics import TorsoPCK

# As in MMPose 1.3.2
COCO = ('AP', 'AP .5', 'AP .75', 'AP (M)', 'AP (L)', 'AR', 'AR .5', 'AR .75', 'AR (M)', 'AR (L)')
CROWD = ('AP', 'AP .5', 'AP .75', 'AR', 'AR .5', 'AR .75', 'AP(E)', 'AP(M)', 'AP(H)')
MPII = (*(f'{part} PCK' for part in ('Head', 'Shoulder', 'Elbow', 'Wrist', 'Hip', 'Knee', 'Ankle')), 'PCK', 'PCK@0.1')
JHMDB_PARTS = ('Head', 'Sho', 'Elb', 'Wri', 'Hip', 'Knee', 'Ank')
PCK = dict(bbox='PCK', head='PCKh', torso='tPCK')


def metric_names(evaluator: Evaluator) -> list[str] | None:
    """The names of the metrics that an evaluator gives; None if one of its metrics is neither MMPose's nor ours."""
    if type(evaluator) is not Evaluator:
        return None
    names: list[str] = []
    for metric in evaluator.metrics:
        own = _own_names(metric)
        if own is None:
            return None
        names += [f'{metric.prefix}/{name}' if metric.prefix else name for name in own]
    return names


def _own_names(metric: BaseMetric) -> tuple[str, ...] | None:
    """The names of a metric without its prefix; None: not known."""
    kind, items = type(metric), getattr(metric, 'norm_item', ())
    if kind is DumpResults or (kind is CocoMetric and metric.format_only):
        return ()
    if kind in (CocoMetric, CocoWholeBodyMetric):
        return CROWD if kind is CocoMetric and metric.iou_type == 'keypoints_crowd' else COCO
    if kind is TorsoPCK:
        return metric.names
    if kind is PCKAccuracy:
        return tuple(PCK[item] for item in items)
    if kind is MpiiPCKAccuracy:
        return MPII if 'head' in items else ()
    if kind is JhmdbPCKAccuracy:
        rates = [PCK[item] for item in items if item != 'head']
        return tuple(name for rate in rates for name in (*(f'{part} {rate}' for part in JHMDB_PARTS), rate))
    return {AUC: ('AUC',), EPE: ('EPE',), NME: ('NME',)}.get(kind)
