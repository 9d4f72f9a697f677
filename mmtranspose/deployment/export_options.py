"""Options of an export."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any

from mmtranspose.errors import InputError, require_choice, require_known

GRAPHS = ('image', 'crops')
PRECISIONS = {  # of the network, by the format of the file
    'onnx': ('fp32', 'fp16', 'int8'),
    'openvino': ('fp32', 'fp16', 'bf16', 'int8'),
    'tensorrt': ('fp32', 'fp16'),
}
SUFFIXES = {'onnx': '.onnx', 'openvino': '.xml', 'tensorrt': '.onnx'}


@dataclass(frozen=True)
class ExportOptions:
    """Options of :func:`~mmtranspose.deployment.export_model`.

    Args:
        graph (str): ``'image'``: from an image and boxes to keypoints of the image. ``'crops'``: from crops of the
            network's size to keypoints in their pixels; the only graph for ``'tensorrt'``.
        dependency (bool): Also return the attention rows of every keypoint in every layer.
        flip_test (bool): Average with the mirrored image; both go through the network in one batch.
        format (str): ``'onnx'``, ``'openvino'`` or ``'tensorrt'``.
        precision (str): Of the network: ``'fp32'``; ``'fp16'``; ``'bf16'``, for OpenVINO; ``'int8'``, for
            ONNX and OpenVINO. Crops are cut and heatmaps decoded in single precision always.

    Raises:
        InputError: An option has a value that it does not take.
    """

    graph: str = 'image'
    dependency: bool = False
    flip_test: bool = False
    format: str = 'onnx'
    precision: str = 'fp32'

    def __post_init__(self) -> None:
        require_choice('graph', self.graph, GRAPHS)
        require_choice('format', self.format, PRECISIONS)
        for name in ('dependency', 'flip_test'):
            if not isinstance(getattr(self, name), bool):
                raise InputError(f'{name}={getattr(self, name)!r} must be True or False')
        if self.format == 'tensorrt' and self.graph != 'crops':
            raise InputError(
                f'graph={self.graph!r}: a file for tensorrt takes crops, because a compiled graph cannot be entered '
                "at its crops; choose graph='crops' (--graph crops)"
            )
        allowed = PRECISIONS[self.format]
        if self.precision not in allowed:
            raise InputError(f'precision={self.precision!r}: a file for {self.format} has {" or ".join(allowed)}')

    @classmethod
    def by_name(cls, **options: Any) -> ExportOptions:
        """Make options from names that a user gave.

        Raises:
            InputError: A name is unknown, or a value is.
        """
        require_known('option', options, [field.name for field in fields(cls)])
        return cls(**options)
