"""Compare what an exported file returns with what PyTorch computes."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch

from mmtranspose.crops.crop_maker import prepare_crops
from mmtranspose.datasets.synthetic import render_scene
from mmtranspose.deployment.exported_estimator import ExportedPoseEstimator
from mmtranspose.deployment.file_meta import FileMeta
from mmtranspose.errors import InputError
from mmtranspose.explain import Explainer, ExplainOptions, PoseExplanation
from mmtranspose.files.text_tables import counted, table_lines
from mmtranspose.typing import PoseEstimator

People = tuple[np.ndarray, np.ndarray]  # an image (h, w, 3), BGR, uint8, and boxes (N, 4), xyxy
SURE = 0.3  # keypoints of lower scores come from flat heatmaps, where any rounding moves the maximum
MOST = 0.95  # share of the keypoints that are looked at where a precision is lower than PyTorch's
# In PyTorch's own precision nearly all are. A row of a crop may fall on the other side of OpenCV's 1/32 pixel, and a
# peak between two alike move with it: among hundreds of people there is one, so single keypoints get a wider limit.
NEARLY_ALL, WIDER = 0.99, 20
VALUES = ("keypoints, pixels of the network's input", 'scores', 'dependency')
# Largest differences that are taken for rounding: keypoints in pixels of the network's input, scores, dependency.
TOLERANCES = {
    'fp32': (0.1, 5e-3, 2e-3),
    'fp16': (0.5, 0.02, 0.01),
    'bf16': (1.0, 0.05, 0.02),
    'int8': (3.0, 0.2, 0.05),
}


@dataclass(frozen=True)
class Agreement:
    """Differences between an exported file and PyTorch, over the keypoints that PyTorch gives a score of at least 0.3.

    Attributes:
        people (int): People compared.
        keypoints (np.ndarray): (M,), distances in pixels of the image.
        crop_keypoints (np.ndarray): (M,), the same in pixels of the network's input.
        scores (np.ndarray): (M,).
        dependency (np.ndarray): (M,), each the largest difference in a keypoint's maps; empty where the file has none.
        precision (str): Of the file.
    """

    people: int
    keypoints: np.ndarray
    crop_keypoints: np.ndarray
    scores: np.ndarray
    dependency: np.ndarray
    precision: str

    @property
    def within(self) -> bool:
        """Whether the differences are those of rounding.

        They are if 99 of 100 keypoints lie within the tolerances, and all within twenty times these; in a lower
        precision than fp32, if 95 of 100 do.
        """
        return not self._beyond()

    def _beyond(self) -> list[str]:
        """The limits that are exceeded, in words."""
        share = NEARLY_ALL if self.precision == 'fp32' else MOST
        found = (self.crop_keypoints, self.scores, self.dependency)
        beyond = []
        for name, values, limit in zip(VALUES, found, TOLERANCES[self.precision]):
            reached = _quantile(values, share, 'higher')  # of few keypoints, all
            if reached > limit:
                beyond.append(f'{name}: {reached:.2g} at {share:.0%}, at most {limit:g} expected')
            elif self.precision == 'fp32' and _quantile(values, 1.0) > WIDER * limit:
                beyond.append(
                    f'{name}: the largest is {_quantile(values, 1.0):.2g}, at most {WIDER * limit:g} expected'
                )
        return beyond

    @property
    def problem(self) -> str | None:
        """What is wrong, in a sentence; None if nothing is."""
        if not len(self.scores):
            return (
                'no keypoint has a score of at least 0.3, so nothing was compared: `mmtranspose verify FILE --input '
                'IMAGES` compares on your images'
            )
        beyond = self._beyond()
        return f'the file differs from PyTorch by more than rounding ({"; ".join(beyond)})' if beyond else None

    def lines(self) -> list[str]:
        """A table for people: each value's median, 95th percentile and largest difference."""
        rows: list[tuple[str, ...]] = [('difference from PyTorch', 'median', '95 %', 'largest')]
        named = [
            ('keypoints, pixels of the image', self.keypoints),
            *zip(VALUES, (self.crop_keypoints, self.scores, self.dependency)),
        ]
        rows += [
            (name, *(f'{_quantile(values, share):.2g}' for share in (0.5, MOST, 1.0)))
            for name, values in named
            if len(values)
        ]
        return [
            *table_lines(rows),
            f'compared: {counted(len(self.scores), "keypoint")} of {counted(self.people, "person")}',
        ]


def _quantile(values: np.ndarray, share: float, method: Literal['linear', 'higher'] = 'linear') -> float:
    return float(np.quantile(values, share, method=method)) if len(values) else 0.0


