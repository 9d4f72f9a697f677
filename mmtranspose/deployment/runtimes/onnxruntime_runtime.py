"""Run exported files with ONNX Runtime."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from mmtranspose.deployment.file_meta import KEY, FileMeta
from mmtranspose.deployment.runtimes.runtime import Runtime, as_cut_crops, crop_outputs, named
from mmtranspose.errors import InputError, require_package

PROVIDERS = {'cpu': 'CPUExecutionProvider', 'cuda': 'CUDAExecutionProvider', 'tensorrt': 'TensorrtExecutionProvider'}


class OnnxRuntime(Runtime):
    """A file in a session of ONNX Runtime.

    Args:
        path (Path): ``.onnx``.
        device (str): ``'cpu'``, ``'cuda'``, ``'cuda:1'``, ...

    Raises:
        InputError: The file is damaged or of another program, this ONNX Runtime has no such device or lacks an operator
            of the file, or a package is not installed.
    """

    provider: ClassVar[str | None] = None

    def __init__(self, path: Path, device: str):
        require_package('onnx', 'onnxruntime')
        import onnxruntime

        kind, _, number = device.partition(':')
        kind = self.provider or kind
        if self.provider and device == 'cpu':
            raise InputError(f'backend {self.provider} runs on a GPU: name it (--device cuda:0, device=...)')
        if PROVIDERS.get(kind) not in onnxruntime.get_available_providers():
            cure = ': pip install onnxruntime-gpu' if kind in PROVIDERS else '; choose cpu or cuda'
            raise InputError(f'device {device}: this onnxruntime has no provider for it{cure}')
        self.path = path
        given: list[Any] = [] if kind == 'cpu' else [(PROVIDERS[kind], {'device_id': number or '0'})]
        self.providers = [*given, PROVIDERS['cpu']]
        self.meta = FileMeta.from_json(read_metadata(path).get(KEY), str(path))
        self.description = f'ONNX Runtime {onnxruntime.__version__}, {device}, {self.meta.precision}'
        self._session = self._opened(str(path))

    def run(self, inputs: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Run the whole file; see :class:`Runtime`."""
        outputs = list(self.meta.outputs)
        return dict(zip(outputs, self._session.run(outputs, dict(inputs))))

    def run_crops(self, crops: np.ndarray) -> dict[str, np.ndarray]:
        """Run what the file does with crops; see :class:`Runtime`."""
        outputs = crop_outputs(self.meta)
        if self.meta.graph == 'crops':
            return named(self._session.run(outputs, {'crops': crops}))
        return named(self._crops_session.run(outputs, as_cut_crops(crops)))

    @cached_property
    def _crops_session(self) -> Any:
        import onnx

        model, inputs = onnx.load(str(self.path)), ['cut_crops', 'boxes']
        try:
            part = onnx.utils.Extractor(model).extract_model(inputs, crop_outputs(self.meta))
        except ValueError as error:
            raise InputError(
                f'{self.path} has no value cut_crops inside any more (it was changed, or is older): export it again'
            ) from error
        return self._opened(part.SerializeToString())

    def _opened(self, model: str | bytes) -> Any:
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.log_severity_level = 3
        try:
            return onnxruntime.InferenceSession(model, options, providers=self.providers)
        except Exception as error:  # its exceptions have no class in common but this
            version, why = onnxruntime.__version__, _plain(error)
            raise InputError(f'{self.path} cannot be run by ONNX Runtime {version}: {why}') from error


class TensorRtRuntime(OnnxRuntime):
    """A file run by ONNX Runtime's TensorRT provider, which compiles it at the first call unless it is compiled.

    Not run by the tests: it needs a GPU.
    """

    provider = 'tensorrt'


def read_metadata(path: Path) -> dict[str, str]:
    """The entries of an ONNX file's metadata.

    Raises:
        InputError: The file is no ONNX file, or damaged.
    """
    import onnx

    try:
        return {entry.key: entry.value for entry in onnx.load(str(path), load_external_data=False).metadata_props}
    except Exception as error:  # protobuf has its own classes
        raise InputError(f'{path} is no ONNX file, or damaged: {_plain(error)}') from error


def _plain(error: Exception) -> str:
    """The reason that an error gives, without ONNX Runtime's code before it."""
    return ' '.join(str(error).split()).split(' : ', 2)[-1][:300]
