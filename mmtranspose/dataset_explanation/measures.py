"""Measure one batch of people: where attention lies, and how faithful explanations are."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from mmtranspose.dataset_explanation.explanation_settings import DatasetExplanationSettings
from mmtranspose.dataset_explanation.labelled_people import CropGroundTruth, GroundTruth
from mmtranspose.dataset_explanation.share_sums import grouped_shares, shown_groups
from mmtranspose.explain import Explainer, Target, edge_knockout, token_ablation
from mmtranspose.explain.interventions import edge_knockout_curve, token_ablation_curve
from mmtranspose.explain.interventions.perturbed_encoder import Encoder
from mmtranspose.explain.methods import Method, TokenAblation
from mmtranspose.explain.metrics import (
    PerturbationCurve,
    deletion,
    disc_coverage,
    disc_shares,
    effect_share,
    energy_pointing_game,
    entropy,
    insertion,
    keypoint_oks,
    oks_radii,
    pointing_game,
    reach,
    road,
    sparseness,
)
from mmtranspose.explain.randomization import randomization_check, rank_correlation
from mmtranspose.explain.recording import recorded_forward
from mmtranspose.explain.sensitivity import max_sensitivity
from mmtranspose.keypoint_names import keypoint_names
from mmtranspose.typing import Batch, DatasetMeta, PoseEstimator

# Measures of explanations, and whether more is better; None where neither is
MEASURES: dict[str, bool | None] = {
    'deletion': False,
    'insertion': True,
    'road': True,
    'deletion drift': True,
    'deletion oks': False,
    'insertion drift': False,
    'insertion oks': True,
    'pointing game': True,
    'energy in disc': True,
    'share of tokens': True,
    'share of edges': True,
    'token ablation': False,
    'edge knockout': False,
    'rank of tokens': True,
    'rank of edges': True,
    'max sensitivity': False,
    'sparseness': None,
}
SHARE = 0.1  # of the cells, in which the effects of interventions are summed


def measure_attention(
    explainer: Explainer,
    batch: Batch,
    ground_truths: Sequence[GroundTruth],
    metainfo: DatasetMeta,
    settings: DatasetExplanationSettings,
) -> dict[str, np.ndarray]:
    """Measure where the attention of every layer lies.

    Args:
        explainer (Explainer): Explains predictions without the flip test.
        batch (Batch): B people, from :class:`LabelledPeople`.
        ground_truths (Sequence[GroundTruth]): Of the same people.
        metainfo (DatasetMeta): The dataset's.
        settings (DatasetExplanationSettings): How to measure.

    Returns:
        dict: ``id`` (B,); (B, K): ``visibility``, ``score`` and ``oks`` of the prediction; ``shares`` (B, L, K, J): the
        share of keypoint K's attention in the disc of keypoint J; (B, L, K): ``own`` (the share in the keypoint's own
        disc), ``counterpart`` (in the disc of its left or right counterpart), ``other`` (in other keypoints' discs and
        not in its own), ``entropy``, ``normalised_entropy``, ``reach``.
    """
    explanations = explainer(batch)
    ground_truth = CropGroundTruth.of(explanations, ground_truths, metainfo)
    maps = torch.from_numpy(np.stack([person.dependency for person in explanations], axis=1))  # (L, B, K, h, w)
    radii = oks_radii(ground_truth.areas, ground_truth.sigmas, settings.oks_level)
    coverage = disc_coverage(ground_truth.points, radii, explanations[0].grid, ground_truth.token_to_crop)
    shares = disc_shares(maps, coverage)
    predicted = torch.from_numpy(np.stack([person.crop_keypoints for person in explanations])).float()
    distances = (predicted - ground_truth.points).norm(dim=-1)
    measured = dict(
        shares=shares,
        own=torch.diagonal(shares, dim1=-2, dim2=-1),
        counterpart=counterpart_shares(shares, metainfo['flip_indices']),
        other=energy_pointing_game(maps, others_coverage(coverage)),
        entropy=entropy(maps),
        normalised_entropy=entropy(maps, normalised=True),
        reach=reach(maps, ground_truth.points, ground_truth.token_to_crop, ground_truth.torsos),
    )
    arrays = {name: values.transpose(0, 1).numpy() for name, values in measured.items()}
    arrays['id'] = np.array([person.id for person in ground_truths])
    arrays['visibility'] = np.stack([person.visibility for person in ground_truths])
    arrays['score'] = np.stack([person.scores for person in explanations])
    arrays['oks'] = keypoint_oks(distances[..., None], ground_truth.areas, ground_truth.sigmas)[..., 0].numpy()
    groups = shown_groups(keypoint_names(metainfo))
    return arrays | (grouped_shares(maps, coverage, arrays['visibility'], groups) if groups else {})


def counterpart_shares(shares: Tensor, flip_indices: Sequence[int]) -> Tensor:
    """Select from shares (..., K, J = K) those in the disc of each keypoint's left or right counterpart.

    Args:
        shares (Tensor): (..., K, K).
        flip_indices (Sequence[int]): K numbers: of each keypoint's counterpart, or of the keypoint itself.

    Returns:
        Tensor: (..., K); NaN for a keypoint without a counterpart.
    """
    counterparts = torch.tensor(flip_indices)
    found = shares.gather(-1, counterparts.expand(shares.shape[:-1]).unsqueeze(-1)).squeeze(-1)
    return found.masked_fill(counterparts == torch.arange(len(counterparts)), torch.nan)


def others_coverage(coverage: Tensor) -> Tensor:
    """Compute the share of every cell that lies in another labelled keypoint's disc and not in the keypoint's own.

    Computed as if a cell's discs were nested: the largest other share less the own one.

    Args:
        coverage (Tensor): (B, K, h, w): shares of the cells in each keypoint's disc; NaN where not labelled.

    Returns:
        Tensor: (B, K, h, w); NaN where not labelled.
    """
    known = coverage.nan_to_num(0)
    others = torch.stack([_without(known, k).amax(1) for k in range(known.shape[1])], dim=1)
    return (others - known).clamp(min=0) + 0 * coverage  # NaN stays NaN


def _without(coverage: Tensor, keypoint: int) -> Tensor:
    return torch.cat([coverage[:, :keypoint], coverage[:, keypoint + 1 :], torch.zeros_like(coverage[:, :1])], dim=1)


def measure_faithfulness(
    explainer: Explainer,
    batch: Batch,
    ground_truths: Sequence[GroundTruth],
    metainfo: DatasetMeta,
    methods: Sequence[Method],
    settings: DatasetExplanationSettings,
    randomized: Sequence[Method] | None = None,
    effects: np.ndarray | None = None,
    encoder: Encoder | None = None,
) -> dict[str, np.ndarray]:
    """Measure how faithful each method's maps are to a prediction without the flip test.

    Args:
        explainer, batch, ground_truths, metainfo, settings: As in :func:`measure_attention`.
        methods (Sequence[Method]): The methods to test.
        randomized (Sequence[Method] | None): Those to compare with the maps of random networks; None: ``methods``.
        effects (np.ndarray | None): What an earlier call returned for these people; None to intervene again.
        encoder (Callable | None): A faster double of the model's encoder, see
            :func:`~mmtranspose.explain.token_ablation`.

    Returns:
        dict: ``faithfulness`` (methods, B, measures of ``MEASURES``, K); ``randomization`` (methods, B, blocks, K);
        ``effects`` (B, 2, K, h, w), how much each keypoint's value changes as each token is replaced and as its edges
        are cut; ``best`` (B, 2, K), the shares of these effects that no map can exceed; ``score`` (B, K) of the
        unperturbed peaks, and ``labelled`` (B, K).
    """
    model = explainer.model
    ground_truth = CropGroundTruth.of(explainer(batch), ground_truths, metainfo)
    inputs = model.data_preprocessor(batch, training=False)['inputs']
    run = recorded_forward(model, inputs)
    target = Target.of(run.heatmaps, run.grid, settings.cell)
    if effects is None:
        replaced = token_ablation(model, inputs, target.peaks, encoder=encoder)
        cut = edge_knockout(model, inputs, target.peaks)
        effects = torch.stack([replaced, cut], dim=1).abs().cpu().numpy()
    sizes = list(torch.from_numpy(effects).unbind(1))
    about = (ground_truth, sizes, settings, encoder)
    measured = [_measure(model, inputs, target, method, *about).numpy() for method in methods]
    checked = methods if randomized is None else randomized
    correlations = randomization_check(model, inputs, target, checked, settings.seed) if checked else {}
    return dict(
        faithfulness=np.array(measured),
        randomization=np.array([np.stack(list(blocks.values()), axis=1) for blocks in correlations.values()]),
        effects=effects,
        best=torch.stack([effect_share(size, size, SHARE) for size in sizes], dim=1).numpy(),
        score=target.values(run.heatmaps).cpu().numpy(),
        labelled=ground_truth.points.isfinite().all(-1).numpy(),
    )


def _measure(
    model: PoseEstimator,
    inputs: Tensor,
    target: Target,
    method: Method,
    ground_truth: CropGroundTruth,
    effects: Sequence[Tensor],
    settings: DatasetExplanationSettings,
    encoder: Encoder | None,
) -> Tensor:
    """Measure one method: (B, measures of ``MEASURES``, K), on the CPU; ``effects``: sizes, of tokens and of edges."""
    maps = method(model, inputs, target)
    areas, sigmas, steps, seed = ground_truth.areas, ground_truth.sigmas, settings.steps, settings.seed
    deleted = deletion(model, inputs, target, maps, steps=steps, areas=areas, sigmas=sigmas, seed=seed)
    inserted = insertion(model, inputs, target, maps, steps=steps, areas=areas, sigmas=sigmas, seed=seed)
    roads = road(model, inputs, target, maps, settings.percentiles, seed=seed)
    ablation = dict(steps=settings.ablation_steps, seed=seed)
    ablated = token_ablation_curve(model, inputs, target, maps, **ablation, encoder=encoder)
    cut = edge_knockout_curve(model, inputs, target, maps, **ablation)
    sensitivity = _sensitivity(method, model, inputs, target, maps, settings)
    maps = maps.cpu()
    radii = oks_radii(areas, sigmas, settings.oks_level)
    coverage = disc_coverage(ground_truth.points, radii, target.grid, ground_truth.token_to_crop)
    measured = {
        **_curve_measures('deletion', deleted),
        **_curve_measures('insertion', inserted),
        'road': roads.score,
        'pointing game': pointing_game(maps, ground_truth.points, radii, ground_truth.token_to_crop),
        'energy in disc': energy_pointing_game(maps, coverage),
        'token ablation': ablated.auc,
        'edge knockout': cut.auc,
        'max sensitivity': sensitivity,
        'sparseness': sparseness(maps),
    }
    for name, drops in zip(('tokens', 'edges'), effects):
        measured[f'share of {name}'] = effect_share(maps, drops, SHARE, seed)
        measured[f'rank of {name}'] = torch.from_numpy(rank_correlation(maps, drops)).float()
    return torch.stack([measured[name].cpu() for name in MEASURES], dim=1)


def _curve_measures(name: str, curve: PerturbationCurve) -> dict[str, Tensor]:
    assert curve.oks is not None  # areas and sigmas were given
    return {name: curve.auc, f'{name} drift': curve.drift.mean(-1), f'{name} oks': curve.oks.mean(-1)}


def _sensitivity(
    method: Method,
    model: PoseEstimator,
    inputs: Tensor,
    target: Target,
    maps: Tensor,
    settings: DatasetExplanationSettings,
) -> Tensor:
    """(B, K); NaN for ablated tokens, each of whose maps takes as many passes as there are tokens."""
    if isinstance(method, TokenAblation):
        return torch.full(maps.shape[:2], torch.nan)
    samples, seed = settings.sensitivity_samples, settings.seed
    return max_sensitivity(method, model, inputs, target, maps, samples=samples, seed=seed)
