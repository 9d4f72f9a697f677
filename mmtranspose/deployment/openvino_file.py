"""Write an exported graph in OpenVINO's format, with its network in half precision or in whole numbers of 8 bits."""

from __future__ import annotations

import errno
import os
import tempfile
from collections.abc import Collection, Sequence
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
    import openvino


def write_openvino(
    model: onnx.ModelProto, meta: FileMeta, path: Path, samples: Sequence[dict[str, np.ndarray]]
) -> None:
    """Write ``path`` (.xml) and the weights beside it (.bin).

    Weights are kept in 32 bits for ``fp32`` and in 16 bits otherwise; whatever is not the network keeps 32 bits in any
    file. ``int8`` quantises the network's convolutions and matrix products by NNCF, after it has seen the calibration
    samples.

    Args:
        model (onnx.ModelProto): The graph.
        meta (FileMeta): What it says about itself.
        path (Path): Ends in ``.xml``.
        samples (Sequence[dict[str, np.ndarray]]): Inputs for the calibration, by name; read only for ``int8``.

    Raises:
        InputError: OpenVINO, or for ``int8`` NNCF, is not installed; there are no samples for ``int8``.
        OSError: The files cannot be written.
    """
    require_package('openvino')
    import openvino

    converted = openvino.Core().read_model(model.SerializeToString())
    if meta.precision == 'int8':
        names = [one.friendly_name for one in converted.get_ordered_ops()]
        converted = quantised(converted, _network_names(converted, meta), names, samples)
    if meta.precision != 'fp32':
        _halve_weights(converted, _network_names(converted, meta))
    converted.set_rt_info(meta.to_json(), [KEY])
    _save(converted, path)


def _network_names(model: openvino.Model, meta: FileMeta) -> set[str]:
    """Names of the operations between the values of the boundary."""
    entry, *passed = boundary_names(meta.num_layers, meta.dependency)
    return {one.friendly_name for one in piece(model, [entry], passed).get_ordered_ops()}


def _halve_weights(model: openvino.Model, inside: Collection[str]) -> None:
    """Keep in 16 bits the arrays that operations ``inside`` alone use; what has larger numbers than these stays.

    OpenVINO's own ``compress_to_fp16`` knows no part of a model, and would round what cuts crops and decodes heatmaps.
    """
    from openvino import Type, opset13

    for node in model.get_ordered_ops():
        if node.get_type_name() != 'Constant' or node.get_element_type() != Type.f32 or node.data.size == 1:
            continue
        users = list(node.output(0).get_target_inputs())
        with np.errstate(over='ignore'):
            half = node.data.astype(np.float16)
        if np.isfinite(half).all() and all(user.get_node().friendly_name in inside for user in users):
            whole = opset13.convert(opset13.constant(half), 'f32')
            for user in users:
                user.replace_source_output(whole.output(0))


def _save(model: openvino.Model, path: Path) -> None:
    """Write both files beside their names, then rename them: a graph never stands beside the weights of another.

    Raises:
        OSError: They cannot be written.
    """
    import openvino

    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=path.parent, prefix=f'.{path.stem}-') as folder:
        try:
            openvino.save_model(model, str(Path(folder, path.name)), compress_to_fp16=False)
        except RuntimeError as error:
            if 'iostream error' not in str(error):
                raise
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path)) from error  # it does not tell the reason
        path.unlink(missing_ok=True)
        for suffix in ('.bin', '.xml'):  # the one that a reader opens comes last
            os.replace(Path(folder, path.stem + suffix), path.with_suffix(suffix))
