"""Configs, options merged into them, and datasets moved."""

from pathlib import Path

import pytest
from conftest import CONFIGS
from mmengine.config import Config

from mmtranspose.errors import InputError
from mmtranspose.loading.config import LOADERS, load_config, merge_options, move_data_root, require_model

COCO = CONFIGS / 'coco' / 'td-hm_transpose-h-s_2xb16-240e_coco-256x192.py'


class TestLoadConfig:
    def test_options_are_merged(self):
        cfg = load_config(str(COCO), {'model.neck.num_layers': 2, 'train_dataloader.batch_size': 3})
        assert (cfg.model.neck.num_layers, cfg.train_dataloader.batch_size) == (2, 3)
        assert cfg.model.neck.embed_dims == 64

    def test_missing_file(self):
        with pytest.raises(InputError, match='config nowhere/r-a9.py does not exist, neither .*`mmtranspose list`'):
            load_config('nowhere/r-a9.py')

    @pytest.mark.parametrize(
        'name',
        [
            'transpose-h-s',
            'Transpose-H-S',
            'td-hm_transpose-h-s_2xb16-240e_coco-256x192',
            'td-hm_transpose-h-s_2xb16-240e_coco-256x192.py',
            'configs/body_2d_keypoint/topdown_heatmap/coco/td-hm_transpose-h-s_2xb16-240e_coco-256x192.py',
            'body_2d_keypoint/topdown_heatmap/coco/td-hm_transpose-h-s_2xb16-240e_coco-256x192',
        ],
    )
    def test_models_by_name(self, name, tmp_path, monkeypatch):
        monkeypatch.chdir(tmp_path)
        cfg = load_config(name)
        assert (cfg.model.neck.embed_dims, cfg.model.neck.num_layers) == (64, 4)
        assert Path(cfg.filename).name == 'td-hm_transpose-h-s_2xb16-240e_coco-256x192.py'

    @pytest.mark.parametrize(
        ('name', 'close'), [('transpose-r-a5', 'transpose-r-a'), ('transpos-h-s', 'transpose-h-s')]
    )
    def test_names_with_a_slip(self, name, close):
        with pytest.raises(InputError, match=f'config {name} does not exist, .*did you mean .*{close}'):
            load_config(name)

    @pytest.mark.parametrize('name', ['../tools/train', 'configs/../tools/train.py', '/etc/passwd'])
    def test_names_do_not_leave_the_configs(self, name, tmp_path, monkeypatch):
        monkeypatch.chdir(tmp_path)
        with pytest.raises(InputError, match='(does not exist|cannot be read)'):
            load_config(name)

    @pytest.mark.parametrize(
        ('text', 'reason'),
        [
            ('model = dict(', 'was never closed'),
            ("_base_ = ['none.py']", 'none.py'),
            ('scale = 1 / 0', 'division by zero'),
        ],
    )
    def test_broken_file(self, tmp_path, text, reason):
        path = tmp_path / 'broken.py'
        path.write_text(text)
        with pytest.raises(InputError, match=f'config {path} cannot be read: .*{reason}'):
            load_config(str(path))


class TestOptions:
    """Options that do not fit the config; the first that does not is named."""

    @pytest.fixture
    def cfg(self):
        return Config(
            dict(
                model=dict(backbone=dict(init_cfg=None), depth=50),
                param_scheduler=[dict(T_max=50), dict(T_max=60)],
                size=(1, 2),
                numbers=[7, 8],
            )
        )

    def test_they_are_merged(self, cfg):
        merge_options(cfg, {'param_scheduler.1.T_max': 3, 'model.backbone.init_cfg': 'none', 'new.one': 1})
        merge_options(cfg, None)
        assert cfg.to_dict() == dict(
            model=dict(backbone=dict(init_cfg='none'), depth=50),
            param_scheduler=[dict(T_max=50), dict(T_max=3)],
            size=(1, 2),
            numbers=[7, 8],
            new=dict(one=1),
        )

    @pytest.mark.parametrize(
        ('name', 'reason'),
        [
            ('param_scheduler.5.T_max', 'param_scheduler is a list of 2, whose entries are numbered from 0'),
            ('param_scheduler.last.T_max', 'param_scheduler is a list of 2, whose entries are numbered from 0'),
            ('model.backbone.init_cfg.type', 'model.backbone.init_cfg is None, which has no type; set the whole of'),
            ('model.depth.a.b', 'model.depth is 50, which has no a; set the whole of model.depth in the config file'),
            ('size.0.a', 'size is (1, 2), which has no 0'),
            ('param_scheduler.0', 'param_scheduler.0 is a dict; set its fields one by one'),
            ('numbers.1', 'numbers.1 is 8; change it in the config file'),
        ],
    )
    def test_the_one_at_fault_is_named(self, cfg, name, reason):
        before = cfg.to_dict()
        with pytest.raises(InputError) as caught:
            merge_options(cfg, {'model.width': 7, name: 3, 'model.height': 4})
        assert str(caught.value).startswith(f'option {name}=3 does not fit the config: {reason}')
        assert cfg.to_dict() == before

    def test_a_dict_for_nothing(self, cfg):
        with pytest.raises(InputError, match='model.backbone.init_cfg is None; change it in the config file'):
            merge_options(cfg, {'model.backbone.init_cfg': dict(type='Pretrained')})

    def test_two_that_contradict_each_other(self, cfg):
        with pytest.raises(InputError, match='option a.b=3 does not fit the config: a is 2, which has no b'):
            merge_options(cfg, {'a': 2, 'a.b': 3})

    def test_of_a_file(self):
        with pytest.raises(InputError, match='option param_scheduler.5.T_max=3 does not fit the config: param_sched'):
            load_config(str(COCO), {'param_scheduler.5.T_max': 3})


