"""Flags to configs as MMPose's own tools turn them, and runners that refuse what they cannot use."""

import importlib.util
import json
import shutil
import sys
from pathlib import Path

import mmpose
import pytest
import torch
from mmengine.config import Config
from mmengine.runner import Runner

from mmtranspose.engine.runner_setup import build_runner
from mmtranspose.errors import InputError
from mmtranspose.loading.config import load_config

THEIRS = Path(mmpose.__file__).parent / '.mim' / 'tools'


def ours(name, monkeypatch, *arguments) -> Config:
    """The config that our command would run."""
    tool, configs = importlib.import_module(f'mmtranspose.commands.{name}'), []

    class Stop(Exception):
        pass

    def stop(cfg, loaders):
        configs.append(cfg)
        raise Stop

    monkeypatch.setattr(tool, 'build_runner', stop)
    monkeypatch.setenv('LOCAL_RANK', '0')
    with pytest.raises(Stop):
        tool.main(arguments)
    return configs[0]


def theirs(name, monkeypatch, *arguments) -> Config:
    """The config that MMPose's tool of the same name would run."""
    if not THEIRS.is_dir():
        pytest.skip('this MMPose was installed without its tools')
    spec = importlib.util.spec_from_file_location(f'mmpose_{name}', THEIRS / f'{name}.py')
    tool = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(tool)
    monkeypatch.setattr(sys, 'argv', [f'{name}.py', *arguments])
    args = tool.parse_args()
    return tool.merge_args(Config.fromfile(args.config), args)


def plain(cfg: Config) -> dict:
    """A config as a dict, without spellings that mean the same."""
    content = cfg.to_dict()
    content['work_dir'] = str(Path(content['work_dir']))
    visualization = content['default_hooks']['visualization']
    if visualization['type'] == 'IntervalVisualizationHook':  # MMPose's, which heeds --interval in tests too
        visualization['type'] = 'PoseVisualizationHook'
    for hook in ('visualization', 'badcase'):
        if not content['default_hooks'][hook].get('show'):
            content['default_hooks'][hook].pop('wait_time', None)  # of a window that is not shown
    if content['load_from'] is None:
        content['resume'] = False  # ours has searched for a checkpoint: the runner need not do so again
    return content


COMMON = [
    (),
    ('--work-dir', 'w'),
    ('--launcher', 'slurm'),
    ('--show-dir', 'images'),
    ('--show-dir', 'images', '--interval', '5'),
    ('--show', '--wait-time', '0.5'),
    ('--show', '--show-dir', 'images', '--interval', '3'),
    ('--cfg-options', 'model.neck.num_layers=1', 'train_dataloader.batch_size=7', 'work_dir=w'),
    ('--show-dir', 'images', '--cfg-options', 'default_hooks.visualization.interval=5'),
    ('--work-dir', 'w', '--cfg-options', 'work_dir=of_the_options'),
]
TRAIN = [
    ('--resume',),
    ('--resume', 'auto'),
    ('--resume', 'work_dirs/a/epoch_3.pth'),
    ('--no-validate',),
    ('--auto-scale-lr',),
    ('--no-validate', '--auto-scale-lr', '--resume', '--work-dir', 'w'),
    ('--amp',),
    ('--amp', '--cfg-options', 'optim_wrapper.type=AmpOptimWrapper', 'optim_wrapper.loss_scale=512.'),
]
TEST = [
    ('--dump', 'predictions.pkl'),
    ('--dump', 'predictions.pickle', '--work-dir', 'w'),
    ('--badcase',),
    ('--badcase', '--show'),
    ('--badcase', '--show', '--show-dir', 'images', '--interval', '4', '--wait-time', '2'),
    ('--badcase', '--cfg-options', 'default_hooks.badcase.badcase_thr=3'),
    ('--dump', 'predictions.pkl', '--cfg-options', 'default_hooks.logger.interval=3'),
]


