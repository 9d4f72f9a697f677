"""Run exported files with OpenVINO, the network in the file's precision and all else in single precision.

OpenVINO computes a whole model in one number format. In bfloat16, positions in an image of 640 pixels would be rounded
to 2 or 4 pixels: so what cuts crops and decodes heatmaps is compiled for itself.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from mmtranspose.acceleration.openvino_network import threaded_core
from mmtranspose.deployment.file_meta import KEY, FileMeta
from mmtranspose.deployment.graphs import boundary_names
from mmtranspose.deployment.openvino_graph import piece
from mmtranspose.deployment.runtimes.onnxruntime_runtime import read_metadata
from mmtranspose.deployment.runtimes.runtime import Runtime, as_cut_crops, crop_outputs, named
from mmtranspose.errors import InputError, require_package

FORMATS = {'fp32': 'f32', 'fp16': 'f16', 'bf16': 'bf16', 'int8': 'bf16'}  # of what int8 leaves in floating point
CHOOSERS = ('AUTO', 'BATCH', 'HETERO', 'MULTI')  # devices of OpenVINO that share the work among others
Values = Mapping[str, np.ndarray]


class OpenVinoRuntime(Runtime):
    """A file compiled by OpenVINO.

    Args:
        path (Path): ``.xml``, with its ``.bin`` beside it, or ``.onnx``.
        device (str): ``'cpu'``, or a device of OpenVINO's: ``'GPU'``, ``'GPU.1'``, ``'NPU'``, ``'AUTO'``,
            ``'HETERO:GPU,CPU'``, ...

    Raises:
        InputError: The file is damaged or of another program, the device is not there, or a package is not installed.
            The first call says so where the device lacks an operator of the file: only then is the file compiled.
    """

    def __init__(self, path: Path, device: str):
        require_package('openvino', *(['onnx'] if path.suffix == '.onnx' else []))
        import openvino

        self.path, self.device, self._core = path, device.upper(), threaded_core()
        _require_device(self.device, self._core.available_devices)
        try:
            self._model = self._core.read_model(str(path))
        except Exception as error:
            raise InputError(f'{path} cannot be read by OpenVINO: {_plain(error)}') from error
        self.meta = FileMeta.from_json(_meta_text(self._model, path), str(path))
        self.description = f'OpenVINO {openvino.__version__.split("-")[0]}, {device}, {self.meta.precision}'
        self._network_format = FORMATS[self.meta.precision]

    def run(self, inputs: Values) -> dict[str, np.ndarray]:
        """Run the whole file; see :class:`Runtime`."""
        return dict(zip(self.meta.outputs, self._whole(inputs)))

    def run_crops(self, crops: np.ndarray) -> dict[str, np.ndarray]:
        """Run what the file does with crops; see :class:`Runtime`."""
        return named(self._crops({'crops': crops} if self.meta.graph == 'crops' else as_cut_crops(crops)))

    @cached_property
    def _whole(self) -> Callable[[Values], Sequence[np.ndarray]]:
        inputs = ['image', 'boxes'] if self.meta.graph == 'image' else ['crops']
        return self._between(inputs, list(self.meta.outputs))

    @cached_property
    def _crops(self) -> Callable[[Values], Sequence[np.ndarray]]:
        return self._between(['crops' if self.meta.graph == 'crops' else 'cut_crops'], crop_outputs(self.meta))

    def _between(self, inputs: list[str], outputs: list[str]) -> Callable[[Values], Sequence[np.ndarray]]:
        """The function from some values of the file to others."""
        if self._network_format == 'f32':
            return self._compiled(inputs, outputs, 'f32')
        entry, *passed = boundary_names(self.meta.num_layers, self.meta.dependency)
        before = self._compiled(inputs, [entry], 'f32', inner=True)
        network = self._compiled([entry], passed, self._network_format, inner=True)
        after = self._compiled([*inputs, *passed], outputs, 'f32')

        def run(given: Values) -> Sequence[np.ndarray]:
            (crops,) = before(given)
            return after({**given, **dict(zip(passed, network({**given, entry: crops})))})

        return run

    def _compiled(
        self, inputs: list[str], outputs: list[str], number_format: str, inner: bool = False
    ) -> Callable[[Values], Sequence[np.ndarray]]:
        """The function of a part of the file; of an ``inner`` one, results hold until its next call."""
        part = piece(self._model, inputs, outputs)
        try:
            compiled = self._core.compile_model(part, self.device, {'INFERENCE_PRECISION_HINT': number_format})
        except Exception as error:
            known = ', '.join(self._core.available_devices)
            raise InputError(
                f'{self.path} cannot be run on {self.device}, OpenVINO has {known}: {_plain(error)}'
            ) from error
        wanted = [port.get_any_name() for port in compiled.inputs]

        def run(given: Values) -> Sequence[np.ndarray]:
            values = {name: given[name] for name in wanted}
            return compiled(values, share_inputs=True, share_outputs=inner).to_tuple()

        return run


def _require_device(device: str, known: Sequence[str]) -> None:
    """Check the name of a device; ``GPU`` and ``GPU.0`` are the same one.

    Raises:
        InputError: OpenVINO has no such device.
    """
    names = {*known, *(name.removesuffix('.0') for name in known)}
    if device.partition(':')[0] not in CHOOSERS and device.removesuffix('.0') not in names:
        raise InputError(f'device {device}: OpenVINO has {", ".join(known)}')


def _meta_text(model: Any, path: Path) -> str | None:
    if path.suffix == '.onnx':
        return read_metadata(path).get(KEY)
    return str(model.get_rt_info([KEY]).value) if model.has_rt_info([KEY]) else None


def _plain(error: Exception) -> str:
    """The last line of an error of OpenVINO; the ones before name places in its source files."""
    lines = [line for line in str(error).splitlines() if line.strip()]
    return (lines[-1] if lines else type(error).__name__)[:300]
