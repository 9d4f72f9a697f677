"""What labelling tools export, by the recipes of docs/datasets.md: the pages' own configs, commands and scripts run."""

import json
import os
import re

import numpy as np
import pytest
from conftest import ROOT
from exported_datasets import (
    NAMES,
    TRAIN,
    VAL,
    Export,
    merge,
    write_coco_annotator,
    write_csv,
    write_cvat,
    write_json,
    write_label_studio_coco,
    write_label_studio_yolo,
    write_rectlabel,
    write_roboflow,
    write_x_anylabeling,
    write_yolo,
)
from markdown_pages import code_blocks
from markdown_pages import section as section_of
from mmpose.registry import DATASETS

from mmtranspose.dataset_check import check_dataset
from mmtranspose.loading.config import load_config

pytestmark = pytest.mark.usefixtures('configs_are_parsed_once')

PAGE = (ROOT / 'docs' / 'datasets.md').read_text()
COCO_FORMS = dict(
    cvat=('CVAT', write_cvat),
    roboflow=('Roboflow', write_roboflow),
    coco_annotator=('COCO Annotator', write_coco_annotator),
    rectlabel=('RectLabel', write_rectlabel),
    x_anylabeling=('LabelMe and X-AnyLabeling', write_x_anylabeling),
)
TOOLS = [*COCO_FORMS, 'yolo', 'yolo_without_flags', 'label_studio', 'table']


def section(title: str) -> str:
    """The text of a section of the page."""
    return section_of(PAGE, title)


def blocks(text: str, language: str) -> list[str]:
    """The code of a text."""
    return [block.code for block in code_blocks(text, language)]


@pytest.fixture
def root(tmp_path):
    return tmp_path / 'data'


@pytest.fixture
def as_config(root, tmp_path, tiny_config):
    """Writes a config of the page, over the tests' tiny one and for the data in ``root``; gives its path."""

    def as_config(code, files=None):
        code, changed = re.subn(r"'mmtranspose::[^']*'", repr(tiny_config), code, count=1)
        code = code.replace('data/custom/', f'{root}/')
        assert changed == 1 and str(root) in code
        if files:
            code, changed = re.subn(r'^train_files = .*\nval_files = .*\n', files, code, flags=re.MULTILINE)
            assert changed == 1
        path = tmp_path / 'my_config.py'
        path.write_text(code)
        return path

    return as_config


@pytest.fixture
def prepare(root, as_config, run_command, monkeypatch):
    """Follows a tool's recipe from export to config, as the page describes it; gives the export and config's path."""

    def prepare(tool: str):
        general = next(code for code in blocks(section('The steps'), 'python') if '_base_' in code)
        if tool in COCO_FORMS:
            title, write = COCO_FORMS[tool]
            return write(root), as_config(general, blocks(section(title), 'python')[0])
        if tool == 'table':
            export = write_csv(root)
            script, files = blocks(section('Tables, VGG VIA, own scripts'), 'python')
            with monkeypatch.context() as patch:
                patch.chdir(root)
                exec(script, {})
            return export, as_config(general, files)
        if tool == 'label_studio':
            export = write_label_studio_yolo(root)
            (root / 'data.yaml').write_text(blocks(section('Label Studio'), 'yaml')[0])
        else:
            export = write_yolo(root, flags=tool == 'yolo')
        assert run_command('yolo-to-coco', root / 'data.yaml') == 0
        return export, as_config(blocks(section('Ultralytics YOLO (pose)'), 'python')[0])

    return prepare


def people_in(pictures, export: Export):
    """For each person (x1, y1, x2, y2) and keypoints (K, 3), in pixels, as the export should give them."""
    for picture in pictures:
        for person in [merge(picture.people)] if export.per_image else picture.people:
            x, y, w, h = person.around_keypoints if export.tight else person.bbox
            points = np.array(person.keypoints, float)
            if not export.occlusion:
                points[:, 2] = 2 * (points[:, 2] > 0)
            yield (x, y, x + w, y + h), points


def assert_reads(cfg, split, pictures, export):
    """MMPose's dataset gives the people that the tool showed, and their images are there."""
    dataset = DATASETS.build(dict(cfg[f'{split}_dataloader'].dataset, pipeline=[]))
    expected = list(people_in(pictures, export))
    assert len(dataset) == len(expected)
    for number, (bbox, points) in enumerate(expected):
        found = dataset.get_data_info(number)
        assert os.path.isfile(found['img_path'])
        np.testing.assert_allclose(found['bbox'][0], bbox, atol=1e-3)
        np.testing.assert_allclose(found['keypoints'][0], points[:, :2], atol=1e-3)
        np.testing.assert_array_equal(found['keypoints_visible'][0], points[:, 2] > 0)


def flags_in(file) -> list:
    """The flags of each annotation that has keypoints."""
    content = json.loads(file.read_text())
    return [one['keypoints'][2::3] for one in content['annotations'] if one.get('keypoints')]


