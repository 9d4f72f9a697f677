"""Convert the ground truth of ``CocoMetric`` once for each evaluation, not once more at every evaluation.

With ``gt_converter``, ``CocoMetric`` of MMPose 1.3.2 renumbers the keypoints of its annotations in place whenever it
computes: the second validation of a run renumbers those of the first, and stops or, worse, gives a wrong AP. It also
renumbers the sigmas in the dict of meta data that it is given, which other metrics share. The work-around can go when
it converts copies.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

from mmtranspose.compat.patching import replace_once


def apply() -> None:
    """Make ``CocoMetric`` convert copies."""
    metric = sys.modules['mmpose.evaluation.metrics.coco_metric'].CocoMetric  # its package is still being imported
    replace_once(metric, 'compute_metrics', _restoring)
    meta = metric.dataset_meta
    if getattr(meta.fset, '__module__', None) != __name__:
        metric.dataset_meta = property(meta.fget, _of_copy(meta.fset), doc=meta.__doc__)


def _restoring(original: Callable) -> Callable:
    def compute_metrics(self: Any, results: list) -> dict[str, float]:
        if self.gt_converter is None:
            return original(self, results)
        if self.coco is None:  # made of the samples in the call, and converted there
            try:
                return original(self, results)
            finally:
                self.coco = None
        fields = ('keypoints', 'num_keypoints')
        before = {id: {name: ann[name] for name in fields if name in ann} for id, ann in self.coco.anns.items()}
        try:
            return original(self, results)
        finally:
            for id, values in before.items():
                self.coco.anns[id].update(values)

    return compute_metrics


def _of_copy(setter: Callable) -> Callable:
    def dataset_meta(self: Any, meta: dict) -> None:
        setter(self, dict(meta))

    return dataset_meta
