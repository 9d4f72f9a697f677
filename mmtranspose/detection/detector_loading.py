"""Load a detector of mmdet by its name or config, and refuse a config or checkpoint that cannot be used."""

from __future__ import annotations

import difflib
import logging
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from mmdet.apis import init_detector
from mmdet.models.detectors import BaseDetector
from mmdet.registry import DATASETS
from mmengine.config import Config
from mmengine.logging import print_log
from mmengine.registry import DefaultScope
from mmpose.apis.inferencers.utils import default_det_models
from torch import nn

from mmtranspose.compat import mmdet_warnings
from mmtranspose.compat.upstream import listed_models
from mmtranspose.errors import InputError, UnsupportedModelError
from mmtranspose.loading.checkpoint import Checkpoint
from mmtranspose.loading.config import load_config, require_model
from mmtranspose.loading.init_model import require_device
from mmtranspose.loading.weights_comparison import shortlist
from mmtranspose.loading.zoo import find_config, names_of
from mmtranspose.typing import PathLike
from mmtranspose_cli.terminal import printable

PERSON_DETECTOR = 'human'  # MMPose's name of its own person detector, RTMDet-m


def load_detector(
    config: PathLike = PERSON_DETECTOR,
    checkpoint: PathLike | None = None,
    device: str = 'cpu',
    cfg_options: dict[str, Any] | None = None,
) -> BaseDetector:
    """Build a detector of mmdet and load its weights; mmengine's default scope stays as it is.

    Args:
        config (str | Path): See :func:`find_detector`.
        checkpoint (str | Path | None): A file or URL; None takes the weights that belong to the name.
        device (str): ``'cpu'``, ``'cuda:0'``, ...
        cfg_options (dict | None): Options to merge into the config: dotted keys to values.

    Returns:
        BaseDetector: In evaluation mode, with ``cfg`` and ``dataset_meta`` (``classes``: their names).

    Raises:
        InputError: The config cannot be read, is no detector's, or has no test data; the checkpoint cannot be read or
            does not match the detector; the device is not there.
    """
    mmdet_warnings.apply()
    require_device(device)
    path, weights = find_detector(str(config))
    cfg = load_config(path, cfg_options)
    require_model(cfg)
    if not (cfg.get('test_dataloader') or {}).get('dataset'):
        raise InputError(f'detector config {config} has no test_dataloader, whose pipeline prepares the images')
    source = checkpoint or weights
    if source is None:
        raise InputError(
            f"detector {config} needs a checkpoint (--det-checkpoint): only the models of mmdet's zoo and "
            f'{PERSON_DETECTOR}, the person detector of MMPose, bring their own'
        )
    with of_the_detector():
        content = Checkpoint.read(source)
        content.require_as_written()
    model = _build(cfg, str(config))
    with of_the_detector():
        _require_match(model, content)
    content.load_into(model)
    with DefaultScope.overwrite_default_scope('mmdet'):
        model.dataset_meta = dict(classes=class_names(content, cfg, num_classes(model)))
    return model.to(device)


@contextmanager
def of_the_detector() -> Iterator[None]:
    """Let errors that begin with ``checkpoint`` say that it is the person detector's: a pose model has one, too."""
    try:
        yield
    except InputError as error:
        if str(error).startswith('checkpoint '):
            error.args = (f"the person detector's {error.args[0]}", *error.args[1:])
        raise


def find_detector(name: str) -> tuple[str, str | None]:
    """Find the config file of a detector, and the weights that belong to it.

    Args:
        name (str): A file; what MMPose's inferencers call the detectors that they choose by themselves: ``'human'``,
            ``'hand'`` or ``'face'``; a model of mmdet's zoo by its name or alias (``'rtmdet_tiny_8xb32-300e_coco'``,
            ``'rtmdet-t'``); or a config of mmtranspose by its name.

    Returns:
        tuple[str, str | None]: The file; the URL of MMPose's or mmdet's weights, None for a file and for a config of
        mmtranspose.

    Raises:
        InputError: There is none of this name; the message lists similar names of mmdet.
    """
    if Path(name).is_file():
        return name, None
    chosen = default_det_models.get(name)
    if chosen is not None and chosen['weights'] is not None:
        return chosen['model'], chosen['weights']
    root, models = listed_models('mmdet')
    known: dict[str, dict[str, Any]] = {}
    for model in models:
        for one in names_of(model):
            known.setdefault(one.lower(), model)
    wanted = name.lower().removesuffix('.py')
    if wanted in known:
        weights = known[wanted].get('Weights')
        return str(root / known[wanted]['Config']), weights[0] if isinstance(weights, list) else weights
    try:
        return find_config(name), None
    except InputError:
        close = difflib.get_close_matches(name.lower(), known, n=3, cutoff=0.5)
        hint = f'did you mean {", ".join(close)}?' if close else 'rtmdet_tiny_8xb32-300e_coco is one of the zoo'
        raise InputError(
            f"detector config {name} does not exist, neither as a file nor in mmdet's model zoo; {hint}"
        ) from None


