"""The programs of examples/: poses from exported files, where neither PyTorch nor MMPose can be imported."""

import json
import os
import shutil
import subprocess
import sys

import numpy as np
import onnx
import onnxruntime
import pytest
from conftest import ROOT
from onnx import TensorProto, helper, numpy_helper
from PIL import Image

PYTHON, NODE = ROOT / 'examples' / 'python' / 'poses.py', ROOT / 'examples' / 'javascript' / 'poses.js'
MODULES = os.environ.get('MMTRANSPOSE_NODE_MODULES', str(NODE.parent / 'node_modules'))
NAMES = ['nose', 'left_wrist']
BOXES = ['4,6,40,30', '20.5,8,60,44']
WRONG_BOXES = [['10,20,30,x'], ['10,20,,30'], ['nan,20,30,40'], [*BOXES, '4,5,6,7,8'], ['1,2,3']]
# Runs the program on several command lines; whoever imports what the program does without gets an error.
RUNNER = """
import json, runpy, sys
class Missing:
    def find_spec(self, name, path=None, target=None):
        if name.split('.')[0] in ('torch', 'torchvision', 'mmengine', 'mmcv', 'mmdet', 'mmpose', 'mmtranspose', 'cv2'):
            raise ImportError(f'the example imports {name}')
sys.meta_path.insert(0, Missing())
program, calls = sys.argv[1], json.loads(sys.argv[2])
for call in calls:
    sys.argv = [program, *call]
    try:
        runpy.run_path(program, run_name='__main__')
    except SystemExit as stop:
        print(json.dumps(str(stop)))
"""


def write(path, nodes, constants, inputs, outputs, meta):
    initializers = [numpy_helper.from_array(np.asarray(value), name) for name, value in constants.items()]
    values = [[helper.make_tensor_value_info(*value) for value in group] for group in (inputs, outputs)]
    model = helper.make_model(
        helper.make_graph([helper.make_node(*node[:3], **node[3]) for node in nodes], 'g', *values, initializers),
        opset_imports=[helper.make_opsetid('', 18)],
        ir_version=10,
    )
    helper.set_model_props(model, {'other': 'entry', 'mmtranspose': json.dumps(meta)} if meta else {})
    onnx.checker.check_model(model)
    onnx.save(model, path)


IMAGE = ('image', TensorProto.UINT8, ['height', 'width', 3])


def write_pose(path, graph='image'):
    """A file of the contract: two keypoints, in the box's corners, moved by the mean of the image's red and blue."""
    constants = dict(
        rgb=np.float32([[1, 0], [0, 0], [0, 1]]),
        shape=np.int64([-1, 2, 2]),
        axes=np.int64([0, 1]),
        sure=np.float32([[0.9, 0.8]]),
        zero=np.float32(0),
        maps=np.float32([[[[1, 0, 0], [0, 0, 0]], [[0, 0, 0], [0, 0, 1]]]] * 2)[None],
        affine=np.float32([[[1, 0, 0], [0, 1, 0]]]),
        split=np.int64([2, 2]),
        third=np.int64([2]),
        first=np.int64([1]),
        people=np.int64([-1, 1, 1, 1, 1]),
        one=np.int64([-1, 2, 1]),
    )
    nodes = [
        ('Cast', ['image'], ['pixels'], dict(to=TensorProto.FLOAT)),
        ('ReduceMean', ['pixels', 'axes'], ['colour'], dict(keepdims=0)),
        ('MatMul', ['colour', 'rgb'], ['shift'], {}),
        ('Reshape', ['boxes', 'shape'], ['corners'], {}),
        ('Add', ['corners', 'shift'], ['keypoints'], {}),
        ('ReduceSum', ['boxes', 'first'], ['sum'], dict(keepdims=1)),
        ('Gather', ['sum', 'zeros'], ['somebody'], dict(axis=0)),  # fails where there is nobody, as some runtimes do
        ('Add', ['sum', 'somebody'], ['sums'], {}),
        ('Mul', ['sums', 'zero'], ['nothing'], {}),
        ('Add', ['nothing', 'sure'], ['scores'], {}),
        ('Reshape', ['nothing', 'people'], ['row'], {}),
        ('Add', ['row', 'maps'], ['dependency'], {}),
        ('Split', ['boxes', 'split'], ['start', 'end'], dict(axis=1)),
        ('Sub', ['end', 'start'], ['size'], {}),
        ('Reshape', ['size', 'one'], ['scale'], {}),
        ('Mul', ['affine', 'scale'], ['scaled'], {}),
        ('Reshape', ['start', 'one'], ['offset'], {}),
        ('Slice', ['scaled', 'zeros', 'third', 'third'], ['linear'], {}),
        ('Concat', ['linear', 'offset'], ['crop_to_image'], dict(axis=2)),
    ]
    constants['zeros'] = np.int64([0])
    meta = dict(
        graph=graph, keypoint_names=NAMES, skeleton=[[0, 1]], token_to_crop=[[0.3, 0, 0.15], [0, 0.5, 0.25]], format=1
    )
    outputs = dict(keypoints=['n', 2, 2], scores=['n', 2], dependency=['n', 2, 2, 2, 3], crop_to_image=['n', 2, 3])
    boxes = ('boxes', TensorProto.FLOAT, ['n', 4])
    write(path, nodes, constants, [IMAGE, boxes], [(k, TensorProto.FLOAT, v) for k, v in outputs.items()], meta)


