"""Mistakes in a config are found before the first step, and named in one sentence."""

import copy
import random
import re
from pathlib import Path
from types import SimpleNamespace

import mmengine.dataset.base_dataset
import mmengine.runner.runner
import mmpose
import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.logging import MessageHub, MMLogger
from mmengine.runner import Runner
from mmpose.evaluation.metrics import CocoMetric
from mmpose.models.heads import HeatmapHead
from mmpose.registry import METRICS
from mmpose.visualization import PoseLocalVisualizer
from tiny_datasets import LOADERS, write_datasets

from mmtranspose.engine import config_values, runner_setup
from mmtranspose.engine.config_check import check_run
from mmtranspose.engine.config_fields import naming_fields
from mmtranspose.engine.config_values import check_values
from mmtranspose.engine.runner_setup import build_runner
from mmtranspose.errors import InputError
from mmtranspose.loading.config import load_config

INPUT = 'model.head.decoder.input_size={0} train_dataloader.dataset.pipeline.4.input_size={0} '
INPUT += 'val_dataloader.dataset.pipeline.2.input_size={0} test_dataloader.dataset.pipeline.2.input_size={0}'
NEAREST = (
    r'model.head.decoder.input_size=\(50, 70\) does not fit the network, whose input must be a multiple of 8 in width '
    r'and height: the nearest sizes \(w, h\) are \(48, 72\) with heatmap_size=\(12, 18\) or '
)
MUTANTS = [  # options, and what the message names
    # The data loaders
    (
        'train_dataloader.sampler.type=DefaultSamplr',
        "train_dataloader.sampler.type='DefaultSamplr' is unknown; did you mean DefaultSampler",
    ),
    (
        'train_dataloader.sampler.shufle=True',
        'train_dataloader.sampler: DefaultSampler has no argument shufle; did you mean shuffle',
    ),
    (
        'train_dataloader.dataset.type=CocoDatset',
        "train_dataloader.dataset.type='CocoDatset' is unknown; did you mean .*CocoDataset",
    ),
    ('train_dataloader.dataset.data_mode=topdwn', 'train_dataloader.dataset: .*data_mode'),
    (
        'train_dataloader.dataset.pipeline.1.type=GetBBoxCentreScale',
        'train_dataloader.dataset.pipeline.1.type=.*did you mean GetBBoxCenterScale',
    ),
    (
        'train_dataloader.dataset.pipeline.1.pading=1.25',
        'train_dataloader.dataset.pipeline.1: GetBBoxCenterScale has no argument pading; did you mean padding',
    ),
    (
        'train_dataloader.dataset.pipeline.3.rotate_prob=1.5',
        'train_dataloader.dataset.pipeline.3: rotate_prob=1.5 must be',
    ),
    (
        'train_dataloader.dataset.pipeline.4.input_size=(96,64)',
        'model.head.decoder.input_size=.48, 64., but the images of train_dataloader',
    ),
    (
        'train_dataloader.dataset.pipeline.4.input_size=64',
        'train_dataloader.dataset.pipeline.4: input_size=64 must be two numbers',
    ),
    ('train_dataloader.dataset.pipeline.5.type=RandomFlip', 'train_dataloader.collate_fn: .*put KeypointTarget'),
    ('train_dataloader.dataset.indices=0', 'train_dataloader.dataset: no sample is left'),
    ('train_dataloader.batch_size=0', 'train_dataloader.batch_size=0 must be'),
    ('train_dataloader.batch_size=2.5', 'train_dataloader.batch_size=2.5 must be'),
    ('train_dataloader.batch_size=many', "train_dataloader.batch_size='many' must be a whole number, at least 1"),
    ('train_dataloader.batch_size=True', 'train_dataloader.batch_size=True must be a whole number'),
    ('train_dataloader.batch_size=None', 'train_dataloader.batch_size=None must be a whole number'),
    (
        'train_dataloader.batch_size=100 train_dataloader.drop_last=True',
        'train_dataloader: no batch is left: batch_size=100',
    ),
    ('train_dataloader.num_workers=-1', 'train_dataloader.num_workers=-1 must be'),
    ('train_dataloader.num_workers=0.5', 'train_dataloader.num_workers=0.5 must be a whole number'),
    ('train_dataloader.num_workers=two', "train_dataloader.num_workers='two' must be a whole number, at least 0"),
    ('val_dataloader.num_workers=None', 'val_dataloader.num_workers=None must be a whole number, at least 0'),
    ('train_dataloader.persistent_workers=no', "train_dataloader.persistent_workers='no' must be True or False"),
    ('val_dataloader.pin_memory=off', "val_dataloader.pin_memory='off' must be True or False"),
    ('train_dataloader.drop_last=2', 'train_dataloader.drop_last=2 must be True or False'),
    ('train_dataloader.sampler.shuffle=no', "train_dataloader.sampler.shuffle='no' must be True or False"),
    ('train_dataloader.timeout=-1', 'train_dataloader: timeout option should be non-negative'),
    ('train_dataloader.dataset.data_root=5', 'train_dataloader.dataset.data_root=5 must be a path, or None'),
    ('val_dataloader.dataset.bbox_file=5', 'val_dataloader.dataset.bbox_file=5 must be a path, or None'),
    ('train_dataloader.dataset.data_prefix.img=5', 'train_dataloader.dataset.data_prefix.img=5 must be a path'),
    (
        'train_dataloader.pin_memry=True',
        'train_dataloader: DataLoader has no argument pin_memry; did you mean pin_memory',
    ),
    (
        'train_dataloader.collate_fn.type=tensor_colate',
        "train_dataloader.collate_fn.type='tensor_colate' is unknown; did you mean tensor_collate",
    ),
    (
        'train_dataloader.collate_fn.keep_sample=True',
        'train_dataloader.collate_fn: tensor_collate has no argument keep_sample',
    ),
    ('val_dataloader.batch_size=-1', 'val_dataloader.batch_size=-1 must be'),
    ('val_dataloader.sampler.type=Samplr', "val_dataloader.sampler.type='Samplr' is unknown"),
    (
        'val_dataloader.dataset.pipeline.2.input_size=(64,96)',
        'model.head.decoder.input_size=.*but the images of val_dataloader',
    ),
    (
        'val_dataloader=None',
        'val_dataloader: it is missing; val_dataloader, val_cfg, val_evaluator are needed together',
    ),
    # The evaluator and the best checkpoint
    ('val_evaluator.type=CocoMetrik', "val_evaluator.type='CocoMetrik' is unknown; did you mean .*CocoMetric"),
    ('val_evaluator.iou_type=boxes', "val_evaluator: iou_type='boxes' is unknown; choose 'keypoints'"),
    ('val_evaluator.score_mod=bbox', 'val_evaluator: CocoMetric has no argument score_mod; did you mean score_mode'),
    (
        'val_evaluator.type=PCKAccuracy val_dataloader.dataset.bbox_file=None',
        "default_hooks.checkpoint.save_best='coco/AP' is not a metric that val_evaluator gives; choose from PCK$",
    ),
    (
        'default_hooks.checkpoint.save_best=coco/mAP',
        "default_hooks.checkpoint.save_best='coco/mAP' is not a metric that val_evaluator gives; did you mean coco/AP",
    ),
    # The loop
    ('train_cfg.val_interval=0', 'train_cfg.val_interval=0 must be'),
    ('train_cfg.val_interval=often', "train_cfg.val_interval='often' must be a whole number, at least 1"),
    ('train_cfg.val_interval=True', 'train_cfg.val_interval=True must be a whole number'),
    ('train_cfg.max_epochs=0', 'train_cfg.max_epochs=0 must be'),
    ('train_cfg.max_epochs=1.5', 'train_cfg.max_epochs=1.5 must be'),
    ('train_cfg.max_epoch=3', 'train_cfg: .* has no argument max_epoch; did you mean max_epochs'),
    ('train_cfg.type=EpochLoop', "train_cfg.type='EpochLoop' is unknown; did you mean"),
    ('train_cfg=None', 'train_cfg: it is missing'),
    # The optimiser and its schedule
    ('optim_wrapper.optimizer.type=Adamm', "optim_wrapper.optimizer.type='Adamm' is unknown; did you mean .*Adam"),
    ('optim_wrapper.optimizer.lr=-1', 'optim_wrapper.optimizer: Invalid learning rate: -1'),
    ('optim_wrapper.optimizer.lr=fast', "optim_wrapper.optimizer.lr='fast' must be a number"),
    ('optim_wrapper.optimizer.lr=True', 'optim_wrapper.optimizer.lr=True must be a number'),
    ('optim_wrapper.clip_grad.max_norm=big', "optim_wrapper.clip_grad.max_norm='big' must be a number"),
    ('optim_wrapper.optimizer.learning_rate=1', 'optim_wrapper.optimizer: Adam has no argument learning_rate'),
    ('optim_wrapper.optimizer.betas=(0.9,1.5)', 'optim_wrapper.optimizer: Invalid beta parameter'),
    ('optim_wrapper.type=AmpWrapper', "optim_wrapper.type='AmpWrapper' is unknown"),
    ('optim_wrapper.accumulative_counts=0', 'optim_wrapper.accumulative_counts=0 must be'),
    ('param_scheduler.1.T_max=0', 'param_scheduler.1.T_max=0 must be'),
    (
        'param_scheduler.1.type=CosineAnealingLR',
        "param_scheduler.1.type='CosineAnealingLR' is unknown; did you mean CosineAnnealingLR",
    ),
    ('param_scheduler.1.eta_min=-1', 'param_scheduler.1: it sets lr to -'),
    ('param_scheduler.0.end=0', 'param_scheduler.0: end should be larger than begin'),
    # The model
    ('model.type=TopdownEstimator', "model.type='TopdownEstimator' is unknown; did you mean .*TopdownPoseEstimator"),
    ('model.backbone.depth=19', 'model.backbone: depth=19 is unknown; choose'),
    ('model.backbone.stem_channels=-4', 'model.backbone: '),
    ('model.neck.in_channels=99', 'model.neck.in_channels=99, but the part before it gives 32 channels'),
    ('model.neck.num_layers=0', 'model.neck: num_layers=0 must be at least 1'),
    ('model.neck.feedforward_channels=0', 'model.neck: feedforward_channels=0 must be at least 1'),
    ('model.neck.num_heads=5', 'model.neck: num_heads=5 does not divide embed_dims=32'),
    ('model.neck.embed_dims=0', 'model.neck: embed_dims=0 must be at least 1'),
    ('model.neck.dropout=1', 'model.neck: dropout=1 must be from 0 to 1, and less than 1'),
    ('model.neck.attention_dropout=-0.1', 'model.neck: attention_dropout=-0.1 must be'),
    ('model.neck.position_encoding=learnable model.neck.grid=(8,)', 'model.neck: grid=.* must be two numbers'),
    ('model.neck.embed_dims=64', 'model.head.in_channels=32, but the part before it gives 64 channels'),
    ('model.head.in_channels=64', 'model.head.in_channels=64, but the part before it gives 32 channels'),
    ('model.head.out_channels=14', 'model.head.out_channels is 14, the dataset has 17'),
    ('model.head.deconv_out_channels=(0,)', 'model.head: deconv_out_channels=.* each value must be at least 1'),
    ('model.head.loss.type=MSE', "model.head.loss.type='MSE' is unknown"),
    (
        'model.head.decoder.heatmap_size=(16,12)',
        r'model.head.decoder.heatmap_size=\(16, 12\), but .* heatmaps of \(12, 16\)',
    ),
    (INPUT.format('(50,70)'), NEAREST),
    (INPUT.format('(50,70)') + ' model.head.decoder.heatmap_size=(14,18)', NEAREST),
    (INPUT.format('(64,48)'), r'heatmap_size=\(12, 16\), but .* heatmaps of \(16, 12\) .* seem to be swapped'),
    ('model.head.decoder.input_size=48x64', 'model.head.decoder: input_size=48x64 must be two numbers'),
    ('model.head.decoder.heatmap_size=(1,1)', 'model.head.decoder: heatmap_size=.* must be two numbers'),
    (
        'model.head.decoder.input_size=(64,48)',
        r'model.head.decoder.input_size=\(64, 48\), but the images of train_dataloader have the size \(48, 64\)',
    ),
    ('model.head.decoder.sigma=0', 'model.head.decoder: sigma=0 must be greater than 0'),
    ('model.head.decoder.blur_kernel_size=10', 'model.head.decoder: blur_kernel_size=10 must be odd'),
    ('model.data_preprocessor.std=[0,0,0]', 'model.data_preprocessor: std=.* each value must be greater than 0'),
    ('model.data_preprocessor.std=[1,1]', r'model.data_preprocessor: std=\[1, 1\] must be a list of three numbers'),
    ('model.data_preprocessor.mean=None', 'model.data_preprocessor: mean and std: give both or neither'),
    # Hooks and the rest
    ('default_hooks.logger.interval=0', 'default_hooks.logger.interval=0 must be'),
    ('default_hooks.logger.interval=-5', 'default_hooks.logger.interval=-5 must be'),
    ('default_hooks.checkpoint.interval=-2', 'default_hooks.checkpoint.interval=-2 must be .*or -1 for none'),
    ('default_hooks.checkpoint.max_keep_ckpts=0', 'default_hooks.checkpoint.max_keep_ckpts=0 must be'),
    ('default_hooks.checkpoint.rule=bigger', 'default_hooks.checkpoint: .*rule'),
    ('default_hooks.chekpoint.interval=5', 'default_hooks.chekpoint: it has no type; did you mean checkpoint'),
    (
        'default_hooks.timer.type=IterTimeHook',
        "default_hooks.timer.type='IterTimeHook' is unknown; did you mean IterTimerHook",
    ),
    ('log_processor.window_size=0', 'log_processor.window_size=0 must be'),
    ('default_hooks.checkpoint.out_dir=5', 'default_hooks.checkpoint.out_dir=5 must be a path, or None'),
    ('model.test_cfg.flip_test=no', "model.test_cfg.flip_test='no' must be True or False"),
    ('randomness.deterministic=maybe', "randomness.deterministic='maybe' must be True or False"),
    ('work_dir=', r"config .*tiny.py: work_dir='' must be a folder \('\.' is the current one\)"),
    ('work_dir=5', 'work_dir=5 must be a folder'),
    ('load_from=5', 'load_from=5 must be a checkpoint or None'),
    ('resume=no', "resume='no' must be True or False"),
    (
        'default_scope=mmengine',
        "default_scope='mmengine' has no model TopdownPoseEstimator; set default_scope='mmpose'",
    ),
    ('default_scope=', "default_scope='' has no model TopdownPoseEstimator; set default_scope='mmpose'"),
    ('log_level=LOUD', 'log_level: '),
    ('randomness.seed=-1', 'randomness: '),
    ('visualizer.type=Visualiser', "visualizer.type='Visualiser' is unknown; did you mean"),
    # Options that reach nothing
    ('codec.sigma=9', 'option codec.sigma=9 reaches nothing: .* set model.head.decoder.sigma instead'),
    ('train_pipeline.1.padding=1.5', 'option train_pipeline.1.padding=1.5 reaches nothing: '),
    ('optim_wraper.optimizer.lr=1', 'reaches nothing: nothing reads optim_wraper; did you mean optim_wrapper'),
    (
        'env_cfg.cudnn_benchmrk=True',
        'reaches nothing: nothing reads env_cfg.cudnn_benchmrk; did you mean cudnn_benchmark',
    ),
    ('model.test_cfg.flip=True', 'reaches nothing: nothing reads model.test_cfg.flip; did you mean flip_test'),
    ('model.train_cfg.compute_ac=False', 'reaches nothing: nothing reads model.train_cfg.compute_ac'),
    ('auto_scale_lr.enabled=True', 'reaches nothing: nothing reads auto_scale_lr.enabled; did you mean enable'),
    ('optim_wrapper.paramwise_cfg.bias_lr=2', 'reaches nothing: nothing reads optim_wrapper.paramwise_cfg.bias_lr'),
]