def _build(cfg: Config, name: str) -> BaseDetector:
    try:
        # record: mmdet warns of classes and weights, which follow; palette: else it builds the dataset for its colours
        with DefaultScope.overwrite_default_scope('mmdet'), warnings.catch_warnings(record=True):
            model = init_detector(cfg, None, palette='coco', device='cpu')
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise InputError(f'detector {name} cannot be built: {error}') from error
    if not isinstance(model, BaseDetector):
        raise UnsupportedModelError(f'{name} is the config of a {type(model).__name__}, not of a detector of mmdet')
    return model


def _require_match(model: BaseDetector, checkpoint: Checkpoint) -> None:
    """Refuse weights that leave a part of the detector as initialised; files of mmdet may hold more than it has."""
    found = checkpoint.compare(model)
    if not found.matching:
        raise InputError(
            f'checkpoint {checkpoint.path} shares no parameter with the detector: it has '
            f'{shortlist(found.unexpected[:3])}, ... and the detector {shortlist(found.missing[:3])}, ...'
        )
    if found.missing or found.reshaped:
        raise InputError(
            f'checkpoint {checkpoint.path} does not match the detector of this config. Differences: '
            f'{found.differences()}.'
        )


def num_classes(model: BaseDetector) -> int | None:
    """Number of classes that a detector tells apart; None where its head does not say."""
    for head in (getattr(model, 'bbox_head', None), getattr(model, 'roi_head', None)):
        heads = getattr(head, 'bbox_head', head)  # of two stages, perhaps several in a cascade
        last = heads[-1] if isinstance(heads, nn.ModuleList) else heads
        number = getattr(last, 'num_classes', None)
        if isinstance(number, int):
            return number
    return None


def class_names(checkpoint: Checkpoint, cfg: Config, number: int | None = None) -> tuple[str, ...]:
    """Find the names of a detector's classes: in the checkpoint, else in the test data of the config.

    Args:
        checkpoint (Checkpoint): The detector's; those of mmdet 2 name the classes, too.
        cfg (Config): The detector's.
        number (int | None): How many classes the detector has. Other numbers of names are not taken: the dataset class
            of the config may bring COCO's, although the detector was trained on others. None: unknown.

    Returns:
        tuple[str, ...]: In the order of the labels; empty where neither names the classes.
    """
    dataset = cfg.test_dataloader.dataset
    kind = DATASETS.get(dataset.type) if isinstance(dataset.get('type'), str) else dataset.get('type')
    sources = (
        checkpoint.dataset_meta,
        checkpoint.meta,
        dataset.get('metainfo') or {},
        getattr(kind, 'METAINFO', {}),
    )
    for source in sources:
        for key in ('classes', 'CLASSES'):
            names = source.get(key) or ()
            names = (names,) if isinstance(names, str) else tuple(map(str, names))
            if names and number in (None, len(names)):
                return names
    return ()


def person_category(classes: Sequence[str], category: int | None, detector: str, number: int | None = None) -> int:
    """Find the label that counts as a person.

    Args:
        classes (Sequence[str]): The names of the detector's classes, in the order of the labels; empty if unknown.
        category (int | None): The label that is asked for; None asks for the class named person.
        detector (str): The detector's name, for messages.
        number (int | None): How many classes the detector has; None: as many as names.

    Raises:
        InputError: There is no such class; the message lists the classes. Where that is not known, the log gets a
            warning instead, as for a detector of one class that has no name.
    """
    numbered = shortlist([f'{label} {name}' for label, name in enumerate(classes)])
    number = len(classes) if number is None else number
    if not numbered:
        numbered = f'not named; their numbers go from 0 to {number - 1}' if number else 'none that it names'
    if category is None and number == 1 and not classes:
        _warn(f'detector {detector} does not name its only class: it is taken for person')
        return 0
    if category is None:
        people = [label for label, name in enumerate(classes) if name.lower() == 'person']
        if not people:
            raise InputError(
                f'detector {detector} has no class person; its classes are {numbered}. Give the number of the one to '
                'take with --det-cat-id'
            )
        return people[0]
    if category < 0 or (number and category >= number):
        raise InputError(
            f'detector {detector} has no class number {category} (--det-cat-id); its classes are {numbered}'
        )
    if not number:
        _warn(f'detector {detector} does not tell whether it has a class number {category} (--det-cat-id)')
    return category


def _warn(words: str) -> None:
    print_log(printable(words), 'current', logging.WARNING)
