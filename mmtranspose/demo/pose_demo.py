"""The steps of ``make demo``: from nothing to a trained, evaluated model and images of what it does."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import mmengine
import numpy as np
from mmengine.config import Config

from mmtranspose.datasets.synthetic import generate_dataset
from mmtranspose.demo.photograph_demo import pose_photograph
from mmtranspose.engine.runner_setup import build_runner
from mmtranspose.explain.explainer import explain_topdown
from mmtranspose.files.text_tables import table_lines
from mmtranspose.inference import BoxFile, TopdownPipeline, TopdownResult
from mmtranspose.loading.config import load_config
from mmtranspose.loading.init_model import init_model
from mmtranspose.media import write_image
from mmtranspose.typing import PoseEstimator
from mmtranspose.visualization import contact_sheet, draw_poses, explanation_figure, write_page

METRICS = {'AP': 'coco/AP', 'AP50': 'coco/AP .5', 'AP75': 'coco/AP .75', 'AR': 'coco/AR'}


def demo_config(config: str, data: Path, work_dir: Path, seed: int, epochs: int | None) -> Config:
    """Load a config and point it at the demo's data.

    Args:
        config (str): Config file, or a name from ``mmtranspose list``.
        data (Path): Folder of the dataset, which replaces the config's ``data_root``.
        work_dir (Path): Where log and checkpoints go.
        seed (int): Seed of the run.
        epochs (int | None): Epochs of training; None for the config's.

    Raises:
        InputError: The config cannot be used.
    """
    options: dict[str, Any] = {'data_root': str(data), 'randomness': dict(seed=seed), 'log_level': 'WARNING'}
    if epochs is not None:
        options['train_cfg.max_epochs'] = epochs
        options['param_scheduler.1.T_max'] = epochs
    cfg = load_config(config, options)
    cfg.custom_hooks = [*cfg.get('custom_hooks', []), dict(type='mmpose.ProgressBarHook')]
    cfg.work_dir = str(work_dir)
    cfg.launcher = 'none'
    return cfg


def train_alone(cfg: Config) -> str:
    """Remove validation from a config, in place; returns the path of the one checkpoint, after the last epoch."""
    cfg.val_cfg = cfg.val_dataloader = cfg.val_evaluator = None
    cfg.default_hooks.checkpoint.update(save_best=None, interval=cfg.train_cfg.max_epochs)
    return str(Path(cfg.work_dir) / f'epoch_{cfg.train_cfg.max_epochs}.pth')


@dataclass
class Demo:
    """A run of the demo: where it writes, and what it has measured.

    Args:
        root (Path): Its folder, for ``data/``, ``train/``, images and ``demo.json``.
        config (str): Config file, or a name from ``mmtranspose list``.
        seed (int): Seed of the images and of training.
        num_train (int): Number of training images.
        num_val (int): Number of held-out images.
        epochs (int | None): Epochs of training; None for the config's.
        device (str): Device for the images of the end; training uses a GPU where there is one.

    Attributes:
        seconds (dict[str, float]): Time of each step.
        metrics (dict[str, float]): ``AP``, ``AP50``, ``AP75`` and ``AR`` on the held-out images, 0 to 1.
        files (dict[str, str]): The checkpoint, and what was drawn.
    """

    root: Path
    config: str
    seed: int = 0
    num_train: int = 1700
    num_val: int = 300
    epochs: int | None = None
    device: str = 'cpu'
    seconds: dict[str, float] = field(default_factory=dict)
    metrics: dict[str, float] = field(default_factory=dict)
    files: dict[str, str] = field(default_factory=dict)

    def run(self) -> None:
        """Run and time all steps, then write ``demo.json``.

        Raises:
            InputError: The folder holds other data, or the config cannot be used.
        """
        with self.step('people', 'drawing synthetic people'):
            generate_dataset(self.data, self.num_train, self.num_val, self.seed, difficulty='easy')
        with self.step('training', 'training'):
            checkpoint = self.train()
        with self.step('evaluation', 'evaluating on held-out images, from detector-like boxes'):
            self.evaluate(checkpoint)
        with self.step('images', 'drawing poses and what they depend on'):
            self.draw(init_model(self.run_config(), checkpoint, self.device))
        with self.step('photograph', 'posing a photograph, by weights that have seen real people'):
            self.files |= pose_photograph(self.root, self.device)
        measured = dict(metrics=self.metrics, seconds=self.seconds, files=self.files)
        mmengine.dump(measured, str(self.root / 'demo.json'), indent=1)

    @property
    def data(self) -> Path:
        """Folder of the dataset."""
        return self.root / 'data'

    @property
    def val_annotations(self) -> Path:
        """Annotation file of the held-out images."""
        return self.data / 'annotations' / 'person_keypoints_val.json'

    @contextmanager
    def step(self, name: str, title: str) -> Iterator[None]:
        """Print the title of a step, and keep the time that the ``with`` block takes."""
        print(f'[{len(self.seconds) + 1}/5] {title}', flush=True)
        start = time.perf_counter()
        yield
        self.seconds[name] = round(time.perf_counter() - start, 1)

    def run_config(self) -> Config:
        """The config on the demo's data."""
        return demo_config(self.config, self.data, self.root / 'train', self.seed, self.epochs)

    def train(self) -> str:
        """Train without validation; returns the checkpoint."""
        cfg = self.run_config()
        self.files['checkpoint'] = train_alone(cfg)
        build_runner(cfg, ('train_dataloader',)).train()
        return self.files['checkpoint']

    def evaluate(self, checkpoint: str) -> None:
        """Measure COCO's keypoint AP of the checkpoint."""
        cfg = self.run_config()
        cfg.load_from = checkpoint
        metrics = build_runner(cfg, ('test_dataloader',)).test()
        self.metrics.update({name: round(float(metrics[key]), 4) for name, key in METRICS.items()})

    def boxes(self) -> BoxFile:
        """The detector-like boxes of the held-out images."""
        drawn = self.data / 'person_detection_results' / 'person_detections_val.json'
        return BoxFile(str(drawn), str(self.val_annotations), bbox_thr=0.5, nms_thr=0.5)

    def draw(self, model: PoseEstimator, count: int = 12) -> None:
        """Draw the poses in the first ``count`` held-out images, and what the most confident pose depends on."""
        images = json.loads(self.val_annotations.read_text(encoding='utf-8'))['images'][:count]
        paths = [str(self.data / 'val' / image['file_name']) for image in images]
        drawn, best = [], None
        for result in TopdownPipeline(model, self.boxes())(paths):
            drawn.append(draw_poses(result.frame.image, result.samples, model.dataset_meta))
            for person, sample in enumerate(result.samples):
                score = float(sample.pred_instances.keypoint_scores.min())
                if best is None or score > best[0]:
                    best = score, result, person
        self.write('poses', contact_sheet(drawn))
        if best is not None:
            self.explain(model, *best[1:])

    def explain(self, model: PoseEstimator, result: TopdownResult, person: int) -> None:
        """Draw a figure (layers x keypoints) of one person in an image, and write a page of all people in it."""
        bboxes = np.concatenate([sample.pred_instances.bboxes for sample in result.samples])
        explanations = explain_topdown(model, result.frame.image, bboxes, affect=True, heads='all')
        self.write('dependency', explanation_figure(explanations[person]))
        self.files['explanation'] = str(self.root / 'explanation.html')
        write_page(self.files['explanation'], result.frame.image, explanations, 'Held-out image of the demo')

    def write(self, name: str, image: np.ndarray) -> None:
        """Write an image (h, w, 3), BGR, as ``NAME.png``."""
        self.files[name] = str(self.root / f'{name}.png')
        write_image(self.files[name], image)

    def table(self) -> str:
        """Metrics, times and paths, for the end of the run."""
        rows = [(name, f'{value:.3f}') for name, value in self.metrics.items()]
        rows += [(f'{name}, s', f'{value:.0f}') for name, value in self.seconds.items()]
        rows += [('total, s', f'{sum(self.seconds.values()):.0f}'), *self.files.items()]
        return '\n'.join(table_lines(rows, '<'))
