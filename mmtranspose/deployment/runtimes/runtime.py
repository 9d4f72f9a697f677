"""The interface of what runs an exported file, and its choice by the file's ending or by name."""

from __future__ import annotations

import importlib
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from torch import Tensor

from mmtranspose.deployment.file_meta import FileMeta
from mmtranspose.errors import InputError, require_choice
from mmtranspose.files.exported_files import ENDINGS
from mmtranspose.typing import PathLike

# Name: the class, below this folder.
CLASSES = {
    'onnxruntime': 'onnxruntime_runtime:OnnxRuntime',
    'openvino': 'openvino_runtime:OpenVinoRuntime',
    'tensorrt': 'onnxruntime_runtime:TensorRtRuntime',
}


class Runtime(ABC):
    """An exported file, ready to be run.

    Attributes:
        meta (FileMeta): What the file says about itself.
        description (str): Runtime, version, device and number format, for tables.
    """

    meta: FileMeta
    description: str

    @abstractmethod
    def run(self, inputs: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Run the whole file.

        Args:
            inputs (dict[str, np.ndarray]): By the names of the file's inputs: ``image`` (H, W, 3), uint8, RGB, and
                ``boxes`` (N, 4), float32, xyxy in pixels; or ``crops`` (N, h, w, 3), uint8, RGB. For at least one
                person.

        Returns:
            dict[str, np.ndarray]: By the names of ``meta.outputs``.
        """

    @abstractmethod
    def run_crops(self, crops: np.ndarray) -> dict[str, np.ndarray]:
        """Run what the file does with crops (N, h, w, 3), uint8, RGB, for at least one person.

        Returns:
            dict[str, np.ndarray]: ``keypoints`` (N, K, 2) in pixels of the crops, ``scores`` (N, K), and ``dependency``
            (N, L, K, h, w) where the file has it.
        """


def open_runtime(path: PathLike, backend: str | None = None, device: str = 'cpu') -> Runtime:
    """Open an exported file.

    Args:
        path (str | Path): ``.onnx`` or ``.xml`` (OpenVINO).
        backend (str | None): A key of :data:`ENDINGS`; None takes the first that runs files of this ending.
        device (str): ``'cpu'``, ``'cuda:0'``, ...; with OpenVINO also its own names, as ``'GPU'``.

    Raises:
        InputError: The file is missing, damaged, of another program or of a kind that the runtime does not run; the
            runtime is not installed, or does not have the device; ONNX Runtime lacks an operator of the file (OpenVINO
            says so at the first call).
    """
    file = Path(path).expanduser()
    if not file.is_file():
        raise InputError(f'{path} is a folder; name a file' if file.exists() else f'{path} does not exist')
    if backend is None:
        backend = next((name for name, endings in ENDINGS.items() if file.suffix in endings), None)
        if backend is None:
            raise InputError(f'{path}: exported files end in .onnx or .xml')
    require_choice('backend', backend, ENDINGS)
    if file.suffix not in ENDINGS[backend]:
        raise InputError(f'{path}: {backend} runs files that end in {" or ".join(ENDINGS[backend])}')
    module, name = CLASSES[backend].split(':')
    kind = getattr(importlib.import_module(f'{__package__}.{module}'), name)
    return kind(file, device)


def crop_outputs(meta: FileMeta) -> list[str]:
    """Names, inside a file, of what :meth:`Runtime.run_crops` returns."""
    keypoints = 'crop_keypoints' if meta.graph == 'image' else 'keypoints'
    return [keypoints, 'scores', *(['dependency'] if meta.dependency else [])]


def named(values: Sequence[np.ndarray]) -> dict[str, np.ndarray]:
    """Values in the order of :func:`crop_outputs`, by the names that :meth:`Runtime.run_crops` gives them."""
    return dict(zip(('keypoints', 'scores', 'dependency'), values))


def as_cut_crops(crops: np.ndarray) -> dict[str, np.ndarray]:
    """Crops (N, h, w, 3), uint8, as the values of a graph from images: ``cut_crops`` (N, 3, h, w), float32; ``boxes``.

    Only the number of the boxes counts: inside a graph, the number of people is read from them.
    """
    cut = np.ascontiguousarray(crops.transpose(0, 3, 1, 2), np.float32)
    return {'cut_crops': cut, 'boxes': np.zeros((len(crops), 4), np.float32)}


def rgb_crops(crops: Tensor) -> np.ndarray:
    """Crops (N, 3, h, w), uint8, BGR, as exported graphs take them: (N, h, w, 3), RGB."""
    return np.ascontiguousarray(crops.cpu().numpy()[:, ::-1].transpose(0, 2, 3, 1))
