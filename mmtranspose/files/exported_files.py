"""Which files are exported models, by their names, and which runtimes run them."""

from __future__ import annotations

from pathlib import Path

from mmtranspose.typing import PathLike

# Runtime: endings of the files that it runs; the first runtime with an ending is its default.
ENDINGS = {'onnxruntime': ('.onnx',), 'openvino': ('.xml', '.onnx'), 'tensorrt': ('.onnx',)}


def is_exported_file(path: PathLike) -> bool:
    """Whether a name ends as the files of `mmtranspose export` do."""
    return Path(path).suffix in {ending for endings in ENDINGS.values() for ending in endings}
