"""Compile an exported graph with TensorRT on the GPU that is to run it, by ONNX Runtime's provider.

Not run by the tests: it needs a GPU and onnxruntime-gpu with TensorRT's libraries.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from mmtranspose.deployment.file_meta import KEY, FileMeta
from mmtranspose.deployment.runtimes.onnxruntime_runtime import open_session
from mmtranspose.errors import InputError, require_package
from mmtranspose.files.output_paths import partial_file

if TYPE_CHECKING:
    import onnx

DEVICE = 'cuda:0'  # that the engines are compiled for


def write_tensorrt(model: onnx.ModelProto, meta: FileMeta, path: Path) -> None:
    """Write an ONNX file that holds the compiled engines; other GPUs and other versions of TensorRT refuse it.

    Operators that TensorRT does not have stay in the file and run in ONNX Runtime.

    Args:
        model (onnx.ModelProto): The graph; its number formats are those of the engine.
        meta (FileMeta): What it says about itself.
        path (Path): The file.

    Raises:
        InputError: ONNX Runtime or its TensorRT provider is not there, or TensorRT cannot compile the graph.
    """
    require_package('onnx', 'onnxruntime')
    import onnx

    with tempfile.TemporaryDirectory() as folder:
        context = Path(folder) / 'context.onnx'
        options = {
            'trt_dump_ep_context_model': True,
            'trt_ep_context_file_path': str(context),
            'trt_ep_context_embed_mode': 1,
            'trt_fp16_enable': meta.precision == 'fp16',
        }
        open_session(model.SerializeToString(), DEVICE, 'tensorrt', provider_options=options)
        if not context.is_file():
            raise InputError('TensorRT has compiled no part of the graph: export it for onnx (--format onnx)')
        compiled = onnx.load(str(context))
    onnx.helper.set_model_props(compiled, {KEY: meta.to_json()})
    data = compiled.SerializeToString()
    with partial_file(path, data) as partial:
        partial.write_bytes(data)
