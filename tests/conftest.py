"""What many tests share: a handful of synthetic people, a model small enough to train in a second, and set seeds."""

from __future__ import annotations

import fcntl
import functools
import gc
import importlib
import json
import os
import random
import shutil
import signal
from collections.abc import Callable
from contextlib import redirect_stdout
from copy import deepcopy
from importlib.util import find_spec
from pathlib import Path
from types import SimpleNamespace

import mmengine.config.config
import mmengine.config.utils
import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.logging import MessageHub, MMLogger
from parsed_once import parse_installed_configs_once
from training_server import TrainingServer

import mmtranspose  # noqa: F401  (before mmpose: puts the work-arounds in place)
from mmtranspose.datasets.synthetic import generate_dataset
from mmtranspose.loading.config import load_config

ROOT = Path(__file__).resolve().parents[1]
CONFIGS = ROOT / 'configs' / 'body_2d_keypoint' / 'topdown_heatmap'
SYNTHETIC_CONFIG = next((CONFIGS / 'synthetic').glob('td-hm_transpose-r-tiny_*.py'))

# Python looks for garbage after 700 new objects; importing, collecting and tracing make millions that stay.
gc.set_threshold(20_000, 20, 20)

# To find one config of MMPose, mmengine reads the lists of all of them, 130 files, every time.
mmengine.config.utils._get_cfg_metainfo = functools.cache(mmengine.config.utils._get_cfg_metainfo)

parse_installed_configs_once()

# A shell starts `make test &` with SIGINT ignored, and every child would inherit that: tests interrupt their children.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(autouse=True, scope='module')
def old_objects_stay():
    """Leave what is loaded by now out of garbage collections: mmengine asks for one for every dataset that it loads."""
    gc.collect()
    gc.freeze()


def seed() -> None:
    torch.set_num_threads(1)
    random.seed(0)
    np.random.seed(0)
    torch.manual_seed(0)


@pytest.fixture(scope='module')
def configs_are_parsed_once():
    """Parsing the same few config files takes most of the time of some tests. A file may not change meanwhile."""
    parsed = functools.cache(Config.fromfile)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Config, 'fromfile', staticmethod(lambda *args, **options: deepcopy(parsed(*args, **options))))
        yield


@pytest.fixture(autouse=True, scope='session')
def mmposes_configs_are_parsed_once():
    """Every dataset parses a file of MMPose's that names its keypoints; no test changes one."""
    parse, parsed = Config.fromfile, functools.cache(Config.fromfile)
    folder = str(Path(find_spec('mmpose').origin).parent)

    def fromfile(filename, *args, **options):
        if str(filename).startswith(folder):
            return deepcopy(parsed(str(filename), *args, **options))
        return parse(filename, *args, **options)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Config, 'fromfile', staticmethod(fromfile))
        yield


@pytest.fixture(autouse=True, scope='session')
def configs_are_not_laid_out():
    """mmengine lays out every config that it writes or logs: most of the time of a tiny training in this process."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(mmengine.config.config, 'FormatCode', lambda text, **_: (text, True))
        yield


@pytest.fixture(autouse=True, scope='session')
def seeded_session():
    """Fixtures of a whole session or module start as tests do; they are made before :func:`seeded` is."""
    seed()


@pytest.fixture(autouse=True)
def seeded():
    """Every test starts from the same random state, on one thread: what the tests compute is tiny."""
    seed()


@pytest.fixture(scope='session')
def made_once(tmp_path_factory) -> Callable[[str, Callable[[Path], object]], Path]:
    """Make a folder once for all of pytest-xdist's workers: the first worker that asks calls ``make(folder)``."""
    root = tmp_path_factory.getbasetemp()
    root = (root.parent if 'PYTEST_XDIST_WORKER' in os.environ else root) / 'made_once'
    root.mkdir(exist_ok=True)

    def made_once(name: str, make: Callable[[Path], object]) -> Path:
        folder, complete = root / name, root / f'{name}.complete'
        with open(root / f'{name}.lock', 'w') as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not complete.exists():
                shutil.rmtree(folder, ignore_errors=True)
                folder.mkdir()
                make(folder)
                complete.touch()
        return folder

    return made_once


@pytest.fixture(scope='session')
def people(made_once) -> Path:
    """Root of a tiny synthetic dataset: 6 images to train with, 4 to validate with."""

    def make(folder: Path) -> None:
        counts = dict(num_train=6, num_val=4)
        generate_dataset(folder / 'people', **counts, seed=0, num_workers=1, progress=False, difficulty='easy')

    return made_once('data', make) / 'people'


@pytest.fixture(scope='session')
def tiny_config(people, made_once) -> str:
    """File of the synthetic config made smaller still: 64x48 input, 8x6 tokens, loaders without processes."""
    return str(made_once('config', lambda folder: write_tiny_config(people, folder / 'tiny.py')) / 'tiny.py')


