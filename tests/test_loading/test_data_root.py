"""Datasets moved by the option ``data_root``, in the ways in which people write configs."""

import json

import pytest
from conftest import CONFIGS
from mmengine.config import Config

from mmtranspose.errors import InputError
from mmtranspose.loading import data_root
from mmtranspose.loading.config import LOADERS, load_config
from mmtranspose.loading.data_root import move_data_root, unused_data_root

COCO = CONFIGS / 'coco' / 'td-hm_transpose-h-s_2xb16-240e_coco-256x192.py'


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


BASE = """
data_root = 'data/old/'
train_dataloader = dict(dataset=dict(
    type='CocoDataset', data_root=data_root, ann_file='annotations/train.json', data_prefix=dict(img='train/')))
val_dataloader = dict(dataset=dict(
    type='CocoDataset', data_root=data_root, ann_file='annotations/val.json', data_prefix=dict(img='val/'),
    bbox_file=data_root + 'boxes.json', headbox_file=data_root + 'heads.json'))
test_dataloader = val_dataloader
val_evaluator = dict(type='CocoMetric', ann_file=data_root + 'annotations/val.json')
test_evaluator = val_evaluator
"""
EVERYWHERE = 'train_dataloader=dict(dataset=dict(data_root={0}))\nval_dataloader=dict(dataset=dict(data_root={0}))\n'
EVERYWHERE += 'test_dataloader=val_dataloader\n'
ONE = "dict(data_root='{}', ann_file='a.json')"
TWO = f"dict(type='CombinedDataset', datasets=[{ONE}, {ONE}])"
CHILDREN = {  # what a child of the base says: all of its data must move
    'nothing': '',
    'the top-level data_root only': "data_root = '/mine/'",
    'the same without a slash': "data_root = '/mine'",
    'the datasets only': EVERYWHERE.format("'/mine/'"),
    'the datasets only, without slash': EVERYWHERE.format("'/mine'"),
    'the datasets in two spellings': EVERYWHERE.format("'/mine/'").replace("'/mine/'", "'/mine/../mine'", 1),
    'both': "data_root = '/mine/'\n" + EVERYWHERE.format('data_root'),
    'the folder of the config': "data_root = '{{ fileDirname }}/'\n" + EVERYWHERE.format('data_root'),
    'the folder of the config, at the top only': "data_root = '{{ fileDirname }}/'",
    'the root of the base': EVERYWHERE.format('{{_base_.data_root}}'),
    'a folder below the root of the base': EVERYWHERE.format("'data/old/part'"),
    'backslashes': "data_root = 'mine\\\\data\\\\'\n" + EVERYWHERE.format('data_root'),
    'backslashes in one of the two': "data_root = 'mine\\\\data'\n" + EVERYWHERE.format("'mine/data/'"),
    'a current folder': "data_root = './data/old'",
}


