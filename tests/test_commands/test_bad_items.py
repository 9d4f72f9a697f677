"""One bad box or image never takes the others with it: ``infer`` and ``explain`` with mutants of both.

Whatever a mutant is, the others get the poses that they get without it, nothing but a sentence is raised, and the exit
status tells that something is left out. Each mutant is judged alone without the network, all together with it.
"""

from __future__ import annotations

import copy
import glob
import io
import json
import re

import cv2
import numpy as np
import pytest
from PIL import Image

from mmtranspose.apis import InputError, explain_topdown
from mmtranspose.crops.boxes import box_problem
from mmtranspose.inference import BoxFile
from mmtranspose.media import Frame, Unreadable, image_file, open_source

BLANK = np.zeros((320, 240, 3), np.uint8)
NAN, INF = float('nan'), float('inf')
BOXES = [  # of images 1 to 4
    (1, [0, 0, 184, 318], 0.9),
    (2, [85, 58, 45, 130], 0.8),
    (3, [113, 17, 72, 247], 0.7),
    (4, [15, 10, 46, 110], 0.6),
    (4, [32, 86, 33, 108], 0.5),
]
GOOD = [dict(image_id=number, category_id=1, bbox=box, score=score) for number, box, score in BOXES]


def with_value(path: tuple, value: object) -> object:
    """The second entry with another value at a path of keys."""
    entry = copy.deepcopy(GOOD[1])
    place = entry
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = value
    return entry


def without(key: str) -> dict:
    return {name: value for name, value in GOOD[1].items() if name != key}


NO_NUMBERS = [None, True, 'x', NAN, INF, -INF, 10**400, [1], {}]
NAMED = {  # mutants that are left out and named
    **{f'image_id {value!s:.9}': with_value(('image_id',), value) for value in [None, True, NAN, INF, 0.5, [], {}]},
    **{f'category_id {value}': with_value(('category_id',), value) for value in [True, NAN, INF, 0.5, [1], {'a': 1}]},
    **{f'score {value!s:.9}': with_value(('score',), value) for value in [*NO_NUMBERS, 1e300] if value != -INF},
    **{
        f'bbox {place} {value!s:.9}': with_value(('bbox', place), value)
        for place in range(4)
        for value in [*NO_NUMBERS, 1e30, 1e300, *([-1e30, 0, -5, 5e-324] if place > 1 else [])]
    },
    **{
        f'bbox is {value!s:.25}': with_value(('bbox',), value)
        for value in [
            *(
                None,
                True,
                7,
                '1234',
                'box',
                {'x': 1, 'y': 2, 'w': 3, 'h': 4},
                [],
                [1, 2, 3],
                [1, 2, 3, 4, 5],
                [[1, 2, 3, 4]],
            ),
            *([0, 0, 1e30, 1e30], [-1e30, -1e30, 2e30, 2e30], [-1e9, -1e9, 2e9, 2e9], [0, 0, 5e-324, 5e-324]),
            *([5000, 5000, 10, 10], [-50, -50, 20, 20], [240, 5, 9, 9], [5, 5, 100, 1e-6], [30, 30, 1e-4, 1e-4]),
            *([0.1, 0.2, 0.5, 0.6], [0, 0, 1, 1]),
        ]
    },
    **{f'no {key}': without(key) for key in ('image_id', 'bbox')},
    **{f'entry is {value!s:.12}': value for value in [None, True, 3, 'a', [1, 2, 3, 4], [], {}, [[[1]]]]},
}
SAID = {  # mutants that are well-formed, and left out for a reason that is said
    **{f'image_id {value}': (with_value(('image_id',), value), 'not read') for value in ['', 'abc', 12, -1, 10**30]},
    **{f'category_id {value}': (with_value(('category_id',), value), 'categories') for value in ['', 'a', 9, 10**30]},
    **{f'score {value}': (with_value(('score',), value), 'thresholds') for value in [-1, -INF]},
}
USED = {  # mutants whose box is used
    **{
        f'bbox {value}': with_value(('bbox',), value) for value in [[5, 5, 1, 1], [-99, 9, 200, 9], [-3e3, 0, 9e3, 400]]
    },
    'bbox of texts': with_value(('bbox',), ['85', '58', '45', '130']),
    'image_id 2.0': with_value(('image_id',), 2.0),
    'image_id "2"': with_value(('image_id',), '2'),
    'category_id None': with_value(('category_id',), None),
    **{f'no {key}': without(key) for key in ('category_id', 'score')},
}


@pytest.fixture(scope='module')
def images(people, tmp_path_factory):
    """Four images of 240 x 320, 000000000001.jpg to 4."""
    folder = tmp_path_factory.mktemp('images')
    for number, path in enumerate(sorted((people / 'val').iterdir()), 1):
        cv2.imwrite(str(folder / f'{number:012d}.jpg'), cv2.resize(cv2.imread(str(path)), (240, 320)))
    return folder