def write_tiny_config(people: Path, path: Path) -> None:
    cfg = load_config(str(SYNTHETIC_CONFIG), dict(data_root=str(people)))
    codec = dict(type='UnbiasedHeatmap', input_size=(48, 64), heatmap_size=(12, 16), sigma=1.0)
    cfg.merge_from_dict(
        dict(
            codec=codec,
            model=dict(
                backbone=dict(stem_channels=16, base_channels=16),
                neck=dict(in_channels=32, embed_dims=32, num_layers=2, num_heads=4, feedforward_channels=48),
                head=dict(in_channels=32, deconv_out_channels=(24,), decoder=codec),
            ),
            train_cfg=dict(max_epochs=1, val_interval=1),
            train_dataloader=dict(batch_size=4),
            default_hooks=dict(checkpoint=dict(interval=1), logger=dict(interval=1)),
            randomness=dict(seed=0),
        )
    )
    for name in ('train_dataloader', 'val_dataloader', 'test_dataloader'):
        cfg[name].update(num_workers=0, persistent_workers=False)
        for step in cfg[name].dataset.pipeline:
            if 'input_size' in step:
                step['input_size'] = codec['input_size']
            if 'encoder' in step:
                step['encoder'] = codec
    cfg.dump(str(path))


@pytest.fixture(scope='session')
def server():
    """Starts trainings, and functions of tests in several processes, at once."""
    server = TrainingServer()
    yield server
    server.close()


@pytest.fixture(scope='session')
def run_command():
    """Runs ``mmtranspose COMMAND`` with arguments in this process; errors are raised."""

    from mmpose.visualization import PoseLocalVisualizer

    def run(name: str, *arguments: object):
        for kind in (PoseLocalVisualizer, MessageHub, MMLogger):
            kind._instance_dict.clear()  # mmengine's runs of one process would share them
        handlers = signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv('LOCAL_RANK', '0')
            module = importlib.import_module(f'mmtranspose.commands.{name.replace("-", "_")}')
            try:
                return module.main([str(argument) for argument in arguments])
            finally:
                assert (signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)) == handlers

    return run


@pytest.fixture(scope='session')
def trained(tiny_config, run_command, made_once) -> Path:
    """Work directory of one epoch by ``mmtranspose train``; the predictions of its validation: val.keypoints.json."""

    def make(folder: Path) -> None:
        work_dir = folder / 'work'
        options = ('experiment_name=trained', f'val_evaluator.outfile_prefix={work_dir / "val"}')
        run_command('train', tiny_config, '--work-dir', work_dir, '--cfg-options', *options)

    return made_once('trained', make) / 'work'


@pytest.fixture(scope='session')
def tiny_checkpoint(trained) -> str:
    """The checkpoint of that epoch."""
    return str(trained / 'epoch_1.pth')


@pytest.fixture(scope='session')
def tested(tiny_config, tiny_checkpoint, run_command, made_once) -> SimpleNamespace:
    """``metrics`` that ``mmtranspose test`` wrote for that checkpoint, and the file of its ``predictions``."""

    def make(folder: Path) -> None:
        options = ('experiment_name=tested', f'test_evaluator.outfile_prefix={folder / "test"}')
        outputs = ('--work-dir', folder / 'work', '--out', folder / 'metrics.json')
        run_command('test', tiny_config, tiny_checkpoint, *outputs, '--cfg-options', *options)

    folder = made_once('tested', make)
    metrics = json.loads((folder / 'metrics.json').read_text())
    return SimpleNamespace(metrics=metrics, predictions=folder / 'test.keypoints.json')


@pytest.fixture
def tiny_model(tiny_config, tiny_checkpoint):
    """The trained tiny model, in evaluation mode on the CPU."""
    from mmtranspose.loading.init_model import init_model

    return init_model(tiny_config, tiny_checkpoint)


@pytest.fixture(scope='session')
def exported(tiny_config, tiny_checkpoint, run_command, made_once) -> Path:
    """Folder of ``image.onnx``, with dependency, and ``crops.onnx``, with dependency and flip test.

    The first is made by ``mmtranspose export``; what that prints is in ``printed.txt``.
    """
    from mmtranspose.deployment import export_model
    from mmtranspose.loading.init_model import init_model

    def make(folder: Path) -> None:
        model = init_model(tiny_config, tiny_checkpoint)
        flags = ('--output', folder / 'image.onnx', '--dependency', '--no-verify')
        with open(folder / 'printed.txt', 'w') as printed, redirect_stdout(printed):
            run_command('export', tiny_config, tiny_checkpoint, *flags)
        export_model(model, folder / 'crops.onnx', graph='crops', dependency=True, flip_test=True)

    return made_once('exported', make)


@pytest.fixture(scope='session')
def scene() -> tuple[np.ndarray, np.ndarray]:
    """An image (180, 240, 3) of drawn people, and three boxes, one of them half outside."""
    from mmtranspose.datasets.synthetic import render_scene

    image = render_scene(np.random.default_rng(3), (240, 180)).image
    return image, np.array([[20.5, 10.25, 90.0, 170.0], [100, 30, 180, 150], [-40, 60, 60, 200]], np.float32)
