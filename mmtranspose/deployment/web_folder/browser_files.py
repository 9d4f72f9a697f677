"""Exported files that a browser can run: checked before they are put into a folder."""

from __future__ import annotations

import json
from pathlib import Path

from mmtranspose.deployment.file_meta import KEY, FileMeta
from mmtranspose.deployment.runtimes.onnxruntime_runtime import open_session, read_metadata
from mmtranspose.deployment.runtimes.runtime import open_runtime
from mmtranspose.errors import InputError, require_package

DETECTOR_VALUES = {'inputs': ['image'], 'outputs': ['boxes', 'scores']}
SURE = 0.3  # score of a person, where a detector's file names none


def pose_file(path: Path) -> FileMeta:
    """Check an exported pose estimator, by opening it in ONNX Runtime, and return what it says about itself.

    Args:
        path (Path): Written by ``mmtranspose export``.

    Raises:
        InputError: The file is missing, damaged, of another program, no ONNX file, in several parts, a detector, or of
            the graph ``crops``; or a package is not installed.
    """
    content = _entry(path)
    if content.get('kind') == 'detector':
        raise InputError(
            f'{path} is a detector of people: pass it as --detector, and a file of `mmtranspose export` first'
        )
    meta = open_runtime(path, 'onnxruntime').meta
    if meta.graph != 'image':
        raise InputError(
            f'{path} takes crops (graph {meta.graph!r}), and a page has whole images: export the model again with '
            '--graph image'
        )
    return meta


def detector_file(path: Path) -> float:
    """Check an exported detector of people, by opening it in ONNX Runtime.

    Args:
        path (Path): Written by ``mmtranspose export-detector``: from ``image`` to ``boxes`` and ``scores``.

    Returns:
        float: The score from which on a person counts as found.

    Raises:
        InputError: As :func:`pose_file`, and where the file is no detector.
    """
    content = _entry(path)
    if content.get('kind') != 'detector':
        raise InputError(
            f'--detector {path} was not written by `mmtranspose export-detector`: make one with that command'
        )
    session = open_session(str(path), 'cpu', name=f'--detector {path}')
    found = {
        'inputs': [value.name for value in session.get_inputs()],
        'outputs': [value.name for value in session.get_outputs()],
    }
    if found != DETECTOR_VALUES:
        raise InputError(
            f'--detector {path} has {found}, where {DETECTOR_VALUES} are expected: write it with '
            '`mmtranspose export-detector` of this version'
        )
    least = content.get('score_thr', SURE)
    return float(least) if isinstance(least, (int, float)) else SURE


def _entry(path: Path) -> dict:
    """The entry of ours in a file's metadata; empty where there is none."""
    if path.is_dir():
        raise InputError(f'{path} is a folder; name a file')
    if not path.is_file():
        raise InputError(f'{path} does not exist')
    if path.suffix != '.onnx':
        raise InputError(f'{path}: browsers run ONNX files; export the model again with --output FILE.onnx')
    require_package('onnx', 'onnxruntime')
    text = read_metadata(path).get(KEY)
    _require_one_part(path)
    try:
        content = json.loads(text or '{}')
    except ValueError:
        return {}
    return content if isinstance(content, dict) else {}


def _require_one_part(path: Path) -> None:
    import onnx

    tensors = onnx.load(str(path), load_external_data=False).graph.initializer
    if any(tensor.data_location == onnx.TensorProto.EXTERNAL for tensor in tensors):
        raise InputError(f'{path} keeps its weights in a second file, which browsers do not read: export it again')