@pytest.fixture(scope='module')
def infer(run_command, tiny_config, tiny_checkpoint, tmp_path_factory):
    """Runs ``mmtranspose infer``, models kept; gives status and keypoints by file name and box."""
    root = tmp_path_factory.mktemp('infer')
    runs = iter(range(10**6))

    def infer(inputs, bboxes, *flags):
        if not isinstance(bboxes, str):
            (root / 'boxes.json').write_text(json.dumps(bboxes))
            bboxes = str(root / 'boxes.json')
        out = root / f'out{next(runs)}'
        arguments = ('--input', *inputs, '--bboxes', bboxes, '--output-root', out, '--kpt-thr', 0, '--draw-bbox')
        status = run_command('infer', tiny_config, tiny_checkpoint, *arguments, *flags)
        results = json.loads((out / 'results_coco.json').read_text())
        return status, {(one['file_name'], *np.round(one['bbox'], 1)): np.array(one['keypoints']) for one in results}

    return infer


@pytest.fixture(scope='module')
def keep_model(tiny_config, tiny_checkpoint):
    """The command's model is loaded once."""
    from mmtranspose.commands import infer as command
    from mmtranspose.loading.init_model import init_model

    with pytest.MonkeyPatch.context() as patch:
        model = init_model(tiny_config, tiny_checkpoint)
        patch.setattr(command, 'load_estimator', lambda _: model)
        yield


@pytest.fixture(scope='module')
def clean(infer, images, keep_model):
    """The poses of the five boxes."""
    status, poses = infer([images], GOOD)
    assert status == 0 and len(poses) == 5
    return poses


def assert_others_are_there(poses, clean, images):
    """The poses of all boxes but the second are those of the clean run."""
    mutated = str(images / '000000000002.jpg')
    expected = {key: keypoints for key, keypoints in clean.items() if key[0] != mutated}
    found = {key: keypoints for key, keypoints in poses.items() if key in expected}
    assert found.keys() == expected.keys() and len(expected) == 4
    for key, keypoints in expected.items():
        np.testing.assert_allclose(found[key], keypoints, atol=0.1)


def said_by(capsys) -> list[str]:
    """The lines of the standard error, without the progress bar."""
    return [line for line in re.split('[\r\n]', capsys.readouterr().err) if 'frame' not in line[-40:] and line.strip()]


