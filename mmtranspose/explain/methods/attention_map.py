"""Raw attention of one layer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from mmtranspose.explain.attention import target_maps
from mmtranspose.explain.methods.base import Method, layer_record
from mmtranspose.explain.target import Target
from mmtranspose.typing import PoseEstimator


@dataclass
class AttentionMap(Method):
    """Rows of a layer's head-averaged attention at the target's cells (TransPose, arXiv 2012.14214, section 3.3).

    Each map sums to 1.

    Args:
        layer (int): From 1 to the number of encoder layers.
    """

    layer: int
    reads_attention: ClassVar[bool] = True

    @property
    def name(self) -> str:
        """``attention-1``, ``attention-2``, ..."""
        return f'attention-{self.layer}'

    def maps(self, model: PoseEstimator, inputs: Tensor, target: Target) -> Tensor:
        """The maps (B, K, h, w).

        Raises:
            InputError: The encoder has fewer layers.
        """
        return target_maps([layer_record(model, inputs, self.layer)], target)[0]
