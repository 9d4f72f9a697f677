"""Trace a graph and convert it to ONNX, with what the file says about itself."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch

from mmtranspose.deployment.file_meta import KEY, FileMeta
from mmtranspose.deployment.graphs import CropsGraph, ImageGraph, boundary_names, value_names
from mmtranspose.deployment.onnx_conversion import Sized, to_onnx
from mmtranspose.deployment.quantisation import quantised
from mmtranspose.files.output_paths import partial_file

if TYPE_CHECKING:
    import onnx

OPSET = 18  # ONNX Runtime, OpenVINO and TensorRT all read it


def onnx_model(graph: CropsGraph | ImageGraph, meta: FileMeta) -> onnx.ModelProto:
    """Trace a graph and convert it, for any number of people and, from images, any image size.

    The values named by :func:`~mmtranspose.deployment.graphs.value_names` keep their names.

    Raises:
        InputError: The packages onnx and onnxscript are not installed.
    """
    inside = value_names(meta.graph, meta.num_layers, meta.dependency)
    inputs = traced_inputs(meta)
    with torch.no_grad():
        graph(*(one.example for one in inputs.values()))  # computes the position table, which the file then holds
    model = to_onnx(graph, inputs, dict.fromkeys([*meta.outputs, *inside], ('people',)), OPSET)
    import onnx

    values = list(model.graph.output)
    del model.graph.output[:]
    model.graph.output.extend(value for value in values if value.name in meta.outputs)
    model.graph.value_info.extend(value for value in values if value.name in inside)
    model.producer_name, model.producer_version = KEY, meta.version
    onnx.helper.set_model_props(model, {KEY: meta.to_json()})
    onnx.checker.check_model(model)
    return model


def write_onnx(model: onnx.ModelProto, meta: FileMeta, path: Path, samples: Sequence[dict[str, np.ndarray]]) -> None:
    """Write a graph as a file, whole or not at all.

    Args:
        model (onnx.ModelProto): The graph.
        meta (FileMeta): What it says about itself; ``int8`` quantises it first.
        path (Path): The file.
        samples (Sequence[dict[str, np.ndarray]]): Inputs for the calibration, by name; read only for ``int8``.

    Raises:
        InputError: NNCF is not installed, or there are no samples for ``int8``.
    """
    if meta.precision == 'int8':
        names = [node.name for node in model.graph.node]
        model = quantised(model, _network_names(model, meta), names, samples)
    data = model.SerializeToString()
    with partial_file(path, data) as partial:
        partial.write_bytes(data)


def _network_names(model: onnx.ModelProto, meta: FileMeta) -> set[str]:
    """Names of the nodes between the values of the boundary."""
    entry, *waiting = boundary_names(meta.num_layers, meta.dependency)
    makers = {output: node for node in model.graph.node for output in node.output}
    names: set[str] = set()
    while waiting:
        node = makers.get(waiting.pop())
        if node is not None and node.name not in names:
            names.add(node.name)
            waiting += [value for value in node.input if value != entry]
    return names


def traced_inputs(meta: FileMeta) -> dict[str, Sized]:
    """Inputs of a graph by name, with examples for two people."""
    width, height = meta.input_size
    if meta.graph == 'crops':
        return {'crops': Sized(torch.zeros(2, height, width, 3, dtype=torch.uint8), ('people',))}
    boxes = torch.tensor([[8.0, 4.0, 40.0, 44.0], [20.0, 10.0, 60.0, 40.0]])
    image = Sized(torch.zeros(48, 64, 3, dtype=torch.uint8), ('height', 'width'))
    return {'image': image, 'boxes': Sized(boxes, ('people',))}