class TestBoxes:
    @pytest.fixture
    def judge(self, tmp_path):
        """The second of five boxes replaced: the boxes of each image, and what is named."""

        def judge(entry):
            (tmp_path / 'boxes.json').write_text(json.dumps([GOOD[0], entry, *GOOD[2:]]))
            named = []
            source = BoxFile(tmp_path / 'boxes.json', on_skip=lambda where, reason: named.append((where, reason)))
            frames = [Frame(BLANK, f'{n}.jpg', n - 1, f'{n}.jpg', None) for n in range(1, 5)]
            boxes = source(frames)
            problems = [box_problem(box, BLANK.shape[:2]) for of_image in boxes for box in of_image]
            return boxes, [*named, *filter(None, problems)], source

        return judge

    @pytest.mark.parametrize('name', NAMED)
    def test_named_alone(self, judge, name):
        boxes, named, _ = judge(NAMED[name])
        assert len(named) == 1 and len(str(named[0])) < 500
        assert [boxes[number][:, 4].astype(float).round(3).tolist() for number in (0, 2, 3)] == [
            [0.9],
            [0.7],
            [0.6, 0.5],
        ]

    @pytest.mark.parametrize('name', SAID)
    def test_said_alone(self, judge, name):
        entry, words = SAID[name]
        boxes, named, source = judge(entry)
        assert not named and words in source.left_out + source.of_other_images()
        assert [len(of_image) for of_image in boxes] == [1, 0, 1, 2]

    @pytest.mark.parametrize('name', USED)
    def test_used_alone(self, judge, name):
        boxes, named, source = judge(USED[name])
        assert not named and not source.left_out + source.of_other_images()
        assert [len(of_image) for of_image in boxes] == [1, 1, 1, 2]

    def test_all_that_are_named_at_once(self, infer, clean, images, capsys):
        capsys.readouterr()
        status, poses = infer([images], [GOOD[0], *NAMED.values(), *GOOD[2:]])
        assert status == 1 and len(poses) == 4
        assert_others_are_there(poses, clean, images)
        said = said_by(capsys)
        assert len(said) == len(NAMED) and max(map(len, said)) < 600

    def test_all_that_are_said_at_once(self, infer, clean, images, capsys):
        capsys.readouterr()
        status, poses = infer([images], [GOOD[0], *(entry for entry, _ in SAID.values()), *GOOD[2:]])
        assert status == 0 and len(poses) == 4
        assert_others_are_there(poses, clean, images)
        said = ' '.join(said_by(capsys))
        assert '5 of 15 boxes are of images that were not read (, abc, 12, ...)' in said
        assert "4 of 15 boxes are of other categories ('': 1, 'a': 1, 9: 1, 10" in said
        assert '2 of 15 boxes are left out by the thresholds of score and overlap' in said

    def test_all_that_are_used_at_once(self, infer, clean, images):
        status, poses = infer([images], [GOOD[0], *USED.values(), *GOOD[2:]])
        assert status == 0
        assert_others_are_there(poses, clean, images)
        assert all(np.isfinite(keypoints).all() for keypoints in poses.values())
        mutated = str(images / '000000000002.jpg')
        assert len([key for key in poses if key[0] == mutated]) == 4  # three boxes, and the clean one in other words

    @pytest.mark.parametrize(
        'flags',
        [('--nms-thr', 0.5), ('--track',), ('--draw-heatmap',), ('--bbox-thr', 0.1, '--skeleton-style', 'openpose')],
        ids=str,
    )
    def test_whatever_is_asked_for(self, infer, clean, images, flags):
        bad = [NAMED[name] for name in ('bbox is [0, 0, 1e+30, 1e+30]', 'score nan', 'bbox 0 nan', 'bbox 2 inf')]
        status, poses = infer([images], [*bad, GOOD[0], *bad, USED['bbox [5, 5, 1, 1]'], *GOOD[2:]], *flags)
        assert status == 1
        assert_others_are_there(poses, clean, images)

    def test_strict_stops(self, infer, images, keep_model):
        with pytest.raises(InputError, match='entry 1, image_id 2: .* is not a box'):
            infer([images], [GOOD[0], NAMED['no bbox'], *GOOD[2:]], '--strict')

    @pytest.mark.parametrize('content', [[NAMED['no bbox']], {'a.jpg': [[1, 2]]}, {'a.jpg': 3}, [[]], [None], 'a', 3])
    def test_nothing_that_is_a_box(self, infer, images, keep_model, content):
        if isinstance(content, str):
            content = json.dumps(content)
        with pytest.raises(InputError, match='box file'):
            infer([images], content)

    def test_lists_of_some_images(self, infer, clean, images, capsys):
        boxes = {f'{number:012d}.jpg': [] for number in range(1, 5)}
        for number, box, score in BOXES:
            boxes[f'{number:012d}.jpg'].append(dict(bbox=box, score=score))
        boxes['000000000002.jpg'] = [1, 2, 30, 40]
        capsys.readouterr()
        status, poses = infer([images], boxes)
        assert status == 1
        assert_others_are_there(poses, clean, images)
        assert '000000000002.jpg: a list of boxes is expected' in capsys.readouterr().err

    def test_explain(self, run_command, tiny_config, tiny_checkpoint, tiny_model, images, tmp_path, capsys):
        """The boxes of image 4 are explained, the others of it are named."""
        bad = [with_value(('image_id',), 4) | dict(bbox=box) for box in ([0, 0, 1e30, 1e30], 'wide', [1, 2, NAN, 3])]
        (tmp_path / 'boxes.json').write_text(json.dumps([*bad, *GOOD]))
        path = images / '000000000004.jpg'
        arguments = ('--input', path, '--bboxes', tmp_path / 'boxes.json', '--output-root', tmp_path, '--no-affect')
        assert run_command('explain', tiny_config, tiny_checkpoint, *arguments) == 1
        said = capsys.readouterr().err
        assert all(f'{name} ' in said for name in ('box 0', 'entry 1, image_id 4:', 'box 1'))
        expected = explain_topdown(
            tiny_model, path, [box for number, box, _ in BOXES if number == 4], bbox_format='xywh'
        )
        arrays = np.load(tmp_path / '000000000004.npz')
        np.testing.assert_allclose(arrays['keypoints'], [one.keypoints for one in expected], atol=1e-3)


