"""Trace a graph and convert it to ONNX, with what the file says about itself."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from mmtranspose.deployment.file_meta import KEY, FileMeta
from mmtranspose.deployment.graphs import CropsGraph, ImageGraph, boundary_names, value_names
from mmtranspose.deployment.quantisation import quantised
from mmtranspose.errors import require_package
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
    require_package('onnx', 'onnxscript')
    import onnx

    inside = value_names(meta.graph, meta.num_layers, meta.dependency)
    inputs = example_inputs(meta)
    with torch.no_grad(), _quiet():
        graph(*inputs.values())  # computes the position table, which the traced graph then holds as numbers
        program = torch.export.export(
            graph, tuple(inputs.values()), dynamic_shapes=_dynamic_shapes(meta.graph), strict=False
        )
        converted = torch.onnx.export(
            program,
            dynamo=True,
            opset_version=OPSET,
            input_names=list(inputs),
            output_names=[*meta.outputs, *inside],
            verbose=False,
        )
    assert converted is not None
    model = converted.model_proto
    values = list(model.graph.output)
    del model.graph.output[:]
    model.graph.output.extend(value for value in values if value.name in meta.outputs)
    model.graph.value_info.extend(value for value in values if value.name in inside)
    _name_sizes(model)
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


def example_inputs(meta: FileMeta) -> dict[str, Tensor]:
    """Inputs of a graph for two people, by name."""
    width, height = meta.input_size
    if meta.graph == 'crops':
        return {'crops': torch.zeros(2, height, width, 3, dtype=torch.uint8)}
    return {
        'image': torch.zeros(48, 64, 3, dtype=torch.uint8),
        'boxes': torch.tensor([[8.0, 4.0, 40.0, 44.0], [20.0, 10.0, 60.0, 40.0]]),
    }


def _dynamic_shapes(graph: str) -> tuple[dict, ...]:
    any_size = torch.export.Dim.DYNAMIC
    return ({0: any_size},) if graph == 'crops' else ({0: any_size, 1: any_size}, {0: any_size})


def _name_sizes(model: onnx.ModelProto) -> None:
    """Call the sizes that may vary ``people``, ``height`` and ``width``, where the converter calls them s97, ..."""
    sizes = {'image': ('height', 'width'), 'boxes': ('people',), 'crops': ('people',)}
    names: dict[str, str] = {}
    for value in model.graph.input:
        for size, name in zip(value.type.tensor_type.shape.dim, sizes[value.name]):
            names[size.dim_param] = name
    for value in (*model.graph.input, *model.graph.output, *model.graph.value_info):
        for size in value.type.tensor_type.shape.dim:
            if size.dim_param in names:
                size.dim_param = names[size.dim_param]


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep the converter from telling of its own insides."""
    levels = {name: logging.getLogger(name).level for name in ('torch.onnx', 'onnxscript', 'onnx_ir')}
    with warnings.catch_warnings():
        warnings.simplefilter('ignore')
        for name in levels:
            logging.getLogger(name).setLevel(logging.ERROR)
        try:
            yield
        finally:
            for name, level in levels.items():
                logging.getLogger(name).setLevel(level)
