"""int8 through the command, and the people that it is calibrated with."""

from dataclasses import replace

import cv2
import numpy as np
import onnx
import pytest

from mmtranspose.apis import InputError
from mmtranspose.deployment import exporting, quantisation
from mmtranspose.deployment.file_meta import FileMeta
from mmtranspose.deployment.quantisation import GraphInputs, annotated_only, calibration_people
from mmtranspose.loading.config import load_config

nncf = pytest.importorskip('nncf')
IMAGES = [np.random.default_rng(0).integers(0, 256, size, np.uint8) for size in ((60, 80, 3), (70, 50, 3))]


@pytest.fixture(scope='module')
def photographs(tmp_path_factory):
    """A folder of two images of different sizes, and a file that is no image by its name."""
    folder = tmp_path_factory.mktemp('photographs')
    for number, image in enumerate(IMAGES):
        cv2.imwrite(str(folder / f'{number}.png'), image)
    (folder / 'notes.txt').touch()
    return folder


@pytest.fixture
def once_traced(exported, monkeypatch):
    """The command takes the traced graph that is there."""

    def traced(model, options, checkpoint):
        graph = onnx.load(str(exported / 'image.onnx'))
        meta = FileMeta.from_json(graph.metadata_props[0].value, 'image.onnx')
        return graph, replace(meta, precision=options.precision)

    monkeypatch.setattr(exporting, 'traced', traced)


def test_command_with_the_datasets_people(once_traced, tiny_config, tiny_checkpoint, run_command, tmp_path, capsys):
    """Calibrated with the people of the config; their AP before and after is printed."""
    output = tmp_path / 'pose.onnx'
    run_command('export', tiny_config, tiny_checkpoint, '--output', output, '--precision', 'int8')
    model, printed = onnx.load(str(output)), capsys.readouterr().out
    assert sum(node.op_type == 'QuantizeLinear' for node in model.graph.node) > 10
    row = next(line.split() for line in printed.splitlines() if line.startswith('coco/AP '))
    _, before, after, difference = row[0], *map(float, row[1:])
    assert 0 <= before <= 1 and after - before == pytest.approx(difference, abs=2e-4)


def test_command_with_a_damaged_image(once_traced, tiny_config, tiny_checkpoint, run_command, tmp_path, photographs):
    """NNCF is at work when the image's turn comes; its name is told, and nothing is written."""
    whole = (photographs / '1.png').read_bytes()
    (tmp_path / '1.png').write_bytes(whole)
    (tmp_path / '2.png').write_bytes(whole[:1000])
    flags = ('--output', tmp_path / 'pose.xml', '--precision', 'int8', '--calibration', tmp_path)
    with pytest.raises(InputError, match='2.png cannot be decoded'):
        run_command('export', tiny_config, tiny_checkpoint, *flags)
    assert sorted(path.name for path in tmp_path.iterdir()) == ['1.png', '2.png']


def test_images_are_read_when_their_turn_comes(photographs, tiny_model, monkeypatch):
    """And made anew every time: at no time is there more than one."""
    read = []
    monkeypatch.setattr(quantisation, 'read_image', lambda path: read.append(path) or cv2.imread(path))
    samples = GraphInputs(calibration_people(photographs), 'image', tiny_model)
    assert len(samples) == 2 and read == []
    for _ in range(2):
        for sample, image in zip(samples, IMAGES, strict=True):
            np.testing.assert_array_equal(sample['image'], image[:, :, ::-1])
            np.testing.assert_array_equal(sample['boxes'], [[0, 0, image.shape[1], image.shape[0]]])
    assert read == [str(photographs / name) for name in ('0.png', '1.png')] * 2


def test_crops_of_annotated_people(tiny_config, tiny_model):
    people = calibration_people(tiny_config)
    assert all(boxes.shape == (1, 4) and boxes.dtype == np.float32 for _, boxes in people)
    samples = GraphInputs(people[:1], 'crops', tiny_model)
    assert samples[0]['crops'].shape == (1, 64, 48, 3) and samples[0]['crops'].dtype == np.uint8


def test_300_of_301_images(tmp_path):
    """Videos do not count; the first and the last image are among them."""
    for number in range(301):
        (tmp_path / f'{number}.jpg').touch()
        (tmp_path / f'{number}.gif').touch()
    files = [file for file, _ in calibration_people(tmp_path)]
    assert len(set(files)) == 300 and all(file.endswith('.jpg') for file in files)
    assert (files[0], files[-1]) == (str(tmp_path / '0.jpg'), str(tmp_path / '300.jpg'))


def test_folder_without_images(tmp_path):
    (tmp_path / 'a.mp4').touch()
    with pytest.raises(InputError, match='holds no images to calibrate with'):
        calibration_people(tmp_path)


def test_annotated_boxes_in_place_of_detections(tiny_config):
    cfg = load_config(tiny_config)
    cfg.test_dataloader.dataset.bbox_file = 'detections.json'
    assert annotated_only(cfg).test_dataloader.dataset.bbox_file is None
    assert cfg.test_dataloader.dataset.bbox_file == 'detections.json'
    cfg.test_dataloader = None
    with pytest.raises(InputError, match=r'tiny.py has no test_dataloader, so it names no people'):
        annotated_only(cfg)