@pytest.fixture(autouse=True)
def fast(monkeypatch):
    """Without what makes a runner slow to build: the config laid out for reading, and the collection of garbage."""
    plain = property(lambda self: '\n'.join(f'{key} = {value!r}' for key, value in self.to_dict().items()))
    monkeypatch.setattr(Config, 'pretty_text', plain)
    monkeypatch.setattr(mmengine.runner.runner, 'collect_env', dict)
    monkeypatch.setattr(mmengine.dataset.base_dataset, 'gc', SimpleNamespace(collect=lambda: None))


@pytest.fixture
def refused(tiny_config, tmp_path, run_command):
    """Runs a command with a config that is refused, and gives the message."""

    def refused(command, *arguments, options):
        with pytest.raises(InputError) as caught:
            run_command(
                command, tiny_config, *arguments, '--work-dir', tmp_path / 'work', '--cfg-options', *options.split()
            )
        assert '\n' not in caught.value.args[0]
        assert not list(tmp_path.rglob('*.pth'))
        return str(caught.value)

    return refused


@pytest.mark.parametrize(('options', 'words'), MUTANTS, ids=[options for options, _ in MUTANTS])
def test_of_training(refused, options, words):
    message = refused('train', options=options)
    assert re.search(words, message), message


@pytest.mark.parametrize(
    ('options', 'words'),
    [
        ('test_dataloader.batch_size=0', 'test_dataloader.batch_size=0 must be'),
        ('test_dataloader.sampler.type=Samplr', "test_dataloader.sampler.type='Samplr' is unknown"),
        ('test_dataloader.dataset.pipeline.2.input_size=(64,96)', 'but the images of test_dataloader have the size'),
        (INPUT.format('(50,70)'), NEAREST),
        (INPUT.format('(50,70)') + ' model.head.decoder.heatmap_size=(14,18)', NEAREST),
        ('model.head.decoder.heatmap_size=(16,12)', r'=\(16, 12\), but .* of \(12, 16\) .* seem to be swapped'),
        ('test_dataloader.persistent_workers=no', "test_dataloader.persistent_workers='no' must be True or False"),
        ('test_evaluator.type=CocoMetrik', "test_evaluator.type='CocoMetrik' is unknown; did you mean CocoMetric"),
        ('test_evaluator.iou_type=boxes', "test_evaluator: iou_type='boxes' is unknown"),
        ('test_cfg=None', 'test_cfg: it is missing; test_dataloader, test_cfg, test_evaluator are needed together'),
        ('codec.input_size=(64,96)', 'reaches nothing: .*set model.head.decoder.input_size, train_dataloader'),
    ],
)
def test_of_a_test(refused, tiny_checkpoint, options, words):
    message = refused('test', tiny_checkpoint, options=options)
    assert re.search(words, message), message


