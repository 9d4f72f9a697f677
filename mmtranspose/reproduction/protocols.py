"""The paper's protocols, with a detector's boxes and with those of the annotations; and one without the flip test."""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from typing import Any

from mmengine.config import Config

from mmtranspose.compat.prints import without_prints
from mmtranspose.engine.runner_setup import build_runner, test_config
from mmtranspose.reproduction.reported_results import METRICS

LOADER = 'test_dataloader'
# The options of ``mmtranspose test`` that a reproduction leaves as they are by default
AS_BY_DEFAULT = dict(
    split='test',
    launcher='none',
    allow_partial=False,
    allow_non_finite=False,
    badcase=False,
    show=False,
    show_dir=None,
    wait_time=1,
    interval=1,
    out=None,
    dump=None,
    no_data_check=True,  # checked once, for all protocols
)


@dataclass(frozen=True)
class Protocol:
    """One way to evaluate a model.

    Attributes:
        name (str): As given to ``--protocols``.
        boxes (str): ``'detector'`` or ``'ground-truth'``: whose boxes people are cropped by.
        flip_test (bool): Whether heatmaps are averaged with those of the mirrored crop.
        dataset (str | None): The dataset's name that a metafile reports such results under; None: it reports none.
    """

    name: str
    boxes: str
    flip_test: bool
    dataset: str | None

    @property
    def words(self) -> str:
        """The protocol in words, for tables."""
        return f'{self.boxes} boxes, {"flip test" if self.flip_test else "no flip test"}'

    @property
    def uses_detector(self) -> bool:
        """Whether a file of detector boxes is read."""
        return self.boxes == 'detector'


PROTOCOLS = {
    one.name: one
    for one in (
        Protocol('detector', 'detector', True, 'COCO'),
        Protocol('ground-truth', 'ground-truth', True, 'COCO (GT boxes)'),
        Protocol('no-flip', 'detector', False, None),
    )
}


def protocol_config(
    protocol: Protocol, config: str, weights: str, work_dir: str, options: dict[str, Any], accelerate: str | None = None
) -> Config:
    """Make the config of a protocol, as ``mmtranspose test`` makes it.

    Args:
        protocol (Protocol): The protocol.
        config (str): The model's config.
        weights (str): A file or URL.
        work_dir (str): The folder for the log.
        options (dict): Dotted keys to values, as of ``--cfg-options``: where the data is, the batch size.
        accelerate (str | None): The precision of the accelerated model; None: the plain model.

    Raises:
        InputError: The config or an option cannot be used.
    """
    options = {
        **options,
        'model.test_cfg.flip_test': protocol.flip_test,
        'log_level': 'WARNING',  # a progress bar in place of the log
        'experiment_name': protocol.name,  # mmengine's runs of one process would share their logs, and their visualizer
        'visualizer.name': protocol.name,
        # Processes that outlive the run would be copied into those of the next one, whose garbage collector closes them
        f'{LOADER}.persistent_workers': False,
    }
    if not protocol.uses_detector:
        options[f'{LOADER}.dataset.bbox_file'] = ''
    given = dict(config=config, checkpoint=weights, work_dir=work_dir, accelerate=accelerate, cfg_options=options)
    cfg = test_config(argparse.Namespace(**AS_BY_DEFAULT, **given))
    cfg.custom_hooks = [*cfg.get('custom_hooks', []), dict(type='mmpose.ProgressBarHook')]
    return cfg


def measure(cfg: Config, device: str | None = None) -> dict[str, float | None]:
    """Evaluate by mmengine's runner, as ``mmtranspose test`` does.

    Args:
        cfg (Config): From :func:`protocol_config`.
        device (str | None): Where the network runs; None: where mmengine's runner puts it.

    Returns:
        dict: Each of ``METRICS`` from 0 to 1; None where no person counts, as for AP(L) without large people.

    Raises:
        InputError: The weights or a value of the config cannot be used.
    """
    with without_prints():  # the comparison has its own table
        runner = build_runner(cfg, (LOADER,))
        if device is not None:
            runner.model.to(device)
        found = runner.test()
    values = {name: float(found[metric.in_evaluation]) for name, metric in METRICS.items()}
    return {name: None if value < 0 else value for name, value in values.items()}  # COCO's code says -1