@pytest.mark.parametrize('tool', TOOLS)
class TestEveryTool:
    def test_the_check_finds_nothing(self, prepare, tool):
        export, config = prepare(tool)
        report = check_dataset(load_config(str(config)))
        empty = {'keypoints-empty': ['annotation 4']} if tool == 'cvat' else {}  # of a track, named and left out
        assert {kind: group.examples for (_, kind), group in report.findings.items()} == empty
        assert [(one['images'], one['people']) for one in report.splits] == [(2, 3), (1, 1)]
        assert report.splits[0]['dropped'] == export.left_out

    def test_people_are_read_as_they_were_labelled(self, prepare, tool, root):
        export, config = prepare(tool)
        cfg = load_config(str(config))
        for split, pictures, (file, folder) in (('train', TRAIN, export.train), ('val', VAL, export.val)):
            dataset = cfg[f'{split}_dataloader'].dataset
            assert (dataset.ann_file, dataset.data_prefix.img) == (file, folder)
            assert_reads(cfg, split, pictures, export)
            assert flags_in(root / file) == [points[:, 2].tolist() for _, points in people_in(pictures, export)]
        names = [one['name'] for one in cfg.train_dataloader.dataset.metainfo.keypoint_info.values()]
        assert names == NAMES and cfg.model.head.out_channels == 5

    def test_it_trains_and_evaluates(self, prepare, tool, run_command, tmp_path):
        _, config = prepare(tool)
        options = (f'experiment_name={tool}', 'train_cfg.max_epochs=1')
        run_command('train', config, '--work-dir', tmp_path / 'work', '--cfg-options', *options)
        (log,) = (tmp_path / 'work').glob('*/vis_data/scalars.json')
        train, val = map(json.loads, log.read_text().splitlines())
        assert train['loss_kpt'] > 0 and 0 <= val['coco/AP'] <= 1
        assert (tmp_path / 'work/epoch_1.pth').exists()


class TestMetainfo:
    """Pairs are the same whichever way they were written."""

    @pytest.mark.parametrize('tool', ['roboflow', 'yolo'])
    def test_pairs(self, prepare, tool):
        cfg = load_config(str(prepare(tool)[1]))
        meta = DATASETS.build(dict(cfg.train_dataloader.dataset, pipeline=[], lazy_init=True)).metainfo
        assert meta['flip_indices'] == [0, 2, 1, 4, 3]
        assert meta['sigmas'].tolist() == pytest.approx([0.05] * 5)


class TestLabelStudiosOwnCoco:
    """The export that the page advises against."""

    @pytest.fixture
    def config(self, root, as_config):
        self.export = write_label_studio_coco(root)
        general = next(code for code in blocks(section('The steps'), 'python') if '_base_' in code)
        return as_config(general, blocks(section('RectLabel'), 'python')[0])

    def test_what_the_check_says(self, config):
        report = check_dataset(load_config(str(config)))
        assert {(kind, group.count, group.examples[0]) for (split, kind), group in report.findings.items()} == {
            ('area-missing', 1, 'annotation 1'),
            ('keypoints-missing', 1, 'annotation 0: no keypoints'),  # a rectangle
            ('keypoints-missing', 3, 'annotation 0: no keypoints'),
        }
        assert not report.ok() and report.splits[0]['dropped'] == self.export.left_out

    def test_people_of_an_image_are_one(self, config):
        cfg = load_config(str(config))
        assert_reads(cfg, 'train', TRAIN, self.export)
        assert len(TRAIN[0].people) == 2 and len(list(people_in(TRAIN, self.export))) == 2


class TestFromWindows:
    def test_byte_order_mark_and_backslashes(self, root, as_config, run_command, tmp_path):
        export = write_rectlabel(root)
        for file, folder in (export.train, export.val):
            content = json.loads((root / file).read_text())
            for image in content['images']:
                image['file_name'] = folder.replace('/', '\\') + image['file_name']
            write_json(root / file, content, encoding='utf-8-sig')
        general = next(code for code in blocks(section('The steps'), 'python') if '_base_' in code)
        files = (
            blocks(section('RectLabel'), 'python')[0].replace("img='train/'", "img=''").replace("img='val/'", "img=''")
        )
        config = as_config(general, files)
        report = check_dataset(load_config(str(config)))
        assert report.findings == {} and [one['people'] for one in report.splits] == [3, 1]
        run_command('train', config, '--work-dir', tmp_path / 'work', '--cfg-options', 'experiment_name=windows')
        assert (tmp_path / 'work/epoch_1.pth').exists()


class TestCvat:
    @pytest.fixture
    def spoil(self, prepare, root):
        """Adds an annotation to the file of a split, and checks."""

        def spoil(split, entry):
            export, config = prepare('cvat')
            file = root / getattr(export, split)[0]
            content = json.loads(file.read_text())
            content['annotations'].append({**content['annotations'][0], 'id': 99, **entry})
            file.write_text(json.dumps(content))
            report = check_dataset(load_config(str(config)))
            return {key: (group.count, group.examples[0]) for key, group in report.findings.items()}

        return spoil

    def test_an_empty_shape_of_a_track_does_not_stop_the_evaluation_either(self, spoil, run_command, tmp_path):
        named = {
            ('train', 'keypoints-empty'): (1, 'annotation 4'),
            ('val, test', 'keypoints-empty'): (1, 'annotation 99'),
        }
        assert spoil('val', dict(keypoints=[], num_keypoints=0, bbox=[0, 0, 0, 0], area=0)) == named
        options = ('experiment_name=empty_shape', 'train_cfg.max_epochs=1')
        run_command('train', tmp_path / 'my_config.py', '--work-dir', tmp_path / 'work', '--cfg-options', *options)
        (log,) = (tmp_path / 'work').glob('*/vis_data/scalars.json')
        assert 0 <= json.loads(log.read_text().splitlines()[-1])['coco/AP'] <= 1

    def test_a_skeleton_whose_keypoints_are_one_point(self, spoil):
        points = [90, 50, 2] + [0] * 12
        count, text = spoil('train', dict(keypoints=points, num_keypoints=1, bbox=[90, 50, 0, 0], area=0))[
            'train', 'box-empty'
        ]
        assert count == 1 and text.startswith('annotation 99: bbox [90.0, 50.0, 0.0, 0.0]')