class TestFlagsAreMMPoses:
    @pytest.fixture(autouse=True)
    def srun(self, monkeypatch):
        """As if srun had started this process."""
        monkeypatch.setenv('SLURM_PROCID', '0')

    @pytest.mark.parametrize('flags', COMMON + TRAIN, ids=' '.join)
    def test_train(self, tiny_config, monkeypatch, flags):
        monkeypatch.setattr(torch.cuda, 'is_available', lambda: True)
        monkeypatch.setattr(torch.cuda, 'is_bf16_supported', lambda including_emulation=True: False)
        monkeypatch.setenv('CUDA_VISIBLE_DEVICES', '0')
        found, expected = (plain(make('train', monkeypatch, tiny_config, *flags)) for make in (ours, theirs))
        assert found == expected

    @pytest.mark.parametrize('flags', COMMON + TEST, ids=' '.join)
    def test_test(self, tiny_config, monkeypatch, flags):
        found, expected = (plain(make('test', monkeypatch, tiny_config, 'a.pth', *flags)) for make in (ours, theirs))
        assert found == expected

    def test_options_reach_what_is_dumped(self, tiny_config, monkeypatch):
        # MMPose's own tool stops with a TypeError here
        cfg = ours(
            'test', monkeypatch, tiny_config, 'a.pth', '--dump=d.pkl', '--cfg-options', 'test_evaluator.use_area=False'
        )
        assert [one.type for one in cfg.test_evaluator] == ['CocoMetric', 'DumpResults']
        assert cfg.test_evaluator[0].use_area is False

    @pytest.mark.parametrize(('kind', 'expected'), [('loss', 'KeypointMSELoss'), ('accuracy', 'CocoMetric')])
    def test_what_bad_cases_are_judged_by(self, tiny_config, monkeypatch, kind, expected):
        option = f'default_hooks.badcase.metric_type={kind}'
        cfg = ours('test', monkeypatch, tiny_config, 'a.pth', '--badcase', '--cfg-options', option)
        assert cfg.default_hooks.badcase.metric.type == expected

    def test_several_evaluators_are_kept(self, tiny_config, monkeypatch, tmp_path):
        cfg = Config.fromfile(tiny_config)
        cfg.test_evaluator = [dict(type='CocoMetric'), dict(type='PCKAccuracy')]
        cfg.dump(tmp_path / 'two.py')
        found = ours('test', monkeypatch, str(tmp_path / 'two.py'), 'a.pth', '--dump', 'd.pkl').test_evaluator
        assert [one.type for one in found] == ['CocoMetric', 'PCKAccuracy', 'DumpResults']
        assert found[2].out_file_path == 'd.pkl'