def encoded(image: Image.Image, kind: str, **options) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def image_mutants() -> dict[str, tuple[bytes, bool]]:
    """Content of image files by name, and whether the file can be read."""
    rng = np.random.default_rng(0)
    image = Image.fromarray(rng.integers(0, 256, (40, 30, 3), dtype=np.uint8)).resize((60, 80))
    kinds = dict(jpg='JPEG', png='PNG', webp='WEBP', bmp='BMP', tif='TIFF', jp2='JPEG2000')
    made = {}
    for suffix, kind in kinds.items():
        data = encoded(image, kind)
        for share in (0.001, 0.1, 0.5, 0.9):
            made[f'cut{share}.{suffix}'] = data[: int(len(data) * share)], False
        broken = bytearray(data)
        broken[:16] = rng.integers(0, 256, 16, dtype=np.uint8).tobytes()
        made[f'header.{suffix}'] = bytes(broken), False
        made[f'rest.{suffix}'] = data, True
    made['png.jpg'], made['jpg.png'] = (encoded(image, 'PNG'), True), (encoded(image, 'JPEG'), True)
    made |= {name: (data, False) for name, data in (('text.jpg', b'hello\n'), ('no.jpg', b''), ('0.jpg', bytes(999)))}
    for size in ((1, 1), (1, 5000), (5000, 1)):
        made[f'{size[0]}x{size[1]}.png'] = encoded(image.resize(size), 'PNG'), True
    for mode in ('L', '1', 'P', 'LA', 'RGBA', 'CMYK'):
        made[f'{mode}.tif'] = encoded(image.convert(mode), 'TIFF'), True
    for turn in (3, 6, 8, 11):
        exif = Image.Exif()
        exif[0x112] = turn
        made[f'turned{turn}.jpg'] = encoded(image, 'JPEG', exif=exif), True
    for kind, name in (('WEBP', 'moving.webp'), ('PNG', 'moving.png'), ('TIFF', 'pages.tif'), ('GIF', 'moving.gif')):
        made[name] = encoded(image, kind, save_all=True, append_images=[image.rotate(90)]), True
    made['32-bit.tif'] = encoded(image.convert('F'), 'TIFF'), False
    for name in ('a b (1).jpg', '人物.jpg', 'x.rf.0a1b.jpg', '-x.jpg', '%s.jpg', '[a].jpg', 'UP.JPG', 'new\nline.jpg'):
        made[name] = encoded(image, 'JPEG'), True
    made['a' * 240 + '.jpg'] = encoded(image, 'JPEG'), False
    return made


IMAGES = image_mutants()
UNWRITABLE = 'a' * 240 + '.jpg'  # no name is left for its results


class TestImages:
    @pytest.mark.parametrize('name', IMAGES, ids=lambda name: f'{name:.20}'.encode('unicode_escape').decode())
    def test_alone(self, tmp_path, name):
        data, readable = IMAGES[name]
        (tmp_path / name).write_bytes(data)
        item = next(open_source(tmp_path / glob.escape(name)))
        assert item.name.removesuffix(', frame 0') == str(tmp_path / name)
        if readable or name == UNWRITABLE:
            assert item.image.dtype == np.uint8 and item.image.shape[2] == 3
        else:
            assert isinstance(item, Unreadable) and re.match('is |holds |cannot be ', item.reason)

    def test_all_at_once(self, infer, images, keep_model, tmp_path, capsys):
        first, last = images / '000000000001.jpg', images / '000000000003.jpg'
        _, clean = infer([first, last], 'whole-image')
        (tmp_path / 'a folder.jpg').mkdir()
        for name, (data, _) in IMAGES.items():
            (tmp_path / name).write_bytes(data)
        capsys.readouterr()
        status, poses = infer([first, tmp_path, last], 'whole-image')
        assert status == 1
        for key, keypoints in clean.items():
            np.testing.assert_allclose(poses[key], keypoints, atol=0.1)
        read = {key[0] for key in poses}
        expected = {str(tmp_path / name) for name, (_, readable) in IMAGES.items() if readable}
        assert read == expected | {str(first), str(last)}
        assert all(np.isfinite(keypoints).all() for keypoints in poses.values())
        said = said_by(capsys)
        for name, (_, readable) in IMAGES.items():
            assert readable == (not any(line.startswith(f'{tmp_path / name}: ') for line in said)), name
        assert len(said) == sum(not readable for _, readable in IMAGES.values())


@pytest.mark.filterwarnings('ignore::PIL.Image.DecompressionBombWarning')
def test_damaged_jpeg_2000_does_not_reach_opencv(tmp_path, monkeypatch):
    """Bytes flipped in the header end the process inside OpenCV 4.11, once in some hundred files read in a thread."""
    image = Image.fromarray(np.random.default_rng(0).integers(0, 256, (40, 30, 3), dtype=np.uint8))
    data, rng, seen, refused = encoded(image, 'JPEG2000'), np.random.default_rng(1), [], 0
    monkeypatch.setattr(image_file, '_by_opencv', lambda given: seen.append(given) or BLANK + 255)
    for number in range(200):
        broken = bytearray(data)
        for place in rng.integers(12, 200, 3):
            broken[place] ^= int(rng.integers(1, 256))
        (tmp_path / f'{number}.jp2').write_bytes(broken)
        refused += isinstance(next(open_source(tmp_path / f'{number}.jp2')), Unreadable)
    assert refused + len(seen) == 200 and refused > 60
    for given in seen:
        with Image.open(io.BytesIO(given)) as opened:
            opened.load()  # Pillow takes what OpenCV got