@pytest.mark.parametrize(('text', 'good'), [('model = dict()', True), ('model = None', False), ('a = 1', False)])
def test_require_model(tmp_path, text, good):
    path = tmp_path / 'part.py'
    path.write_text(text)
    if good:
        require_model(load_config(str(path)))
    else:
        with pytest.raises(InputError, match=f'config {path} has no model; give the config of a model'):
            require_model(load_config(str(path)))


class TestDataRoot:
    @pytest.mark.parametrize('root', ['/people', '/people/'])
    def test_everything_moves(self, root):
        cfg = load_config(str(COCO), dict(data_root=root))
        for name in LOADERS:
            assert cfg[name].dataset.data_root == '/people/'
        detections = '/people/person_detection_results/COCO_val2017_detections_AP_H_56_person.json'
        assert cfg.val_dataloader.dataset.bbox_file == cfg.test_dataloader.dataset.bbox_file == detections
        assert cfg.val_dataloader.dataset.ann_file == 'annotations/person_keypoints_val2017.json'
        assert cfg.data_root.rstrip('/') == '/people'

    def test_evaluators_move_and_pipelines_do_not(self):
        cfg = Config(
            dict(
                data_root='data/coco/',
                val_evaluator=[dict(ann_file='data/coco/val.json'), dict(ann_file='data/other/val.json')],
                test_evaluator=dict(ann_file='data/coco/test.json'),
                val_dataloader=dict(dataset=dict(data_root='data/coco/', pipeline=[dict(path='data/coco/x')])),
            )
        )
        move_data_root(cfg, '/d')
        assert [one.ann_file for one in cfg.val_evaluator] == ['/d/val.json', 'data/other/val.json']
        assert cfg.test_evaluator.ann_file == '/d/test.json'
        assert cfg.val_dataloader.dataset.pipeline[0].path == 'data/coco/x'

    @pytest.mark.parametrize('old', ['data/coco', 'data/coco/'])
    @pytest.mark.parametrize('new', ['/d', '/d/'])
    def test_slashes_do_not_matter(self, old, new):
        files = ('data/coco/val.json', 'data/coco_extra/val.json', 'annotations/data/coco/val.json')
        dataset = dict(data_root=old, files=list(files), bbox_file=None)
        cfg = Config(dict(data_root=old, val_dataloader=dict(dataset=dataset)))
        move_data_root(cfg, new)
        moved = cfg.val_dataloader.dataset
        assert moved.files == ['/d/val.json', *files[1:]]
        assert (moved.data_root.rstrip('/'), moved.bbox_file, cfg.data_root.rstrip('/')) == ('/d', None, '/d')

    def test_a_root_below_the_old_one_moves_once(self):
        cfg = load_config(str(COCO), dict(data_root='data/coco/v2'))
        for name in ('val_dataloader', 'test_dataloader'):
            assert cfg[name].dataset.data_root == 'data/coco/v2/'
            assert cfg[name].dataset.bbox_file.startswith('data/coco/v2/person_detection_results/')

    def test_other_options_go_on_top(self):
        options = {'data_root': '/people', 'val_dataloader.dataset.bbox_file': '/boxes.json'}
        cfg = load_config(str(COCO), options)
        assert cfg.val_dataloader.dataset.bbox_file == '/boxes.json'
        assert cfg.test_dataloader.dataset.bbox_file.startswith('/people/')

    def test_a_config_without_one(self, tmp_path):
        path = tmp_path / 'plain.py'
        path.write_text('model = dict(head=dict(out_channels=17))')
        with pytest.raises(InputError, match='data_root cannot be set: the config has no top-level data_root'):
            load_config(str(path), dict(data_root='/people'))
