"""The example of Ray Data, with two workers of a local Ray, beside ONNX Runtime itself.

Runs where Ray is installed, or where MMTRANSPOSE_RAY_PYTHON names a Python that has what
``examples/ray_data/requirements.txt`` lists.
"""

import importlib.util
import json
import os
import subprocess
import sys
from types import SimpleNamespace
from unittest.mock import MagicMock

import cv2
import numpy as np
import pytest
from conftest import ROOT

PROGRAM = ROOT / 'examples' / 'ray_data' / 'poses_to_parquet.py'
READ = """
import json, sys, pyarrow.dataset
table = pyarrow.dataset.dataset(sys.argv[1]).to_table()
names = table.schema.metadata[b'keypoint_names'].decode()
print(json.dumps(dict(rows=table.to_pylist(), names=json.loads(names))))
"""


@pytest.fixture(scope='module')
def ray_python():
    named = os.environ.get('MMTRANSPOSE_RAY_PYTHON')
    if not named and importlib.util.find_spec('ray') is None:
        pytest.skip('Ray is not installed, and MMTRANSPOSE_RAY_PYTHON names no Python that has it')
    return named or sys.executable


@pytest.fixture(scope='module')
def exported(tiny_config, tiny_checkpoint, ray_python, tmp_path_factory):
    """The tiny model as a file, a folder of images, and boxes by path in that folder."""
    for package in ('onnx', 'onnxscript', 'onnxruntime'):
        pytest.importorskip(package)
    from mmtranspose.deployment import export_model
    from mmtranspose.loading.init_model import init_model

    folder = tmp_path_factory.mktemp('ray')
    export_model(init_model(tiny_config, tiny_checkpoint), folder / 'pose.onnx')
    export_model(init_model(tiny_config, tiny_checkpoint), folder / 'crops.onnx', graph='crops')
    random, boxes = np.random.default_rng(0), {}
    for number in range(6):
        name = f'{"more/" if number % 2 else ""}{number // 2}.png'  # each name twice
        path = folder / 'images' / name
        path.parent.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(path), random.integers(0, 256, (70 + number, 90, 3), np.uint8))
        boxes[name] = [[10.5 + 8 * one, 5, 50, 60 + one] for one in range(number % 3)]
    (folder / 'images' / 'broken.jpg').write_bytes(b'no image')
    cv2.imwrite(str(folder / 'images' / 'deep.png'), np.full((40, 40), 4000, np.uint16))
    cv2.imwrite(str(folder / 'images' / 'unknown.png'), np.full((40, 40, 3), 40, np.uint8))
    boxes |= {'broken.jpg': [[0, 0, 9, 9]], 'deep.png': [[0, 0, 9, 9]]}
    (folder / 'boxes.json').write_text(json.dumps(boxes))
    return folder


def run(ray_python, *arguments):
    command = [str(one) for one in (ray_python, PROGRAM, *arguments)]
    environment = {**os.environ, 'RAY_USAGE_STATS_ENABLED': '0'}
    return subprocess.run(command, capture_output=True, text=True, env=environment, timeout=300)


def test_two_workers_give_what_onnx_runtime_gives(ray_python, exported):
    import onnxruntime

    poses = exported / 'poses'
    files = ('--boxes', exported / 'boxes.json', '--workers', '2', '--batch-size', '2')
    done = run(ray_python, exported / 'pose.onnx', exported / 'images', poses, *files)
    assert done.returncode == 1 and '9 images, 6 poses, 3 images could not be used' in done.stdout, done.stderr
    for name, reason in dict(broken='is damaged', deep='holds 16- or 32-bit', unknown='not in the file of').items():
        assert any(name in line and reason in line for line in done.stderr.splitlines())
    read = subprocess.run([ray_python, '-c', READ, poses], capture_output=True, text=True, check=True)
    found = json.loads(read.stdout)
    assert found['names'][9] == 'left_wrist'
    session = onnxruntime.InferenceSession(exported / 'pose.onnx')
    for name, boxes in json.loads((exported / 'boxes.json').read_text()).items():
        path = exported / 'images' / name
        rows = sorted((row for row in found['rows'] if row['image'] == str(path)), key=lambda row: row['person'])
        if not boxes or not path.name[0].isdecimal():
            assert [row['person'] for row in rows] == [-1]
            continue
        image = cv2.imread(str(path))[:, :, ::-1]
        inputs = dict(image=np.ascontiguousarray(image), boxes=np.float32(boxes))
        keypoints, scores = session.run(['keypoints', 'scores'], inputs)
        assert [row['person'] for row in rows] == list(range(len(boxes)))
        np.testing.assert_array_equal([row['bbox'] for row in rows], np.float32(boxes))
        np.testing.assert_allclose([row['keypoints'] for row in rows], keypoints.reshape(len(boxes), -1), atol=1e-3)
        np.testing.assert_allclose([row['scores'] for row in rows], scores, atol=1e-5)


