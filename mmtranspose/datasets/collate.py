"""Samples to batches of tensors."""

from __future__ import annotations

from collections.abc import Sequence

from mmengine.registry import FUNCTIONS
from torch import Tensor
from torch.utils.data import default_collate

from mmtranspose.errors import InputError

REQUIRED = ('keypoint_weights',)
TARGETS = ('keypoint_labels', 'heatmaps')  # one of them must be there


@FUNCTIONS.register_module()
def tensor_collate(samples: Sequence[dict], keep_samples: bool = False, _scope_: str | None = None) -> dict:
    """Stack images and targets, in the worker: a batch is a few tensors, which can be pinned and copied at once.

    (mmengine's ``pseudo_collate`` hands on lists of samples, whose tensors are pickled, copied and stacked one by one.)

    Args:
        samples (Sequence[dict]): B samples of ``PackPoseInputs``: ``inputs`` (3, H, W), uint8, and ``data_samples``, a
            ``PoseDataSample`` with :class:`KeypointTarget`'s or ``GenerateTarget``'s labels.
        keep_samples (bool): Stack the images alone and hand on the samples as they are, in a list. For evaluation.
        _scope_ (str | None): No option: mmengine hands on what it writes into configs that others are built on.

    Returns:
        dict: ``inputs`` (B, 3, H, W), uint8; ``data_samples``: a dict of ``keypoint_weights`` (B, K) and what the
        samples hold of ``keypoint_labels`` (B, K, 2), pixels of the input, and ``heatmaps`` (B, K, H', W').

    Raises:
        InputError: A field is missing, missing in some samples, or of several shapes or dtypes; names the field.
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


def _targets(sample) -> dict[str, Tensor]:
    """What there is to learn from, without the axis of persons, of which there is one."""
    labels = sample.gt_instance_labels if 'gt_instance_labels' in sample else {}
    found = {name: labels[name] for name in ('keypoint_labels', 'keypoint_weights') if name in labels}
    for name, value in found.items():
        if len(value) != 1:
            raise InputError(
                f'{name} of {len(value)} persons in one sample: tensor_collate is for top-down data, of one'
            )
    found = {name: value[0] for name, value in found.items()}
    if 'gt_fields' in sample and 'heatmaps' in sample.gt_fields:
        found['heatmaps'] = sample.gt_fields.heatmaps
    return found


def _stack(name: str, values: list[Tensor | None]) -> Tensor:
    """(B, ...), in shared memory where this runs in a worker."""
    if any(value is None for value in values):
        raise InputError(
            f'{name} is in some samples of the batch and missing in others: give all datasets one pipeline'
        )
    kinds = sorted({f'{tuple(value.shape)} {str(value.dtype).removeprefix("torch.")}' for value in values})
    if len(kinds) > 1:
        raise InputError(f'{name} differs between the samples of a batch: {", ".join(kinds)}; they must be alike')
    return default_collate(values)
