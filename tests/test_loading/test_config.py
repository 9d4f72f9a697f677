"""Configs, and what is said about data files that cannot be used."""

import json
import shutil
from pathlib import Path

import pytest
from conftest import CONFIGS, SYNTHETIC_CONFIG
from mmengine.config import Config

from mmtranspose.errors import InputError
from mmtranspose.files.json_files import read_json
from mmtranspose.loading.config import load_config, merge_options, move_data_root, require_model
from mmtranspose.loading.data_files import check_data, check_detections

LOADERS = ('train_dataloader', 'val_dataloader', 'test_dataloader')
COCO = CONFIGS / 'coco' / 'td-hm_transpose-h-s_2xb16-240e_coco-256x192.py'


@pytest.fixture
def cfg(people, tmp_path):
    """The synthetic config on a copy of the people's annotations that a test may spoil."""
    for folder in ('annotations', 'person_detection_results'):
        shutil.copytree(people / folder, tmp_path / folder)
    for folder in ('train', 'val'):
        (tmp_path / folder).mkdir()
    return load_config(str(SYNTHETIC_CONFIG), dict(data_root=str(tmp_path)))


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


class TestCheckData:
    def test_good_data_pass(self, cfg):
        check_data(cfg, LOADERS)

    def test_only_the_loaders_in_use_are_checked(self, cfg, tmp_path):
        (tmp_path / 'annotations' / 'person_keypoints_train.json').unlink()
        check_data(cfg, ('val_dataloader', 'test_dataloader'))
        cfg.train_dataloader = None
        check_data(cfg, ('train_dataloader',))

    def test_missing_annotations(self, cfg, tmp_path):
        path = tmp_path / 'annotations' / 'person_keypoints_train.json'
        path.unlink()
        with pytest.raises(InputError, match=f'annotation file of train_dataloader {path} does not exist'):
            check_data(cfg, LOADERS)

    @pytest.mark.parametrize('content', [b'', b'{"images": [', b'<html>', b'\xff\xd8\xff\xe0'])
    def test_annotations_that_are_not_json(self, cfg, tmp_path, content):
        path = tmp_path / 'annotations' / 'person_keypoints_val.json'
        path.write_bytes(content)
        with pytest.raises(InputError, match=f'annotation file of val_dataloader {path} is not JSON: '):
            check_data(cfg, LOADERS)

    @pytest.mark.parametrize('content', ['[]', '{"annotations": []}', '3'])
    def test_annotations_that_are_not_coco(self, cfg, tmp_path, content):
        path = tmp_path / 'annotations' / 'person_keypoints_val.json'
        path.write_text(content)
        with pytest.raises(InputError, match=f'annotation file {path} is not in COCO format: it has no "images"'):
            check_data(cfg, LOADERS)

    def test_another_number_of_keypoints(self, cfg, tmp_path):
        path = tmp_path / 'annotations' / 'person_keypoints_val.json'
        content = json.loads(path.read_text())
        content['categories'][0]['keypoints'] = content['categories'][0]['keypoints'][:14]
        path.write_text(json.dumps(content))
        words = f"annotation file {path}: category 'person' has 14 keypoints, but the head predicts 17"
        with pytest.raises(InputError, match=f'{words}; set model.head.out_channels=14'):
            check_data(cfg, LOADERS)
        cfg.model.head.out_channels = 14
        check_data(cfg, ('val_dataloader',))

    @pytest.mark.parametrize(
        ('categories', 'words'),
        [
            (None, ' is None; a list of dicts is wanted'),
            ('person', " is 'person'; a list of dicts is wanted"),
            (3, ' is 3; a list of dicts is wanted'),
            ([3], r'\[0\] is 3; a dict with an id is wanted'),
            ([{}], r'\[0\] is {}; a dict with an id is wanted'),
            ([dict(id=1, keypoints=7)], r'\[0\] has keypoints=7; a list of names is wanted'),
        ],
    )
    def test_categories_that_are_something_else(self, cfg, tmp_path, categories, words):
        path = tmp_path / 'annotations' / 'person_keypoints_val.json'
        path.write_text(json.dumps({**json.loads(path.read_text()), 'categories': categories}))
        with pytest.raises(InputError, match=f'annotation file {path}: categories{words}'):
            check_data(cfg, LOADERS)

    @pytest.mark.parametrize('categories', [None, [], [dict(id=1)], [dict(id=1.0, keypoints=None)]])
    def test_categories_that_name_no_keypoints(self, cfg, tmp_path, categories):
        path = tmp_path / 'annotations' / 'person_keypoints_val.json'
        content = json.loads(path.read_text())
        content.pop('categories') if categories is None else content.update(categories=categories)
        path.write_text(json.dumps(content))
        check_data(cfg, LOADERS)

    @pytest.mark.parametrize('images', [None, 3, ['a'], [{}], [dict(id=[1])]])
    def test_images_without_ids(self, cfg, tmp_path, images):
        path = tmp_path / 'annotations' / 'person_keypoints_val.json'
        path.write_text(json.dumps({**json.loads(path.read_text()), 'images': images}))
        with pytest.raises(InputError, match=f'annotation file {path}: "images" must be a list of dicts with an id'):
            check_data(cfg, LOADERS)

    def test_missing_images(self, cfg, tmp_path):
        (tmp_path / 'val').rmdir()
        with pytest.raises(InputError, match=f'image folder {tmp_path / "val"} of val_dataloader does not exist'):
            check_data(cfg, LOADERS)

    def test_detections_are_checked(self, cfg, tmp_path):
        path = tmp_path / 'person_detection_results' / 'person_detections_val.json'
        path.write_text('[{"image_id": 1, "category_id": 1, "bbox": [1, 2, 0, 4], "score": 1}]')
        with pytest.raises(InputError, match=f'file of detector boxes {path}: entry 0'):
            check_data(cfg, ('test_dataloader',))
        path.unlink()
        with pytest.raises(InputError, match=f'file of detector boxes {path} does not exist'):
            check_data(cfg, ('test_dataloader',))
        cfg.test_dataloader.dataset.bbox_file = None
        check_data(cfg, ('test_dataloader',))