@pytest.mark.parametrize(
    ('arguments', 'sentence'),
    [
        (('crops.onnx', 'images', 'new'), 'crops.onnx takes crops: export it with --graph image'),
        (('pose.onnx', 'images', 'images'), 'images is not empty; name another folder'),
    ],
)
def test_a_mistake_is_told_in_a_sentence(ray_python, exported, arguments, sentence):
    done = run(ray_python, *(exported / one for one in arguments))
    assert done.returncode == 2 and sentence in done.stderr and 'Traceback' not in done.stderr


@pytest.fixture
def program(monkeypatch):
    """The program's functions and class, where pyarrow need not be installed."""
    for name in ('pyarrow', 'pyarrow.dataset'):
        monkeypatch.setitem(sys.modules, name, MagicMock())
    spec = importlib.util.spec_from_file_location('poses_to_parquet', PROGRAM)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def worker(program, monkeypatch, tmp_path):
    """A worker whose network returns the middle of each box, and the boxes of a file."""

    def of(boxes):
        (tmp_path / 'boxes.json').write_text(json.dumps(boxes))
        return program.PoseWorker('pose.onnx', boxes=program.read_boxes(str(tmp_path / 'boxes.json'), 'photographs'))

    def middles(_, inputs):
        middle = (inputs['boxes'][:, None, :2] + inputs['boxes'][:, None, 2:]) / 2
        return middle, np.ones(middle.shape[:2], np.float32)

    meta = dict(mmtranspose=json.dumps(dict(keypoint_names=['middle'], model='m')))
    session = SimpleNamespace(get_modelmeta=lambda: SimpleNamespace(custom_metadata_map=meta), run=middles)
    monkeypatch.setattr(program, '_opened', lambda *_: session)
    return of


IMAGE = cv2.imencode('.png', np.zeros((60, 80, 3), np.uint8))[1].tobytes()


def test_images_of_one_name_have_boxes_of_their_own(worker):
    poses = worker({'a/1.png': [[0, 0, 20, 10]], 'b/1.png': [[40, 20, 60, 40], [0, 0, 2, 2]], 'c.png': []})
    for name, wanted in {'a/1.png': [[10, 5]], 'b/1.png': [[50, 30], [1, 1]]}.items():
        rows = poses.rows(os.path.abspath(f'photographs/{name}'), IMAGE)
        assert [row['keypoints'] for row in rows] == wanted and not any(row['error'] for row in rows)
    (nobody,) = poses.rows(os.path.abspath('photographs/c.png'), IMAGE)
    assert (nobody['person'], nobody['error']) == (-1, '')
    (unknown,) = poses.rows(os.path.abspath('photographs/1.png'), IMAGE)
    assert unknown['person'] == -1 and 'is not in the file of boxes' in unknown['error']


@pytest.mark.parametrize(
    'boxes',
    [
        [[10, 20, 30, 40, 0.9]] * 4,  # 4 x 5 numbers would make 5 boxes
        [[10, 20, 30]] * 4,
        [10, 20, 30, 40],
        [[10, 20, 30, 40], [1, 2]],
        [[10, 20, 5, 40]],
        [[10, 20, float('nan'), 40]],
        [dict(bbox=[1, 2, 3, 4])],
        None,
    ],
)
def test_boxes_that_are_none(worker, boxes):
    (row,) = worker({'1.png': boxes}).rows(os.path.abspath('photographs/1.png'), IMAGE)
    assert row['person'] == -1 and 'has boxes that are not [[x1, y1, x2, y2], ...]' in row['error']


@pytest.mark.parametrize(('text', 'words'), [('[', 'boxes.json is no JSON file'), ('[]', 'must hold {path in the')])
def test_files_of_boxes_that_are_none(program, tmp_path, text, words):
    (tmp_path / 'boxes.json').write_text(text)
    with pytest.raises(ValueError, match=words):
        program.read_boxes(str(tmp_path / 'boxes.json'), 'photographs')


def test_a_gpu_is_used_or_missed(program, monkeypatch):
    asked = []

    def session(path, options, providers):
        asked.append(providers)
        return SimpleNamespace(get_providers=lambda: ['CPUExecutionProvider'])

    monkeypatch.setattr(program.onnxruntime, 'InferenceSession', session)
    program._opened('pose.onnx', 1)
    with pytest.raises(RuntimeError, match='cannot use a GPU here: install onnxruntime-gpu'):
        program._opened('pose.onnx', 1, gpu=True)
    assert asked == [['CPUExecutionProvider'], ['CUDAExecutionProvider', 'CPUExecutionProvider']]
