"""Collate samples into batches of tensors."""

from __future__ import annotations

from collections.abc import Sequence

from mmengine.registry import FUNCTIONS
from mmpose.structures import PoseDataSample
from torch import Tensor
from torch.utils.data import default_collate

from mmtranspose.errors import InputError
from mmtranspose.typing import Batch

REQUIRED = ('keypoint_weights',)
TARGETS = ('keypoint_labels', 'heatmaps')  # one of them must be there


@FUNCTIONS.register_module()
def tensor_collate(
    samples: Sequence[dict],
    keep_samples: bool = False,
    _scope_: str | None = None,  # noqa: ARG001  mmengine writes it into configs that others are built on
) -> Batch:
    """Stack images and targets in the worker, so that a batch is a few tensors, which are pinned and copied at once.

    (mmengine's ``pseudo_collate`` returns lists of samples, whose tensors are pickled, copied and stacked one by one.)

    Args:
        samples (Sequence[dict]): B samples of ``PackPoseInputs``: ``inputs`` (3, H, W), uint8, and ``data_samples``, a
            ``PoseDataSample`` with :class:`KeypointTarget`'s or ``GenerateTarget``'s labels.
        keep_samples (bool): Stack only the images and return the samples as they are, in a list; for evaluation.
        _scope_ (str | None): Ignored.

    Returns:
        Batch: ``inputs`` (B, 3, H, W), uint8; ``data_samples``: a dict of ``keypoint_weights`` (B, K) and, if the
        samples have them, ``keypoint_labels`` (B, K, 2) in pixels of the input and ``heatmaps`` (B, K, H', W').

    Raises:
        InputError: There are no samples; a field is missing in all or some samples, or differs in shape or dtype
            between samples; the message names the field.
    """
    if not samples:
        raise InputError('a batch needs at least one sample')
    inputs = _stack('inputs', [sample['inputs'] for sample in samples])
    if keep_samples:
        return dict(inputs=inputs, data_samples=[sample['data_samples'] for sample in samples])
    fields = [_targets(sample['data_samples']) for sample in samples]
    names = [name for name in (*TARGETS, *REQUIRED) if any(name in one for one in fields)]
    if not set(TARGETS) & set(names) or not set(REQUIRED) <= set(names):
        raise InputError(
            f'the samples hold {" and ".join(names) or "no targets"}, but tensor_collate needs keypoint_weights and '
            f'{" or ".join(TARGETS)}: put KeypointTarget before PackPoseInputs, or set keep_samples=True'
        )
    return dict(inputs=inputs, data_samples={name: _stack(name, [one.get(name) for one in fields]) for name in names})


def _targets(sample: PoseDataSample) -> dict[str, Tensor]:
    """The targets of a sample, without their first axis, which counts its only person."""
    labels = sample.gt_instance_labels if 'gt_instance_labels' in sample else {}
    found = {name: labels[name] for name in ('keypoint_labels', 'keypoint_weights') if name in labels}
    for name, value in found.items():
        if len(value) != 1:
            raise InputError(
                f'{name} of {len(value)} people in one sample: tensor_collate is for top-down data, one person a sample'
            )
    found = {name: value[0] for name, value in found.items()}
    if 'gt_fields' in sample and 'heatmaps' in sample.gt_fields:
        found['heatmaps'] = sample.gt_fields.heatmaps
    return found


def _stack(name: str, values: Sequence[Tensor | None]) -> Tensor:
    """Stack tensors to (B, ...), in shared memory if this runs in a worker."""
    tensors = [value for value in values if value is not None]
    if len(tensors) < len(values):
        raise InputError(
            f'{name} is in some samples of the batch and missing in others: give all datasets one pipeline'
        )
    kinds = sorted({f'{tuple(value.shape)} {str(value.dtype).removeprefix("torch.")}' for value in tensors})
    if len(kinds) > 1:
        raise InputError(f'{name} differs between the samples of a batch: {", ".join(kinds)}; they must be alike')
    return default_collate(tensors)
