"""Run exported files with ONNX Runtime."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import torch

from mmtranspose.deployment.file_meta import KEY, FileMeta
from mmtranspose.deployment.runtimes.runtime import Runtime, as_cut_crops, crop_outputs, named
from mmtranspose.errors import InputError, require_package
from mmtranspose_cli.optional_packages import pip_install

if TYPE_CHECKING:
    import onnxruntime

CPU = 'CPUExecutionProvider'
PROVIDERS = {  # by backend and kind of device
    ('onnxruntime', 'cpu'): CPU,
    ('onnxruntime', 'cuda'): 'CUDAExecutionProvider',
    ('tensorrt', 'cuda'): 'TensorrtExecutionProvider',
}
PACKAGES = {'onnxruntime': ('onnxruntime-gpu',), 'tensorrt': ('onnxruntime-gpu', 'tensorrt')}  # for GPUs


def open_session(
    model: bytes | str,
    device: str,
    backend: str = 'onnxruntime',
    name: str = 'the graph',
    provider_options: Mapping[str, Any] | None = None,
) -> onnxruntime.InferenceSession:
    """Open a session of ONNX Runtime on a device, with as many threads on the processor as PyTorch has.

    Operators that the device's provider lacks run on the processor. A provider that cannot be loaded is an error; ONNX
    Runtime alone would run everything on the processor, and say so nowhere.

    Args:
        model (bytes | str): An ONNX model, or its file.
        device (str): ``'cpu'``, ``'cuda'``, ``'cuda:1'``, ...
        backend (str): ``'onnxruntime'``; ``'tensorrt'`` for ONNX Runtime's TensorRT provider, on a GPU.
        name (str): What messages call the model.
        provider_options (Mapping[str, Any] | None): Further options of the device's provider.

    Raises:
        InputError: ONNX Runtime is not installed, has no such device, cannot load its provider or cannot run the model.
    """
    provider, number = _provider(device, backend)
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    options.intra_op_num_threads = torch.get_num_threads()
    options.add_session_config_entry('session.force_spinning_stop', '1')  # idle threads would hold up what comes next
    own = [] if provider == CPU else [(provider, {'device_id': number, **(provider_options or {})})]
    try:
        session = onnxruntime.InferenceSession(model, options, providers=[*own, CPU])
    except Exception as error:  # its exceptions have no class in common but this
        raise InputError(f'{name} cannot be run by ONNX Runtime {onnxruntime.__version__}: {_plain(error)}') from error
    if provider not in session.get_providers():
        raise InputError(
            f'device {device}: ONNX Runtime {onnxruntime.__version__} cannot load its {provider}, most likely because '
            f'there is no such GPU or a library is missing ({pip_install(*PACKAGES[backend])}, of one version of CUDA)'
        )
    session.disable_fallback()  # a failing GPU is an error, too
    return session


def _provider(device: str, backend: str) -> tuple[str, str]:
    """The provider of a device and the device's number.

    Raises:
        InputError: ONNX Runtime is not installed, or has no provider for the device.
    """
    require_package('onnxruntime')
    import onnxruntime

    kind, _, number = device.partition(':')
    if backend == 'tensorrt' and kind != 'cuda':
        raise InputError(f'backend {backend} runs on a GPU: name it (--device cuda:0, device=...)')
    provider = PROVIDERS.get((backend, kind))
    if provider is None or provider not in onnxruntime.get_available_providers():
        cure = '; choose cpu or cuda' if provider is None else f': {pip_install(*PACKAGES[backend])}'
        raise InputError(f'device {device}: this onnxruntime has no provider for it{cure}')
    return provider, number or '0'


class OnnxRuntime(Runtime):
    """A file in a session of ONNX Runtime.

    Args:
        path (Path): ``.onnx``.
        device (str): ``'cpu'``, ``'cuda'``, ``'cuda:1'``, ...

    Raises:
        InputError: The file is damaged or of another program, or a package is not installed; or see
            :func:`open_session`.
    """

    backend: ClassVar[str] = 'onnxruntime'

    def __init__(self, path: Path, device: str):
        require_package('onnx', 'onnxruntime')
        import onnxruntime

        self.path, self.device = path, device
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
        return open_session(model, self.device, self.backend, str(self.path))


class TensorRtRuntime(OnnxRuntime):
    """A file run by ONNX Runtime's TensorRT provider, which compiles it at the first call unless it is compiled.

    Not run by the tests: it needs a GPU.
    """

    backend = 'tensorrt'


def read_metadata(path: Path) -> dict[str, str]:
    """The entries of an ONNX file's metadata.

    Raises:
        InputError: The file is not an ONNX file, or is damaged.
    """
    import onnx

    try:
        return {entry.key: entry.value for entry in onnx.load(str(path), load_external_data=False).metadata_props}
    except Exception as error:  # protobuf has its own classes
        raise InputError(f'{path} is not an ONNX file, or is damaged: {_plain(error)}') from error


def _plain(error: Exception) -> str:
    """The reason that an error gives, without ONNX Runtime's code before it."""
    return ' '.join(str(error).split()).split(' : ', 2)[-1][:300]
