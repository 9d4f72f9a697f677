"""Every config: what its name says, and a run of it on a tiny dataset in its data's own format."""

import json
import re
from pathlib import Path

import numpy as np
import pytest
import torch
from all_configs import CONFIGS, fresh, unchanged
from conftest import ROOT
from mmengine.config import Config
from mmengine.logging import MessageHub, MMLogger
from mmengine.model import BaseModel
from mmengine.optim import build_optim_wrapper
from mmengine.registry import init_default_scope
from mmengine.runner import Runner
from mmpose.registry import MODELS
from mmpose.visualization import PoseLocalVisualizer
from tiny_datasets import LOADERS, metainfo, write_datasets

from mmtranspose.dataset_check import check_dataset
from mmtranspose.dataset_check.before_run import check_data
from mmtranspose.engine.config_check import check_run
from mmtranspose.engine.config_values import check_values
from mmtranspose.loading.config import move_data_root
from mmtranspose.loading.leaf_datasets import leaf_datasets

DETECTOR = ROOT / 'configs/person_detection/rtmdet_tiny_1xb8-4e_synthetic-128x128.py'
NAME = re.compile(
    r'td-hm_transpose-(?P<variant>[a-z]+-[a-z0-9]+)_((?P<change>[a-z-]+)-)?(?P<gpus>\d+)xb(?P<batch>\d+)-'
    r'(?P<epochs>\d+)e_(?P<data>[a-z0-9-]+)-(?P<height>\d+)x(?P<width>\d+)'
)
# The paper's table 1: stem, its channels and stride; layers, token channels, heads, hidden channels; deconvolutions
VARIANTS = {
    'r-a3': ('resnet-50', 512, 8, 3, 256, 8, 1024, 1),
    'r-a4': ('resnet-50', 512, 8, 4, 256, 8, 1024, 1),
    'h-s': ('hrnet-w32', 32, 4, 4, 64, 1, 128, 0),
    'h-a4': ('hrnet-w48', 48, 4, 4, 96, 1, 192, 0),
    'h-a6': ('hrnet-w48', 48, 4, 6, 96, 1, 192, 0),
    'r-tiny': ('resnet-18', 64, 8, 2, 96, 2, 192, 1),  # these two are this project's own
    'r-small': ('resnet-34', 128, 8, 6, 192, 6, 448, 1),
}
LOADED = ('coco-transfer', 'finetune')  # start from the authors' weights
FROM_SCRATCH = ('r-tiny', 'r-small')
PERFECT = {'MpiiPCKAccuracy': 100, 'AUC': 0.95}  # percent; the mean over 20 thresholds, of which the first is 0

every_config = pytest.mark.parametrize('name', CONFIGS)


def named(name: str) -> dict:
    """The parts of a config's name, numbers as such."""
    match = NAME.fullmatch(name)
    assert match, f'{name} is not of the form {NAME.pattern}'
    return {key: int(value) if str(value).isdigit() else value for key, value in match.groupdict().items()}


def find(config, key: str) -> list[dict]:
    """All dicts in a config that have the key."""
    if isinstance(config, dict):
        found = [config] if key in config else []
        return found + [one for value in config.values() for one in find(value, key)]
    if isinstance(config, (list, tuple)):
        return [one for value in config for one in find(value, key)]
    return []


def evaluators(cfg: Config) -> list[dict]:
    return cfg.val_evaluator if isinstance(cfg.val_evaluator, list) else [cfg.val_evaluator]


def test_there_are_configs():
    assert len(CONFIGS) >= 22
    assert len(list((ROOT / 'configs').rglob('td-hm_*.py'))) == len(CONFIGS)  # names are unique
    stray = [p for p in (ROOT / 'configs').rglob('*.py') if '_base_' not in p.parts and p.stem not in CONFIGS]
    assert stray == [DETECTOR]  # which test_demo_detector.py trains


def shapes_only(cfg: Config) -> BaseModel:
    """The model at full size, its parameters without memory."""
    init_default_scope(cfg.default_scope)
    with torch.device('meta'):
        return MODELS.build(cfg.model)


