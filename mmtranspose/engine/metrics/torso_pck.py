"""PCK relative to the length of the torso, as results on Leeds Sports Pose are reported."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from mmengine.evaluator import BaseMetric
from mmengine.logging import MMLogger
from mmpose.evaluation.functional import keypoint_pck_accuracy
from mmpose.registry import METRICS

from mmtranspose.errors import InputError
from mmtranspose.files.text_tables import counted

LIMBS = ('shoulder', 'elbow', 'wrist', 'hip', 'knee', 'ankle')
POSES = {'upright': (0, 45), 'tilted': (45, 135), 'upside-down': (135, 181)}  # degrees between torso and vertical
Sides = tuple[int, int]  # left, right


@METRICS.register_module()
class TorsoPCK(BaseMetric):
    """Percentage of correct keypoints: those nearer to their label than a share of the length of the torso.

    A torso is as long as the longer of left shoulder to right hip and right shoulder to left hip. (MMPose's
    ``PCKAccuracy(norm_item='torso')`` measures it between two keypoints of the JHMDB dataset.) People of whom neither
    is labelled do not count; the log says how many these are.

    Gives ``PCK``, the mean over the keypoints of the parts; one ``<part> PCK`` for each part, left and right together;
    and ``upright PCK``, ``tilted PCK`` and ``upside-down PCK`` for people whose torso is less than 45, 45 to 135, and
    more than 135 degrees from the vertical, as far as there are such people. All are shares, 0 to 1.

    Args:
        thr (float): Correct keypoints are nearer to their label, in lengths of the torso.
        parts (Sequence[str]): Which keypoints count: names without ``left_`` and ``right_``.
        collect_device (str): ``'cpu'`` or ``'gpu'``: where results of several processes are collected.
        prefix (str | None): Replaces ``'torso'`` before the names of the metrics.

    Source: Yang and Ramanan, "Articulated Human Detection with Flexible Mixtures of Parts", PAMI 2013, for PCK.
    """

    default_prefix = 'torso'

    def __init__(
        self, thr: float = 0.2, parts: Sequence[str] = LIMBS, collect_device: str = 'cpu', prefix: str | None = None
    ) -> None:
        super().__init__(collect_device=collect_device, prefix=prefix)
        self.thr = thr
        self.parts = tuple(parts)

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the metrics, without prefix."""
        return ('PCK', *(f'{name} PCK' for name in (*self.parts, *POSES)))

    def process(self, data_batch: Any, data_samples: Sequence[dict[str, Any]]) -> None:  # noqa: ARG002
        """Keep predicted keypoints, labelled keypoints (both in pixels of the image) and what is labelled."""
        for sample in data_samples:
            labels = sample['gt_instances']
            visible = np.asarray(labels['keypoints_visible'])
            visible = visible[..., 0] if visible.ndim == 3 else visible  # KeypointConverter adds a column of weights
            predicted = np.asarray(sample['pred_instances']['keypoints'])
            self.results.append((predicted, np.asarray(labels['keypoints']), visible > 0))

    def compute_metrics(self, results: list[tuple[np.ndarray, np.ndarray, np.ndarray]]) -> dict[str, float]:
        """Compute the metrics.

        Args:
            results (list): For each sample predicted (N, K, 2) and labelled (N, K, 2) keypoints and what is labelled
                (N, K).

        Raises:
            InputError: The dataset has no keypoints of a part's name, or of the torso's.
        """
        sides = {part: self._sides(part) for part in {*self.parts, 'shoulder', 'hip'}}
        predicted, labels, visible = (np.concatenate(arrays) for arrays in zip(*results, strict=True))
        lengths = torso_lengths(labels, visible, sides['shoulder'], sides['hip'])
        known = lengths > 0
        logger: MMLogger = MMLogger.get_current_instance()
        without = f'{(~known).sum()} more have no labelled torso and do not count'
        logger.info(f'TorsoPCK: {counted(int(known.sum()), "person")}; {without}')

        def pck(keypoints: list[int], people: np.ndarray) -> float:
            size = np.repeat(lengths[people, None], 2, axis=1)
            chosen = (array[people][:, keypoints] for array in (predicted, labels, visible))
            return float(keypoint_pck_accuracy(*chosen, self.thr, size)[1])

        every = [keypoint for part in self.parts for keypoint in sides[part]]
        metrics = {'PCK': pck(every, known)}
        metrics |= {f'{part} PCK': pck([*sides[part]], known) for part in self.parts}
        angles = torso_angles(labels, visible, sides['shoulder'], sides['hip'])
        for pose, (least, below) in POSES.items():
            people = known & (angles >= least) & (angles < below)
            if people.any():
                metrics[f'{pose} PCK'] = pck(every, people)
                logger.info(f'TorsoPCK: {people.sum()} people are {pose}')
        return metrics

    def _sides(self, part: str) -> Sides:
        numbers = {name: number for number, name in (self.dataset_meta or {})['keypoint_id2name'].items()}
        try:
            return numbers[f'left_{part}'], numbers[f'right_{part}']
        except KeyError as error:
            raise InputError(f'TorsoPCK needs the keypoint {error}, which the dataset does not have') from error


def torso_lengths(keypoints: np.ndarray, visible: np.ndarray, shoulders: Sides, hips: Sides) -> np.ndarray:
    """The longer of left shoulder to right hip and right shoulder to left hip, in pixels; 0 where none is labelled.

    Args:
        keypoints (np.ndarray): Shape (N, K, 2).
        visible (np.ndarray): What is labelled, shape (N, K), bool.
        shoulders (tuple[int, int]): Numbers of the left and the right shoulder.
        hips (tuple[int, int]): Numbers of the left and the right hip.

    Returns:
        np.ndarray: Shape (N,).
    """
    crossed = hips[::-1]
    lengths = np.linalg.norm(keypoints[:, shoulders] - keypoints[:, crossed], axis=-1)
    return np.where(visible[:, shoulders] & visible[:, crossed], lengths, 0).max(axis=1)


def torso_angles(keypoints: np.ndarray, visible: np.ndarray, shoulders: Sides, hips: Sides) -> np.ndarray:
    """The angle between the vertical and the line from the middle of the hips to the middle of the shoulders.

    Args:
        keypoints (np.ndarray): Shape (N, K, 2), y pointing down.
        visible (np.ndarray): What is labelled, shape (N, K), bool.
        shoulders (tuple[int, int]): Numbers of the left and the right shoulder.
        hips (tuple[int, int]): Numbers of the left and the right hip.

    Returns:
        np.ndarray: Shape (N,), degrees: 0 upright, 180 upside down; NaN where one of the four is not labelled.
    """
    x, y = (keypoints[:, shoulders].mean(axis=1) - keypoints[:, hips].mean(axis=1)).T
    whole = visible[:, [*shoulders, *hips]].all(axis=1)
    return np.where(whole, np.abs(np.degrees(np.arctan2(x, -y))), np.nan)
