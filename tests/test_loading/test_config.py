"""Configs, options merged into them, and datasets moved."""

from pathlib import Path

import pytest
from conftest import CONFIGS
from mmengine.config import Config

from mmtranspose.errors import InputError
from mmtranspose.loading.config import load_config, merge_options, require_model

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
        ('name', 'close'),
        [
            ('transpose-r-a5', 'transpose-r-a'),
            ('transposeh-a6', 'transpose-h-a6'),
            ('td-hm_transpose-h-a6_4xb14-240e_coc-256x192', 'td-hm_transpose-h-a6_4xb14-240e_coco-256x192'),
            ('transpos-h-s', 'transpose-h-s'),
            ('transpose-r-smal', 'transpose-r-small_photographs'),
            ('transpose-r-tinny', 'transpose-r-tiny'),
            ('small_photographs', 'transpose-r-small_photographs'),
        ],
    )
    def test_names_with_a_slip(self, name, close):
        with pytest.raises(InputError, match=f'config {name} does not exist, .*did you mean {close}'):
            load_config(name)

    def test_a_name_like_no_other(self):
        with pytest.raises(InputError, match='config my_config.py does not exist, .*; `mmtranspose list` shows'):
            load_config('my_config.py')

    def test_a_file_without_its_suffix(self, tmp_path, monkeypatch):
        monkeypatch.chdir(tmp_path)
        (tmp_path / 'my_config.py').touch()
        with pytest.raises(InputError, match='config my_config does not exist, .*did you mean the file my_config.py'):
            load_config('my_config')

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
