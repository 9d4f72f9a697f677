"""Export a detector of people as one ONNX file: an image in, boxes and scores out."""

from __future__ import annotations

import copy
import json
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from mmtranspose.deployment.exporting import LICENCE
from mmtranspose.deployment.file_meta import KEY
from mmtranspose.deployment.onnx_conversion import Sized, to_onnx
from mmtranspose.deployment.onnx_file import OPSET
from mmtranspose.detection.detector_graph import DetectorGraph, require_exportable_detector, score_threshold
from mmtranspose.detection.detector_loading import find_detector
from mmtranspose.detection.person_detector import PersonDetector
from mmtranspose.errors import InputError, require_package, require_probability
from mmtranspose.files.output_paths import partial_file, require_output_file
from mmtranspose.loading.conversion import checkpoint_sha256
from mmtranspose.typing import PathLike
from mmtranspose.version import __version__

if TYPE_CHECKING:
    import onnx

KIND = 'detector'
FORMAT = 1  # of the JSON; a reader refuses a larger one
UNLIKE_OTHERS = 0.36787945  # a threshold that no other constant equals: the converter makes one of equal constants


@dataclass(frozen=True)
class DetectorMeta:
    """What the file of a detector says about itself: the entry ``mmtranspose`` of its metadata, a JSON text.

    Attributes:
        model (str): Name of the config, as mmdet's zoo or `mmtranspose list` has it, or the stem of its file.
        input_size (list[int]): (w, h) of the image that the network takes, in pixels.
        category (int): Label of people.
        category_name (str | None): Its name; None where the detector names no classes.
        score_thr (float): The boxes have higher scores.
        nms_thr (float): Of two boxes that overlap (IoU) by more, the one with the higher score is kept.
        checkpoint_sha256 (str | None): Of the checkpoint's file; None where it is not known.
        version (str): Of mmtranspose.
        licence (str): Of this package; weights and data may have others.
        kind (str): ``'detector'``.
        format (int): Of this entry.
    """

    model: str
    input_size: list[int]
    category: int
    category_name: str | None
    score_thr: float
    nms_thr: float
    checkpoint_sha256: str | None
    version: str
    licence: str
    kind: str = KIND
    format: int = FORMAT

    def to_json(self) -> str:
        """The entry's text."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str | None, where: str) -> DetectorMeta:
        """Read the entry of a file that is called ``where`` in messages.

        Raises:
            InputError: There is no entry, or it is that of another kind of file or of a later version.
        """
        try:
            content = json.loads(text or '')
            given = {field.name: content[field.name] for field in fields(cls)}
        except (ValueError, TypeError, LookupError):
            given = {}
        if given.get('kind') != KIND:
            raise InputError(f'{where} is not a detector that `mmtranspose export-detector` has written')
        if given['format'] > FORMAT:
            raise InputError(f'{where} was written by mmtranspose {given["version"]}, which is newer: upgrade this one')
        return cls(**given)


def export_detector(
    detector: PersonDetector | PathLike, output: PathLike, checkpoint: PathLike | None = None, **options: Any
) -> Path:
    """Write a detector of people as one ONNX file, with resizing, network, thresholds and NMS inside.

    The file's input is ``image`` (H, W, 3), uint8, RGB, of any size; its outputs are ``boxes`` (N, 4), float32, xyxy in
    pixels of the image and clipped to it, and ``scores`` (N,), float32, from the highest down. It finds what
    :class:`~mmtranspose.detection.PersonDetector` finds; an image so narrow that it would vanish when it is resized
    stays one pixel wide, where ``PersonDetector`` refuses it.

    Args:
        detector (PersonDetector | str | Path): mmdet's RTMDet or YOLOX, which is left as it is; or a config, see
            :func:`~mmtranspose.detection.detector_loading.find_detector`.
        output (str | Path): The file: ``.onnx``.
        checkpoint (str | Path | None): The weights' file or URL, whose SHA-256 goes into the metadata. None, with a
            config's name: those that belong to it.
        **options: With a config, others of :class:`~mmtranspose.detection.PersonDetector`: ``bbox_thr``, ``nms_thr``,
            ``category``, ``cfg_options``.

    Returns:
        Path: ``output``.

    Raises:
        InputError: The detector cannot be loaded, the output cannot be written, a threshold is not from 0 to 1, or a
            package is not installed.
        UnsupportedModelError: The detector cannot be exported.
    """
    path = Path(output)
    if path.suffix != '.onnx':
        raise InputError(f'{output}: the file of a detector ends in .onnx')
    require_package('onnx', 'onnxscript')
    source = checkpoint
    if not isinstance(detector, PersonDetector):
        require_output_file(path, 'output', [one for one in (detector, checkpoint) if one is not None])
        source = checkpoint or find_detector(str(detector))[1]
        detector = PersonDetector(detector, checkpoint, **options)
    elif options:
        raise InputError(f'options {", ".join(options)} are those of the PersonDetector: make it with them')
    require_output_file(path, 'output', [])
    data = _traced(detector, source)
    with partial_file(path, data) as partial:
        partial.write_bytes(data)
    return path


def _traced(detector: PersonDetector, checkpoint: PathLike | None) -> bytes:
    """The content of the file."""
    import onnx

    require_probability('bbox_thr', detector.bbox_thr)
    require_probability('nms_thr', detector.nms_thr)
    require_exportable_detector(detector)
    mine = copy.copy(detector)
    mine.model = copy.deepcopy(detector.model).to('cpu')
    mine([np.zeros((64, 64, 3), np.uint8)])  # else a missing operator would be met while tracing
    graph = DetectorGraph(mine).eval()
    graph.score_thr.fill_(UNLIKE_OTHERS)
    image = Sized(torch.randint(0, 256, (48, 64, 3), dtype=torch.uint8), ('height', 'width'))
    model = to_onnx(graph, {'image': image}, {'boxes': ('people',), 'scores': ('people',)}, OPSET)
    set_score_threshold(model, score_threshold(mine))
    meta = detector_meta(mine, graph, checkpoint)
    model.producer_name, model.producer_version = KEY, meta.version
    onnx.helper.set_model_props(model, {KEY: meta.to_json()})
    onnx.checker.check_model(model)
    return model.SerializeToString()


def set_score_threshold(model: onnx.ModelProto, threshold: float) -> None:
    """Change the score that the boxes of an exported detector exceed; its metadata stay as they are."""
    import onnx

    (stored,) = (one for one in model.graph.initializer if one.name == 'score_thr')
    stored.CopyFrom(onnx.numpy_helper.from_array(np.array(threshold, np.float32), stored.name))


def detector_meta(detector: PersonDetector, graph: DetectorGraph, checkpoint: PathLike | None) -> DetectorMeta:
    """What the file of a detector says about itself."""
    classes = detector.model.dataset_meta['classes']
    return DetectorMeta(
        model=Path(detector.model.cfg.filename or detector.name).stem,
        input_size=list(graph.fitting.canvas),
        category=detector.category,
        category_name=classes[detector.category] if classes else None,
        score_thr=detector.bbox_thr,
        nms_thr=detector.nms_thr,
        checkpoint_sha256=checkpoint_sha256(checkpoint),
        version=__version__,
        licence=LICENCE,
    )
