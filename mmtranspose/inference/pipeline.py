"""Estimate poses in images, videos and cameras, with reading, detection and the network in threads and batches."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
from mmpose.structures import PoseDataSample

from mmtranspose.crops.crop_maker import CropMaker
from mmtranspose.crops.device_crop_maker import DeviceCropMaker, cuts_on_device
from mmtranspose.deployment import ExportedPoseEstimator
from mmtranspose.detection import PersonDetector
from mmtranspose.errors import InputError
from mmtranspose.explain import ExplainOptions, PoseExplanation
from mmtranspose.inference.background import Background
from mmtranspose.inference.box_sources import BoxSource, box_source
from mmtranspose.inference.pose_estimation import PoseEstimation
from mmtranspose.inference.stages import cut_crops, estimate_poses, find_boxes
from mmtranspose.inference.tracking import Tracker
from mmtranspose.inference.work_units import UnitEnd, each_unit
from mmtranspose.media import Frame, Source, open_source
from mmtranspose.media.sources import InputsLike
from mmtranspose.typing import BoxesLike, PoseEstimator

OnSkip = Callable[[str, str], None]


@dataclass
class TopdownResult:
    """The people of one frame.

    Attributes:
        frame (Frame): The image, with its name and where it comes from.
        samples (list[PoseDataSample]): One sample a person; an empty list where there is nobody. ``pred_instances`` has
            ``keypoints`` (1, K, 2) in pixels of the frame, ``keypoint_scores`` (1, K), ``bboxes`` (1, 4), xyxy, and
            ``bbox_scores`` (1,). ``pred_fields.heatmaps`` (K, h, w) is there if asked for, ``track_id`` if people are
            tracked.
        explanations (list[PoseExplanation] | None): One explanation a person, if asked for.
    """

    frame: Frame
    samples: list[PoseDataSample]
    explanations: list[PoseExplanation] | None = None


class TopdownPipeline:
    """Estimates the poses of the people in images, videos and cameras.

    Frames are read, people detected and crops cut in threads of their own, ahead of the network; results come in the
    order of the frames. The detector gets batches of frames, the network batches of people from several frames. Each
    frame of a camera is finished before the next one is begun, and frames that arrive meanwhile are dropped. Memory
    does not grow with the number of frames.

    Args:
        model (PoseEstimator): From :func:`mmtranspose.apis.init_model`, in evaluation mode; or an exported file, from
            :func:`mmtranspose.apis.load_exported`. A TransPose is accelerated
            (the flip test in one pass, see :func:`mmtranspose.apis.accelerate`). An accelerated model keeps its own
            options, and any other of MMPose's top-down estimators runs as it is.
        boxes (PersonDetector | BoxSource | BoxesLike | str): Where people are: a
            :class:`mmtranspose.detection.PersonDetector`; a :class:`mmtranspose.inference.BoxFile` or another function
            from frames to boxes; boxes (N, 4) or (N, 5), xyxy in pixels, for every frame; or ``'whole-image'``. There
            is no default: where no box is, no pose is.
        batch_size (int | None): People that go through the network together; None: 16 on a CPU, 64 elsewhere, 8 with
            ``explain``.
        detector_batch_size (int | None): Frames that are detected together; None: 4 on a CPU, 8 elsewhere.
        dtype (str): Data type of the network: ``'fp32'``, ``'bf16'`` or ``'fp16'``.
        explain (ExplainOptions | None): Also explain the poses, with these options.
        track (bool): Number people by matching poses (OKS) between frames: ``track_id`` of their samples.
        output_heatmaps (bool): Keep the heatmaps: ``pred_fields.heatmaps`` (K, h, w) of the samples.
        backend (str): What runs a TransPose that is not explained: ``'torch'``, or ``'openvino'`` on a CPU, which is
            faster there; see :func:`mmtranspose.apis.accelerate`.

    Raises:
        InputError: An option has a value that it does not take, the model is in training mode, or the model cannot be
            explained or run in ``dtype``.
    """

    def __init__(
        self,
        model: PoseEstimator,
        boxes: PersonDetector | BoxSource | BoxesLike | str,
        batch_size: int | None = None,
        detector_batch_size: int | None = None,
        dtype: str = 'fp32',
        explain: ExplainOptions | None = None,
        track: bool = False,
        output_heatmaps: bool = False,
        backend: str = 'torch',
    ):
        for name, value in (('batch_size', batch_size), ('detector_batch_size', detector_batch_size)):
            if value is not None and (not isinstance(value, int) or value < 1):
                raise InputError(f'{name}={value} must be a whole number from 1 on')
        device = model.device if isinstance(model, ExportedPoseEstimator) else next(model.parameters()).device
        on_cpu = device.type == 'cpu'
        self.boxes = box_source(boxes)
        self.batch_size = batch_size or (8 if explain is not None else 16 if on_cpu else 64)
        self.detector_batch_size = detector_batch_size or (4 if on_cpu else 8)
        self.explains = explain is not None
        self.estimate = PoseEstimation(model, dtype, explain, output_heatmaps, backend)
        crops = CropMaker(model)
        self.cut: Callable[[np.ndarray, np.ndarray], list[dict]] = crops
        if not on_cpu and cuts_on_device(crops.pipeline):
            self.cut = DeviceCropMaker(model, device)
        self.sigmas = model.dataset_meta['sigmas'] if track else None

    def __call__(self, inputs: InputsLike, on_skip: OnSkip | None = None) -> Iterator[TopdownResult]:
        """Estimate the poses in whatever :func:`mmtranspose.media.open_source` opens.

        Args:
            inputs (InputsLike): File of an image or video, folder, pattern (``'a/*.jpg'``), number of a camera, array
                (h, w, 3), BGR, uint8, or iterable of arrays, perhaps endless; a list of these; or a ``Source``.
            on_skip (Callable | None): Called with name and reason of each frame or box that cannot be used and is left
                out. None: such a frame or box raises an error.

        Returns:
            Iterator[TopdownResult]: A generator of one result a frame, in order. Closing the generator, or leaving the
            loop over it, ends its threads and closes files.

        Raises:
            InputError: An input does not exist (raised at once); or, without ``on_skip``, a frame or box cannot be used
                (raised when its turn comes).
        """
        return self._started(open_source(inputs), on_skip, ends=False)  # type: ignore[return-value]  # no ends

    def by_unit(self, source: Source, on_skip: OnSkip | None = None) -> Iterator[TopdownResult | UnitEnd]:
        """Estimate the poses as by a call, and tell the end of each unit of :func:`in_units` after its results."""
        return self._started(source, on_skip, ends=True)

    @property
    def unit_size(self) -> int | None:
        """Images of a unit of :func:`in_units`: whole batches of the detector; two people in each fill a batch.

        None where people are tracked from image to image.
        """
        if self.sigmas is not None:
            return None
        return self.detector_batch_size * max(1, self.batch_size // (2 * self.detector_batch_size))

    def _started(self, source: Source, on_skip: OnSkip | None, ends: bool) -> Iterator[TopdownResult | UnitEnd]:
        results = self._run(source, on_skip or _refuse, ends)
        next(results)  # into its `with`, so that closing the generator closes the source, iterated or not
        return results

    def _run(self, source: Source, on_skip: OnSkip, ends: bool) -> Iterator[TopdownResult | UnitEnd]:
        live = source.live
        batch = 1 if live else self.detector_batch_size
        tracker = self._tracker()

        with _reading(source) as background:
            yield  # type: ignore[misc]  # for the first `next`, by __call__
            frames = background.ahead(source, batch, _is_live if live else None)
            boxed = background.ahead(each_unit(frames, lambda unit: find_boxes(unit, self.boxes, batch)), batch)
            tasks = background.ahead(each_unit(boxed, lambda unit: cut_crops(unit, self.cut)), batch)
            for task in each_unit(
                tasks, lambda unit: estimate_poses(unit, self.estimate, self.batch_size, wait=not live)
            ):
                if isinstance(task, UnitEnd):
                    tracker = self._tracker()
                    if ends:
                        yield task
                    continue
                for name, reason in task.skipped:
                    on_skip(name, reason)
                if task.frame is None:
                    continue
                if tracker is not None:
                    tracker(task.frame, task.samples)
                yield TopdownResult(task.frame, task.samples, task.explanations if self.explains else None)

    def _tracker(self) -> Tracker | None:
        return None if self.sigmas is None else Tracker(self.sigmas)


@contextmanager
def _reading(source: Source) -> Iterator[Background]:
    """Threads that read a source, which is closed after they have ended."""
    background = Background()
    try:
        with background:
            yield background
    finally:
        if background.ended:
            source.close()


def _is_live(item: object) -> bool:
    return isinstance(item, Frame) and item.video is not None and item.video.live


def _refuse(name: str, reason: str) -> None:
    raise InputError(f'{name}: {reason}')
