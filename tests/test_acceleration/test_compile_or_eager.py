"""torch.compile, with and without something to compile with."""

import warnings

import pytest
import torch

from mmtranspose.acceleration.compilation import compile_or_eager


def _double(x):
    return x * 2


def _failing_backend(graph, inputs):
    raise RuntimeError('no compiler here')


def test_the_compiled_function_is_the_one_called():
    seen = []

    def backend(graph, inputs):
        seen.append(graph)
        return graph.forward

    function = compile_or_eager(_double, 'the network', backend=backend)
    assert function(torch.tensor([3.0])).item() == 6.0
    assert len(seen) == 1


def test_without_a_compiler_the_function_itself_runs_after_one_warning():
    function = compile_or_eager(_double, 'the network', backend=_failing_backend)
    with pytest.warns(UserWarning, match='the network cannot be compiled and runs uncompiled: .*no compiler here'):
        assert function(torch.tensor([3.0])).item() == 6.0
    with warnings.catch_warnings():
        warnings.simplefilter('error')
        assert function(torch.tensor([4.0])).item() == 8.0


def test_a_fault_of_the_arguments_stays_an_error_and_no_reason_to_give_up():
    seen = []

    def backend(graph, inputs):
        seen.append(graph)
        return graph.forward

    function = compile_or_eager(lambda x, y: x @ y, 'the network', backend=backend)
    with pytest.raises(RuntimeError):
        function(torch.ones(2, 3), torch.ones(2, 3))
    assert function(torch.ones(2, 3), torch.ones(3, 2)).shape == (2, 2)
    assert seen