def compare(exported: ExportedPoseEstimator, model: PoseEstimator, people: Iterable[People]) -> Agreement:
    """Run an exported file and its model on the same images and boxes.

    Args:
        exported (ExportedPoseEstimator): From :func:`~mmtranspose.deployment.load_exported`.
        model (PoseEstimator): The model that it was exported from.
        people (Iterable[tuple[np.ndarray, np.ndarray]]): Images (h, w, 3), BGR, uint8, with boxes (N, 4), xyxy.

    Raises:
        InputError: They have other keypoints, another input size, token grid or number of layers; nobody is given; or
            the file or the model gives something that is not finite.
    """
    meta, people = exported.meta, list(people)
    explainer = Explainer(model, ExplainOptions(flip_test=meta.flip_test))
    if explainer.names != meta.keypoint_names:
        raise InputError(
            f'the keypoints of the file ({len(meta.keypoint_names)}) are not those of the model '
            f'({len(explainer.names)}): name the model that was exported, {meta.model}'
        )
    found = [_differences(exported, explainer, image, boxes) for image, boxes in people if len(boxes)]
    if not found:
        raise InputError('there is no person to compare: give an image with at least one box')
    columns = [np.concatenate(column) for column in zip(*found)]
    in_image, in_crop, scores, maps = columns
    return Agreement(sum(len(boxes) for _, boxes in people), in_image, in_crop, scores, maps, meta.precision)


def _differences(
    exported: ExportedPoseEstimator, explainer: Explainer, image: np.ndarray, boxes: np.ndarray
) -> tuple[np.ndarray, ...]:
    """Differences of the sure keypoints of an image's people: in the image, in the crop, of scores and of maps."""
    batch = prepare_crops(explainer.model, image, boxes)
    wanted = explainer(batch)
    _require_same_network(exported.meta, wanted[0])
    points, scores = (np.stack([getattr(one, name) for one in wanted]) for name in ('keypoints', 'scores'))
    scale = np.stack([np.linalg.norm(one.crop_to_image[:, :2], axis=0) for one in wanted])[:, None]
    if exported.meta.graph == 'image':
        given = exported.poses(image, boxes)
        found, found_scores, maps = given.keypoints, given.scores, given.dependency
    else:
        results = exported.crop_results(torch.stack(batch['inputs']))
        affines = np.stack([one.crop_to_image for one in wanted])
        found = results['keypoints'] @ affines[:, :, :2].transpose(0, 2, 1) + affines[:, None, :, 2]
        found_scores, maps = results['scores'], results.get('dependency')
    for name, values in (('keypoints', found), ('scores', found_scores), ('dependency', maps)):
        if values is not None and not np.isfinite(values).all():
            raise InputError(f"the file's {name} are not finite: it, or the runtime, is broken")
    sure = scores >= SURE
    offset = found - points
    in_image, in_crop = np.linalg.norm(offset, axis=-1)[sure], np.linalg.norm(offset / scale, axis=-1)[sure]
    if maps is None:
        return in_image, in_crop, np.abs(found_scores - scores)[sure], np.zeros(0)
    expected = np.stack([one.dependency for one in wanted])
    by_keypoint = np.abs(maps - expected).max(axis=(1, 3, 4))
    return in_image, in_crop, np.abs(found_scores - scores)[sure], by_keypoint[sure]


def _require_same_network(meta: FileMeta, found: PoseExplanation) -> None:
    """Check the sizes of a file against a prediction of the model that is to have made it.

    Raises:
        InputError: One differs.
    """
    layers, _, *grid = found.dependency.shape
    sizes = {
        'input_size (w, h)': (meta.input_size, [*found.crop.shape[1::-1]]),
        'token_grid (h, w)': (meta.token_grid, grid),
        'num_layers': (meta.num_layers, layers),
    }
    for name, (of_file, of_model) in sizes.items():
        if of_file != of_model:
            raise InputError(
                f'{name} is {of_file} in the file, but {of_model} in the model: name the model that was exported, '
                f'{meta.model}'
            )


def drawn_people(seed: int = 0) -> list[People]:
    """An image of drawn people with their boxes, always the same, where no other is given."""
    rng = np.random.default_rng(seed)
    scene = render_scene(rng, (640, 480))
    while len(scene.people) < 2:
        scene = render_scene(rng, (640, 480))
    boxes = np.array([person.bbox for person in scene.people], np.float32)
    boxes[:, 2:] += boxes[:, :2]
    return [(scene.image, boxes)]
