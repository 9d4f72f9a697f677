"""What a detector calls the things it finds, and which of them is a person."""

from __future__ import annotations

from collections.abc import Sequence

from mmdet.registry import DATASETS
from mmengine.config import Config

from mmtranspose.apis.checkpoint import meta_of
from mmtranspose.apis.comparison import shortlist
from mmtranspose.errors import InputError


def classes_of(checkpoint: dict, cfg: Config) -> tuple[str, ...]:
    """The names of a detector's classes: the checkpoint's, else those of the config's test data.

    Args:
        checkpoint (dict): Its content; mmdet 2's have the names too.
        cfg (Config): The detector's config.

    Returns:
        tuple[str, ...]: In the order of the labels; empty where neither names them.
    """
    meta = meta_of(checkpoint)
    dataset = cfg.test_dataloader.dataset
    own = dataset.get('metainfo') or {}
    kind = DATASETS.get(dataset.type) if isinstance(dataset.get('type'), str) else dataset.get('type')
    sources = (meta.get('dataset_meta') or {}, meta, own, getattr(kind, 'METAINFO', {}))
    for source in sources:
        for key in ('classes', 'CLASSES'):
            names = source.get(key)
            if names:
                return (names,) if isinstance(names, str) else tuple(map(str, names))
    return ()


def person_category(classes: Sequence[str], category: int | None, detector: str) -> int:
    """The label that counts as a person.

    Args:
        classes (Sequence[str]): The detector's, in the order of the labels.
        category (int | None): The one asked for; None: the class named person.
        detector (str): Its name, for messages.

    Raises:
        InputError: There is no such class; lists those that there are.
    """
    numbered = shortlist([f'{number} {name}' for number, name in enumerate(classes)]) or 'none that it names'
    if category is None:
        people = [number for number, name in enumerate(classes) if name.lower() == 'person']
        if not people:
            raise InputError(
                f'detector {detector} has no class person; its classes are {numbered}. Give the number of the one to '
                'take with --det-cat-id'
            )
        return people[0]
    if category < 0 or (classes and category >= len(classes)):
        raise InputError(f'detector {detector} has no class number {category} (--det-cat-id); it has {numbered}')
    return category