class TestWhatFlagsDo:
    def test_validation_set(self, tiny_config, monkeypatch):
        options = ('--cfg-options', 'test_dataloader.batch_size=3', 'val_dataloader.dataset.ann_file=validation.json')
        cfg = ours('test', monkeypatch, tiny_config, 'x.pth', *options)
        assert (cfg.test_dataloader.batch_size, cfg.val_dataloader.dataset.ann_file) == (3, 'validation.json')
        assert cfg.test_dataloader.dataset.ann_file != 'validation.json'
        cfg = ours('test', monkeypatch, tiny_config, 'x.pth', '--split', 'val', *options)
        assert (cfg.test_dataloader.batch_size, cfg.test_dataloader.dataset.ann_file) == (3, 'validation.json')
        assert cfg.test_evaluator == cfg.val_evaluator

    def test_no_validation_set(self, tiny_config, monkeypatch):
        options = ('--cfg-options', 'val_dataloader=None', 'val_cfg=None', 'val_evaluator=None')
        with pytest.raises(InputError, match='--split val: the config has no val_dataloader'):
            ours('test', monkeypatch, tiny_config, 'x.pth', '--split', 'val', *options)

    def test_default_work_directory(self, tiny_config, monkeypatch):
        assert Path(ours('train', monkeypatch, tiny_config).work_dir) == Path('work_dirs/tiny')

    @pytest.mark.parametrize(
        ('flags', 'expected'),
        [
            (('--resume', 'a.pth'), (True, 'a.pth')),
            (('--resume',), (True, 'epoch_1.pth')),
            (('--resume', 'auto'), (True, 'epoch_1.pth')),
            (('--cfg-options', 'resume=True'), (True, 'epoch_1.pth')),
            (('--resume', '--cfg-options', 'load_from=coco.pth'), (True, 'epoch_1.pth')),  # a transfer, requeued
            (('--cfg-options', 'resume=True', 'load_from=b.pth'), (True, 'b.pth')),
            ((), (False, None)),
        ],
    )
    def test_resume(self, tiny_config, tiny_checkpoint, monkeypatch, tmp_path, flags, expected):
        shutil.copy(tiny_checkpoint, tmp_path / 'epoch_1.pth')
        cfg = ours('train', monkeypatch, tiny_config, '--work-dir', str(tmp_path), *flags)
        assert (cfg.resume, cfg.load_from and Path(cfg.load_from).name) == expected

    @pytest.mark.parametrize('flags', [('--resume',), ('--cfg-options', 'resume=True')])
    def test_nothing_to_resume_from(self, tiny_config, monkeypatch, tmp_path, flags):
        cfg = ours('train', monkeypatch, tiny_config, '--work-dir', str(tmp_path / 'new'), *flags)
        assert (cfg.resume, cfg.load_from) == (False, None)
        (tmp_path / 'epoch_3.pth').write_bytes(b'')
        with pytest.raises(InputError, match='none of its 1 checkpoints can be used, .*epoch_3.pth is damaged'):
            ours('train', monkeypatch, tiny_config, '--work-dir', str(tmp_path), *flags)
        assert [path.name for path in tmp_path.iterdir()] == ['epoch_3.pth']

    def test_resume_of_a_transfer(self, tiny_config, tiny_checkpoint, monkeypatch, tmp_path):
        """The first start, which has nothing to resume from, begins with the config's ``load_from``."""
        flags = ('--resume', '--work-dir', str(tmp_path), '--cfg-options', 'load_from=coco.pth')
        first = ours('train', monkeypatch, tiny_config, *flags)
        assert (first.get('resume', False), first.load_from) == (False, 'coco.pth')
        shutil.copy(tiny_checkpoint, tmp_path / 'epoch_1.pth')
        second = ours('train', monkeypatch, tiny_config, *flags[:3], '--cfg-options', 'model.head.out_channels=17')
        assert (second.resume, second.load_from) == (True, str(tmp_path / 'epoch_1.pth'))

    def test_work_directory_of_a_model_by_name(self, monkeypatch):
        expected = Path('work_dirs/td-hm_transpose-r-a3_1xb28-230e_coco-256x192')
        assert Path(ours('train', monkeypatch, 'transpose-r-a3').work_dir) == expected

    def test_no_validate(self, tiny_config, monkeypatch):
        cfg = ours('train', monkeypatch, tiny_config, '--no-validate')
        assert cfg.val_cfg is cfg.val_dataloader is cfg.val_evaluator is None

    def test_amp_without_a_gpu(self, tiny_config, monkeypatch):
        monkeypatch.setattr(torch.cuda, 'is_available', lambda: False)
        with pytest.raises(InputError, match='--amp needs a GPU'):
            ours('train', monkeypatch, tiny_config, '--amp')

    @pytest.mark.parametrize(
        ('options', 'kind', 'loss_scale'),
        [
            ((), 'Bfloat16OptimWrapper', None),
            (('optim_wrapper.type=Bfloat16OptimWrapper',), 'Bfloat16OptimWrapper', None),
            (('optim_wrapper.type=AmpOptimWrapper',), 'AmpOptimWrapper', 'dynamic'),
            (('optim_wrapper.loss_scale=512.',), 'AmpOptimWrapper', 512.0),  # of float16
        ],
        ids=str,
    )
    def test_amp_in_bfloat16(self, tiny_config, monkeypatch, options, kind, loss_scale):
        monkeypatch.setattr(torch.cuda, 'is_available', lambda: True)
        # MMPose's float16 where PyTorch would only emulate bfloat16
        monkeypatch.setattr(torch.cuda, 'is_bf16_supported', lambda including_emulation=True: not including_emulation)
        monkeypatch.setenv('CUDA_VISIBLE_DEVICES', '0')
        flags = ('--amp', '--cfg-options', *options) if options else ('--amp',)
        wrapper = ours('train', monkeypatch, tiny_config, *flags).optim_wrapper
        assert (wrapper.type, wrapper.get('loss_scale')) == (kind, loss_scale)

    def test_amp_with_another_wrapper(self, tiny_config, monkeypatch):
        monkeypatch.setattr(torch.cuda, 'is_available', lambda: True)
        with pytest.raises(InputError, match="--amp cannot be used with optim_wrapper.type='ApexOptimWrapper'"):
            ours('train', monkeypatch, tiny_config, '--amp', '--cfg-options', 'optim_wrapper.type=ApexOptimWrapper')

    def test_auto_scale_lr_without_a_base(self, tiny_config, monkeypatch, tmp_path):
        cfg = Config.fromfile(tiny_config)
        cfg.pop('auto_scale_lr')
        cfg.dump(tmp_path / 'a.py')
        with pytest.raises(InputError, match='--auto-scale-lr needs auto_scale_lr=dict'):
            ours('train', monkeypatch, str(tmp_path / 'a.py'), '--auto-scale-lr')

    @pytest.mark.parametrize(('flag', 'hook'), [('--show-dir=p', 'visualization'), ('--badcase', 'badcase')])
    def test_images_without_their_hook(self, tiny_config, monkeypatch, tmp_path, flag, hook):
        cfg = Config.fromfile(tiny_config)
        cfg.default_hooks.pop(hook)
        cfg.dump(tmp_path / 'a.py')
        with pytest.raises(InputError, match=f'the config has no default_hooks.{hook}; add {hook}=dict'):
            ours('test', monkeypatch, str(tmp_path / 'a.py'), 'a.pth', flag)

    def test_out(self, tiny_config, monkeypatch):
        plain, out = (ours('test', monkeypatch, tiny_config, 'a.pth', *flags) for flags in ((), ('--out', 'm.json')))
        assert out.custom_hooks == [*plain.custom_hooks, dict(type='SaveMetricsHook', path='m.json')]

    def test_dump_of_another_kind(self, tiny_config, monkeypatch):
        with pytest.raises(InputError, match='--dump a.json: the file must end in .pkl or .pickle'):
            ours('test', monkeypatch, tiny_config, 'a.pth', '--dump', 'a.json')

    def test_data_root(self, tiny_config, monkeypatch, tmp_path):
        cfg = ours('test', monkeypatch, tiny_config, 'a.pth', '--cfg-options', f'data_root={tmp_path}')
        assert Path(cfg.test_dataloader.dataset.data_root) == tmp_path
        assert Path(cfg.test_dataloader.dataset.bbox_file).parents[1] == tmp_path


