"""Files against PyTorch: differences computed by hand, files that agree and that do not."""

import json
import shutil
from dataclasses import replace

import numpy as np
import pytest
import torch

from mmtranspose.apis import InputError, load_exported
from mmtranspose.commands import export
from mmtranspose.deployment import exporting, verifying
from mmtranspose.deployment.verifying import Agreement, compare, drawn_people
from mmtranspose.errors import DONE, FAILED


def agreement(crop, scores=(0.0,), maps=(0.0,), precision='fp32'):
    arrays = [np.array(values, float) for values in (crop, crop, scores, maps)]
    return Agreement(1, *arrays, precision)


@pytest.mark.parametrize(
    ('found', 'within'),
    [
        (agreement([0.0, 0.09]), True),
        (agreement([0.0, 0.11]), False),  # one of two keypoints
        (
            agreement([0.01] * 199 + [1.9], scores=[0.0] * 200, maps=[0.0] * 199 + [0.03]),
            True,
        ),  # one of many may be apart
        (agreement([0.01] * 65 + [0.25]), False),  # one of 66 is more than one of a hundred
        (agreement([0.01] * 199 + [2.1]), False),  # but not by more than 20 tolerances
        (agreement([0.01] * 97 + [0.11] * 3), False),
        (agreement([0.0], scores=[0.006]), False),
        (agreement([0.0], maps=[0.003]), False),
        (agreement([0.0], maps=[]), True),  # a file without dependency
        (agreement([0.5] * 99 + [40.0], precision='bf16'), True),  # one of a hundred may jump to another maximum
        (agreement([0.5] * 90 + [40.0] * 10, precision='bf16'), False),
        (agreement([2.0] * 100, precision='int8'), True),
        (agreement([4.0] * 100, precision='int8'), False),
    ],
)
def test_tolerances(found, within):
    assert found.within is within
    assert (found.problem is None) is within


def test_the_problem_names_the_limit():
    keypoints, dependency = agreement([0.0, 0.2]).problem, agreement([0.0], maps=[0.0] * 199 + [0.05]).problem
    assert "(keypoints, pixels of the network's input: 0.2 at 99%, at most 0.1 expected)" in keypoints
    assert dependency.endswith('(dependency: the largest is 0.05, at most 0.04 expected)')


def test_nothing_compared_is_a_problem():
    assert 'nothing was compared' in agreement([], [], []).problem


def test_table():
    lines = agreement([0.0, 1.0, 3.0], [0.0, 0.0, 0.5], []).lines()
    assert lines[1].split()[-3:] == ['1', '2.8', '3']  # 95 % of the way from 0 by way of 1 to 3
    assert lines[-1] == 'compared: 3 keypoints of 1 person'
    assert not any(line.startswith('dependency') for line in lines)


@pytest.fixture
def all_count(monkeypatch):
    """The barely trained model is sure of nothing."""
    monkeypatch.setattr(verifying, 'SURE', -1.0)


def test_file_and_its_model(exported, tiny_model, scene, all_count):
    found = compare(load_exported(exported / 'crops.onnx'), tiny_model, (one for one in [scene]))
    assert found.people == 3 and len(found.scores) == len(found.dependency) == 3 * 17
    assert found.scores.max() < 1e-5 and found.dependency.max() < 1e-5
    found = compare(load_exported(exported / 'image.onnx'), tiny_model, [scene])
    assert found.scores.max() < 1e-3 and np.quantile(found.keypoints, 0.9) < 0.02


def test_file_of_another_model(exported, tiny_model, scene, all_count):
    with torch.no_grad():
        tiny_model.head.final_layer.weight.mul_(1.5)
    found = compare(load_exported(exported / 'crops.onnx'), tiny_model, [scene])
    assert not found.within and 'by more than rounding' in found.problem


def test_what_cannot_be_compared(exported, tiny_model, scene):
    file = load_exported(exported / 'image.onnx')
    with pytest.raises(InputError, match='no person to compare'):
        compare(file, tiny_model, [(scene[0], scene[1][:0])])
    tiny_model.dataset_meta = {**tiny_model.dataset_meta, 'keypoint_id2name': {k: f'point {k}' for k in range(17)}}
    with pytest.raises(InputError, match='keypoints'):
        compare(file, tiny_model, [scene])


