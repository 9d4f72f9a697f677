"""The affine from a crop to its image, written into each sample's metainfo when the crop is cut.

A crop alone does not tell how it was cut: MMPose's ``TopdownAffine`` lays either the edges or the outermost pixel
centres (``use_udp``) of the crop on those of the box, half a pixel apart. So the pipeline records what it did.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import cv2
import numpy as np
from mmcv.transforms import BaseTransform
from mmengine.dataset import Compose
from mmpose.datasets.transforms import PackPoseInputs, TopdownAffine
from mmpose.structures import PoseDataSample
from mmpose.structures.bbox import get_udp_warp_matrix, get_warp_matrix
from torch.utils.data import Dataset

from mmtranspose.errors import InputError

KEY = 'crop_to_image'  # in the results of a pipeline and in the metainfo of a sample


class RecordAffine(BaseTransform):
    """Pipeline step that records the affine of the :class:`TopdownAffine` right before it.

    Adds ``crop_to_image`` (2, 3), float64, to the results: from (x, y) of a pixel's centre in the crop to (x, y) in the
    image that the crop was cut from (the mirrored one, where an earlier step mirrors). Pixel centres are whole numbers.

    Args:
        cut (TopdownAffine): The step before this one.
    """

    def __init__(self, cut: TopdownAffine):
        super().__init__()
        self.cut = cut

    def transform(self, results: dict) -> dict:
        """Add ``crop_to_image``."""
        rotation = results['bbox_rotation'][0] if 'bbox_rotation' in results else 0.0
        warp_matrix = get_udp_warp_matrix if self.cut.use_udp else get_warp_matrix
        to_crop = warp_matrix(results['input_center'], results['input_scale'], rotation, results['input_size'])
        results[KEY] = cv2.invertAffineTransform(to_crop.astype(np.float64))
        return results

    def __repr__(self) -> str:
        return f'{type(self).__name__}(cut={self.cut})'


def record_affines(source: Compose | Dataset) -> None:
    """Make a pipeline, or all pipelines of a dataset, record how they cut crops.

    A :class:`RecordAffine` is put after each :class:`TopdownAffine`, and each :class:`PackPoseInputs` keeps what it
    records. Call this before a data loader starts its workers. A second call changes nothing.

    Args:
        source (Compose | Dataset): A pipeline (mmcv's ``Compose`` or mmengine's) with what is nested in it; or a
            dataset, which may combine or wrap others.
    """
    parts = [getattr(source, name, None) for name in ('pipeline', 'dataset', 'datasets', 'transforms')]
    for part in parts:
        if isinstance(part, list):
            for one in part:
                record_affines(one)
        elif part is not None:
            record_affines(part)
    if isinstance(steps := parts[-1], list):
        steps[:] = _recording([step for step in steps if not isinstance(step, RecordAffine)])


def _recording(steps: Sequence[Callable]) -> list[Callable]:
    recording = []
    for step in steps:
        recording.append(step)
        if isinstance(step, TopdownAffine):
            recording.append(RecordAffine(step))
        if isinstance(step, PackPoseInputs) and KEY not in step.meta_keys:
            step.meta_keys = (*step.meta_keys, KEY)
    return recording


def recorded_affine(sample: PoseDataSample) -> np.ndarray:
    """The affine (2, 3) from (x, y) in pixels of a sample's crop to pixels of its image.

    Raises:
        InputError: The pipeline that made the sample did not record it.
    """
    if KEY not in sample.metainfo:
        raise InputError(
            f"a sample does not say where its crop lies in the image: there is no '{KEY}' in its metainfo. Cut crops "
            'with mmtranspose.crops.crop_maker.prepare_crops, or call '
            'mmtranspose.crops.crop_affine.record_affines(dataset) before its data loader is used'
        )
    return sample.metainfo[KEY]
