"""What the results of a run of ``mmtranspose infer`` depend on, so that shards of other runs are refused."""

from __future__ import annotations

import argparse
import hashlib
import os
from pathlib import Path
from typing import Any

from mmtranspose.acceleration import AcceleratedPoseEstimator
from mmtranspose.deployment import ExportedPoseEstimator
from mmtranspose.detection import PersonDetector
from mmtranspose.inference import BoxFile, TopdownPipeline
from mmtranspose.inference.box_sources import WHOLE_IMAGE
from mmtranspose.loading.conversion import sha256
from mmtranspose.loading.weights_comparison import weights_checksum
from mmtranspose.media import Source
from mmtranspose.typing import PoseEstimator
from mmtranspose.version import __version__

# Options that change nothing in the results, or that made_by has in another form.
NO_MATTER = (
    *('allow_non_finite', 'allow_partial', 'ann_file', 'backend', 'batch_size', 'bboxes', 'cfg_options', 'checkpoint'),
    *('config', 'det_batch_size', 'det_cat_id', 'det_checkpoint', 'det_config', 'device', 'dtype', 'input', 'launcher'),
    *('local_rank', 'merge', 'output_root', 'shard', 'shared', 'show', 'show_interval', 'strict'),
)


def made_by(
    args: argparse.Namespace,
    source: Source,
    pipeline: TopdownPipeline,
    boxes: PersonDetector | BoxFile | str,
    model: PoseEstimator,
) -> dict[str, Any]:
    """All that the results depend on, except the content of images whose size in bytes stays the same."""
    options = {name: value for name, value in vars(args).items() if name not in NO_MATTER}
    cut = model.cfg.get('test_dataloader', {}).get('dataset', {}).get('pipeline')
    files = [one.path for one in source.inputs]  # type: ignore[attr-defined]  # images and videos
    return dict(
        version=__version__,
        weights=weights_checksum(model),
        model=_digest(repr(model.cfg.get('model')), repr(cut), *_content(args.config)),
        inputs=f'{len(files)} files, {_digest(*(f"{path} {_size(path)}" for path in files))}',
        boxes=_boxes(boxes, args.bboxes),
        ann_file=_digest(*_content(args.ann_file)),
        device=args.device.partition(':')[0],
        batch_size=pipeline.batch_size,
        det_batch_size=pipeline.detector_batch_size,
        **computed_by(pipeline),
        **options,
    )


def computed_by(pipeline: TopdownPipeline) -> dict[str, str]:
    """What runs the network, and in which number format: what is used, where what was asked for cannot be had."""
    model = pipeline.estimate.model
    if isinstance(model, ExportedPoseEstimator):
        return dict(backend=type(model.runtime).__name__, dtype=model.meta.precision)
    if isinstance(model, AcceleratedPoseEstimator):
        return dict(backend=model.backend, dtype=str(model.dtype).removeprefix('torch.'))
    return dict(backend='torch', dtype='float32')


def _boxes(boxes: PersonDetector | BoxFile | str, given: str) -> str:
    """What boxes depend on, but for thresholds and the category in a box file, which are options of their own."""
    if isinstance(boxes, PersonDetector):
        cfg, weights = boxes.model.cfg, weights_checksum(boxes.model)
        return _digest(*map(repr, (cfg.model, cfg.test_dataloader.dataset.get('pipeline'), weights, boxes.category)))
    return WHOLE_IMAGE if isinstance(boxes, str) else _digest(*_content(given))


def _digest(*texts: str) -> str:
    return hashlib.sha256('\n'.join(texts).encode('utf-8', 'surrogateescape')).hexdigest()[:16]


def _content(path: str | None) -> list[str]:
    """The digest of a file's content, and of the weights beside OpenVINO's; nothing of a config or of a name."""
    if path is None or not os.path.isfile(path) or path.endswith('.py'):
        return []
    beside = [Path(path).with_suffix('.bin')] if path.endswith('.xml') else []
    return [sha256(one) for one in (Path(path), *beside) if one.is_file()]


def _size(path: str) -> int:
    return os.path.getsize(path) if os.path.isfile(path) else -1
