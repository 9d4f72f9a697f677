"""An exported file in place of a model: the same calls, answered by another runtime."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import Any, NoReturn

import numpy as np
import torch
from mmengine.config import Config
from mmengine.model import BaseDataPreprocessor, BaseModel
from mmengine.structures import InstanceData
from mmpose.models.pose_estimators import TopdownPoseEstimator
from mmpose.utils.typing import SampleList
from torch import Tensor

from mmtranspose.crops.boxes import boxes_in_image
from mmtranspose.crops.crop_affine import recorded_affine
from mmtranspose.deployment.file_meta import FileMeta
from mmtranspose.deployment.graphs.crop_cutting import CONVENTIONS, pixels_per_unit
from mmtranspose.deployment.runtimes import Runtime, open_runtime
from mmtranspose.deployment.runtimes.runtime import rgb_crops
from mmtranspose.errors import InputError, UnsupportedModelError
from mmtranspose.explain import ExplainOptions, PoseExplanation
from mmtranspose.files.json_files import decoded
from mmtranspose.media import as_image
from mmtranspose.typing import Batch, BoxesLike, ImageLike, PathLike

BATCH = 16  # people that a file computes together where nobody chose: a person's attention may take 40 MB


@dataclass
class ExportedPoses:
    """What an exported file returns for the boxes of an image.

    Attributes:
        keypoints (np.ndarray): (N, K, 2), (x, y) in pixels of the image.
        scores (np.ndarray): (N, K).
        dependency (np.ndarray | None): (N, L, K, h, w), over the token grid; None where the file has none.
        crop_to_image (np.ndarray | None): (N, 2, 3), from (x, y) in pixels of the crop to pixels of the image; None
            where there is no dependency.
    """

    keypoints: np.ndarray
    scores: np.ndarray
    dependency: np.ndarray | None = None
    crop_to_image: np.ndarray | None = None


class ExportedPoseEstimator(TopdownPoseEstimator):
    """A pose estimator whose poses an exported file computes; made by :func:`load_exported`.

    :class:`~mmtranspose.apis.TopdownPipeline`, :func:`~mmtranspose.apis.inference_topdown`, mmengine's evaluation and
    the commands take it in place of a model. It has no parameters, cannot be trained, and stays on its device.

    Args:
        runtime (Runtime): The opened file.

    Attributes:
        runtime (Runtime): As given.
        meta (FileMeta): What the file says about itself.
        device (torch.device): Where crops and results are: the CPU, wherever the runtime computes.
        cfg (Config): The test pipeline that cuts crops for the file.
        dataset_meta (dict): MMPose's metainfo of the keypoints.
    """

    def __init__(self, runtime: Runtime):
        BaseModel.__init__(self, data_preprocessor=BaseDataPreprocessor())
        self.runtime, self.meta, self.device = runtime, runtime.meta, torch.device('cpu')
        self.cfg = crop_config(self.meta)
        self.dataset_meta = decoded(self.meta.dataset_meta)
        self.metainfo, self.train_cfg = None, None
        self.test_cfg: dict[str, Any] = {'flip_test': False}  # where the file has one, it is inside
        self._one_at_a_time = threading.Lock()
        torch.nn.Module.train(self, False)

    def poses(self, image: ImageLike, bboxes: BoxesLike | None = None, bbox_format: str = 'xyxy') -> ExportedPoses:
        """Run the whole file on an image and boxes, :data:`BATCH` people at a time.

        Args:
            image (ImageLike): A file; or an array (h, w, 3), BGR, uint8, or grey or BGRA.
            bboxes (BoxesLike | None): (N, 4) or (N, 5), in pixels; None makes one box around the image.
            bbox_format (str): ``'xyxy'`` or ``'xywh'``.

        Raises:
            InputError: The file takes crops; the image cannot be used; or a box cannot, see
                :func:`mmtranspose.crops.boxes.box_problem`.
        """
        if self.meta.graph != 'image':
            raise InputError("this file was exported with graph='crops': it takes crops, not an image and boxes")
        array = as_image(image)
        boxes = boxes_in_image(bboxes, array, bbox_format)[:, :4]
        rgb = np.ascontiguousarray(array[:, :, ::-1])
        parts = [boxes[start : start + BATCH] for start in range(0, len(boxes), BATCH)]
        parts = parts or [np.array([[0, 0, 8, 8]], np.float32)]  # not every runtime computes nothing from nothing
        with self._one_at_a_time:
            found = [self.runtime.run({'image': rgb, 'boxes': part}) for part in parts]
        whole = {name: np.concatenate([one[name] for one in found])[: len(boxes)] for name in found[0]}
        return ExportedPoses(**whole)

    def crop_results(self, inputs: Tensor) -> dict[str, np.ndarray]:
        """Run the file on crops (N, 3, h, w), uint8, BGR; see :meth:`Runtime.run_crops`."""
        crops = rgb_crops(inputs)
        width, height = self.meta.input_size
        if crops.shape[1:] != (height, width, 3):
            raise InputError(f'crops must be {width} x {height} pixels, not {crops.shape[2]} x {crops.shape[1]}')
        with self._one_at_a_time:
            return self.runtime.run_crops(crops)

    def explainer(self, options: ExplainOptions) -> ExportedExplainer:
        """What explains the file's predictions; see :func:`mmtranspose.explain.explainer_of`."""
        return ExportedExplainer(self, options)

    def predict(self, inputs: Any, data_samples: SampleList) -> SampleList:
        """Estimate the poses in crops, as ``TopdownPoseEstimator.predict``.

        Args:
            inputs (Tensor | list[Tensor]): (N, 3, h, w), uint8, BGR, or N of (3, h, w).
            data_samples (list[PoseDataSample]): The crops' samples.

        Returns:
            list[PoseDataSample]: The samples, with ``pred_instances``: keypoints in pixels of the image.
        """
        if len(data_samples) == 0:
            return []
        found = self.crop_results(inputs if isinstance(inputs, Tensor) else torch.stack(list(inputs)))
        return self.with_predictions(found['keypoints'], found['scores'], data_samples)

    def with_predictions(self, keypoints: np.ndarray, scores: np.ndarray, samples: SampleList) -> SampleList:
        """Put keypoints (N, K, 2) in pixels of the crops, and scores (N, K), into samples as MMPose's estimators do."""
        frame = keypoints / np.array(pixels_per_unit(self.meta.input_size, self.meta.crop_convention != 'plain'))
        instances = [
            InstanceData(keypoints=one[None], keypoint_scores=score[None]) for one, score in zip(frame, scores)
        ]
        return self.add_pred_to_datasample(instances, None, samples)

    def _forward(self, *_args: object, **_kwargs: object) -> NoReturn:
        raise RuntimeError('an exported file returns keypoints, not heatmaps: use the model that it was exported from')

    def loss(self, *_args: object, **_kwargs: object) -> NoReturn:
        """Raise an error: only the model can be trained."""
        raise RuntimeError('an exported file cannot be trained: train the model that it was exported from')

    def train(self, mode: bool = True) -> ExportedPoseEstimator:
        """Raise an error if ``mode`` is True."""
        if mode:
            self.loss()
        return self

    def extra_repr(self) -> str:
        """Name the model, its graph and the runtime."""
        return f'{self.meta.model}, graph {self.meta.graph}, {self.runtime.description}'


