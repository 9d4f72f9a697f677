"""One batch of people, measured."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from mmtranspose.dataset_explanation.labelled_people import Truth
from mmtranspose.dataset_explanation.settings import DatasetExplanationSettings
from mmtranspose.explain import Explainer, PoseExplanation, Target
from mmtranspose.explain.methods import Method
from mmtranspose.explain.metrics import (
    deletion,
    disc_coverage,
    disc_shares,
    energy_pointing_game,
    entropy,
    insertion,
    keypoint_oks,
    oks_radii,
    pointing_game,
    reach,
    road,
)
from mmtranspose.explain.randomization import randomization_check
from mmtranspose.explain.recording import recorded_forward
from mmtranspose.typing import Batch, PoseEstimator

# measure: whether more of it is better
MEASURES = {
    'deletion': False,
    'insertion': True,
    'road': True,
    'deletion drift': True,
    'deletion oks': False,
    'insertion drift': False,
    'insertion oks': True,
    'pointing game': True,
    'energy in disc': True,
}


@dataclass(frozen=True)
class People:
    """A batch's ground truth in its crops.

    Attributes:
        points (Tensor): (B, K, 2), (x, y) in pixels of the crop; NaN where not labelled.
        areas (Tensor): (B,), pixels of the crop, squared.
        torsos (Tensor): (B,), pixels of the crop; NaN where unknown.
        sigmas (Tensor): (K,), of the dataset.
        token_to_crop (np.ndarray): (2, 3).
    """

    points: Tensor
    areas: Tensor
    torsos: Tensor
    sigmas: Tensor
    token_to_crop: np.ndarray

    @classmethod
    def of(cls, explanations: Sequence[PoseExplanation], truths: Sequence[Truth], metainfo: dict) -> People:
        """The people behind explanations."""
        points = np.stack([person.to_crop(truth.keypoints) for person, truth in zip(explanations, truths)])
        scales = np.array([np.linalg.det(person.crop_to_image[:, :2]) for person in explanations])
        return cls(
            torch.from_numpy(points).float(),
            torch.tensor([truth.area for truth in truths]) / torch.from_numpy(scales).float(),
            torch.from_numpy(torso_lengths(points, metainfo['keypoint_name2id'])).float(),
            torch.tensor(np.array(metainfo['sigmas']), dtype=torch.float32),
            explanations[0].token_to_crop,
        )


def torso_lengths(points: np.ndarray, name2id: dict[str, int]) -> np.ndarray:
    """From the middle of the shoulders to the middle of the hips, (B,), of keypoints (B, K, 2).

    NaN where one of the four is not labelled, or where the dataset has no such keypoints.
    """
    names = ('left_shoulder', 'right_shoulder', 'left_hip', 'right_hip')
    if not all(name in name2id for name in names):
        return np.full(len(points), np.nan)
    left_shoulder, right_shoulder, left_hip, right_hip = (points[:, name2id[name]] for name in names)
    return np.linalg.norm((left_shoulder + right_shoulder - left_hip - right_hip) / 2, axis=-1)


def measure_attention(
    explainer: Explainer,
    batch: Batch,
    truths: Sequence[Truth],
    metainfo: dict,
    settings: DatasetExplanationSettings,
) -> dict[str, np.ndarray]:
    """Where the attention of every layer lies.

    Returns:
        dict: people first: ``id`` (B,), ``visibility``, ``score`` and ``oks`` of the prediction (B, K);
        ``shares`` (B, L, K, J) in each keypoint's disc; (B, L, K): ``own``, ``counterpart`` (in the disc of the same
        keypoint of the other side), ``other`` (in other keypoints' discs and not in its own), ``entropy``,
        ``normalised_entropy``, ``reach``.
    """
    explanations = explainer(batch)
    people = People.of(explanations, truths, metainfo)
    maps = torch.from_numpy(np.stack([person.dependency for person in explanations], axis=1))  # (L, B, K, h, w)
    radii = oks_radii(people.areas, people.sigmas, settings.oks_level)
    coverage = disc_coverage(people.points, radii, explanations[0].grid, people.token_to_crop)
    shares = disc_shares(maps, coverage)
    predicted = torch.from_numpy(np.stack([person.crop_keypoints for person in explanations])).float()
    distances = (predicted - people.points).norm(dim=-1)
    measured = dict(
        shares=shares,
        own=torch.diagonal(shares, dim1=-2, dim2=-1),
        counterpart=counterpart_shares(shares, metainfo['flip_indices']),
        other=energy_pointing_game(maps, others_coverage(coverage)),
        entropy=entropy(maps),
        normalised_entropy=entropy(maps, normalised=True),
        reach=reach(maps, people.points, people.token_to_crop, people.torsos),
    )
    arrays = {name: values.transpose(0, 1).numpy() for name, values in measured.items()}
    arrays['id'] = np.array([truth.id for truth in truths])
    arrays['visibility'] = np.stack([truth.visibility for truth in truths])
    arrays['score'] = np.stack([person.scores for person in explanations])
    arrays['oks'] = keypoint_oks(distances[..., None], people.areas, people.sigmas)[..., 0].numpy()
    return arrays


def counterpart_shares(shares: Tensor, flip_indices: Sequence[int]) -> Tensor:
    """Of shares (..., K, J = K), those in the disc of each keypoint's counterpart: (..., K); NaN where it has none."""
    counterparts = torch.tensor(flip_indices)
    found = shares.gather(-1, counterparts.expand(shares.shape[:-1]).unsqueeze(-1)).squeeze(-1)
    return found.masked_fill(counterparts == torch.arange(len(counterparts)), torch.nan)


def others_coverage(coverage: Tensor) -> Tensor:
    """Share of every cell (B, K, h, w) that lies in another labelled keypoint's disc and not in the keypoint's own.

    Taken as if a cell's discs were nested: the largest other share less the own one.
    """
    known = coverage.nan_to_num(0)
    others = torch.stack([_without(known, k).amax(1) for k in range(known.shape[1])], dim=1)
    return (others - known).clamp(min=0) + 0 * coverage  # NaN stays NaN


def _without(coverage: Tensor, keypoint: int) -> Tensor:
    return torch.cat([coverage[:, :keypoint], coverage[:, keypoint + 1 :], torch.zeros_like(coverage[:, :1])], dim=1)


def measure_faithfulness(
    explainer: Explainer,
    batch: Batch,
    truths: Sequence[Truth],
    metainfo: dict,
    methods: Sequence[Method],
    settings: DatasetExplanationSettings,
) -> dict[str, np.ndarray]:
    """How faithful each method's maps are, for one pass without flip test.

    Returns:
        dict: people first: ``faithfulness`` (B, methods, measures of ``MEASURES``, K); ``randomization``
        (B, methods, blocks, K). NaN for keypoints below the score threshold or without a label.
    """
    model = explainer.model
    people = People.of(explainer(batch), truths, metainfo)
    inputs = model.data_preprocessor(batch, training=False)['inputs']
    run = recorded_forward(model, inputs)
    target = Target.of(run.heatmaps, run.grid, settings.cell)
    trusted = (target.values(run.heatmaps).cpu() >= settings.score_thr) & people.points.isfinite().all(-1)
    measured = torch.stack([_measure(model, inputs, target, method, people, settings) for method in methods], dim=1)
    correlations = randomization_check(model, inputs, target, methods, settings.seed)
    randomization = np.stack([np.stack(list(blocks.values()), axis=1) for blocks in correlations.values()], axis=1)
    keep = trusted[:, None, None].numpy()
    return dict(
        faithfulness=np.where(keep, measured.numpy(), np.nan), randomization=np.where(keep, randomization, np.nan)
    )


def _measure(
    model: PoseEstimator,
    inputs: Tensor,
    target: Target,
    method: Method,
    people: People,
    settings: DatasetExplanationSettings,
) -> Tensor:
    """(B, measures, K), on the CPU."""
    maps = method(model, inputs, target)
    scale = dict(areas=people.areas, sigmas=people.sigmas, seed=settings.seed)
    deleted = deletion(model, inputs, target, maps, steps=settings.steps, **scale)
    inserted = insertion(model, inputs, target, maps, steps=settings.steps, **scale)
    roads = road(model, inputs, target, maps, settings.percentiles, seed=settings.seed)
    maps = maps.cpu()
    radii = oks_radii(people.areas, people.sigmas, settings.oks_level)
    coverage = disc_coverage(people.points, radii, target.grid, people.token_to_crop)
    measured = {
        'deletion': deleted.auc,
        'insertion': inserted.auc,
        'road': roads.score,
        'deletion drift': deleted.drift.mean(-1),
        'deletion oks': deleted.oks.mean(-1),
        'insertion drift': inserted.drift.mean(-1),
        'insertion oks': inserted.oks.mean(-1),
        'pointing game': pointing_game(maps, people.points, radii, people.token_to_crop),
        'energy in disc': energy_pointing_game(maps, coverage),
    }
    return torch.stack([measured[name].cpu() for name in MEASURES], dim=1)