class TestWaysToWriteIt:
    """Each of them is moved whole."""

    @pytest.fixture
    def load(self, tmp_path):
        def load(child, **options):
            (tmp_path / 'base.py').write_text(BASE)
            path = tmp_path / 'child.py'
            path.write_text(f"_base_ = ['base.py']\n{child}\n")
            return load_config(str(path), {key.replace('__', '.'): value for key, value in options.items()})

        return load

    @pytest.fixture
    def logged(self, monkeypatch):
        logged = []
        monkeypatch.setattr(data_root, 'print_log', lambda message, *arguments: logged.append(message))
        return logged

    @pytest.mark.parametrize('new', ['/new', '/new/', 'data/old/new'])
    @pytest.mark.parametrize('child', CHILDREN.values(), ids=CHILDREN)
    def test_everything_moves(self, load, logged, child, new):
        cfg = load(child, data_root=new)
        root = f'{new.rstrip("/")}/' + ('part/' if 'part' in child else '')
        for name in LOADERS:
            dataset = cfg[name].dataset
            assert dataset.data_root.rstrip('/') + '/' == root
            assert dataset.ann_file in ('annotations/train.json', 'annotations/val.json')
            assert dataset.data_prefix.img in ('train/', 'val/') and dataset.type == 'CocoDataset'
        assert cfg.data_root.rstrip('/') == new.rstrip('/')
        files = {
            field: cfg[f'{name}_{part}'][field] if part == 'evaluator' else cfg[f'{name}_{part}'].dataset[field]
            for name in ('val', 'test')
            for part, field in (('dataloader', 'bbox_file'), ('dataloader', 'headbox_file'), ('evaluator', 'ann_file'))
        }
        names = dict(bbox_file='boxes.json', headbox_file='heads.json', ann_file='annotations/val.json')
        if child.startswith('data_root') and 'dataset' in child:  # nothing of the config tells the base's folder
            assert files == {field: f'data/old/{name}' for field, name in names.items()}
            (said,) = logged
            assert f'data_root={new} does not move what lies elsewhere: val_dataloader.dataset.bbox_file and' in said
            assert "test_evaluator.ann_file='data/old/annotations/val.json'" in said
        else:
            assert files == {field: f'{new.rstrip("/")}/{name}' for field, name in names.items()}
            assert not logged

    @pytest.mark.parametrize(
        ('child', 'named'),
        [
            (
                "train_dataloader=dict(dataset=dict(data_root='/mine/'))",
                r"all datasets: train_dataloader.dataset.data_root='/mine/' lies outside of data_root='data/old/'",
            ),
            (
                "data_root = '/mine/'\ntrain_dataloader=dict(dataset=dict(data_root=data_root))",
                "val_dataloader.dataset.data_root and test_dataloader.dataset.data_root='data/old/' lies outside of",
            ),
            (
                "train_dataloader=dict(dataset=dict(data_root=None, ann_file='/mine/a.json'))",
                "train_dataloader.dataset.ann_file='/mine/a.json' lies outside",
            ),
            (
                f'train_dataloader=dict(dataset=dict(_delete_=True, **{TWO.format("data/old/", "data/other/")}))',
                "all datasets: train_dataloader.dataset.datasets.1.data_root='data/other/' lies outside of",
            ),
            (
                f"data_root='x'\n"
                f'train_dataloader=dict(dataset=dict(_delete_=True, **{TWO.format("data/1", "data/2")}))',
                "datasets.0.data_root='data/1', train_dataloader.dataset.datasets.1.data_root='data/2', val_dataloader",
            ),
        ],
    )
    def test_what_is_outside_is_named(self, load, child, named):
        with pytest.raises(InputError, match=named):
            load(child, data_root='/new')

    def test_unless_it_is_set_as_well(self, load):
        child = f'train_dataloader=dict(dataset=dict(_delete_=True, **{TWO.format("data/old/", "data/other/")}))'
        cfg = load(child, data_root='/new', train_dataloader__dataset__datasets__1__data_root='/other')
        assert [one.data_root for one in cfg.train_dataloader.dataset.datasets] == ['/new/', '/other']
        assert cfg.val_dataloader.dataset.data_root == '/new/'

    def test_several_roots_below_one(self, load):
        child = (
            "data_root = 'data'\ntrain_dataloader=dict(dataset=dict(_delete_=True, type='RepeatDataset', times=2,"
            f'dataset={TWO.format("data/old", "data/other/")}))'
        )
        cfg = load(child, data_root='/new')
        assert [one.data_root for one in cfg.train_dataloader.dataset.dataset.datasets] == ['/new/old', '/new/other/']
        assert cfg.val_dataloader.dataset.bbox_file == '/new/old/boxes.json'

    def test_absolute_files(self, load, tmp_path, monkeypatch):
        """A path is compared, not its spelling; a file elsewhere stays, and so does text that is no path."""
        monkeypatch.chdir(tmp_path)
        child = (
            f"val_dataloader=dict(dataset=dict(ann_file='{tmp_path}/data/old/v/val.json', bbox_file='/far/boxes.json', "
            f"data_prefix=dict(img='{tmp_path}/data/old/images/')))"
        )
        dataset = load(child, data_root='/new').val_dataloader.dataset
        assert (dataset.ann_file, dataset.bbox_file) == ('/new/v/val.json', '/far/boxes.json')
        assert dataset.data_prefix.img == '/new/images/'

    def test_the_current_folder_as_root(self, load, tmp_path, monkeypatch):
        """Every relative path lies below it, but types and modes are no paths."""
        monkeypatch.chdir(tmp_path)
        child = "data_root = '.'\n" + EVERYWHERE.format("''")
        dataset = load(child, data_root='/new').train_dataloader.dataset
        assert (dataset.type, dataset.data_root) == ('CocoDataset', '')
        assert (dataset.ann_file, dataset.data_prefix.img) == ('/new/annotations/train.json', '/new/train/')

    def test_no_top_level_root(self):
        """A config without one is moved if its datasets share a folder."""
        datasets = {name: dict(dataset=dict(data_root='data/old', ann_file='a.json')) for name in LOADERS}
        cfg = Config(datasets)
        move_data_root(cfg, '/new')
        assert {cfg[name].dataset.data_root for name in LOADERS} == {'/new/'}
        datasets['val_dataloader']['dataset']['data_root'] = '/far'
        with pytest.raises(InputError, match="share: set train_dataloader.* and test_.*='data/old', val_.*='/far'"):
            move_data_root(Config(datasets), '/new')

    @pytest.mark.parametrize('new', ['', ' ', None, 5, ['a']])
    def test_no_folder(self, load, new):
        with pytest.raises(InputError, match=r"data_root=.* must be a folder \('.' is the current one\)"):
            load('', data_root=new)

    @pytest.mark.parametrize(('new', 'written'), [('/', '/'), ('.', './'), ('D:\\data\\', 'D:\\data/')])
    def test_spellings_of_the_new_one(self, load, new, written):
        cfg = load('', data_root=new)
        assert cfg.train_dataloader.dataset.data_root == written
        assert cfg.val_dataloader.dataset.bbox_file == written + 'boxes.json'

    def test_the_home_folder(self, load, monkeypatch, tmp_path):
        monkeypatch.setenv('HOME', str(tmp_path))
        assert load('', data_root='~/data').train_dataloader.dataset.data_root == f'{tmp_path}/data/'

    @pytest.mark.parametrize('child', CHILDREN.values(), ids=CHILDREN)
    def test_a_root_that_nothing_uses(self, load, child):
        """It is said if it is set at the top only, since the datasets of the base do not follow it."""
        cfg = load(child)
        before = json.dumps(cfg.to_dict())
        said = unused_data_root(cfg)
        alone = child.startswith('data_root') and 'dataset' not in child and './data/old' not in child
        assert (said is not None) == alone
        if alone:
            assert f'data_root={cfg.data_root!r} of config {cfg.filename} changes nothing: train_dataloader' in said
            assert f'give --cfg-options data_root={cfg.data_root}' in said
        assert json.dumps(cfg.to_dict()) == before