@every_config
class TestName:
    @pytest.fixture
    def cfg(self, name):
        return unchanged(name)

    def test_variant(self, name, cfg):
        model, neck = cfg.model, cfg.model.neck
        stem = model.backbone.get('arch') or model.backbone.depth
        found = (
            f'{"hrnet" if model.backbone.type == "HRNetSmall" else "resnet"}-{stem}',
            neck.in_channels,
            4 if model.backbone.type == 'HRNetSmall' else 8,
            neck.num_layers,
            neck.embed_dims,
            neck.num_heads,
            neck.feedforward_channels,
            len(model.head.get('deconv_out_channels') or ()),
        )
        assert found == VARIANTS[named(name)['variant']]
        assert model.head.in_channels == neck.embed_dims
        assert model.test_cfg == dict(flip_test=True, flip_mode='heatmap', shift_heatmap=False)

    def test_change(self, name, cfg):
        words, neck = named(name), cfg.model.neck
        assert words['change'] in (None, 'no-position', 'learnable-position', *LOADED)
        expected = {'no-position': None, 'learnable-position': 'learnable'}.get(words['change'], 'sine')
        assert neck.position_encoding == expected
        if expected == 'learnable':
            stride = VARIANTS[words['variant']][2]
            assert tuple(neck.grid) == (words['height'] // stride, words['width'] // stride)
        if words['change'] not in LOADED:
            assert cfg.load_from is None and 'allow_partial' not in cfg
            assert words['variant'] in FROM_SCRATCH or cfg.model.backbone.init_cfg['type'] == 'Pretrained'

    def test_released_weights(self, name, cfg):
        if named(name)['change'] in LOADED:
            stem, _, _, layers, dims, heads, hidden, _ = VARIANTS[named(name)['variant']]
            stem = {'resnet-50': 'r', 'hrnet-w32': 'h_32', 'hrnet-w48': 'h_48'}[stem]
            file = f'tp_{stem}_256x192_enc{layers}_d{dims}_h{hidden}_mh{heads}.pth'
            assert cfg.load_from == f'https://github.com/yangsenius/TransPose/releases/download/Hub/{file}'
            assert cfg.model.backbone.init_cfg is None
            assert cfg.allow_partial is True and cfg.model.head.out_channels != 17

    def test_schedule(self, name, cfg):
        words = named(name)
        assert cfg.train_cfg.max_epochs == words['epochs']
        assert cfg.param_scheduler[-1].type == 'CosineAnnealingLR' and cfg.param_scheduler[-1].by_epoch
        assert cfg.param_scheduler[-1].T_max == words['epochs'] - cfg.param_scheduler[-1].get('begin', 0)
        assert cfg.train_dataloader.batch_size == words['batch']
        assert cfg.auto_scale_lr.base_batch_size == words['gpus'] * words['batch']
        assert ('weight_decay' in cfg.optim_wrapper.optimizer) == (words['variant'] == 'r-small')

    def test_data(self, name, cfg):
        """The name begins as the folder of the data; what else it says is another one, or in an annotation file's."""
        used = [dataset for loader in LOADERS for _, dataset, _ in leaf_datasets(cfg[loader].dataset)]
        (_, first, _), *_ = leaf_datasets(cfg.val_dataloader.dataset)
        data = named(name)['data']
        folder = Path(first.data_root).name
        assert data.startswith(folder)
        rest = data.removeprefix(folder).lstrip('-')
        assert any(rest in dataset.ann_file or rest == Path(dataset.data_root).name for dataset in used)
        assert CONFIGS[name].parent.name in (folder, metainfo(first)['dataset_name'].replace('_', '-'))
        assert cfg.data_root.startswith('data/') and all(dataset.data_root[:5] == 'data/' for dataset in used)

    def test_input_size(self, name, cfg):
        words, codec = named(name), cfg.model.head.decoder
        size = (words['width'], words['height'])
        assert tuple(codec.heatmap_size) == (size[0] // 4, size[1] // 4)
        sizes = [tuple(one['input_size']) for one in find(cfg.to_dict(), 'input_size')]
        assert set(sizes) == {size} and len(sizes) >= 5  # crops, decoder and codec
        for loader in LOADERS:
            crops = [step.input_size for step in cfg[loader].dataset.pipeline if step.type == 'UnbiasedTopdownAffine']
            assert len(crops) == 1

    def test_codec(self, name, cfg):
        codecs = [
            {key: value for key, value in codec.items() if key != '_scope_'}  # of a base with mmtranspose::
            for codec in (cfg.model.head.decoder, cfg.codec)
        ]
        assert codecs == [codecs[0]] * 2 and codecs[0]['type'] == 'UnbiasedHeatmap'

    def test_no_part_waits(self, name, cfg):
        """Targets are drawn by the head, batches are tensors, the host reads no loss between logs."""
        train, val, test = (cfg[loader] for loader in LOADERS)
        steps = [step.type for step in train.dataset.pipeline]
        assert steps[-2:] == ['KeypointTarget', 'PackPoseInputs'] and 'GenerateTarget' not in steps
        for loader, keep in ((train, False), (val, True), (test, True)):
            assert loader.pin_memory is True and loader.collate_fn.type == 'tensor_collate'
            assert loader.collate_fn.get('keep_samples', False) is keep
        for loader in (val, test):
            assert loader.dataset.pipeline[0].type == 'CachedLoadImage' and loader.batch_size == 64
        assert cfg.model.data_preprocessor.type == 'TransPoseDataPreprocessor'
        assert cfg.model.data_preprocessor.non_blocking is True
        assert cfg.default_hooks.runtime_info.type == 'DeferredRuntimeInfoHook'
        assert cfg.optim_wrapper.optimizer.fused is True

    def test_keypoints(self, name, cfg):
        for loader in LOADERS:
            meta = metainfo(cfg[loader].dataset)
            count = cfg.model.head.out_channels
            assert count == meta['num_keypoints'] == len(meta['flip_indices'])
            by_similarity = any(one.type.startswith('Coco') for one in evaluators(cfg))
            assert len(meta['sigmas']) == count if by_similarity else len(meta['sigmas']) in (0, count)
            assert len(meta['dataset_keypoint_weights']) == count
            assert [meta['flip_indices'][i] for i in meta['flip_indices']] == list(range(count))

    def test_full_size_model(self, name, cfg):
        """Without memory or arithmetic: shapes from the input to the heatmaps."""
        model, (width, height) = shapes_only(cfg).eval(), cfg.codec.input_size
        with torch.device('meta'):
            features = model.extract_feat(torch.empty(1, 3, height, width))
            heatmaps = model.head(features)
        stride = VARIANTS[named(name)['variant']][2]
        assert features[-1].shape == (1, cfg.model.neck.embed_dims, height // stride, width // stride)
        assert heatmaps.shape == (1, cfg.model.head.out_channels, *cfg.codec.heatmap_size[::-1])


@pytest.mark.parametrize('name', [name for name in CONFIGS if named(name)['change'] in LOADED])
def test_learning_rates_of_transfer(name):
    """1e-4 for the final layer, which starts anew, and 1e-5 for all that is loaded."""
    cfg = fresh(name)
    model = shapes_only(cfg)
    cfg.optim_wrapper.optimizer.fused = False  # parameters without memory have no kernels
    optimizer = build_optim_wrapper(model, cfg.optim_wrapper).optimizer
    rates = {id(p): group['lr'] for group in optimizer.param_groups for p in group['params']}
    found = {key: rates.pop(id(value)) for key, value in model.named_parameters()}
    assert not rates and len(found) > 50
    final = {key: found.pop(key) for key in ('head.final_layer.weight', 'head.final_layer.bias')}
    assert list(final.values()) == pytest.approx([1e-4, 1e-4])
    assert list(found.values()) == pytest.approx([1e-5] * len(found))


def narrow_stem(backbone: dict) -> tuple[dict, int]:
    """A stem of the same kind with few channels, and how many come out."""
    if backbone['type'] == 'ResNetSmall':
        return dict(type='ResNetSmall', depth=18, stem_channels=8, base_channels=8), 16
    stage = dict(num_modules=1, block='BASIC')
    arch = dict(
        stage1=dict(num_modules=1, num_branches=1, block='BOTTLENECK', num_blocks=(1,), num_channels=(8,)),
        stage2=dict(stage, num_branches=2, num_blocks=(1, 1), num_channels=(8, 16)),
        stage3=dict(stage, num_branches=3, num_blocks=(1, 1, 1), num_channels=(8, 16, 32)),
    )
    return dict(type='HRNetSmall', arch=arch), 8


def shrunk(config):
    """The config with input, heatmaps and token grid a quarter as high and wide."""
    if isinstance(config, dict):
        config = {key: shrunk(value) for key, value in config.items()}
        for key, unit in (('input_size', 8), ('heatmap_size', 2), ('grid', 1)):  # a token: 8 pixels of a side at most
            if config.get(key) is not None:
                config[key] = tuple(length // 4 // unit * unit for length in config[key])
        if 'sigma' in config:
            config['sigma'] /= 2
        return config
    return type(config)(shrunk(value) for value in config) if isinstance(config, (list, tuple)) else config


def submits(cfg: Config) -> bool:
    """Whether the test writes predictions for a server instead of evaluating them."""
    return isinstance(cfg.test_evaluator, dict) and bool(cfg.test_evaluator.get('format_only'))


def data_part(name: str) -> str:
    """All in a config that is not of the network or its training: data, codec, metrics and hooks."""
    part = unchanged(name).to_dict()
    head = part['model']['head']
    part['model'].update(backbone=None, neck=None, head=[head[key] for key in ('type', 'out_channels', 'decoder')])
    for key in ('optim_wrapper', 'param_scheduler', 'train_cfg', 'auto_scale_lr', 'load_from', 'allow_partial'):
        part.pop(key, None)
    part['train_dataloader'].pop('batch_size')
    if submits(unchanged(name)):
        part['test_evaluator'].pop('outfile_prefix')
    return json.dumps(part, sort_keys=True)


SAME_DATA: dict[str, list[str]] = {}  # names of configs that differ in network and training alone
for one in CONFIGS:
    SAME_DATA.setdefault(data_part(one), []).append(one)
every_dataset = pytest.mark.parametrize('name', [names[0] for names in SAME_DATA.values()])


@pytest.fixture(scope='module')
def written(tmp_path_factory):
    """Writes the dataset of a config, once for all configs with the same; gives its root and its people by loader."""
    made = {}

    def write(name):
        part = data_part(name)
        if part not in made:
            root = tmp_path_factory.mktemp('moved') / unchanged(name).data_root
            made[part] = root, write_datasets(at(name, root))
        return made[part]

    return write


def at(name: str, root: Path) -> Config:
    cfg = fresh(name)
    move_data_root(cfg, str(root))
    return cfg


@pytest.fixture
def data(name, written, tmp_path, monkeypatch):
    """The config with its dataset, tiny, in a temporary folder; and its people by loader."""
    monkeypatch.chdir(tmp_path)  # work_dirs/ are here
    (tmp_path / 'data').write_text('a file, so that nothing is found or written below data/')
    root, people = written(name)
    return at(name, root), people


def run_config(cfg: Config, small: bool) -> Runner:
    """A runner of one training step, validation and test, with a narrow stem and, if asked for, small images."""
    for kind in (PoseLocalVisualizer, MessageHub, MMLogger):
        kind._instance_dict.clear()  # mmengine's runs of one process would share them
    cfg = Config(shrunk(cfg.to_dict()) if small else cfg.to_dict(), format_python_code=False)
    cfg.model.backbone, cfg.model.neck.in_channels = narrow_stem(cfg.model.backbone)
    cfg.load_from = None
    cfg.work_dir, cfg.experiment_name, cfg.log_level = 'work', f'small_{small}', 'WARNING'
    cfg.train_cfg.update(max_epochs=1, val_interval=1)
    if 'batch_size' in cfg.train_dataloader.sampler:  # a mixture, which cannot be cut short: an epoch of one batch
        cfg.train_dataloader.batch_size = cfg.train_dataloader.sampler.batch_size = 12
    else:
        cfg.train_dataloader.update(batch_size=2, num_batch_per_epoch=1)
    for loader in LOADERS:
        cfg[loader].update(num_workers=0, persistent_workers=False)
    return Runner.from_cfg(cfg)


def see_ground_truth(model, people, monkeypatch) -> None:
    """Give the head the ground truth as heatmaps: keypoints encoded, to be decoded and brought back to the image."""

    def true_heatmaps(sample):
        center, scale, size = (np.asarray(sample.metainfo[f'input_{key}']) for key in ('center', 'scale', 'size'))
        there = [p for p in people if p.image_id == sample.img_id]
        middles = [np.add(p.bbox[:2], np.divide(p.bbox[2:], 2)) for p in there]
        person = there[np.argmin([np.linalg.norm(middle - center) for middle in middles])]
        points = (person.keypoints - (center - scale / 2)) / scale * (size - 1)
        return torch.from_numpy(model.head.decoder.encode(points[None])['heatmaps'])

    def predict(feats, samples, test_cfg):
        return model.head.decode(torch.stack([true_heatmaps(sample) for sample in samples]))

    monkeypatch.setattr(model, 'extract_feat', lambda inputs: None)
    monkeypatch.setattr(model.head, 'predict', predict)


@every_config
def test_untrained(name, data, tmp_path):
    """The config passes the check, one step of training, validation and test run, and the best checkpoint is kept."""
    cfg, _ = data
    cfg.default_hooks.checkpoint.save_optimizer = False
    runner = run_config(cfg, small=True)
    check_values(runner.cfg, LOADERS)
    check_run(runner, LOADERS)
    before = {key: value.clone() for key, value in runner.model.named_parameters()}
    runner.train()
    assert runner.iter == runner.epoch == 1
    moved = [key for key, value in runner.model.named_parameters() if not torch.equal(before[key], value)]
    assert {key.split('.')[0] for key in moved} == {'backbone', 'neck', 'head'}
    metric = cfg.default_hooks.checkpoint.save_best
    assert list((tmp_path / 'work').glob(f'best_{metric.replace("/", "_")}_epoch_1.pth'))
    untrained = runner.message_hub.get_scalar(f'val/{metric}').current()
    assert untrained < 0.5 * perfect(cfg)
    tested = runner.test()
    assert (metric_on_test(cfg, metric) in tested) != submits(cfg)


@every_dataset
class TestData:
    def test_is_found_right(self, name, data):
        cfg, _ = data
        check_data(cfg, LOADERS)
        assert check_dataset(cfg).ok()

    def test_ground_truth_is_perfect(self, name, data, tmp_path, monkeypatch):
        """At full size, true keypoints through codec, boxes and metric are perfect in validation and test."""
        cfg, people = data
        metric, best = cfg.default_hooks.checkpoint.save_best, pytest.approx(perfect(cfg), abs=1e-6)
        cfg.default_hooks.checkpoint = None  # keeps a best checkpoint in training alone
        runner = run_config(cfg, small=False)
        see_ground_truth(runner.model, people['val_dataloader'], monkeypatch)
        assert runner.val()[metric] == best
        see_ground_truth(runner.model, people['test_dataloader'], monkeypatch)
        metrics = runner.test()
        if submits(cfg):
            assert metrics == {}
            check_submission(
                tmp_path / f'{cfg.test_evaluator.outfile_prefix}.keypoints.json', people['test_dataloader']
            )
        else:
            assert metrics[metric_on_test(cfg, metric)] == best


@pytest.mark.parametrize('name', [name for name in CONFIGS if submits(unchanged(name))])
def test_each_submission_has_a_file_of_its_own(name):
    assert unchanged(name).test_evaluator.outfile_prefix == f'work_dirs/{name}/person_keypoints_test-dev2017'


def metric_on_test(cfg: Config, metric: str) -> str:
    """The metric of a test: that of validation, or COCO's where a model is tested on other data."""
    same = cfg.test_evaluator == cfg.val_evaluator or submits(cfg)
    return metric if same else 'coco/AP'


def perfect(cfg: Config) -> float:
    """The best value of the metric that the best checkpoint is kept by."""
    metric = cfg.default_hooks.checkpoint.save_best
    return PERFECT.get(metric, PERFECT.get(evaluators(cfg)[0].type, 1))


def check_submission(path: Path, people: list) -> None:
    """COCO's result format: one entry for each detector box, with the true keypoints."""
    entries = json.loads(path.read_text())
    assert len(entries) == len(people)
    for person in people:
        there = [one for one in entries if one['image_id'] == person.image_id]
        found = [np.reshape(one['keypoints'], (17, 3))[:, :2] for one in there]
        assert min(np.abs(keypoints - person.keypoints).max() for keypoints in found) < 0.5
    assert {one['category_id'] for one in entries} == {1}
    assert all(0 < one['score'] <= 1 for one in entries)
