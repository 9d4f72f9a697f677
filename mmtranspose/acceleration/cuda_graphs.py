"""CUDA graphs: the whole network launched as one, for batches of any size."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from mmtranspose.acceleration.recent import Recent

WARM_UP = 3  # PyTorch's advice: cuDNN and cuBLAS choose kernels and allocate before they can be captured


Capture = Callable[[Callable[[Tensor], Tensor], Tensor], tuple[Callable[[], object], Tensor]]


class CudaGraphCapture:
    """Records what a function launches; its graphs share one memory pool.

    They may, because what uses them replays one at a time and copies the output before the next. One stream of its own,
    on the inputs' GPU, serves all warm-ups and recordings: PyTorch's default belongs to the GPU that recorded first in
    the process.
    """

    def __init__(self):
        self._pool = self._stream = None

    def __call__(self, function: Callable[[Tensor], Tensor], inputs: Tensor) -> tuple[Callable[[], object], Tensor]:
        """Record ``function(inputs)``.

        Args:
            function (Callable): Runs on ``inputs``'s device and waits for nothing there.
            inputs (Tensor): Read by every replay; it must stay where it is.

        Returns:
            tuple[Callable, Tensor]: Runs the function on what ``inputs`` holds then; the tensor it writes to.
        """
        with torch.cuda.device(inputs.device):
            if self._stream is None:
                self._pool, self._stream = torch.cuda.graph_pool_handle(), torch.cuda.Stream()
            self._stream.wait_stream(torch.cuda.current_stream())
            graph = torch.cuda.CUDAGraph()
            with torch.cuda.stream(self._stream):  # left after a failed recording too, which torch.cuda.graph is not
                for _ in range(WARM_UP):
                    function(inputs)
                # thread_local: a loader's thread that pins memory meanwhile does not spoil the recording.
                with torch.cuda.graph(graph, pool=self._pool, stream=self._stream, capture_error_mode='thread_local'):
                    output = function(inputs)
            torch.cuda.current_stream().wait_stream(self._stream)
        return graph.replay, output


@dataclass
class _Recording:
    """A recorded function and what it reads and writes; ``tables`` are kept because the recording reads them too."""

    replay: Callable[[], object]
    inputs: Tensor
    output: Tensor
    tables: tuple[Tensor, ...]


class GraphedFunction:
    """A network function served from recordings, one a batch bucket and image size.

    Buckets are 1, 2, 4, ... and ``max_batch_size``. A batch is copied into its bucket's input, whose other rows are
    left as they were and not returned. Recordings of the last four image sizes are kept. When a recording fails, one
    warning says so and the function itself runs from then on. Use it from one thread and CUDA stream at a time.

    Args:
        function (Callable): Takes images (B, 3, H, W), float32, and tables for (H, W), and returns (B, ...): each row
            from its own image alone.
        max_batch_size (int): Images of the largest recording, and of the largest batch that may be given.
        capture (Callable | None): Records a function; by default :class:`CudaGraphCapture`.
    """

    def __init__(self, function: Callable, max_batch_size: int, capture: Capture | None = None):
        self.function = function
        self.max_batch_size = max_batch_size
        self.capture = CudaGraphCapture() if capture is None else capture
        self.failed = False
        self._sizes: Recent = Recent()

    def __call__(self, inputs: Tensor, tables: tuple[Tensor, ...]) -> Tensor:
        """``function(inputs, tables)`` in memory of its own."""
        if self.failed:
            return self.function(inputs, tables)
        try:
            return self._replay(inputs, tables)
        except Exception as error:  # whatever a driver or a launch that cannot be recorded raises
            cause = error.__context__ or error  # what spoilt a recording is reported before its end is
            why = f'{type(cause).__name__}: {cause}'
        self._sizes.clear()  # out of the handler, whose traceback holds what the recording allocated
        result = self.function(inputs, tables)  # a fault of the arguments comes again here
        self.failed = True
        warnings.warn(f'CUDA graphs cannot be used and are off: {why}', stacklevel=2)
        return result

    def bucket(self, size: int) -> int:
        """Rows of the smallest recording that ``size`` images, at most ``max_batch_size``, fit into."""
        return min(1 << (size - 1).bit_length(), self.max_batch_size)

    def _replay(self, inputs: Tensor, tables: tuple[Tensor, ...]) -> Tensor:
        size = len(inputs)
        recordings = self._sizes.get_or_make(tuple(inputs.shape[1:]), dict)
        bucket = self.bucket(size)
        if bucket not in recordings:
            recordings[bucket] = self._record(inputs, bucket, tables)
        recording = recordings[bucket]
        recording.inputs[:size].copy_(inputs)
        recording.replay()
        return recording.output[:size].clone()

    def _record(self, inputs: Tensor, bucket: int, tables: tuple[Tensor, ...]) -> _Recording:
        static = torch.zeros(bucket, *inputs.shape[1:], device=inputs.device)
        replay, output = self.capture(lambda pictures: self.function(pictures, tables), static)
        return _Recording(replay, static, output, tables)
