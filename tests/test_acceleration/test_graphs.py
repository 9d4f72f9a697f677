"""Recordings of the network, with a stand-in for CUDA's: buckets, padding, parts, copies."""

import warnings

import pytest
import torch

from mmtranspose.acceleration.accelerated_estimator import in_parts
from mmtranspose.acceleration.cuda_graphs import GraphedFunction


class Recorder:
    """Re-runs the function into the tensor it wrote to."""

    def __init__(self):
        self.sizes, self.replays = [], []

    def __call__(self, function, inputs):
        self.sizes.append(tuple(inputs.shape))
        output = function(inputs)

        def replay():
            self.replays.append(len(inputs))
            output.copy_(function(inputs))

        return replay, output


def double(inputs, tables):
    return 2 * inputs.flatten(1).sum(1, keepdim=True) + tables[0]


@pytest.fixture
def recorder():
    return Recorder()


@pytest.fixture
def graphed(recorder):
    return GraphedFunction(double, max_batch_size=12, capture=recorder)


TABLES = (torch.tensor([5.0]),)


@pytest.mark.parametrize(('size', 'bucket'), [(1, 1), (2, 2), (3, 4), (4, 4), (5, 8), (8, 8), (9, 12), (12, 12)])
def test_buckets(graphed, recorder, size, bucket):
    inputs = torch.randn(size, 3, 4, 2)
    torch.testing.assert_close(graphed(inputs, TABLES), double(inputs, TABLES))
    assert recorder.replays == [bucket] and recorder.sizes == [(bucket, 3, 4, 2)]


def test_every_bucket_is_recorded_once(graphed, recorder):
    for size in (*range(1, 13), *range(12, 0, -1)):
        inputs = torch.randn(size, 3, 4, 2)
        torch.testing.assert_close(graphed(inputs, TABLES), double(inputs, TABLES))
    assert sorted(size[0] for size in recorder.sizes) == [1, 2, 4, 8, 12]


def test_larger_batches_go_in_parts(graphed, recorder):
    inputs = torch.randn(27, 3, 4, 2)
    torch.testing.assert_close(in_parts(graphed, 12)(inputs, TABLES), double(inputs, TABLES))
    assert recorder.replays == [12, 12, 4]


def test_results_are_not_overwritten_by_the_next_call(graphed):
    first, second = torch.randn(2, 2, 3, 4, 2)
    found = graphed(first, TABLES)
    graphed(second, TABLES)
    torch.testing.assert_close(found, double(first, TABLES))


def test_rows_of_an_earlier_batch_do_no_harm(graphed):
    graphed(torch.full((4, 3, 4, 2), torch.nan), TABLES)
    inputs = torch.randn(3, 3, 4, 2)
    torch.testing.assert_close(graphed(inputs, TABLES), double(inputs, TABLES))


def test_sizes_and_their_tables_are_apart_and_the_last_four_are_kept(graphed, recorder):
    shapes = [(3, side, 2) for side in range(1, 6)]
    for index, shape in enumerate(shapes):
        inputs, tables = torch.randn(2, *shape), (torch.tensor([float(index)]),)
        torch.testing.assert_close(graphed(inputs, tables), double(inputs, tables))
    assert [size[1:] for size in recorder.sizes] == shapes
    graphed(torch.randn(2, *shapes[-1]), (torch.tensor([4.0]),))
    assert len(recorder.sizes) == 5
    graphed(torch.randn(2, *shapes[0]), TABLES)
    assert len(recorder.sizes) == 6


def test_images_of_another_dtype_or_made_in_inference_mode(graphed):
    with torch.inference_mode():
        half = torch.randn(2, 3, 4, 2).half()
        inference = torch.randn(2, 3, 4, 2)
    for inputs in (half, inference):
        torch.testing.assert_close(graphed(inputs, TABLES), double(inputs.float(), TABLES))


def test_a_failure_is_told_once_and_the_function_runs():
    def fail(function, inputs):
        raise RuntimeError('operation not permitted when stream is capturing')

    graphed = GraphedFunction(double, max_batch_size=4, capture=fail)
    inputs = torch.randn(9, 3, 4, 2)
    with pytest.warns(UserWarning, match='CUDA graphs .* off: RuntimeError: operation not permitted'):
        torch.testing.assert_close(graphed(inputs, TABLES), double(inputs, TABLES))
    with warnings.catch_warnings():
        warnings.simplefilter('error')
        torch.testing.assert_close(graphed(inputs, TABLES), double(inputs, TABLES))


def test_a_fault_of_the_arguments_is_raised_and_turns_nothing_off(graphed):
    with pytest.raises(IndexError):
        graphed(torch.randn(2, 3, 4, 2), ())
    assert not graphed.failed


class TestOnAGpu:
    """The recordings themselves."""

    pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason='needs a GPU')

    @pytest.mark.parametrize('size', [1, 3, 4])
    def test_replay(self, size):
        graphed = GraphedFunction(double, max_batch_size=4)
        tables = (torch.tensor([5.0], device='cuda'),)
        for _ in range(2):
            inputs = torch.randn(size, 3, 4, 2, device='cuda')
            torch.testing.assert_close(graphed(inputs, tables), double(inputs, tables))
        assert not graphed.failed

    def test_what_cannot_be_recorded(self):
        graphed = GraphedFunction(lambda inputs, tables: inputs * inputs.sum().item(), max_batch_size=4)
        inputs, stream = torch.ones(1, 3, 4, 2, device='cuda'), torch.cuda.current_stream()
        with pytest.warns(UserWarning, match='CUDA graphs cannot be used and are off'):
            torch.testing.assert_close(graphed(inputs, ()), 24 * inputs)
        assert torch.cuda.current_stream() == stream
