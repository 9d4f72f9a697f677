"""Reproduce the results of a model: check its data, fetch its weights, measure each protocol once, compare."""

from __future__ import annotations

import datetime
import platform
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from mmengine.config import Config
from mmengine.device import get_device
from xtcocotools import cocoeval

from mmtranspose.acceleration import DTYPES
from mmtranspose.dataset_check.findings import Report
from mmtranspose.errors import InputError, require_at_least, require_choice
from mmtranspose.files.growing_arrays import short_hash
from mmtranspose.files.json_files import read_json, write_json
from mmtranspose.files.output_paths import require_writable
from mmtranspose.loading.checkpoint import ADVICE
from mmtranspose.loading.conversion import released_file, sha256
from mmtranspose.loading.data_root import PATHS
from mmtranspose.loading.download import is_web
from mmtranspose.loading.init_model import require_device
from mmtranspose.reproduction.coco_data import CocoData, check
from mmtranspose.reproduction.comparison import differences, warning_lines
from mmtranspose.reproduction.protocols import LOADER, PROTOCOLS, Protocol, measure, protocol_config
from mmtranspose.reproduction.reported_results import ReportedModel, find_reported
from mmtranspose.version import found_versions

FORMAT = 1  # of the files of finished protocols
STAND_IN = 'mmtranspose.'  # begins the name of our module in place of xtcocotools, which is made of pycocotools


@dataclass(frozen=True)
class ReproductionSettings:
    """How a reproduction is run.

    Attributes:
        data_root (str): The folder of COCO: ``annotations``, ``val2017``, ``person_detection_results``.
        output_root (str): The folder for finished protocols and logs.
        protocols (tuple[str, ...]): Of ``PROTOCOLS``.
        checkpoint (str | None): A file or URL of weights; None: those of the zoo.
        max_images (int | None): Evaluate on the first images alone, which is no reproduction.
        batch_size (int | None): People in a batch; None: the config's.
        accelerate (str | None): The precision of the accelerated model; None: the plain model.
        device (str | None): Where the network runs; None: a GPU if there is one.
        data_check (bool): Check annotations, boxes and images first.
    """

    data_root: str
    output_root: str
    protocols: tuple[str, ...] = tuple(PROTOCOLS)
    checkpoint: str | None = None
    max_images: int | None = None
    batch_size: int | None = None
    accelerate: str | None = None
    device: str | None = None
    data_check: bool = True

    def __post_init__(self) -> None:
        """Check the values.

        Raises:
            InputError: One of them cannot be used.
        """
        if not self.protocols:
            raise InputError(f'protocols is empty; choose from {", ".join(PROTOCOLS)}')
        for name in self.protocols:
            require_choice('protocols', name, PROTOCOLS)
        require_at_least('max_images', self.max_images, 1)
        require_at_least('batch_size', self.batch_size, 1)
        if self.accelerate is not None:
            require_choice('accelerate', self.accelerate, DTYPES)
        if self.device is not None:
            require_device(self.device)
        if self.checkpoint is not None and not is_web(self.checkpoint) and not Path(self.checkpoint).is_file():
            raise InputError(f'checkpoint {self.checkpoint} does not exist')
        require_writable(self.output_root)


def reproduce(name: str, settings: ReproductionSettings, tell: Callable[[str], None] = print) -> dict[str, Any]:
    """Measure a model of the zoo by the protocols of the paper, and compare with its reported results.

    A protocol that was measured earlier with the same weights, data, settings, versions and kind of device is not
    measured again. What is kept does not depend on the images' content, nor on the batch size.

    Args:
        name (str): A model with weights and reported results, as ``'transpose-r-a3'``.
        settings (ReproductionSettings): How to run.
        tell (Callable): Gets a line before each step.

    Returns:
        dict: As JSON can hold it: ``name``, ``config``, ``weights``, ``data``, ``versions``, ``device``, ``date``,
        ``results_from``, ``is_reproduction`` with ``no_reproduction_because``, and ``protocols``: a dict for each with
        ``measured``, ``reported`` and ``difference``, from 0 to 1, None where a value is not known.

    Raises:
        InputError: There is no such model; a part of the dataset is missing, before anything is fetched or computed;
            the weights cannot be fetched or used.

    After an error, or Ctrl-C, while a protocol is measured, ``tell`` gets the names and files of those that are
    finished.
    """
    model = find_reported(name)
    protocols = [PROTOCOLS[one] for one in dict.fromkeys(settings.protocols)]
    data, report = _prepare_data(model, protocols, settings)
    reasons = data.differences()
    if settings.checkpoint is not None:
        reasons.append(f'nothing says that {settings.checkpoint} is the released file (--checkpoint)')
    if settings.accelerate not in (None, 'fp32'):
        reasons.append(f'the network computes in {settings.accelerate} (--accelerate), which rounds more than fp32')
    for line in warning_lines(reasons):
        tell(line)
    weights = settings.checkpoint or model.weights
    file = released_file(weights)
    digests, weights_digest = data.digests(), sha256(file)
    versions, device = _versions(), settings.device or get_device()
    entries = []
    finished: list[tuple[str, Path]] = []
    for number, protocol in enumerate(protocols, 1):
        tell(f'[{number}/{len(protocols)}] {protocol.name}: {protocol.words}')
        cfg = _config(protocol, model, str(file), data.options(), settings)
        made_by = dict(
            format=FORMAT,
            weights=weights_digest,
            data={one: digest for one, digest in digests.items() if one != 'boxes' or protocol.uses_detector},
            **_evaluation(cfg),
            accelerate=settings.accelerate,
            device=torch.device(device).type,
            versions=versions,
        )
        kept = Path(settings.output_root) / f'{model.name}-{protocol.name}-{short_hash(made_by)}.json'
        try:
            found = _kept_or_measured(kept, made_by, cfg, settings.device, tell)
        except BaseException as error:  # a signal, memory that is used up, ...
            if isinstance(error, InputError) and error.args:
                error.args = (str(error.args[0]).replace(ADVICE, '').rstrip(), *error.args[1:])
            if finished or not isinstance(error, InputError):
                for line in _stopped(finished, [one.name for one in protocols[number - 1 :]]):
                    tell(line)
            raise
        finished.append((protocol.name, kept))
        reported = model.reported(protocol.dataset)
        entries.append(
            dict(
                name=protocol.name,
                words=protocol.words,
                boxes=protocol.boxes,
                flip_test=protocol.flip_test,
                **found,
                reported=reported,
                difference=differences(found['measured'], reported),
            )
        )
    return dict(
        name=model.name,
        config=model.config_name,
        results_from=model.source,
        is_reproduction=not reasons,
        no_reproduction_because=reasons,
        protocols=entries,
        weights=dict(source=weights, file=str(file), sha256=weights_digest, of_the_zoo=settings.checkpoint is None),
        data=data.record(report, digests),
        accelerate=settings.accelerate,
        max_images=settings.max_images,
        versions=versions,
        device=_described(device),
        date=_now(),
    )


