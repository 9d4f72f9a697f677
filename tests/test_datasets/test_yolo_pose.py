"""A pose dataset of Ultralytics YOLO in COCO's format: every number worked out by hand."""

import json
import runpy

import numpy as np
import pytest
from mmpose.datasets.datasets.utils import parse_pose_metainfo
from PIL import Image

from mmtranspose.datasets.yolo_pose import convert_yolo_pose
from mmtranspose.datasets.yolo_pose.data_yaml import read_data_yaml
from mmtranspose.errors import InputError
from mmtranspose.media.image_file import read_image

DATA = """\
train: images/train
val: images/val
kpt_shape: [3, 3]
flip_idx: [0, 2, 1]
names: {0: cat, 1: dog}
kpt_names:
  0: [nose, left_ear, right_ear]
  1: [nose, left_ear, right_ear]
"""
# cx cy w h: 100, 50, 40, 20 pixels of an image of 200 x 100
LINE = '1 0.5 0.5 0.2 0.2 0.55 0.45 2 0.505 0.425 1 0 0 0\n'


@pytest.fixture
def root(tmp_path):
    """Two images to train with, of 200 x 100 pixels, the second without a label file, and one to validate with."""
    for name in ('train/a b.jpg', 'train/c.jpg', 'val/d.jpg'):
        file = tmp_path / 'images' / name
        file.parent.mkdir(parents=True, exist_ok=True)
        Image.new('RGB', (200, 100)).save(file)
        (tmp_path / 'labels' / name).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / 'data.yaml').write_text(DATA)
    (tmp_path / 'labels/train/a b.txt').write_text(LINE + '0 0.25 0.75 0.5 0.5 0 0 0 0 0 0 0 0 0\n')
    (tmp_path / 'labels/val/d.txt').write_text(LINE)
    return tmp_path


def change(root, old, new):
    file = root / 'data.yaml'
    assert old in file.read_text()
    file.write_text(file.read_text().replace(old, new))


def converted(root, split='train'):
    assert convert_yolo_pose(root / 'data.yaml').problems == []
    return json.loads((root / f'annotations/{split}.json').read_text())


class TestConversion:
    def test_whole(self, root):
        result = convert_yolo_pose(root / 'data.yaml')
        assert [line.split(': ')[1] for line in result.written] == [
            '2 images (1 without a label file), 2 people (1 without a labelled keypoint)',
            '1 image (0 without a label file), 1 person (0 without a labelled keypoint)',
            '3 keypoints',
        ]
        content = json.loads((root / 'annotations/train.json').read_text())
        names = ['nose', 'left_ear', 'right_ear']
        assert content == dict(
            images=[
                dict(id=1, file_name='images/train/a b.jpg', width=200, height=100),
                dict(id=2, file_name='images/train/c.jpg', width=200, height=100),
            ],
            annotations=[
                dict(
                    id=1,
                    image_id=1,
                    category_id=2,
                    bbox=[80, 40, 40, 20],
                    area=424,  # 0.53 x 40 x 20
                    iscrowd=0,
                    keypoints=[110, 45, 2, 101, 42.5, 1, 0, 0, 0],
                    num_keypoints=2,
                ),
                dict(
                    id=2,
                    image_id=1,
                    category_id=1,
                    bbox=[0, 50, 100, 50],
                    area=2650,
                    iscrowd=0,
                    keypoints=[0] * 9,
                    num_keypoints=0,
                ),
            ],
            categories=[dict(id=1, name='cat', keypoints=names), dict(id=2, name='dog', keypoints=names)],
        )
        assert not list((root / 'annotations').glob('*.partial'))

    def test_keypoints_without_flags(self, root):
        change(root, '[3, 3]', '[3, 2]')
        (root / 'labels/train/a b.txt').write_text('0 0.5 0.5 0.2 0.2 0.55 0.45 0 0 -1 -1\n')
        (root / 'labels/val/d.txt').write_text('0 0.5 0.5 0.2 0.2 0 0.5 0.5 0 1 1\n')
        assert converted(root)['annotations'][0]['keypoints'] == [110, 45, 2, 0, 0, 0, 0, 0, 0]
        assert converted(root, 'val')['annotations'][0]['keypoints'] == [0, 50, 2, 100, 0, 2, 200, 100, 2]

    @pytest.mark.parametrize(('suffix', 'format'), [('.jpg', 'JPEG'), ('.png', 'PNG')])
    def test_shares_are_of_the_upright_image(self, root, suffix, format):
        """A photograph that the camera held sideways: 200 x 100 in the file, 100 x 200 for whoever looks at it."""
        exif = Image.Exif()
        exif[0x0112] = 6
        (root / 'images/val/d.jpg').unlink()
        Image.new('RGB', (200, 100)).save(root / f'images/val/d{suffix}', format, exif=exif)
        content = converted(root, 'val')
        assert (content['images'][0]['width'], content['images'][0]['height']) == (100, 200)
        assert read_image(root / f'images/val/d{suffix}').shape == (200, 100, 3)
        assert content['annotations'][0]['bbox'] == [40, 80, 20, 40]
        assert content['annotations'][0]['keypoints'][:3] == [55, 90, 2]

    def test_metainfo(self, root):
        convert_yolo_pose(root / 'data.yaml')
        meta = parse_pose_metainfo(runpy.run_path(str(root / 'annotations/metainfo.py'))['metainfo'])
        assert meta['keypoint_id2name'] == {0: 'nose', 1: 'left_ear', 2: 'right_ear'}
        assert meta['flip_indices'] == [0, 2, 1]
        np.testing.assert_allclose(meta['sigmas'], [0.05] * 3)
        np.testing.assert_allclose(meta['dataset_keypoint_weights'], 1)

    def test_metainfo_without_flip_idx(self, root):
        change(root, 'flip_idx: [0, 2, 1]\n', '')
        assert convert_yolo_pose(root / 'data.yaml').written[-1].endswith('3 keypoints; flip_idx is missing')
        meta = parse_pose_metainfo(runpy.run_path(str(root / 'annotations/metainfo.py'))['metainfo'])
        assert meta['flip_indices'] == [0, 1, 2]

    def test_another_folder(self, root, tmp_path_factory):
        other = tmp_path_factory.mktemp('other')
        convert_yolo_pose(root / 'data.yaml', other)
        assert sorted(file.name for file in other.iterdir()) == ['metainfo.py', 'train.json', 'val.json']
        assert not (root / 'annotations').exists()

    def test_an_image_outside_the_dataset(self, root, tmp_path_factory):
        other = tmp_path_factory.mktemp('other') / 'e.jpg'  # no folder `images`: labels lie beside it
        Image.new('RGB', (200, 100)).save(other)
        other.with_suffix('.txt').write_text(LINE)
        (root / 'list.txt').write_text(f'{other}\n\n./images/val/d.jpg\n')
        change(root, 'images/val', 'list.txt')
        content = converted(root, 'val')
        assert [one['file_name'] for one in content['images']] == [str(other), 'images/val/d.jpg']
        assert [one['image_id'] for one in content['annotations']] == [1, 2]