def write_detector(path):
    """Finds one person in an image that is not black, around the whole of it but a margin of one pixel."""
    constants = dict(axes=np.int64([0, 1, 2]), zero=np.float32(0), margin=np.float32([[1, 1, -1, -1]]))
    constants |= dict(none=np.float32([[0, 0]]), flat=np.int64([1]))
    nodes = [
        ('Cast', ['image'], ['pixels'], dict(to=TensorProto.FLOAT)),
        ('ReduceMax', ['pixels', 'axes'], ['most'], dict(keepdims=0)),
        ('Greater', ['most', 'zero'], ['some'], {}),
        ('Reshape', ['some', 'flat'], ['kept'], {}),
        ('Shape', ['image'], ['shape'], dict(end=2)),
        ('Cast', ['shape'], ['height_width'], dict(to=TensorProto.FLOAT)),
        ('Gather', ['height_width', 'order'], ['width_height'], {}),
        ('Concat', ['none', 'width_height'], ['whole'], dict(axis=1)),
        ('Add', ['whole', 'margin'], ['box'], {}),
        ('Compress', ['box', 'kept'], ['boxes'], dict(axis=0)),
        ('Reshape', ['most', 'flat'], ['score'], {}),
        ('Compress', ['score', 'kept'], ['scores'], dict(axis=0)),
    ]
    constants['order'] = np.int64([[1, 0]])
    outputs = [('boxes', TensorProto.FLOAT, ['n', 4]), ('scores', TensorProto.FLOAT, ['n'])]
    write(path, nodes, constants, [IMAGE], outputs, dict(kind='detector'))


def write_images(folder):
    """Images of several kinds by name; and the pixels (h, w, 3), RGB, upright, that each stands for."""
    rng = np.random.default_rng(0)
    colour = rng.integers(1, 256, (48, 64, 3), dtype=np.uint8)
    grey, alpha = colour[:, :, :1], rng.integers(0, 256, (48, 64, 1), dtype=np.uint8)
    turned = Image.Exif()
    turned[0x0112] = 6  # to be turned by a quarter, clockwise
    kinds = dict(
        colour=(colour, colour),
        grey=(grey[:, :, 0], grey.repeat(3, axis=2)),
        alpha=(np.dstack([colour, alpha]), colour),
        greyalpha=(np.dstack([grey, alpha]), grey.repeat(3, axis=2)),
        deep=(grey[:, :, 0].astype(np.uint16) * 257, grey.repeat(3, axis=2)),
        exif=(colour, np.rot90(colour, -1)),
        black=(np.zeros_like(colour), np.zeros_like(colour)),
    )
    for name, (stored, _) in kinds.items():
        Image.fromarray(stored).save(folder / f'{name}.png', exif=turned if name == 'exif' else None)
    return {name: np.ascontiguousarray(seen) for name, (_, seen) in kinds.items()}


class Examples:
    """What the programs have made of the images: by program, image and the way in which people were found."""

    def __init__(self, folder):
        self.folder, self.images = folder, write_images(folder)
        write_pose(folder / 'pose.onnx')
        write_pose(folder / 'crops.onnx', 'crops')
        write_detector(folder / 'detector.onnx')

    def calls(self, boxes):
        detector = ['--detector', str(self.folder / 'detector.onnx')]
        ways = dict(boxes=boxes, detector=detector, whole=[])
        named = {
            (name, way): [*options, '--keypoint', 'left_wrist'] for name in self.images for way, options in ways.items()
        }
        pose = str(self.folder / 'pose.onnx')
        return {
            key: [pose, str(self.folder / f'{key[0]}.png'), str(self.folder / f'{"_".join(key)}.out.png'), *options]
            for key, options in named.items()
        }

    def expected(self, name, way):
        image = self.images[name]
        height, width = image.shape[:2]
        boxes = np.float32([[float(value) for value in box.split(',')] for box in BOXES])
        if way == 'whole':
            boxes = np.float32([[0, 0, width, height]])
        elif way == 'detector':
            boxes = np.float32([[1, 1, width - 1, height - 1]])
        if way == 'detector' and not image.any():
            return np.zeros((0, 4)), np.zeros((0, 2, 2)), np.zeros((0, 2))
        session = onnxruntime.InferenceSession(self.folder / 'pose.onnx')
        return boxes, *session.run(['keypoints', 'scores'], {'image': image, 'boxes': boxes})

    def require_as_expected(self, found, key):
        boxes, keypoints, scores = self.expected(*key)
        assert len(found) == len(boxes)
        for one, *values in zip(found, boxes, keypoints, scores):
            for name, value in zip(('bbox', 'keypoints', 'scores'), values):
                np.testing.assert_allclose(one[name], value, rtol=0, atol=1e-4)

    def require_drawn(self, key):
        """The image that was written has the size of the photograph; what has changed lies in the boxes."""
        with Image.open(self.folder / f'{"_".join(key)}.out.png') as written:
            drawn = np.asarray(written.convert('RGB')).astype(int)
        plain = self.images[key[0]].astype(int)
        assert drawn.shape == plain.shape
        boxes, _, _ = self.expected(*key)
        assert (np.abs(drawn - plain).max() > 60) == (len(boxes) > 0)
        if key == ('black', 'boxes'):  # the second box: near its token in the last row and column, and near another
            share = 0.8 * (((30 - 8) / 36 - 0.25) / 0.5) ** 0.7
            assert abs(drawn[30, 50, 0] - 255 * share) < 12 and drawn[15, 50, 0] == 0