def detection(**changes):
    return {**dict(image_id=1, category_id=1, bbox=[1.5, 2, 30, 40], score=0.5), **changes}


class TestCheckDetections:
    @pytest.fixture
    def write(self, tmp_path):
        def write(content):
            (tmp_path / 'boxes.json').write_text(content if isinstance(content, str) else json.dumps(content))
            return str(tmp_path / 'boxes.json')

        return write

    @pytest.mark.parametrize('content', [[], [detection()], [detection(bbox=[-5, -5, 1e-3, 1e4])]])
    def test_good_boxes(self, write, content):
        check_detections(write(content))

    @pytest.mark.parametrize(
        'box',
        [
            [1, 2, 0, 4],
            [1, 2, 3, 0],
            [1, 2, -3, 4],
            [1, 2, 3, -4],
            [float('nan'), 2, 3, 4],
            [1, 2, float('nan'), 4],
            [1, float('inf'), 3, 4],
            [1, 2, 3, float('inf')],
            [1, 2, 3],
            [],
            [1, 2, 'wide', 4],
            [1, 2, None, 4],
            None,
            7,
        ],
        ids=str,
    )
    def test_bad_boxes(self, write, box):
        path = write([detection(), detection(bbox=box)])
        with pytest.raises(InputError, match=f'file of detector boxes {path}: entry 1 ') as caught:
            check_detections(path)
        assert str(box) in str(caught.value)

    @pytest.mark.parametrize('field', ['image_id', 'category_id', 'bbox', 'score'])
    def test_missing_fields(self, write, field):
        entry = detection()
        del entry[field]
        path = write([detection(), detection(), entry])
        with pytest.raises(InputError, match=f'file of detector boxes {path}: entry 2 has no {field}'):
            check_detections(path)

    @pytest.mark.parametrize('field', ['image_id', 'category_id'])
    @pytest.mark.parametrize('value', [[1], {}, None, 1.5], ids=str)
    def test_ids_that_are_none(self, write, field, value):
        path = write([detection(), detection(**{field: value})])
        with pytest.raises(InputError) as caught:
            check_detections(path, {1})
        words = f'entry 1 has {field}={value!r}; a whole number is wanted'
        assert str(caught.value) == f'file of detector boxes {path}: {words}'

    @pytest.mark.parametrize('entry', [3, None, [1, 2, 3, 4], 'box'], ids=str)
    def test_entries_that_are_no_dicts(self, write, entry):
        path = write([entry])
        with pytest.raises(InputError, match=f'file of detector boxes {path}: entry 0 '):
            check_detections(path)

    def test_no_list(self, write):
        with pytest.raises(InputError, match='must hold a list, not a dict'):
            check_detections(write({'annotations': []}))

    def test_no_json(self, write):
        path = write('[{"image_id": 1, ')
        with pytest.raises(InputError, match=f'file of detector boxes {path} is not JSON: .*line 1'):
            check_detections(path)


def test_read_json(tmp_path):
    path = tmp_path / 'a.json'
    path.write_text('{"ä": [1, null]}', encoding='utf-8')
    assert read_json(path, 'file') == {'ä': [1, None]}
    for text in ('[' * 100_000, '1' * 5000):  # too deep and too long for Python's reader
        path.write_text(text)
        with pytest.raises(InputError, match=f'recipe {path} is not JSON: '):
            read_json(path, 'recipe')
    with pytest.raises(InputError, match=f'recipe {tmp_path} is not JSON|recipe {tmp_path} .*directory'):
        read_json(tmp_path, 'recipe')


def test_detections_for_a_image_that_is_not_annotated(tmp_path):
    path = tmp_path / 'boxes.json'
    entry = dict(image_id=7, category_id=1, bbox=[1, 2, 3, 4], score=0.5)
    path.write_text(json.dumps([entry, {**entry, 'image_id': 9}]))
    check_detections(str(path), {7, 9})
    with pytest.raises(InputError, match='entry 1 is for image 9, which the annotation file does not have'):
        check_detections(str(path), {7})
