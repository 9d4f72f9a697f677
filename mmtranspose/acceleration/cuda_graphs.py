"""CUDA graphs: launch the whole network at once, for batches of any size."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import torch
from torch import Tensor

WARM_UP = 3  # calls before a recording, as PyTorch advises: cuDNN and cuBLAS choose kernels and allocate memory then
IMAGE_SIZES = 4  # number of image sizes whose recordings are kept

Replay = Callable[[], object]
Capture = Callable[[Callable[[Tensor], Tensor], Tensor], tuple[Replay, Tensor]]


class GraphedFunction:
    """Runs a network function by replaying CUDA graphs, one for each batch bucket and image size.

    Buckets are 1, 2, 4, ... and ``max_batch_size``. A batch is copied into the input of its bucket; the bucket's other
    rows keep old values, and their results are dropped. Recordings of the last four image sizes are kept. If a
    recording fails, one warning says so, and the function itself runs from then on. Not safe for several threads or
    CUDA streams.

    Args:
        function (Callable): Takes images (B, 3, H, W), float32, and tables for (H, W), and returns (B, ...). Each row
            of the result depends on its own image only.
        max_batch_size (int): Images of the largest recording; a batch may not be larger.
        capture (Callable | None): Records a function; None: :class:`CudaGraphCapture`.

    Attributes:
        failed (bool): Whether a recording has failed.
    """

    def __init__(
        self,
        function: Callable[[Tensor, tuple[Tensor, ...]], Tensor],
        max_batch_size: int,
        capture: Capture | None = None,
    ):
        self.function = function
        self.max_batch_size = max_batch_size
        self.capture = CudaGraphCapture() if capture is None else capture
        self.failed = False
        self._recordings = lru_cache(maxsize=IMAGE_SIZES)(_no_recordings)

    def __call__(self, inputs: Tensor, tables: tuple[Tensor, ...]) -> Tensor:
        """Compute ``function(inputs, tables)``, in memory that later calls do not overwrite."""
        if self.failed:
            return self.function(inputs, tables)
        try:
            return self._replay(inputs, tables)
        except Exception as error:  # a driver, or an operation that cannot be recorded, may raise any type
            cause = error.__context__ or error  # ending a failed recording raises too, on top of the first error
            why = f'{type(cause).__name__}: {cause}'
        # Outside the handler, because the traceback holds what the recording has allocated.
        self._recordings.cache_clear()
        result = self.function(inputs, tables)  # raises again if the arguments were at fault
        self.failed = True
        warnings.warn(f'CUDA graphs cannot be used and are off: {why}', stacklevel=2)
        return result

    def bucket(self, size: int) -> int:
        """Rows of the smallest recording that fits ``size`` images, at most ``max_batch_size``."""
        return min(1 << (size - 1).bit_length(), self.max_batch_size)

    def _replay(self, inputs: Tensor, tables: tuple[Tensor, ...]) -> Tensor:
        size = len(inputs)
        recordings = self._recordings(tuple(inputs.shape[1:]))
        bucket = self.bucket(size)
        if bucket not in recordings:
            recordings[bucket] = self._record(inputs, bucket, tables)
        recording = recordings[bucket]
        recording.inputs[:size].copy_(inputs)
        recording.replay()
        return recording.output[:size].clone()

    def _record(self, inputs: Tensor, bucket: int, tables: tuple[Tensor, ...]) -> _Recording:
        static = torch.zeros(bucket, *inputs.shape[1:], device=inputs.device)
        replay, output = self.capture(lambda images: self.function(images, tables), static)
        return _Recording(replay, static, output, tables)


@dataclass
class _Recording:
    """A recorded function and what it reads and writes; ``tables`` are kept because the recording reads them too."""

    replay: Replay
    inputs: Tensor
    output: Tensor
    tables: tuple[Tensor, ...]


def _no_recordings(size: tuple[int, ...]) -> dict[int, _Recording]:  # noqa: ARG001  the cache's key
    """Recordings of an image size by bucket, none at first."""
    return {}


class CudaGraphCapture:
    """Records what a function launches on a GPU.

    All recordings share one memory pool. That is safe because they are replayed one at a time, and each output is
    copied before the next replay. Warm-ups and recordings run on one stream of their own on the inputs' GPU: PyTorch's
    default stream for recordings belongs to the GPU that recorded first in the process.
    """

    def __init__(self) -> None:
        self._pool: Any = None
        self._stream: torch.cuda.Stream | None = None

    def __call__(self, function: Callable[[Tensor], Tensor], inputs: Tensor) -> tuple[Replay, Tensor]:
        """Record ``function(inputs)``.

        Args:
            function (Callable): Runs on the device of ``inputs`` and never waits for it.
            inputs (Tensor): Read by every replay, so its memory must stay in place.

        Returns:
            tuple[Callable, Tensor]: A function that replays the recording on what ``inputs`` holds by then; and the
            tensor that a replay writes its result to.
        """
        with torch.cuda.device(inputs.device):
            if self._stream is None:
                self._pool, self._stream = torch.cuda.graph_pool_handle(), torch.cuda.Stream()
            self._stream.wait_stream(torch.cuda.current_stream())
            graph = torch.cuda.CUDAGraph()
            # Our own stream context, because torch.cuda.graph does not leave its stream after a failed recording.
            with torch.cuda.stream(self._stream):
                for _ in range(WARM_UP):
                    function(inputs)
                # thread_local: a loader's thread that pins memory meanwhile does not spoil the recording.
                with torch.cuda.graph(graph, pool=self._pool, stream=self._stream, capture_error_mode='thread_local'):
                    output = function(inputs)
            torch.cuda.current_stream().wait_stream(self._stream)
        return graph.replay, output