@pytest.fixture(scope='module')
def examples(tmp_path_factory):
    return Examples(tmp_path_factory.mktemp('examples'))


def in_python(calls):
    run = subprocess.run(
        [sys.executable, '-I', '-c', RUNNER, str(PYTHON), json.dumps(calls)],
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert run.returncode == 0, run.stderr
    return [json.loads(line) for line in run.stdout.splitlines()]


def test_python(examples):
    calls = examples.calls(['--boxes', *BOXES])
    for key, found in zip(calls, in_python(list(calls.values())), strict=True):
        examples.require_as_expected(found, key)
        examples.require_drawn(key)


def test_python_says_what_is_wrong(examples):
    pose, image, out = (str(examples.folder / name) for name in ('pose.onnx', 'colour.png', 'x.png'))
    crops, detector = str(examples.folder / 'crops.onnx'), str(examples.folder / 'detector.onnx')
    found = in_python(
        [
            [crops, image, out],
            [detector, image, out],
            [pose, image, out, '--detector', pose],
            [pose, image, out, '--keypoint', 'tail'],
            *([pose, image, out, '--boxes', *boxes] for boxes in WRONG_BOXES),
        ]
    )
    assert [one.split('/')[-1] for one in found] == [
        "crops.onnx is no file with kind or graph 'image' that mmtranspose has exported",
        "detector.onnx is no file with kind or graph 'image' that mmtranspose has exported",
        "pose.onnx is no file with kind or graph 'detector' that mmtranspose has exported",
        'no map of tail: export with --dependency, and choose from nose, left_wrist',
        *(f'--boxes {boxes[-1]} is no box: four numbers are wanted, X1,Y1,X2,Y2' for boxes in WRONG_BOXES),
    ]


def test_python_is_short():
    assert len(PYTHON.read_text().splitlines()) < 100
    assert len((ROOT / 'examples' / 'cpp' / 'poses.cpp').read_text().splitlines()) < 120


@pytest.mark.skipif(
    shutil.which('node') is None or not os.path.isdir(MODULES),
    reason='needs Node and, in MMTRANSPOSE_NODE_MODULES, the modules of examples/javascript/package.json',
)
def test_javascript(examples):
    calls = examples.calls([word for box in BOXES for word in ('--boxes', box)])
    program = f"""
        const calls = {json.dumps(list(calls.values()))};
        for (const call of calls) {{
          const words = [{json.dumps(str(NODE))}, ...call];
          const run = require('child_process').spawnSync('node', words, {{ encoding: 'utf8' }});
          console.log(run.stdout.trim() || JSON.stringify(run.stderr));
        }}"""
    environment = {**os.environ, 'NODE_PATH': MODULES}
    run = subprocess.run(['node', '-e', program], capture_output=True, text=True, env=environment, timeout=300)
    for key, line in zip(calls, run.stdout.splitlines(), strict=True):
        examples.require_as_expected(json.loads(line), key)
        examples.require_drawn(key)


@pytest.mark.skipif(shutil.which('node') is None, reason='needs Node')
def test_javascript_says_which_box_is_wrong(tmp_path):
    """Before it opens a file: so its modules need not be there."""
    for name in ('onnxruntime-node', 'sharp'):
        (tmp_path / name).mkdir()
        (tmp_path / name / 'index.js').touch()
    environment = {**os.environ, 'NODE_PATH': str(tmp_path)}
    for boxes in (*WRONG_BOXES, ['1,2,3', '4,5,6,7,8'], ['1,2,3,1e39']):
        words = [word for box in boxes for word in ('--boxes', box)]
        run = subprocess.run(
            ['node', str(NODE), 'pose.onnx', 'a.png', 'b.png', *words], capture_output=True, text=True, env=environment
        )
        wrong = next(box for box in boxes if box not in BOXES)
        assert run.returncode == 1 and run.stdout == ''
        assert run.stderr == f'--boxes {wrong} is no box: four numbers are wanted, X1,Y1,X2,Y2\n'


def test_node_is_new_enough_for_the_modules():
    package = json.loads((NODE.parent / 'package.json').read_text())
    assert package['engines']['node'] == '>=20.9.0'  # of sharp 0.35


def test_versions_of_the_packages_are_pinned():
    for file in sorted((ROOT / 'examples').rglob('requirements.txt')):
        lines = [line for line in file.read_text().splitlines() if line and not line.startswith('#')]
        assert lines and all('==' in line for line in lines), file
