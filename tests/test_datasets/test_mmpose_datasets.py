"""MMPose's dataset classes, each on tiny data in its own layout: the check, one training step, and its own metric."""

from __future__ import annotations

import re
from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import torch
from conftest import write_tiny_config
from mmengine.config import Config
from mmengine.logging import MessageHub, MMLogger
from mmengine.runner import Runner
from mmengine.structures import InstanceData
from mmpose.datasets import datasets
from mmpose.registry import DATASETS
from mmpose.visualization import PoseLocalVisualizer
from mmpose_datasets import MMPOSE_DATASETS, REFUSED, MMPoseDataset
from tiny_datasets import Person

from mmtranspose.dataset_check import check_dataset
from mmtranspose.engine.runner_setup import build_runner
from mmtranspose.errors import InputError
from mmtranspose.loading.config import load_config

LOADERS = ('train_dataloader', 'val_dataloader')
INPUT, HEATMAP, SIGMA = np.array([48, 64]), np.array([12, 16]), 1.0  # of write_tiny_config; (w, h)
AWAY = 80.0  # pixels, farther than any metric's threshold
PERFECT = dict(AP=1, PCK=1, PCKh=1, tPCK=1, AUC=0.95)  # the mean over 20 thresholds, of which the first is 0
ERRORS = ('EPE', 'NME')
MAIN_VALUES = dict(
    CocoMetric=['AP'],
    CocoWholeBodyMetric=['AP'],
    PCKAccuracy=['PCK'],
    MpiiPCKAccuracy=['PCK'],
    JhmdbPCKAccuracy=['PCK', 'tPCK'],
    AUC=['AUC'],
    EPE=['EPE'],
    NME=['NME'],
)
# The outer corners of the eyes, by which errors on faces are divided; a horse has its nose and an eye
EYES = dict(
    Horse10Dataset=(0, 1),
    CocoWholeBodyFaceDataset=(36, 45),
    COFWDataset=(8, 9),
    Face300VWDataset=(36, 45),
    Face300WDataset=(36, 45),
    Face300WLPDataset=(36, 45),
    LapaDataset=(66, 79),
    WFLWDataset=(60, 72),
)
LOAD, BOX = dict(type='LoadImage'), dict(type='GetBBoxCenterScale', padding=1.25)
CROP = dict(type='UnbiasedTopdownAffine', input_size=tuple(INPUT.tolist()))
TARGET, PACK = dict(type='KeypointTarget'), dict(type='PackPoseInputs')


@dataclass
class Trained:
    """A network that was trained for one step and validated.

    Attributes:
        dataset (MMPoseDataset): On this.
        cfg (Config): With this config.
        people (list[Person]): The ground truth, in the dataset's order.
        runner (Runner): mmengine's.
        heatmaps (np.ndarray): Predicted in the step, (N, K, H, W).
        targets (np.ndarray): What they were compared with.
        weights (np.ndarray): (N, K).
        loss (float): Of the step, as it is logged.
        moved (set[str]): The network's parts with a parameter that the step changed.
        metrics (dict[str, float]): Of the validation.
    """

    dataset: MMPoseDataset
    cfg: Config
    people: list[Person]
    runner: Runner
    heatmaps: np.ndarray
    targets: np.ndarray
    weights: np.ndarray
    loss: float
    moved: set[str]
    metrics: dict[str, float]


@pytest.fixture(scope='module')
def tiny(tmp_path_factory) -> Config:
    """A tiny network's config."""
    folder = tmp_path_factory.mktemp('tiny')
    write_tiny_config(folder, folder / 'tiny.py')
    return load_config(str(folder / 'tiny.py'))


@pytest.fixture(scope='module', params=MMPOSE_DATASETS, ids=lambda dataset: dataset.name)
def trained(request, tiny, tmp_path_factory) -> Trained:
    """One step of training, whose batch is everybody, and a validation, as by ``mmtranspose train``."""
    root = tmp_path_factory.mktemp('mmpose')
    data, people = request.param.write_files(root)
    cfg = config_for(request.param, tiny, data, root)
    for kind in (PoseLocalVisualizer, MessageHub, MMLogger):
        kind._instance_dict.clear()  # mmengine's runs of one process would share them
    runner = build_runner(cfg, LOADERS)
    model, compared = runner.model, []
    before = {key: value.clone() for key, value in model.named_parameters()}
    hook = model.head.loss_module.register_forward_pre_hook(lambda _, given: compared.append(given))
    runner.train()
    hook.remove()
    (given,) = compared
    moved = {key.split('.')[0] for key, value in model.named_parameters() if not torch.equal(before[key], value)}
    values = {key: scalar.current() for key, scalar in runner.message_hub.log_scalars.items()}
    metrics = {key[4:]: value for key, value in values.items() if key.startswith('val/')}
    arrays = (value.detach().double().numpy() for value in given)
    return Trained(request.param, cfg, people, runner, *arrays, values['train/loss'], moved, metrics)


