"""Packages that only some commands need, and how pip installs versions that fit; standard library only."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version

# Up to which version each was not tried; the versions in requirements/ lie below.
BELOW = {
    'av': '19',
    'captum': '0.10',
    'gradio': '7',
    'nncf': '4',
    'onnx': '2',
    'onnxruntime': '2',
    'onnxruntime-gpu': '2',
    'onnxscript': '0.8',
    'openvino': '2027',
    'pyarrow': '27',
    'safetensors': '1',
}
BELOW_FOR_NUMPY_1 = {'pyarrow': '20'}  # newer ones need numpy 2


def requirement(name: str) -> str:
    """A package with the versions that were tried, as pip takes it; of a package that is not known here its name."""
    below = BELOW.get(name)
    if name in BELOW_FOR_NUMPY_1 and _has_numpy_1():
        below = BELOW_FOR_NUMPY_1[name]
    return name if below is None else f'{name}<{below}'


def pip_install(*names: str) -> str:
    """The command that installs packages: ``'pip install "onnx<2" "openvino<2027"'``."""
    wanted = map(requirement, names)
    return ' '.join(['pip install', *(f'"{one}"' if '<' in one else one for one in wanted)])


def _has_numpy_1() -> bool:
    try:
        return version('numpy').startswith('1.')
    except PackageNotFoundError:
        return False