@pytest.mark.parametrize(
    ('name', 'value', 'message'),
    [
        ('input_size', [192, 256], r'input_size .w, h. is \[192, 256\] in the file, but \[48, 64\] in the model'),
        ('token_grid', [6, 8], r'token_grid .h, w. is \[6, 8\] in the file, but \[8, 6\] in the model'),
        ('num_layers', 6, 'num_layers is 6 in the file, but 2 in the model: name the model that was exported, tiny'),
    ],
)
def test_other_networks(exported, tiny_model, scene, name, value, message):
    file = load_exported(exported / 'image.onnx')
    file.meta = replace(file.meta, **{name: value})
    with pytest.raises(InputError, match=message):
        compare(file, tiny_model, [scene])


def test_drawn_people_are_always_the_same():
    (image, boxes), (again, _) = drawn_people()[0], drawn_people()[0]
    assert np.array_equal(image, again) and image.shape == (480, 640, 3) and len(boxes) >= 2


def test_commands(exported, tiny_config, tiny_checkpoint, tmp_path, run_command, capsys, people):
    """Export, verify on images, verify a file that is not there."""
    file = exported / 'image.onnx'
    assert (exported / 'printed.txt').read_text().startswith(f'{file}: ')
    annotations = people / 'annotations' / 'person_keypoints_val.json'
    boxes = json.loads(annotations.read_text())
    images = [people / 'val' / one['file_name'] for one in boxes['images']][:2]
    images.append(tmp_path / 'of_another_split.jpg')
    shutil.copy(images[0], images[-1])
    model = ('--config', tiny_config, '--checkpoint', tiny_checkpoint)
    status = run_command('verify', file, *model, '--input', *images, '--bboxes', annotations, '--evaluate', tiny_config)
    out, error = capsys.readouterr()
    assert out.startswith('image.onnx: ONNX Runtime') and '0 keypoints of 2 people' in out and 'coco/AP' in out
    assert error.startswith('1 image left out, such as: ') and 'of_another_split.jpg is not among' in error
    assert status == 1 and 'nothing was compared' in error  # the barely trained model is sure of nothing
    with pytest.raises(InputError, match='of_another_split.jpg is not among'):
        run_command('verify', file, *model, '--input', images[-1], '--bboxes', annotations)
    with pytest.raises(InputError, match='does not exist'):
        run_command('verify', tmp_path / 'none.onnx', *model)
    with pytest.raises(InputError, match='comes without weights: name a checkpoint .--checkpoint.'):
        run_command('verify', file, '--config', tiny_config)
    options = ('--cfg-options', 'test_dataloader.dataset.ann_file=none.json')
    with pytest.raises(InputError, match='none.json'):
        run_command('verify', file, *model, '--evaluate', tiny_config, *options)


def test_export_command_verifies(exported, tiny_config, tiny_checkpoint, tmp_path, run_command, capsys, monkeypatch):
    """A model that is sure of nothing in drawn people is no failure; one that is, is compared, and so is its AP."""
    monkeypatch.setattr(export, 'export_model', lambda *_, **__: exported / 'image.onnx')
    command = ('export', tiny_config, tiny_checkpoint, '--output', tmp_path / 'a.onnx')
    assert run_command(*command) == DONE
    out, error = capsys.readouterr()
    assert '0 keypoints of' in out and 'nothing was compared: `mmtranspose verify FILE --input' in error
    monkeypatch.setattr(verifying, 'SURE', -1.0)
    monkeypatch.setattr(verifying, 'TOLERANCES', {'fp32': (99, 5e-3, 2e-3)})  # flat heatmaps: rounding moves maxima
    assert run_command(*command, '--precision', 'int8') == DONE
    out, error = capsys.readouterr()
    assert 'keypoints of' in out and 'coco/AP' in out and 'nothing was compared' not in error
    monkeypatch.setattr(verifying, 'TOLERANCES', {'fp32': (99, 0, 2e-3)})
    assert run_command(*command) == FAILED
    assert 'by more than rounding' in capsys.readouterr().err


def test_export_command_verifies_engines_on_the_gpu(
    exported, tiny_config, tiny_checkpoint, tmp_path, run_command, monkeypatch
):
    def opened(*arguments):
        given.append(arguments)
        return load_exported(exported / 'crops.onnx')

    given, path = [], tmp_path / 'a.onnx'
    monkeypatch.setattr(exporting, 'traced', lambda *_: (None, None))
    monkeypatch.setattr(exporting, 'write_tensorrt', lambda _graph, _meta, path: path.touch())
    monkeypatch.setattr(export, 'load_exported', opened)
    options = ('--output', path, '--format', 'tensorrt', '--graph', 'crops')
    assert run_command('export', tiny_config, tiny_checkpoint, *options) == DONE
    assert given == [(path, 'tensorrt', 'cuda:0')]
