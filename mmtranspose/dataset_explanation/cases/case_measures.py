"""Measure one batch of people case by case: the error of each keypoint, and on whose body its maps lie."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from mmtranspose.dataset_explanation.cases.annotated_people import AnnotatedPeople
from mmtranspose.dataset_explanation.cases.error_types import diagnose
from mmtranspose.dataset_explanation.explanation_settings import DatasetExplanationSettings
from mmtranspose.dataset_explanation.labelled_people import CropGroundTruth, GroundTruth
from mmtranspose.dataset_explanation.measures import counterpart_shares, others_coverage
from mmtranspose.explain import Explainer, PoseExplanation
from mmtranspose.explain.metrics import (
    disc_coverage,
    disc_shares,
    energy_pointing_game,
    entropy,
    oks_radii,
    radial_average,
)
from mmtranspose.typing import Batch, DatasetMeta

METHODS = ('rollout',)
RADIAL = 'radial average'
# The last layer's attention, rollout, and a control: that attention spread over all places as far from the prediction
MAPS = ('attention', *METHODS, RADIAL)
# Where a map lies: in the disc of the keypoint itself, of its left or right counterpart, of the person's other
# keypoints; in discs of other people: of the same part (the keypoint or its counterpart), of their other keypoints;
# in a disc around the predicted place
QUANTITIES = ('own', 'counterpart', 'own body', 'other part', 'other body', 'predicted', 'entropy')


def measure_cases(
    explainer: Explainer,
    batch: Batch,
    ground_truths: Sequence[GroundTruth],
    people: AnnotatedPeople,
    metainfo: DatasetMeta,
    settings: DatasetExplanationSettings,
) -> dict[str, np.ndarray]:
    """Measure the error of every keypoint, and on whose body its maps lie.

    Args:
        explainer (Explainer): Explains predictions without the flip test, with the methods ``METHODS``.
        batch (Batch): B people, from :class:`~mmtranspose.dataset_explanation.labelled_people.LabelledPeople`.
        ground_truths (Sequence[GroundTruth]): Of the same people.
        people (AnnotatedPeople): The other people in their images.
        metainfo (DatasetMeta): The dataset's.
        settings (DatasetExplanationSettings): How to measure.

    Returns:
        dict: ``id`` and ``area`` (B,); ``predicted`` and ``truth`` (B, K, 2), (x, y) in pixels of the image, NaN where
        not labelled; (B, K): ``score``, ``visibility`` and the fields of
        :class:`~mmtranspose.dataset_explanation.cases.error_types.Diagnosis`; ``links`` (B, maps of ``MAPS``,
        ``QUANTITIES``, K), float16: shares of the maps, and their entropy from 0 to 1. NaN where the keypoint is not
        labelled, or where there is nobody else, or no counterpart.
    """
    explanations = explainer(batch)
    sigmas, flip = np.array(metainfo['sigmas'], float), metainfo['flip_indices']
    neighbours = [people.others(person.id) for person in ground_truths]
    diagnoses = [
        diagnose(explanation.keypoints, own, others, sigmas, flip)
        for explanation, own, others in zip(explanations, ground_truths, neighbours)
    ]
    links = _links(explanations, ground_truths, neighbours, metainfo, settings.oks_level)
    columns = zip(diagnoses[0]._fields, (np.stack(column) for column in zip(*diagnoses)))
    return dict(
        id=np.array([person.id for person in ground_truths]),
        area=np.array([person.area for person in ground_truths], np.float32),
        predicted=np.stack([person.keypoints for person in explanations]).astype(np.float32),
        truth=np.stack([person.keypoints for person in ground_truths]).astype(np.float32),
        score=np.stack([person.scores for person in explanations]).astype(np.float32),
        visibility=np.stack([person.visibility for person in ground_truths]).astype(np.int8),
        links=links.numpy().astype(np.float16),
        **{name: column.astype(np.float32) if column.dtype.kind == 'f' else column for name, column in columns},
    )


def _links(
    explanations: Sequence[PoseExplanation],
    ground_truths: Sequence[GroundTruth],
    neighbours: Sequence[Sequence[GroundTruth]],
    metainfo: DatasetMeta,
    level: float,
) -> Tensor:
    """The quantities (B, maps, quantities, K)."""
    truth = CropGroundTruth.of(explanations, ground_truths, metainfo)
    radii, grid, flip = oks_radii(truth.areas, truth.sigmas, level), explanations[0].grid, metainfo['flip_indices']
    coverage = disc_coverage(truth.points, radii, grid, truth.token_to_crop)
    places = torch.from_numpy(np.stack([person.crop_keypoints for person in explanations])).float()
    maps = maps_of(explanations, places)
    labelled = coverage[..., 0, 0].isfinite()
    parts = [
        neighbours_coverage(explanation, others, truth.sigmas, level)
        for explanation, others in zip(explanations, neighbours)
    ]
    other_part, other_body = others_discs(torch.stack(parts), coverage, flip)
    shares = disc_shares(maps, coverage)
    values = dict(
        zip(
            QUANTITIES,
            (
                torch.diagonal(shares, dim1=-2, dim2=-1),
                counterpart_shares(shares, flip),
                energy_pointing_game(maps, others_coverage(coverage)),
                energy_pointing_game(maps, other_part),
                energy_pointing_game(maps, other_body),
                energy_pointing_game(maps, disc_coverage(places, radii, grid, truth.token_to_crop)),
                entropy(maps, normalised=True),
            ),
        )
    )
    stacked = torch.stack([values[name] for name in QUANTITIES], dim=2)  # (M, B, Q, K)
    return stacked.transpose(0, 1).where(labelled[:, None, None], torch.nan)


def maps_of(explanations: Sequence[PoseExplanation], places: Tensor) -> Tensor:
    """The maps (M, B, K, h, w) of B people in the order of ``MAPS``; ``places`` (B, K, 2) are the predicted ones."""
    each = [[person.maps()[-1], *(person.relevance[name] for name in METHODS)] for person in explanations]
    maps = torch.from_numpy(np.stack(each, axis=1).astype(np.float32))
    return torch.cat([maps, radial_average(maps[:1], places, explanations[0].token_to_crop)])


def neighbours_coverage(
    explanation: PoseExplanation, others: Sequence[GroundTruth], sigmas: Tensor, level: float
) -> Tensor:
    """Compute the largest share of each cell that lies in a disc of each keypoint of other people.

    Args:
        explanation (PoseExplanation): Of a person; says where the crop lies in the image.
        others (Sequence[GroundTruth]): Other people in the image.
        sigmas (Tensor): (K,), the dataset's.
        level (float): The OKS at which a disc ends.

    Returns:
        Tensor: (K, h, w); NaN where nobody else has the keypoint.
    """
    if not others:
        return torch.full((len(sigmas), *explanation.grid), torch.nan)
    points = np.stack([explanation.to_crop(person.keypoints) for person in others])
    scale = float(np.linalg.det(explanation.crop_to_image[:, :2]))
    areas = torch.tensor([person.area / scale for person in others], dtype=torch.float32)
    coverage = disc_coverage(
        torch.from_numpy(points).float(), oks_radii(areas, sigmas, level), explanation.grid, explanation.token_to_crop
    )
    return _largest(coverage, 0)


def others_discs(others: Tensor, own: Tensor, flip_indices: Sequence[int]) -> tuple[Tensor, Tensor]:
    """Compute the shares of every cell in other people's discs, and in none of the person's own.

    Computed as if a cell's discs were nested: the largest other share less the largest own one.

    Args:
        others (Tensor): (B, K, h, w): shares of the cells in the discs of other people's keypoints; NaN where nobody
            else has the keypoint.
        own (Tensor): (B, K, h, w): in the person's own discs; NaN where not labelled.
        flip_indices (Sequence[int]): K numbers: of each keypoint's counterpart, or of the keypoint itself.

    Returns:
        tuple[Tensor, Tensor]: Each (B, K, h, w). For each keypoint, the discs of the same part (the keypoint or its
        counterpart); and the discs of all other keypoints that lie outside those. NaN where there are none.
    """
    mine = own.nan_to_num(0).amax(1, keepdim=True)
    flip = list(flip_indices)
    part = _largest(torch.stack([others, others[:, flip]]), 0)
    rest = torch.stack([_largest(_without(others, {k, flip[k]}), 1) for k in range(len(flip))], dim=1)
    return (part - mine).clamp(min=0), (rest - torch.maximum(part.nan_to_num(0), mine)).clamp(min=0)


def _without(coverage: Tensor, keypoints: set[int]) -> Tensor:
    kept = [k for k in range(coverage.shape[1]) if k not in keypoints]
    return coverage[:, kept] if kept else torch.full_like(coverage[:, :1], torch.nan)


def _largest(values: Tensor, dim: int) -> Tensor:
    """The largest of the values that are not NaN; NaN where there are none."""
    largest = values.nan_to_num(-1).amax(dim)
    return largest.where(largest >= 0, torch.nan)