def config_for(dataset: MMPoseDataset, tiny: Config, data: dict, root: Path) -> Config:
    """The tiny config for a dataset, whose train and val have the same people; without augmentation."""
    cfg = deepcopy(tiny)
    cfg.work_dir, cfg.experiment_name, cfg.log_level = str(root / 'work'), dataset.name, 'WARNING'
    cfg.launcher = 'none'
    cfg.model.head.out_channels = dataset.num_keypoints
    cfg.default_hooks.checkpoint = None
    in_test = {key: data.pop(key) for key in ('headbox_file',) if key in data}
    cfg.train_dataloader.update(
        batch_size=len(dataset.boxes),
        sampler=dict(type='DefaultSampler', shuffle=False),
        dataset=dict(data, pipeline=[LOAD, BOX, CROP, TARGET, PACK]),
    )
    cfg.val_dataloader.dataset = dict(data, **in_test, test_mode=True, pipeline=[LOAD, BOX, CROP, PACK])
    cfg.val_evaluator = list(deepcopy(dataset.metrics))
    cfg.test_dataloader = cfg.test_evaluator = cfg.test_cfg = None
    return Config(cfg.to_dict(), format_python_code=False)


def test_every_class_is_here():
    classes = {name for name, kind in DATASETS.module_dict.items() if kind.__module__.startswith(datasets.__name__)}
    named = {dataset.type for dataset in (*MMPOSE_DATASETS, *(dataset for dataset, _ in REFUSED))}
    assert named == classes - {'BaseCocoStyleDataset', 'BaseMocapDataset'}


def test_the_check_finds_no_error(trained):
    if trained.dataset.type == 'H36MWholeBodyDataset':
        with pytest.raises(InputError, match='cannot be checked: it is not a BaseCocoStyleDataset'):
            check_dataset(trained.cfg)
        return
    report = check_dataset(trained.cfg)
    assert report.ok(), report.to_text()
    (split,) = report.splits
    assert (split['people'], split['dropped']) == (len(trained.people), {})
    assert split['keypoints_per_person'] == np.mean([person.labelled.sum() for person in trained.people])