class ExportedExplainer:
    """Explains the predictions of an exported file, as :class:`~mmtranspose.explain.Explainer` those of a model.

    Args:
        estimator (ExportedPoseEstimator): A file with dependency.
        options (ExplainOptions): Only what the file holds can be asked for.

    Raises:
        UnsupportedModelError: The file has no dependency.
        InputError: An option needs the model.
    """

    def __init__(self, estimator: ExportedPoseEstimator, options: ExplainOptions):
        meta = estimator.meta
        if not meta.dependency:
            raise UnsupportedModelError(
                'the exported file holds no dependency: export it with --dependency (dependency=True)'
            )
        if options.flip_test is not None and options.flip_test != meta.flip_test:
            raise InputError(f'flip_test={options.flip_test}: the file was exported with flip_test={meta.flip_test}')
        wanted = {'affect': options.affect, 'heads': options.heads != 'mean', 'methods': options.methods}
        wanted['cell'] = options.cell != 'bilinear'
        others = [name for name, value in wanted.items() if value]
        if others:
            value = getattr(options, others[0])
            raise InputError(
                f'{others[0]}={value!r} (--{others[0]}) needs the model: an exported file holds dependency '
                'alone, the mean of the heads; give config and checkpoint in its place'
            )
        self.estimator, self.options, self.meta = estimator, options, meta

    def __call__(self, batch: Batch) -> list[PoseExplanation]:
        """Explain the prediction for every crop of a batch, as :meth:`mmtranspose.explain.Explainer.__call__`."""
        samples, crops = batch['data_samples'], torch.stack(list(batch['inputs']))
        affines = [recorded_affine(sample) for sample in samples]
        found = self.estimator.crop_results(crops)
        posed = self.estimator.with_predictions(found['keypoints'], found['scores'], samples)
        return [
            PoseExplanation(
                keypoints=np.array(sample.pred_instances.keypoints[0], float),
                scores=np.array(sample.pred_instances.keypoint_scores[0], float),
                dependency=maps,
                affect=None,
                names=list(self.meta.keypoint_names),
                skeleton=[(first, second) for first, second in self.meta.skeleton],
                score_thr=self.options.score_thr,
                bbox=np.array(sample.gt_instances.bboxes[0], float),
                crop=crop.permute(1, 2, 0).cpu().numpy(),
                token_to_crop=np.array(self.meta.token_to_crop),
                crop_to_image=affine,
                cells=np.zeros((len(maps[0]), 0, 2), int),
                cell_weights=np.zeros((len(maps[0]), 0)),
            )
            for sample, crop, affine, maps in zip(posed, crops, affines, found['dependency'])
        ]


def load_exported(path: PathLike, backend: str | None = None, device: str = 'cpu') -> ExportedPoseEstimator:
    """Load a file of :func:`~mmtranspose.deployment.export_model` in place of a model.

    Args:
        path (str | Path): ``.onnx`` or ``.xml`` (OpenVINO).
        backend (str | None): ``'onnxruntime'``, ``'openvino'`` or ``'tensorrt'``; None: by the file's ending.
        device (str): ``'cpu'``, ``'cuda:0'``, ...; with OpenVINO also its own names, as ``'GPU'``.

    Raises:
        InputError: See :func:`~mmtranspose.deployment.runtimes.open_runtime`.
    """
    return ExportedPoseEstimator(open_runtime(path, backend, device))


def crop_config(meta: FileMeta) -> Config:
    """The config of the test pipeline that cuts crops as a file wants them; the config in the file is not run."""
    if meta.padding is None:
        return Config(dict(default_scope='mmpose'))
    width, height = meta.input_size
    cut = CONVENTIONS[meta.crop_convention]((width, height))
    step: dict[str, Any] = dict(type=type(cut).__name__, input_size=(width, height))
    if meta.crop_convention == 'udp':
        step['use_udp'] = True
    pipeline = [
        dict(type='LoadImage'),
        dict(type='GetBBoxCenterScale', padding=meta.padding),
        step,
        dict(type='PackPoseInputs'),
    ]
    return Config(dict(default_scope='mmpose', test_dataloader=dict(dataset=dict(pipeline=pipeline))))