def _prepare_data(
    model: ReportedModel, protocols: list[Protocol], settings: ReproductionSettings
) -> tuple[CocoData, Report | None]:
    """Find and check the data of all protocols: a protocol with detector boxes reads all that the others read."""
    widest = max(protocols, key=lambda one: one.uses_detector)
    weights = settings.checkpoint or model.weights
    data = CocoData.of_config(_config(widest, model, weights, dict(data_root=settings.data_root), settings))
    if settings.max_images is not None:
        folder = Path(settings.output_root) / f'{model.name}-first-{settings.max_images}-images'
        data = data.first_images(settings.max_images, folder)
    if not settings.data_check:
        return data, None
    return data, check(_config(widest, model, weights, data.options(), settings), data)


def _config(
    protocol: Protocol, model: ReportedModel, weights: str, options: dict[str, Any], settings: ReproductionSettings
) -> Config:
    if settings.batch_size is not None:
        options = {**options, f'{LOADER}.batch_size': settings.batch_size}
    work_dir = Path(settings.output_root) / 'logs' / f'{model.name}-{protocol.name}'
    return protocol_config(protocol, model.config, weights, str(work_dir), options, settings.accelerate)


def _evaluation(cfg: Config) -> dict[str, str]:
    """The parts of a config that the metrics depend on, but for paths: the content of the files counts instead."""
    dataset = cfg[LOADER].dataset.to_dict()
    return dict(
        model=repr(cfg.model.to_dict()),
        dataset=repr({name: value for name, value in dataset.items() if name not in PATHS}),
        detector_boxes=str(bool(dataset.get('bbox_file'))),
        evaluator=repr(cfg.test_evaluator),
    )


def _stopped(finished: list[tuple[str, Path]], left: list[str]) -> list[str]:
    """Say what a run that ends early has kept, and how it goes on."""
    kept = [f'  finished: {name}, kept in {file}' for name, file in finished] or ['  no protocol was finished']
    others = f', then {", ".join(left[1:])}' if left[1:] else ''
    return ['', f'stopped while {left[0]} was measured:', *kept, f'  the same command measures {left[0]} anew{others}']


def _kept_or_measured(
    kept: Path, made_by: dict[str, Any], cfg: Config, device: str | None, tell: Callable[[str], None]
) -> dict[str, Any]:
    """Read the file of a finished protocol, or measure the protocol and write the file."""
    if kept.is_file():
        try:
            content: Any = read_json(kept, 'file of a finished protocol')
        except InputError as error:
            raise InputError(f'{error}; delete it and run again') from error
        if not isinstance(content, dict) or content.get('made_by') != made_by:
            raise InputError(f'{kept} is not what a finished protocol leaves; delete it and run again')
        tell(f'      finished before, on {content["found"]["date"]}: taken from {kept}')
        return content['found']
    start = time.perf_counter()
    measured = measure(cfg, device)
    found = dict(
        measured=measured,
        seconds=round(time.perf_counter() - start, 1),
        batch_size=cfg[LOADER].batch_size,
        date=_now(),
    )
    write_json(kept, dict(made_by=made_by, found=found), flushed=True)
    return found


def _versions() -> dict[str, str]:
    """The versions of what computes the metrics, COCO's code for them included."""
    return found_versions('pycocotools' if cocoeval.__name__.startswith(STAND_IN) else 'xtcocotools')


def _described(device: str) -> str:
    if torch.device(device).type == 'cuda':
        return f'{device} ({torch.cuda.get_device_name(device)})'
    return f'{device} ({platform.processor() or platform.machine()})'


def _now() -> str:
    return datetime.datetime.now().astimezone().isoformat(timespec='seconds')