def test_targets_are_the_annotated_keypoints(trained):
    """Every labelled keypoint, and no other, has a Gaussian at its place in the crop of the annotated box."""
    labelled = np.array([person.labelled for person in trained.people])
    assert trained.weights == pytest.approx(labelled * min(trained.dataset.flag, 1.0))
    cells = np.array([cells_of(person.keypoints, person) for person in trained.people])  # (N, K, 2)
    peaks = trained.targets.reshape(*labelled.shape, -1).argmax(-1)
    peaks = np.stack([peaks % HEATMAP[0], peaks // HEATMAP[0]], -1)
    assert np.abs(peaks - cells)[labelled].max() < 0.501
    # a position in the middle of two cells may be cut off at either: a difference of exp(-2.5**2 / 2)
    assert trained.targets == pytest.approx(gaussians(cells) * labelled[..., None, None], abs=0.045)


def test_loss_is_that_of_the_annotations(trained):
    """The mean over cells of weight x squared difference, from the keypoints and flags that were written."""
    cells = np.array([cells_of(person.keypoints, person) for person in trained.people])
    weights = np.array([person.labelled * min(trained.dataset.flag, 1.0) for person in trained.people])
    squared = (trained.heatmaps - gaussians(cells)) ** 2
    assert trained.loss == pytest.approx((weights * squared.mean((2, 3))).mean(), rel=1e-3)
    assert trained.moved == {'backbone', 'neck', 'head'}


class TestMetric:
    def test_untrained(self, trained):
        found = of_interest(trained.metrics)
        assert found.keys() == expected(trained, 0).keys() and worse(found, expected(trained, 0))

    def test_ground_truth(self, trained, monkeypatch):
        best = evaluated(trained, monkeypatch, lambda person: person.keypoints)
        assert best == pytest.approx(expected(trained, 0), abs=1e-5)

    def test_ground_truth_in_heatmaps(self, trained, monkeypatch):
        """A cell is 5 to 25 pixels of these images: the head decodes a tenth of it."""
        best = evaluated(trained, monkeypatch, lambda person: person.keypoints, through_heatmaps=True)
        tolerance = dict(EPE=1.2, NME=0.03, AUC=0.02)
        for name, value in expected(trained, 0).items():
            assert best[name] == pytest.approx(value, abs=tolerance.get(name, 1e-5)), name

    def test_lost(self, trained, monkeypatch):
        """All keypoints are as far away as no metric forgives."""
        lost = evaluated(trained, monkeypatch, lambda person: person.keypoints + np.array([AWAY, 0]))
        assert lost == pytest.approx(expected(trained, AWAY), rel=1e-4)

    @pytest.mark.parametrize(
        'wrong', [lambda points: np.roll(points, 1, 0), lambda points: points / 2], ids=['permuted', 'scaled']
    )
    def test_wrong(self, trained, monkeypatch, wrong):
        found = evaluated(trained, monkeypatch, lambda person: wrong(person.keypoints))
        assert worse(found, expected(trained, 0))


def cells_of(keypoints: np.ndarray, person: Person) -> np.ndarray:
    """Keypoints (K, 2) in pixels of the image as positions on the heatmap (K, 2), by the person's box.

    The box is enlarged by 1.25, widened to the network's aspect ratio, and reaches from the middle of its first pixel
    to that of its last.
    """
    x, y, w, h = person.bbox
    width = 1.25 * max(w, h * INPUT[0] / INPUT[1]) - 1
    extent = width * np.array([1, (INPUT[1] - 1) / (INPUT[0] - 1)])
    corner = np.array([x + w / 2, y + h / 2]) - 0.5 - extent / 2
    return (keypoints - corner) / extent * (HEATMAP - 1)


def gaussians(cells: np.ndarray) -> np.ndarray:
    """Heatmaps (N, K, H, W) with a Gaussian at each position (N, K, 2), cut off three cells from the nearest cell."""
    grid = np.stack(np.meshgrid(np.arange(HEATMAP[0]), np.arange(HEATMAP[1])), -1)  # (H, W, 2)
    away = grid - cells[:, :, None, None]
    near = (np.abs(grid - np.floor(cells + 0.5)[:, :, None, None]) <= 3 * SIGMA).all(-1)
    return np.exp(-(away**2).sum(-1) / (2 * SIGMA**2)) * near


def evaluated(
    trained: Trained, monkeypatch, keypoints: Callable[[Person], np.ndarray], through_heatmaps: bool = False
) -> dict[str, float]:
    """The metrics if the network predicted these keypoints (K, 2), in pixels of the image, for each person."""
    people = {person.id: person for person in trained.people}
    head = trained.runner.model.head

    def in_crop(sample):
        center, scale, size = (np.asarray(sample.metainfo[f'input_{key}']) for key in ('center', 'scale', 'size'))
        return ((keypoints(people[sample.id]) - center) / scale + 0.5)[None] * size

    def predict(feats, samples, test_cfg):
        if through_heatmaps:
            cells = [cells_of(keypoints(people[sample.id]), people[sample.id]) for sample in samples]
            return head.decode(torch.from_numpy(gaussians(np.array(cells))).float())
        scores = np.ones((1, trained.dataset.num_keypoints))
        return [InstanceData(keypoints=in_crop(sample), keypoint_scores=scores) for sample in samples]

    monkeypatch.setattr(trained.runner.model, 'extract_feat', lambda inputs: None)
    monkeypatch.setattr(head, 'predict', predict)
    return of_interest(trained.runner.val())


def of_interest(metrics: dict[str, float]) -> dict[str, float]:
    """The main values, without the prefixes of their metrics."""
    named = {name.split('/')[-1]: value for name, value in metrics.items()}
    return {name: value for name, value in named.items() if name in (*PERFECT, *ERRORS)}


def expected(trained: Trained, away: float) -> dict[str, float]:
    """The main values if every keypoint is this many pixels away: 0, or more than a metric forgives."""
    names = [name for metric in trained.dataset.metrics for name in MAIN_VALUES[metric['type']]]
    if trained.dataset.type == 'PanopticHand2DDataset':
        names[0] = 'PCKh'
    found = {name: 0.0 if away else PERFECT[name] for name in names if name in PERFECT}
    if trained.dataset.type == 'MpiiDataset':
        found['PCK'] *= 100  # percent
    errors = dict(EPE=away, NME=away * np.mean([1 / unit_of_nme(trained.dataset, one) for one in trained.people]))
    return found | {name: errors[name] for name in names if name in errors}


def unit_of_nme(dataset: MMPoseDataset, person: Person) -> float:
    """The distance of the eyes, or of two keypoints of a horse's head, or the side of the box, in pixels."""
    if dataset.type not in EYES:
        return max(person.bbox[2:])
    first, second = EYES[dataset.type]
    return float(np.linalg.norm(person.keypoints[first] - person.keypoints[second]))


def worse(found: dict[str, float], best: dict[str, float]) -> bool:
    """Whether every value is clearly worse."""
    return all(
        found[name] > value + 0.1 if name in ERRORS else found[name] < 0.9 * value for name, value in best.items()
    )


@pytest.mark.parametrize(('dataset', 'sentence'), [pytest.param(*row, id=row[0].name) for row in REFUSED])
def test_refused(dataset, sentence, tiny, tmp_path):
    data, _ = dataset.write_files(tmp_path)
    cfg = config_for(dataset, tiny, data, tmp_path)
    with pytest.raises((InputError, AssertionError), match=re.escape(sentence)):  # of MMPose: an assertion
        build_runner(cfg, LOADERS)
