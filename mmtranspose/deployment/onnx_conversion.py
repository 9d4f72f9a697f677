"""Convert a PyTorch module to ONNX, with sizes that may vary, and without traces of the machine that did it."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, NamedTuple

import torch
from torch import Tensor, nn

from mmtranspose.errors import require_package

if TYPE_CHECKING:
    import onnx


class Sized(NamedTuple):
    """An input of a graph.

    Attributes:
        example (Tensor): What the graph is traced with.
        sizes (tuple[str, ...]): Names of its first dimensions, which may have any size; the others stay as they are.
    """

    example: Tensor
    sizes: tuple[str, ...]


def to_onnx(
    graph: nn.Module, inputs: Mapping[str, Sized], outputs: Mapping[str, Sequence[str]], opset: int
) -> onnx.ModelProto:
    """Trace a module and convert it.

    Args:
        graph (nn.Module): In evaluation mode.
        inputs (Mapping[str, Sized]): Its inputs by name, in order.
        outputs (Mapping[str, Sequence[str]]): Its outputs by name, in order, with the names of the first dimensions of
            each, where these depend on the inputs.
        opset (int): Version of ONNX's operators.

    Raises:
        InputError: The packages onnx and onnxscript are not installed.
    """
    require_package('onnx', 'onnxscript')
    any_size = torch.export.Dim.DYNAMIC
    examples = tuple(one.example for one in inputs.values())
    with torch.no_grad(), _quiet():
        program = torch.export.export(
            graph,
            examples,
            dynamic_shapes=tuple(dict.fromkeys(range(len(one.sizes)), any_size) for one in inputs.values()),
            strict=False,
        )
        converted = torch.onnx.export(
            program,
            dynamo=True,
            opset_version=opset,
            input_names=list(inputs),
            output_names=list(outputs),
            verbose=False,
        )
    assert converted is not None
    model = converted.model_proto
    _name_sizes(model, {name: one.sizes for name, one in inputs.items()} | dict(outputs))
    _remove_traces(model)
    return model


def _name_sizes(model: onnx.ModelProto, sizes: Mapping[str, Sequence[str]]) -> None:
    """Give the sizes that may vary their names, where the converter calls them s97 and u10."""
    names: dict[str, str] = {}
    for value in (*model.graph.input, *model.graph.output):
        for size, name in zip(value.type.tensor_type.shape.dim, sizes.get(value.name, ())):
            if size.dim_param:
                names.setdefault(size.dim_param, name)
    for value in (*model.graph.input, *model.graph.output, *model.graph.value_info):
        for size in value.type.tensor_type.shape.dim:
            if size.dim_param in names:
                size.dim_param = names[size.dim_param]


def _remove_traces(model: onnx.ModelProto) -> None:
    """Remove the converter's notes, among which are the paths of the source files that each operator comes from."""
    graph = model.graph
    for part in (model, graph, *graph.node, *graph.input, *graph.output, *graph.value_info, *graph.initializer):
        del part.metadata_props[:]
    for node in graph.node:
        node.doc_string = ''


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
