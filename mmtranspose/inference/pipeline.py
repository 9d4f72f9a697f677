"""From images, videos and cameras to poses, with work of each kind in batches of its own."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from mmpose.structures import PoseDataSample
from torch import nn

from mmtranspose.crops.crop_maker import CropMaker
from mmtranspose.crops.device_crop_maker import DeviceCropMaker, cuts_on_device
from mmtranspose.errors import InputError
from mmtranspose.explain import ExplainOptions, PoseExplanation
from mmtranspose.inference.background import Background
from mmtranspose.inference.box_sources import box_source
from mmtranspose.inference.pose_estimation import PoseEstimation
from mmtranspose.inference.stages import cut_crops, estimate_poses, find_boxes
from mmtranspose.inference.tracking import Tracker
from mmtranspose.media import Frame, Source, Unreadable, open_source


@dataclass
class TopdownResult:
    """The people of one frame.

    Attributes:
        frame (Frame): The image, and what it is an image of.
        samples (list[PoseDataSample]): One a person; none where nobody is. ``pred_instances`` has ``keypoints``
            (1, K, 2) in pixels of the frame, ``keypoint_scores`` (1, K), ``bboxes`` (1, 4), xyxy, and ``bbox_scores``
            (1,); ``pred_fields.heatmaps`` (K, h, w) where asked for; ``track_id`` where people are tracked.
        explanations (list[PoseExplanation] | None): One a person, where asked for.
    """

    frame: Frame
    samples: list[PoseDataSample]
    explanations: list[PoseExplanation] | None = None


OnSkip = Callable[[str, str], None]


class TopdownPipeline:
    """Poses of the people in images, videos and cameras.

    Frames are read, people detected and crops cut in threads of their own, ahead of the network; what is found comes
    in the order of the frames. Detection runs on batches of frames, the network on batches of people from several
    frames. From a camera each frame is finished before the next is begun, and frames that come faster are left out.
    Memory does not grow with the number of frames.

    Args:
        model (nn.Module): From :func:`mmtranspose.apis.init_model`. A TransPose is accelerated (the flip test in one
            pass, see :func:`mmtranspose.apis.accelerate`); one that is already, with options of your own, and any other
            of MMPose's top-down estimators run as they are.
        boxes (object): Where people are: a :class:`mmtranspose.detection.PersonDetector`, a
            :class:`mmtranspose.inference.BoxFile`, boxes by hand (N, 4) or (N, 5), xyxy, for every frame,
            ``'whole-image'``, or a function from frames to boxes. There is no default: where no box is, no pose is.
        batch_size (int | None): People that go through the network together; None: 16 on a CPU, 64 elsewhere, 8 with
            ``explain``.
        detector_batch_size (int | None): Frames that are detected together; None: 4 on a CPU, 8 elsewhere.
        dtype (str): ``'fp32'``, ``'bf16'`` or ``'fp16'``, of the network.
        explain (ExplainOptions | None): Explain the poses too.
        track (bool): Give people numbers that last, by OKS between frames: ``track_id`` of their samples.
        output_heatmaps (bool): Keep the heatmaps: ``pred_fields.heatmaps`` (K, h, w) of the samples.

    Raises:
        InputError: An option's value is not one that it takes, or the model cannot be explained or run in ``dtype``.
    """

    def __init__(
        self,
        model: nn.Module,
        boxes: object,
        batch_size: int | None = None,
        detector_batch_size: int | None = None,
        dtype: str = 'fp32',
        explain: ExplainOptions | None = None,
        track: bool = False,
        output_heatmaps: bool = False,
    ):
        for name, value in (('batch_size', batch_size), ('detector_batch_size', detector_batch_size)):
            if value is not None and (not isinstance(value, int) or value < 1):
                raise InputError(f'{name}={value} must be a whole number from 1 on')
        device = next(model.parameters()).device
        on_cpu = device.type == 'cpu'
        self.boxes = box_source(boxes)
        self.batch_size = batch_size or (8 if explain is not None else 16 if on_cpu else 64)
        self.detector_batch_size = detector_batch_size or (4 if on_cpu else 8)
        self.explains = explain is not None
        self.estimate = PoseEstimation(model, dtype, explain, output_heatmaps)
        self.cut = CropMaker(model)
        if not on_cpu and cuts_on_device(self.cut.pipeline):
            self.cut = DeviceCropMaker(model, device)
        self.sigmas = model.dataset_meta['sigmas'] if track else None

    def __call__(self, inputs: object, on_skip: OnSkip | None = None) -> Iterator[TopdownResult]:
        """Poses in whatever :func:`mmtranspose.media.open_source` takes.

        Args:
            inputs (object): An image's or video's file, a folder, a pattern (``'a/*.jpg'``), a camera's number, an
                array (h, w, 3), BGR, uint8, an iterable of arrays, perhaps endless; a list of these; or what
                ``open_source`` has made of them.
            on_skip (Callable | None): Told name and reason of what cannot be used and is left out; None: raise instead.

        Returns:
            Iterator[TopdownResult]: A generator of one result a frame, in order. Closing it, or leaving the loop over
            it, ends its threads and closes files.

        Raises:
            InputError: An input is not there (at once); or, without ``on_skip``, cannot be used (when its turn comes).
        """
        results = self._run(open_source(inputs), on_skip or _refuse)
        next(results)  # into its `with`, so that closing it closes the source, iterated or not
        return results

    def _run(self, source: Source, on_skip: OnSkip) -> Iterator[TopdownResult]:
        live = source.live
        batch = 1 if live else self.detector_batch_size
        tracker = None if self.sigmas is None else Tracker(self.sigmas)
        with _reading(source) as background:
            yield
            frames = background.ahead(source, batch, _is_live if live else None)
            boxed = background.ahead(find_boxes(frames, self.boxes, batch), batch)
            jobs = background.ahead(cut_crops(boxed, self.cut), batch)
            for job in estimate_poses(jobs, self.estimate, self.batch_size, wait=not live):
                for name, reason in job.skipped:
                    on_skip(name, reason)
                if job.frame is None:
                    continue
                if tracker is not None:
                    tracker(job.frame, job.samples)
                yield TopdownResult(job.frame, job.samples, job.explanations if self.explains else None)


@contextmanager
def _reading(source: Source) -> Iterator[Background]:
    """Threads over a source, which is closed after they have ended."""
    background = Background()
    try:
        with background:
            yield background
    finally:
        if background.ended:
            source.close()


def _is_live(item: Frame | Unreadable) -> bool:
    return isinstance(item, Frame) and item.video is not None and item.video.live


def _refuse(name: str, reason: str) -> None:
    raise InputError(f'{name}: {reason}')
