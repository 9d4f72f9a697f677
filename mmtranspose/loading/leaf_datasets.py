"""Find the datasets of a config inside wrappers such as ``CombinedDataset``."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple


class LeafDataset(NamedTuple):
    """A dataset that reads files itself.

    Attributes:
        field (str): Its dotted field in the config.
        config (Mapping): Its config.
        steps (dict[str, Mapping]): The pipeline steps, by the name of their class, of it and all that is around it.
    """

    field: str
    config: Any
    steps: dict[str, Any]


def leaf_datasets(dataset: Any, field: str = '', outer: Mapping[str, Mapping] | None = None) -> Iterator[LeafDataset]:
    """Find the datasets inside wrappers.

    Args:
        dataset (Any): The config of a dataset, a wrapper or not; anything else than a dict has none.
        field (str): Its dotted field.
        outer (Mapping | None): Pipeline steps of what is around it, by the name of their class.
    """
    if not isinstance(dataset, Mapping):
        return
    steps = {**(outer or {}), **{type_name(step): step for step in dataset.get('pipeline') or []}}
    inner = dataset.get('datasets')
    if isinstance(inner, (list, tuple)):
        for index, one in enumerate(inner):
            yield from leaf_datasets(one, f'{field}.datasets.{index}', steps)
    elif isinstance(dataset.get('dataset'), Mapping):
        yield from leaf_datasets(dataset['dataset'], f'{field}.dataset', steps)
    else:
        yield LeafDataset(field, dataset, steps)


def take_annotated_boxes(dataset: Any) -> None:
    """Remove the files of detector boxes from the config of a dataset, or of those inside it, in place.

    Detected people come without labels, which MMPose's datasets fill up with keypoints at (0, 0) that count as visible.
    """
    for leaf in leaf_datasets(dataset):
        if leaf.config.get('bbox_file'):
            leaf.config['bbox_file'] = None


def type_name(part: Any) -> str:
    """The name of a part's class, which a config gives as ``'Name'``, ``'mmpose.Name'`` or the class itself."""
    kind = part.get('type') if isinstance(part, Mapping) else None
    return kind.split('.')[-1] if isinstance(kind, str) else getattr(kind, '__name__', '')