class TestFaultyLines:
    @pytest.mark.parametrize(
        ('line', 'reason'),
        [
            ('1 0.5 0.5 0.2 0.2', '5 numbers; 5 + 3 x 3 = 14 are expected'),
            (LINE.strip() + ' 0', '15 numbers; 5 + 3 x 3 = 14 are expected'),
            (LINE.replace('0.55', 'x'), "could not convert string to float: 'x'"),
            (LINE.replace('0.55', 'nan'), 'a number is not finite'),
            (LINE.replace('1 0.5', '2 0.5', 1), 'class 2 is not in names of data.yaml'),
            (LINE.replace('1 0.5', '0.5 0.5', 1), 'class 0.5 is not in names of data.yaml'),
            (
                LINE.replace('0.2 0.2', '40 20'),
                'the box is 40 x 20; shares of the image, above 0 and up to 1, are expected',
            ),
            (
                LINE.replace('0.2 0.2', '0 0.2'),
                'the box is 0 x 0.2; shares of the image, above 0 and up to 1, are expected',
            ),
            (LINE.replace('0.45 2', '0.45 3'), 'flag 3 of a keypoint; 0, 1 or 2 is expected'),
            (LINE.replace('0.55 0.45', '110 45'), 'keypoint at 110, 45; shares of the image, 0 to 1, are expected'),
        ],
    )
    def test_it_alone_is_left_out(self, root, line, reason):
        file = root / 'labels/train/a b.txt'
        file.write_text(f'{LINE}\n{line.strip()}\n{LINE}')
        result = convert_yolo_pose(root / 'data.yaml')
        assert result.problems == [f'{file} line 3: {reason}']
        content = json.loads((root / 'annotations/train.json').read_text())
        assert [(one['id'], one['keypoints'][0]) for one in content['annotations']] == [(1, 110), (2, 110)]

    def test_images_that_cannot_be_read(self, root):
        (root / 'images/train/b.jpg').write_bytes(b'no image')
        (root / 'list.txt').write_text('images/val/none.jpg\nimages/val/d.jpg')
        change(root, 'images/val', 'list.txt')
        first, second = convert_yolo_pose(root / 'data.yaml').problems
        assert first.startswith(f'image {root}/images/train/b.jpg was left out: cannot identify image file')
        assert second == f'image {root}/images/val/none.jpg was left out: No such file or directory'
        assert len(json.loads((root / 'annotations/train.json').read_text())['images']) == 2
        assert len(json.loads((root / 'annotations/val.json').read_text())['annotations']) == 1

    def test_a_label_file_that_is_no_text(self, root):
        (root / 'labels/val/d.txt').write_bytes(b'\xff\xfe0\0')
        assert convert_yolo_pose(root / 'data.yaml').problems == [
            f'{root}/labels/val/d.txt cannot be read: it is not text'
        ]


