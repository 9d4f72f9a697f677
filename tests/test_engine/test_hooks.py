"""Hooks that stock runners take."""

import json
from types import SimpleNamespace

import cv2
import numpy as np
import pytest
import torch
from conftest import SYNTHETIC_CONFIG
from mmengine.config import Config
from mmpose.registry import DATASETS, HOOKS
from torch import nn

from mmtranspose.apis import accelerate, explain_topdown, init_model
from mmtranspose.crops.boxes import whole_image
from mmtranspose.crops.crop_maker import prepare_crops
from mmtranspose.engine.hooks import ChannelsLastHook, ExplanationHook, SaveMetricsHook, explanation_hook
from mmtranspose.errors import InputError, UnsupportedModelError
from mmtranspose.media import read_image
from mmtranspose.visualization import explanation_figure


@pytest.fixture
def model():
    return nn.Sequential(nn.Conv2d(3, 8, 3, padding=1), nn.BatchNorm2d(8), nn.ConvTranspose2d(8, 4, 4, 2, 1)).eval()


def order(weight):
    return weight.is_contiguous(memory_format=torch.channels_last), weight.is_contiguous()


def test_weights_are_put_in_order(model):
    assert order(model[0].weight) == (False, True)
    values = {name: value.clone() for name, value in model.state_dict().items()}
    HOOKS.build(dict(type='ChannelsLastHook')).before_run(SimpleNamespace(model=model))
    assert order(model[0].weight) == order(model[2].weight) == (True, False)
    for name, value in model.state_dict().items():
        torch.testing.assert_close(value, values[name], rtol=0, atol=0)


def test_weights_stay_when_it_is_switched_off(model):
    HOOKS.build(dict(type='ChannelsLastHook', enable=False)).before_run(SimpleNamespace(model=model))
    assert order(model[0].weight) == (False, True)


def test_results_stay_and_maps_follow(model):
    image = torch.randn(2, 3, 10, 14)
    expected = model(image)
    ChannelsLastHook().before_run(SimpleNamespace(model=model))
    found = model(image)
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-5)
    assert order(model[0](image)) == (True, False)


def test_parameters_are_the_same_objects(model):
    # an optimiser that was made before must go on with these
    before = [parameter.data_ptr() for parameter in model.parameters()], list(model.parameters())
    ChannelsLastHook().before_run(SimpleNamespace(model=model))
    assert all(a is b for a, b in zip(before[1], model.parameters()))


def test_the_synthetic_config_uses_it():
    cfg = Config.fromfile(str(SYNTHETIC_CONFIG))
    assert cfg.default_hooks.channels_last.type == 'ChannelsLastHook'
    assert [hook['type'] for hook in cfg.custom_hooks] == ['SyncBuffersHook']


def test_a_trained_models_checkpoint_is_as_always(tiny_checkpoint):
    weights = torch.load(tiny_checkpoint, weights_only=True)['state_dict']
    assert weights['backbone.conv1.weight'].shape[1:] == (3, 7, 7)


@pytest.mark.parametrize(
    ('rank', 'metrics', 'written'), [(0, {'coco/AP': 0.5}, True), (1, {'coco/AP': 0.5}, False), (0, None, False)]
)
def test_metrics_are_written_by_the_main_process(tmp_path, rank, metrics, written):
    hook = HOOKS.build(dict(type='SaveMetricsHook', path=str(tmp_path / 'new' / 'metrics.json')))
    hook.after_test_epoch(SimpleNamespace(rank=rank), metrics)
    assert (tmp_path / 'new' / 'metrics.json').exists() == written
    if written:
        assert json.loads((tmp_path / 'new' / 'metrics.json').read_text()) == metrics


def test_metrics_are_written_after_other_hooks_saw_them():
    assert SaveMetricsHook.priority == 'LOWEST'


@pytest.fixture(scope='module')
def work_dir(tiny_config, run_command, tmp_path_factory):
    """Of a training run whose config has the hook: two validations."""
    root = tmp_path_factory.mktemp('hook')
    cfg = Config.fromfile(tiny_config)
    cfg.custom_hooks = [dict(type='ExplanationHook', num_samples=3)]
    cfg.train_cfg = dict(by_epoch=True, max_epochs=2, val_interval=1)
    cfg.val_dataloader.batch_size = 2
    cfg.experiment_name = 'explained'
    cfg.dump(str(root / 'tiny.py'))
    run_command('train', root / 'tiny.py', '--work-dir', root / 'work')
    return root / 'work'


class TestExplanationHook:
    def test_figures_of_the_first_samples_of_each_validation(self, work_dir):
        steps = {int(path.stem.split('_')[1]) for path in work_dir.glob('epoch_*.pth')}
        assert steps == {1, 2}
        names = sorted(path.name for path in work_dir.glob('*/vis_data/vis_image/explanation_*.png'))
        iterations = sorted({name.split('_')[-1] for name in names}, key=lambda name: int(name[:-4]))
        assert len(iterations) == 2 and len(names) == 6
        assert {name.rsplit('_', 1)[0] for name in names} == {f'explanation_val_{n}' for n in range(3)}

    def test_figure_is_the_models(self, work_dir, tiny_config):
        model = init_model(tiny_config, str(work_dir / 'epoch_2.pth'))
        dataset = DATASETS.build(model.cfg.val_dataloader.dataset)
        info = dataset.get_data_info(0)
        person = explain_topdown(model, read_image(info['img_path']), info['bbox'])[0]
        last = max(work_dir.glob('*/vis_data/vis_image/explanation_val_0_*.png'), key=lambda p: p.stat().st_mtime_ns)
        drawn, expected = cv2.imread(str(last)).astype(int), explanation_figure(person).astype(int)
        assert drawn.shape == expected.shape
        assert np.abs(drawn - expected).max() <= 3  # rounding of weights to colours

    def test_a_model_that_has_diverged_ends_no_run(self, tiny_model, people):
        image = read_image(str(people / 'val' / '000000000001.jpg'))
        batch = prepare_crops(tiny_model, image, whole_image(image))
        tiny_model.head.final_layer.bias.data[:] = float('nan')
        warnings, figures = [], []
        runner = SimpleNamespace(
            model=tiny_model,
            cfg=tiny_model.cfg,
            rank=0,
            iter=5,
            val_dataloader=SimpleNamespace(dataset=SimpleNamespace(metainfo=tiny_model.dataset_meta)),
            logger=SimpleNamespace(warning=warnings.append),
            visualizer=SimpleNamespace(add_image=lambda *args, **kwargs: figures.append(args)),
        )
        hook = ExplanationHook(num_samples=2)
        hook.before_val_epoch(runner)
        for step in range(2):
            hook.after_val_iter(runner, step, batch)
        assert figures == [] and len(warnings) == 1 and 'the heatmaps are not finite' in warnings[0]

    def test_mistakes(self):
        with pytest.raises(InputError, match='num_samples=0'):
            ExplanationHook(num_samples=0)
        with pytest.raises(InputError, match="direction='up' is unknown"):
            ExplanationHook(direction='up')
        runner = SimpleNamespace(model=nn.Linear(1, 1))
        with pytest.raises(UnsupportedModelError, match='Only a pose estimator with .*TransPoseNeck'):
            ExplanationHook().before_run(runner)


def test_an_accelerated_model_is_explained_by_the_one_it_was_made_from(tiny_model):
    assert explanation_hook._estimator(SimpleNamespace(model=accelerate(tiny_model))) is tiny_model
    assert explanation_hook._estimator(SimpleNamespace(model=tiny_model)) is tiny_model
