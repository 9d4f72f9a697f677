"""Exported graphs in OpenVINO: cut where the values inside them have names."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from mmtranspose.errors import InputError

if TYPE_CHECKING:
    import openvino


def piece(model: openvino.Model, inputs: Sequence[str], outputs: Sequence[str]) -> openvino.Model:
    """Take the part of a model between named values.

    Args:
        model (openvino.Model): Of an exported file; it is not changed.
        inputs (Sequence[str]): Names of the part's inputs: inputs of the model, or values inside it. Those that the
            outputs do not depend on are left out.
        outputs (Sequence[str]): Names of the part's outputs.

    Returns:
        openvino.Model: With outputs in the order given.

    Raises:
        InputError: The file was changed so that it has no such value any more.
    """
    import openvino
    from openvino import opset13

    copy = model.clone()
    results = [opset13.result(_value(copy, name)) for name in outputs]
    for name in inputs:
        value = _value(copy, name)
        if value.get_node().get_type_name() == 'Parameter':
            continue
        parameter = opset13.parameter(value.get_partial_shape(), value.get_element_type(), name=f'{name}_in')
        for user in list(value.get_target_inputs()):
            user.replace_source_output(parameter.output(0))
        value.set_names(set())
        parameter.output(0).set_names({name})
    return openvino.Model(results, _reached(results))


def _reached(results: Sequence[Any]) -> list[Any]:
    """The inputs that results depend on."""
    waiting, seen, found = [one.input_value(0).get_node() for one in results], set(), []
    while waiting:
        node = waiting.pop()
        if node.friendly_name in seen:
            continue
        seen.add(node.friendly_name)
        if node.get_type_name() == 'Parameter':
            found.append(node)
        waiting += [value.get_node() for value in node.input_values()]
    return found


def _value(model: openvino.Model, name: str) -> Any:
    for operation in model.get_ops():
        for value in operation.outputs():
            if name in value.get_names():
                return operation.input_value(0) if operation.get_type_name() == 'Result' else value
    raise InputError(f'the exported file has no value {name!r} any more: export it again')
