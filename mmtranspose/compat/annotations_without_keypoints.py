"""Evaluate with annotations that have no keypoints: crowds, and people with a box alone.

``CocoMetric`` of MMPose 1.3.2 reads the field ``keypoints`` of every annotation, and stops at one without it after a
whole epoch; its ``gt_converter`` stops at an empty list too. COCO writes zeros there, and evaluates such people as
regions in which predictions are neither right nor wrong. The work-around can go when MMPose does without the field.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

from mmtranspose.compat.patching import replace_once


def apply() -> None:
    """Make ``CocoMetric`` take such annotations as COCO writes them."""
    metrics = sys.modules['mmpose.evaluation.metrics.coco_metric']  # its package is still being imported
    replace_once(metrics.CocoMetric, 'compute_metrics', _with_zeros)


def _with_zeros(original: Callable) -> Callable:
    def compute_metrics(self: Any, results: list) -> dict[str, float]:
        annotations = [] if self.coco is None else list(self.coco.anns.values())
        length = max((len(one.get('keypoints') or ()) for one in annotations), default=0)
        for one in annotations:
            if not one.get('keypoints'):
                one['keypoints'] = [0] * length
        return original(self, results)

    return compute_metrics
