"""Run an accelerated model's network by OpenVINO on the processor, or by PyTorch where OpenVINO cannot be had."""

from __future__ import annotations

import importlib.util
import threading
import warnings
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from mmtranspose_cli.optional_packages import pip_install

if TYPE_CHECKING:
    import openvino

NUMBER_FORMATS = {torch.float32: 'f32', torch.bfloat16: 'bf16', torch.float16: 'f16'}
NetworkFunction = Callable[[Tensor, tuple[Tensor, ...]], Tensor]


def is_installed() -> bool:
    """Whether the package openvino is there; where not, one warning says so."""
    if importlib.util.find_spec('openvino') is not None:
        return True
    warnings.warn(f'OpenVINO is not installed ({pip_install("openvino")}): the network runs in PyTorch', stacklevel=3)
    return False


def threaded_core() -> openvino.Core:
    """OpenVINO, which computes on the processor with as many threads as PyTorch, and ties none of them to a core.

    Left alone it takes all cores in each process; and processes with few threads would all be tied to the first cores.
    """
    import openvino

    core = openvino.Core()
    if 'CPU' in core.available_devices:
        core.set_property('CPU', {'INFERENCE_NUM_THREADS': torch.get_num_threads(), 'ENABLE_CPU_PINNING': False})
    return core


class OpenVinoNetwork:
    """A function of images and tables, compiled by OpenVINO once for each image size, for any batch size.

    After the first failure of OpenVINO the function itself runs, and one warning says so. Threads take turns: a
    compiled model refuses to run twice at a time.

    Args:
        function (Callable): From images (B, 3, H, W) and tables for (H, W) to heatmaps; its modules are in float32.
        dtype (torch.dtype): In which OpenVINO computes.
    """

    def __init__(self, function: NetworkFunction, dtype: torch.dtype):
        self.function, self.dtype = function, dtype
        self.compiled: dict[tuple[int, ...], Any] = {}
        self.failed = False
        self._one_at_a_time = threading.Lock()

    def __call__(self, inputs: Tensor, tables: tuple[Tensor, ...]) -> Tensor:
        """Compute the heatmaps (B, K, h, w), float32."""
        if self.failed:
            return self.function(inputs, tables)
        size = tuple(inputs.shape[1:])
        try:
            with self._one_at_a_time:
                if size not in self.compiled:
                    self.compiled[size] = self._compile(inputs, tables)
                return torch.from_numpy(self.compiled[size]([inputs.numpy()])[0].copy())
        except Exception as error:  # what OpenVINO raises has no class in common but this
            result = self.function(inputs, tables)  # raises again if the arguments were at fault
            self.failed = True
            first_line = next(iter(str(error).splitlines()), '')
            warnings.warn(
                f'OpenVINO cannot run the network, which runs in PyTorch: {type(error).__name__}: {first_line}',
                stacklevel=2,
            )
            return result

    def _compile(self, inputs: Tensor, tables: tuple[Tensor, ...]) -> Any:
        import openvino

        network = _WithTables(self.function, tables)
        example = torch.zeros(2, *inputs.shape[1:])
        with warnings.catch_warnings(), torch.no_grad():
            warnings.simplefilter('ignore')
            any_batch = ({0: torch.export.Dim.DYNAMIC},)
            program = torch.export.export(network, (example,), dynamic_shapes=any_batch, strict=False)
            model = openvino.convert_model(program)
        hint = {'INFERENCE_PRECISION_HINT': NUMBER_FORMATS[self.dtype]}
        return threaded_core().compile_model(model, 'CPU', hint)


class _WithTables(nn.Module):
    """A function of images and tables as a module of images, which holds the tables."""

    def __init__(self, function: NetworkFunction, tables: tuple[Tensor, ...]):
        super().__init__()
        self.function, self.tables = function, tables

    def forward(self, inputs: Tensor) -> Tensor:
        return self.function(inputs, self.tables)