class TestBuildRunner:
    @pytest.fixture
    def cfg(self, tiny_config, tmp_path):
        cfg = load_config(tiny_config, dict(work_dir=str(tmp_path / 'work'), experiment_name=tmp_path.name))
        cfg.launcher = 'none'
        return cfg

    @pytest.mark.parametrize(
        ('options', 'words'),
        [
            ({'model.neck.num_heads': 5}, 'num_heads.*5.*embed_dims|embed_dims.*num_heads'),
            ({'model.neck.position_encoding': 'cosine'}, 'cosine'),
            ({'model.backbone.depth': 19}, 'depth=19 is unknown; choose 18 or 34'),
            ({'model.neck.type': 'TransPoseNek'}, 'TransPoseNek'),
            ({'default_hooks.checkpoint.type': 'CheckpointHok'}, 'CheckpointHok'),
        ],
        ids=lambda value: next(iter(value)) if isinstance(value, dict) else '',
    )
    def test_unknown_variants(self, cfg, options, words):
        cfg.merge_from_dict(options)
        with pytest.raises(InputError, match=f'(?s)config {cfg.filename}: .*({words})'):
            build_runner(cfg, ('train_dataloader',))

    def test_data_are_looked_at_first(self, cfg, monkeypatch, tmp_path):
        monkeypatch.setattr(Runner, 'from_cfg', lambda cfg: pytest.fail('a runner was built'))
        cfg.train_dataloader.dataset.ann_file = 'none.json'
        with pytest.raises(InputError, match='annotation file .*none.json does not exist'):
            build_runner(cfg, ('train_dataloader', 'val_dataloader'))
        assert not (tmp_path / 'work').exists()

    @pytest.mark.parametrize(('part', 'kind'), [('head', 'HeatmapHead'), ('data_preprocessor', 'PoseDataPreprocessor')])
    def test_parts_that_do_not_take_our_batches(self, cfg, part, kind):
        cfg.model[part].type = kind
        words = f"model.{part} is a {kind}, which does not take tensor_collate's batches: .*keep_samples=True"
        with pytest.raises(InputError, match=words):
            build_runner(cfg, ('train_dataloader',))

    def test_a_stock_runner(self, cfg, tiny_checkpoint):
        cfg.load_from = tiny_checkpoint
        runner = build_runner(cfg, ('test_dataloader',))
        assert type(runner) is Runner and runner.cfg is not None

    @pytest.mark.parametrize('kind', ['missing', 'text', 'truncated'])
    def test_images_of_a_dataset(self, cfg, people, tmp_path, kind):
        shutil.copytree(people, tmp_path / 'people')
        image = tmp_path / 'people' / 'val' / '000000000002.jpg'
        content = image.read_bytes()
        if kind == 'missing':
            image.unlink()
        else:
            image.write_bytes(b'no image' if kind == 'text' else content[: len(content) // 2])
        cfg = load_config(cfg.filename, dict(data_root=str(tmp_path / 'people'), work_dir=cfg.work_dir))
        cfg.launcher, cfg.experiment_name = 'none', tmp_path.name
        with pytest.raises(
            InputError, match=f'image-{"missing" if kind == "missing" else "damaged"}.*\n.*{image.name}'
        ):
            build_runner(cfg, ('test_dataloader',))
        cfg.data_check = False
        runner = build_runner(cfg, ('test_dataloader',))
        dataset = runner.build_dataloader(cfg.test_dataloader).dataset
        names = [Path(dataset.get_data_info(index)['img_path']).name for index in range(len(dataset))]
        assert dataset[names.index('000000000001.jpg')]['inputs'].shape == (3, 64, 48)
        with pytest.raises((FileNotFoundError, AssertionError), match=f'loading `.*{image.name}`'):
            dataset[names.index(image.name)]


def test_the_datasets_keypoints_are_the_heads(tiny_config, people, tmp_path, run_command):
    shutil.copytree(people, tmp_path / 'people')
    path = tmp_path / 'people' / 'annotations' / 'person_keypoints_val.json'
    content = json.loads(path.read_text())
    for one in content['annotations']:
        one['keypoints'] = one['keypoints'][:48]
    path.write_text(json.dumps(content))
    with pytest.raises(InputError, match='annotation 1: 16 keypoints, metainfo has 17'):
        run_command(
            'train', tiny_config, '--work-dir', tmp_path / 'w', '--cfg-options', f'data_root={tmp_path / "people"}'
        )
    assert not (tmp_path / 'w').exists()


class TestTransfer:
    """Weights of other keypoints: refused, or taken as far as they fit."""

    @pytest.fixture
    def other(self, tiny_checkpoint, tmp_path) -> str:
        """The tiny checkpoint as if of 14 keypoints."""
        state = torch.load(tiny_checkpoint, weights_only=True)['state_dict']
        for name in ('head.final_layer.weight', 'head.final_layer.bias'):
            state[name] = state[name][:14].clone()
        torch.save({'state_dict': state}, tmp_path / 'other.pth')
        return str(tmp_path / 'other.pth')

    def build(self, tiny_config, monkeypatch, tmp_path, name, *flags):
        options = ('--work-dir', str(tmp_path / 'work'), '--cfg-options', f'experiment_name={name}')
        cfg = ours('train', monkeypatch, tiny_config, *flags, *options)
        return cfg, lambda: build_runner(cfg, ('train_dataloader',))

    def test_refused(self, tiny_config, other, monkeypatch, tmp_path):
        cfg, build = self.build(tiny_config, monkeypatch, tmp_path, 'refused')
        cfg.load_from = other
        with pytest.raises(InputError, match=r'2 of another shape: head.final_layer.weight \(\(14, .*--allow-partial'):
            build()

    @pytest.mark.parametrize('by', ['flag', 'config'])
    def test_what_fits_is_taken(self, tiny_config, other, monkeypatch, tmp_path, by):
        flags = ('--allow-partial',) if by == 'flag' else ()
        cfg, build = self.build(tiny_config, monkeypatch, tmp_path, f'taken by {by}', *flags)
        cfg.load_from = other
        if by == 'config':
            cfg.allow_partial = True
        runner = build()
        before = {name: value.clone() for name, value in runner.model.state_dict().items()}
        runner.load_or_resume()
        after, file = runner.model.state_dict(), torch.load(other, weights_only=True)['state_dict']
        for name, value in after.items():
            expected = before[name] if name.startswith('head.final_layer') else file[name]
            torch.testing.assert_close(value, expected, rtol=0, atol=0)

    def test_the_configs_word_is_for_training(self, tiny_config, other, monkeypatch, tmp_path):
        cfg = Config.fromfile(tiny_config)
        cfg.allow_partial = True
        cfg.dump(tmp_path / 'transfer.py')
        assert ours('train', monkeypatch, str(tmp_path / 'transfer.py')).allow_partial is True
        assert ours('test', monkeypatch, str(tmp_path / 'transfer.py'), other).allow_partial is False
        assert ours('test', monkeypatch, str(tmp_path / 'transfer.py'), other, '--allow-partial').allow_partial is True

    def test_weights_alone_are_not_resumed(self, tiny_config, tiny_checkpoint, monkeypatch, tmp_path):
        weights = torch.load(tiny_checkpoint, weights_only=True)['state_dict']
        torch.save(weights, tmp_path / 'bare.pth')
        bare = str(tmp_path / 'bare.pth')
        _, build = self.build(tiny_config, monkeypatch, tmp_path, 'bare', '--resume', bare)
        with pytest.raises(InputError, match=f'{bare} holds weights alone, .* use --cfg-options load_from={bare}'):
            build()

    def test_moving_averages_of_a_bare_state_dict(self, tiny_config, tiny_checkpoint, monkeypatch, tmp_path):
        weights = torch.load(tiny_checkpoint, weights_only=True)['state_dict']
        torch.save({f'module.{name}': value for name, value in weights.items()}, tmp_path / 'bare.pth')
        cfg, build = self.build(tiny_config, monkeypatch, tmp_path, 'averages')
        cfg.load_from, cfg.custom_hooks = str(tmp_path / 'bare.pth'), [dict(type='EMAHook')]
        runner = build()
        runner.call_hook('before_run')
        runner.load_or_resume()
        (hook,) = (hook for hook in runner.hooks if type(hook).__name__ == 'EMAHook')
        averaged = hook.ema_model.module.state_dict()
        for name, value in weights.items():
            torch.testing.assert_close(averaged[name], value, rtol=0, atol=0)

    def test_not_when_resuming(self, tiny_config, tiny_checkpoint, other, monkeypatch, tmp_path):
        _, build = self.build(tiny_config, monkeypatch, tmp_path, 'resuming', '--resume', other, '--allow-partial')
        with pytest.raises(InputError, match='holds weights alone'):
            build()
        meta = torch.load(tiny_checkpoint, weights_only=True)['meta']
        torch.save({**torch.load(other, weights_only=True), 'meta': meta}, other)
        with pytest.raises(InputError, match='its weights are not those that were written'):
            build()
        del meta['weights_digest']
        torch.save({**torch.load(other, weights_only=True), 'meta': meta}, other)
        with pytest.raises(InputError, match='has no message_hub'):
            build()
        torch.save({**torch.load(other, weights_only=True), 'message_hub': {}}, other)
        with pytest.raises(InputError, match='2 of another shape.*A run is resumed with the config that it began with'):
            build()
