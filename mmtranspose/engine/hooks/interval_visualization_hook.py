"""Draw every n-th prediction of a test."""

from __future__ import annotations

from collections.abc import Sequence

from mmengine.runner import Runner
from mmpose.engine.hooks import PoseVisualizationHook
from mmpose.registry import HOOKS
from mmpose.structures import PoseDataSample

from mmtranspose.typing import Batch


@HOOKS.register_module()
class IntervalVisualizationHook(PoseVisualizationHook):
    """MMPose's :class:`PoseVisualizationHook`, with an ``interval`` that counts in tests too.

    MMPose draws every sample of a test, whatever the interval. This hook draws sample 0, ``interval``, 2 ``interval``
    and so on; each process of a distributed test counts its own samples. In validation it draws the first sample of
    every ``interval``-th batch, as MMPose does.

    Args:
        **kwargs: Arguments of ``PoseVisualizationHook``.
    """

    _test_index: int

    def after_test_iter(
        self, runner: Runner, batch_idx: int, data_batch: Batch, outputs: Sequence[PoseDataSample]
    ) -> None:
        """Draw the batch's samples whose number in the test is a multiple of ``interval``."""
        first = self._test_index
        for index, sample in enumerate(outputs, first):
            if index % self.interval == 0:
                self._test_index = index  # names the image for backends that store images by step
                super().after_test_iter(runner, batch_idx, data_batch, [sample])
        self._test_index = first + len(outputs)