class TestDataYaml:
    @pytest.mark.parametrize(
        ('entry', 'path'),
        [
            ('images/train', None),
            ('../images/train', None),  # Roboflow
            (r'images\train', None),
            ('[images/train]', None),
            ('images/train', '.'),
            ('images/train', 'no/such/folder'),  # of another machine
            ('images/train', 'ROOT'),
        ],
    )
    def test_where_images_are(self, root, entry, path):
        change(root, 'train: images/train', f'train: {entry}')
        if path:
            change(root, 'train:', f'path: {path}\ntrain:'.replace('ROOT', str(root)))
        data = read_data_yaml(root / 'data.yaml')
        assert [image.name for image in data.splits['train']] == ['a b.jpg', 'c.jpg']
        assert data.root == root.resolve()

    def test_classes_without_names(self, root):
        """Ultralytics gives them these."""
        change(root, 'names: {0: cat, 1: dog}', 'nc: 2')
        assert read_data_yaml(root / 'data.yaml', ['a', 'b', 'c']).classes == {0: 'class_0', 1: 'class_1'}

    def test_names(self, root):
        assert read_data_yaml(root / 'data.yaml', ['a', 'b', 'c']).names == ['a', 'b', 'c']
        change(root, DATA[DATA.index('kpt_names') :], '')
        data = read_data_yaml(root / 'data.yaml')
        assert data.names == ['keypoint_0', 'keypoint_1', 'keypoint_2']
        change(root, '{0: cat, 1: dog}', '[cat, dog]')
        assert read_data_yaml(root / 'data.yaml').classes == {0: 'cat', 1: 'dog'} == data.classes

    @pytest.mark.parametrize(
        ('old', 'new', 'words'),
        [
            ('kpt_shape: [3, 3]', '', r'kpt_shape is None; \[number of keypoints, 2 or 3\] is expected'),
            ('[3, 3]', '[3, 4]', r'kpt_shape is \[3, 4\]'),
            ('[3, 3]', '[0, 3]', r'kpt_shape is \[0, 3\]'),
            ('[3, 3]', '[3, 3.0]', r'kpt_shape is \[3, 3.0\]'),
            ('[3, 3]', '[1000000000, 3]', r'kpt_shape is \[1000000000, 3\]'),
            ('images/val', 'x' * 5000, 'val: .*xxx does not exist'),
            ('[3, 3]', '[4, 3]', 'the keypoints are named nose, left_ear, right_ear; 4 different names are expected'),
            ('right_ear', 'left_ear', 'the keypoints are named nose, left_ear, left_ear; 3 different names'),
            ('1: [nose', '1: [snout', 'kpt_names of the classes cat, dog differ'),
            ('flip_idx: [0, 2, 1]', 'flip_idx: [0, 2]', r'flip_idx is \[0, 2\]; the numbers 0 to 2 are expected'),
            ('flip_idx: [0, 2, 1]', 'flip_idx: [1, 2, 0]', 'flip_idx sends 0 to 1, but 1 to 2; pair them'),
            ('{0: cat, 1: dog}', '', 'names is None; the name of each class is expected'),
            ('names: {0: cat, 1: dog}', 'nc: two', 'names is None; the name of each class is expected'),
            ('names: {0: cat, 1: dog}', 'nc: 1000000000', 'names is None; the name of each class is expected'),
            ('images/val', 'images/none', 'val: .*images/none does not exist; correct it'),
            ('images/val', 'labels/val', 'val: labels/val has no images'),
            ('train: images/train\nval: images/val\n', '', 'has neither train, val nor test'),
            ('[3, 3]', '[3, 3', 'is not YAML: while parsing'),
            (DATA, 'text', 'is not the data.yaml of a dataset'),
        ],
    )
    def test_mistakes(self, root, old, new, words):
        change(root, old, new)
        with pytest.raises(InputError, match=words):
            convert_yolo_pose(root / 'data.yaml')
        assert not (root / 'annotations').exists()

    def test_a_missing_file(self, root):
        with pytest.raises(InputError, match='data file .*none.yaml does not exist'):
            convert_yolo_pose(root / 'none.yaml')


class TestCommand:
    def test_clean(self, root, run_command, capsys):
        assert run_command('yolo-to-coco', root / 'data.yaml', '--keypoint-names', 'a', 'b', 'c') == 0
        output = capsys.readouterr()
        assert output.out.startswith(f'{root}/annotations/train.json: 2 images') and output.err == ''
        assert "name='a'" in (root / 'annotations/metainfo.py').read_text()

    def test_with_faulty_lines(self, root, run_command, capsys):
        (root / 'labels/val/d.txt').write_text('0\n' * 25)
        assert run_command('yolo-to-coco', root / 'data.yaml') == 1
        lines = capsys.readouterr().err.splitlines()
        assert len(lines) == 21 and lines[-1] == '... and 5 more'
        assert lines[0] == f'{root}/labels/val/d.txt line 1: 1 numbers; 5 + 3 x 3 = 14 are expected'
