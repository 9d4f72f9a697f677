"""Write an exported graph in OpenVINO's format, with its network in half precision or in whole numbers of 8 bits."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from mmtranspose.deployment.file_meta import KEY, FileMeta
from mmtranspose.deployment.graphs import boundary_names
from mmtranspose.deployment.openvino_graph import piece
from mmtranspose.deployment.quantisation import quantised
from mmtranspose.errors import require_package

if TYPE_CHECKING:
    import onnx


def write_openvino(
    model: onnx.ModelProto, meta: FileMeta, path: Path, samples: Sequence[dict[str, np.ndarray]]
) -> None:
    """Write ``path`` (.xml) and the weights beside it (.bin).

    Weights are kept in 32 bits for ``fp32`` and in 16 bits otherwise. ``int8`` quantises the network's convolutions and
    matrix products by NNCF, after it has seen the calibration samples.

    Args:
        model (onnx.ModelProto): The graph.
        meta (FileMeta): What it says about itself.
        path (Path): Ends in ``.xml``.
        samples (Sequence[dict[str, np.ndarray]]): Inputs for the calibration, by name; read only for ``int8``.

    Raises:
        InputError: OpenVINO, or for ``int8`` NNCF, is not installed; there are no samples for ``int8``.
    """
    require_package('openvino')
    import openvino

    converted = openvino.Core().read_model(model.SerializeToString())
    if meta.precision == 'int8':
        entry, *passed = boundary_names(meta.num_layers, meta.dependency)
        inside = {one.friendly_name for one in piece(converted, [entry], passed).get_ordered_ops()}
        converted = quantised(converted, inside, [one.friendly_name for one in converted.get_ordered_ops()], samples)
    converted.set_rt_info(meta.to_json(), [KEY])
    with tempfile.TemporaryDirectory(dir=path.parent, prefix=f'.{path.stem}-') as folder:
        openvino.save_model(converted, str(Path(folder, path.name)), compress_to_fp16=meta.precision != 'fp32')
        for suffix in ('.bin', '.xml'):  # the one that a reader opens comes last
            os.replace(Path(folder, path.stem + suffix), path.with_suffix(suffix))