def test_on_a_terminal(tiny_config, tmp_path, server):
    options = ('--cfg-options', 'optim_wrapper.optimizer.lr=-1')
    log = tmp_path / 'log'
    assert server.run(tiny_config, '--work-dir', tmp_path / 'work', *options, log=log) == [2]
    told = log.read_text()
    assert 'Traceback' not in told
    errors = [line for line in told.splitlines() if line.startswith('error: ')]
    assert errors == [f'error: config {tiny_config}: optim_wrapper.optimizer: Invalid learning rate: -1']


class TestWhatPasses:
    @pytest.fixture
    def built(self, tiny_config, tmp_path):
        """Builds the runner of a training; nothing of the check but its parts is left."""

        def build(options=None, config=tiny_config, loaders=('train_dataloader', 'val_dataloader')):
            for kind in (PoseLocalVisualizer, MessageHub, MMLogger):
                kind._instance_dict.clear()  # mmengine's runs of one process would share them
            cfg = load_config(config, dict(work_dir=str(tmp_path / 'work'), log_level='ERROR', **(options or {})))
            cfg.launcher = 'none'
            return build_runner(cfg, loaders)

        return build

    @pytest.mark.parametrize(
        'options',
        [
            {'default_hooks.checkpoint.interval': -1, 'default_hooks.checkpoint.max_keep_ckpts': -1},
            {'default_hooks.checkpoint.save_best': 'auto'},
            {
                'default_hooks.checkpoint.save_best': ['coco/AP', 'coco/AR .5'],
                'default_hooks.checkpoint.rule': 'greater',
            },
            {'default_hooks.timer': None},
            {'param_scheduler': None},
            {'param_scheduler': [dict(type='ReduceOnPlateauLR', monitor='coco/AP', rule='greater')]},
            {'param_scheduler': [dict(type='StepLR', step_size=3), dict(type='ConstantMomentum', end=2)]},
            {'optim_wrapper.optimizer.lr': 0.0},
            {
                'val_evaluator': [dict(type='CocoMetric'), dict(type='PCKAccuracy', prefix='x')],
                'val_dataloader.dataset.bbox_file': None,
            },
            {'train_cfg': dict(_delete_=True, by_epoch=True, max_epochs=1)},
            {'train_cfg': dict(_delete_=True, by_epoch=False, max_iters=2, val_interval=2)},
            {'model.test_cfg.output_heatmaps': True, 'env_cfg.resource_limit': 4096, 'compile': False},
            {'train_dataloader.dataset.indices': 1, 'train_dataloader.batch_size': 1},
        ],
        ids=lambda options: next(iter(options)),
    )
    def test_options(self, built, options):
        assert type(built(options)) is Runner

    @pytest.mark.parametrize('loader', LOADERS)
    @pytest.mark.parametrize(
        ('option', 'off'),
        [
            ({'persistent_workers': True}, False),
            ({'prefetch_factor': 2}, None),
            ({'multiprocessing_context': 'fork'}, None),
            ({'timeout': 30}, 0),
        ],
        ids=lambda option: str(option),
    )
    def test_options_of_processes_without_processes(self, built, monkeypatch, loader, option, off):
        """PyTorch refuses them, or the first batch; they are turned off, which is said."""
        said = []
        monkeypatch.setattr(config_values, 'print_log', lambda message, *arguments: said.append(message))
        loaders = ('test_dataloader',) if loader == 'test_dataloader' else ('train_dataloader', 'val_dataloader')
        ((key, value),) = option.items()
        runner = built({f'{loader}.{key}': value}, loaders=loaders)
        loop = getattr(runner, f'{loader.removesuffix("_dataloader")}_loop')
        assert getattr(loop.dataloader, key) == off and len(next(iter(loop.dataloader))['inputs']) > 0
        assert said == [f'{loader}.{key}={value!r} is turned off, since num_workers=0 leaves no loader processes']

    def test_whole_numbers_with_a_point(self, tiny_config):
        """PyTorch and `range` stop at them; what is meant is plain."""
        fields = ('train_dataloader.batch_size', 'train_dataloader.num_workers', 'train_cfg.max_epochs')
        cfg = load_config(tiny_config, dict.fromkeys(fields, 2.0))
        check_values(cfg, ('train_dataloader', 'val_dataloader'))
        values = cfg.train_dataloader.batch_size, cfg.train_dataloader.num_workers, cfg.train_cfg.max_epochs
        assert values == (2, 2, 2) and {type(value) for value in values} == {int}

    @pytest.mark.parametrize('milestones', ['1,2', 3, [1, 2.5], None, '12'])
    @pytest.mark.parametrize('several', [True, False])
    def test_milestones(self, tiny_config, milestones, several):
        """A text has characters, none of which is the number of an epoch: it would train with no milestone."""
        scheduler = dict(type='MultiStepLR', milestones=milestones)
        cfg = load_config(tiny_config)
        cfg.param_scheduler = [scheduler] if several else scheduler
        field = f'param_scheduler{".0" * several}.milestones'
        with pytest.raises(InputError, match=re.escape(f'{field}={milestones!r} must be a list of whole numbers')):
            check_values(cfg, ('train_dataloader', 'val_dataloader'))

    def test_options_of_processes_with_processes(self, tiny_config, monkeypatch):
        monkeypatch.setattr(config_values, 'print_log', lambda *arguments: pytest.fail('nothing is to be said'))
        options = dict(num_workers=1, persistent_workers=True, prefetch_factor=3, timeout=30)
        cfg = load_config(tiny_config, {f'train_dataloader.{key}': value for key, value in options.items()})
        check_values(cfg, ('train_dataloader', 'val_dataloader'))
        assert {key: cfg.train_dataloader[key] for key in options} == options

    def test_a_root_that_nothing_uses_is_said(self, tiny_config, monkeypatch):
        said = []
        monkeypatch.setattr(config_values, 'print_log', lambda message, *arguments: said.append(message))
        cfg = load_config(tiny_config)
        cfg.data_root = '/mine/'
        check_values(cfg, ('train_dataloader', 'val_dataloader'))
        assert len(said) == 1 and said[0].startswith("data_root='/mine/' of config ")

    @pytest.mark.parametrize('scope', [None, 'missing'])
    def test_without_a_default_scope(self, built, tiny_config, tmp_path, scope):
        cfg = Config.fromfile(tiny_config)
        cfg.default_scope = scope
        if scope == 'missing':
            cfg.pop('default_scope')
        cfg.dump(tmp_path / 'plain.py')
        runner = built(config=str(tmp_path / 'plain.py'))
        assert type(runner.model).__name__ == 'TopdownPoseEstimator' and runner.cfg.default_scope == 'mmpose'

    def test_an_empty_checkpoint(self, built):
        assert built({'load_from': ''})._load_from is None

    def test_a_metric_of_somebody_else(self, built):
        """Its names are not known, so nothing is said about them."""
        METRICS.register_module(name='OwnMetric', module=type('OwnMetric', (CocoMetric,), {}), force=True)
        options = {'val_evaluator.type': 'OwnMetric', 'default_hooks.checkpoint.save_best': 'coco/mine'}
        assert type(built(options)) is Runner

    def test_it_leaves_no_trace(self, built, monkeypatch):
        monkeypatch.setattr(runner_setup, 'check_run', lambda runner, loaders: None)
        runner = built()
        train_cfg = copy.deepcopy(runner.model.train_cfg)
        before = {name: (value.clone(), value.data_ptr()) for name, value in runner.model.state_dict().items()}
        config, state = (
            runner.cfg.to_dict(),
            (random.getstate(), np.random.get_state()[1].copy(), torch.get_rng_state()),
        )
        check_run(runner, ('train_dataloader', 'val_dataloader'))
        for name, value in runner.model.state_dict().items():
            assert value.data_ptr() == before[name][1] and torch.equal(value, before[name][0])
        assert runner.model.train_cfg == train_cfg and runner.model.training
        assert not any(module._forward_pre_hooks for module in runner.model.modules())
        assert runner.cfg.to_dict() == config
        assert random.getstate() == state[0]
        assert (np.random.get_state()[1] == state[1]).all() and torch.equal(torch.get_rng_state(), state[2])

    def test_nothing_is_built_twice(self, built, monkeypatch):
        runner = built()
        parts = runner.train_loop, runner.val_loop, runner.optim_wrapper
        monkeypatch.setattr(Runner, 'build_dataloader', lambda *arguments, **options: pytest.fail('built again'))
        trained = {id(parameter) for group in runner.optim_wrapper.param_groups for parameter in group['params']}
        assert trained == {id(parameter) for parameter in runner.model.parameters()}
        runner.train()
        assert all(
            one is other for one, other in zip(parts, (runner.train_loop, runner.val_loop, runner.optim_wrapper))
        )

    def test_the_learning_rate_is_scaled_once(self, built):
        options = {'auto_scale_lr.enable': True, 'auto_scale_lr.base_batch_size': 8, 'train_dataloader.batch_size': 4}
        runner = built({**options, 'param_scheduler': None, 'optim_wrapper.optimizer.lr': 1e-3})
        runner.train()
        assert runner.optim_wrapper.get_lr()['lr'] == [pytest.approx(5e-4)]

    @pytest.mark.parametrize(
        ('name', 'computed'),
        [
            ('topdown_heatmap/coco/td-hm_res50_8xb64-210e_coco-256x192.py', True),
            ('rtmpose/coco/rtmpose-t_8xb256-420e_coco-256x192.py', False),
            ('simcc/coco/simcc_mobilenetv2_wo-deconv-8xb64-210e_coco-256x192.py', False),
        ],
    )
    def test_models_of_mmpose(self, built, monkeypatch, tmp_path, name, computed):
        """Heads that cannot compute on the meta device, because they measure the accuracy, pass as well."""
        folder = Path(mmpose.__file__).parent / '.mim' / 'configs' / 'body_2d_keypoint'
        if not folder.is_dir():
            pytest.skip('this MMPose was installed without its configs')
        monkeypatch.chdir(tmp_path)
        cfg = load_config(folder / name)
        write_datasets(cfg)
        for loader in LOADERS:
            cfg[loader].update(num_workers=0, persistent_workers=False, batch_size=2)
            steps = cfg[loader].dataset.pipeline
            steps[:] = [step for step in steps if step.type != 'Albumentation']  # is not installed
        cfg.custom_hooks = []
        cfg.dump(tmp_path / 'theirs.py')
        losses = []
        monkeypatch.setattr(HeatmapHead, 'loss', spied(HeatmapHead.loss, losses))
        runner = built(config=str(tmp_path / 'theirs.py'))
        assert type(runner) is Runner and [loss['loss_kpt'].device.type for loss in losses] == ['meta'] * computed


def spied(function, results):
    """A function that also puts its results into a list."""

    def wrapped(*arguments, **options):
        results.append(function(*arguments, **options))
        return results[-1]

    return wrapped


def test_a_fault_of_the_program_keeps_its_traceback(tiny_config):
    cfg = load_config(tiny_config)
    for error in (
        OSError('disk'),
        RuntimeError('CUDA error'),
        NotImplementedError(),
        torch.OutOfMemoryError(),
        NameError(),
    ):
        with pytest.raises(type(error)) as caught, naming_fields(cfg, 'model'):
            raise error
        assert caught.value is error
