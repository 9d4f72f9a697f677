"""Each sub-mode of the benchmark, from its command line to its figures."""

import json
import math
import time

import cv2
import mmcv
import numpy as np
import pytest
import torch
from mmpose.codecs.utils import get_heatmap_maximum
from mmpose.models.data_preprocessors import PoseDataPreprocessor

from mmtranspose.apis import InputError
from mmtranspose.benchmark import Settings
from mmtranspose.benchmark import arithmetic as matmul
from mmtranspose.benchmark import measurement as measuring
from mmtranspose.benchmark import run as benchmark
from mmtranspose.benchmark.arithmetic import count
from mmtranspose.benchmark.image_set import image_files
from mmtranspose.benchmark.measurement import Measurement
from mmtranspose.benchmark.modes.decode import decode_ways, peaked_heatmaps
from mmtranspose.benchmark.modes.end_to_end import end_to_end_ways
from mmtranspose.benchmark.modes.forward import forward_ways
from mmtranspose.benchmark.modes.train_step import first_gradient_norm, train_step_ways
from mmtranspose.benchmark.networks import (
    MaterialisedAttention,
    load_baseline,
    load_model,
    network,
    random_inputs,
    weights_file,
)
from mmtranspose.benchmark.worker import PeakMemory
from mmtranspose.crops.boxes import load_bboxes

COMMAND = 'benchmark'


class Here:
    """In place of a worker: everything in this process."""

    def __init__(self, way, threads):
        self.name, self.task, self.memory = way.name, way.build(**way.arguments), PeakMemory(way.device)
        start = time.perf_counter()
        self.outputs = self.task.outputs(self.task.run())
        self.first_seconds = time.perf_counter() - start

    def __enter__(self):
        return self

    def __exit__(self, *error):
        pass

    def run(self):
        start = time.perf_counter()
        self.task.run()
        return time.perf_counter() - start

    def peak_mib(self):
        return self.memory.mib + 1


@pytest.fixture
def here(monkeypatch):
    monkeypatch.setattr(measuring, 'Worker', Here)
    monkeypatch.setattr(matmul, 'Worker', Here)
    monkeypatch.setattr(matmul, 'SIZES', dict(cpu=(64, 128)))


@pytest.fixture
def settings(tiny_config, tmp_path):
    return Settings(tiny_config, folder=tmp_path)


@pytest.fixture
def figures(run_command, tiny_config, tmp_path, capsys):
    """Runs a sub-mode and returns what it wrote, after checks that hold for all of them; and what it printed."""

    def figures(mode, *flags, ways=('baseline', 'ours fp32')):
        file = tmp_path / 'figures.json'
        run_command(COMMAND, tiny_config, mode, *flags, '--repeats', '2', '--warmup', '0', '--json', file)
        result, output = json.loads(file.read_text()), capsys.readouterr()
        assert [row['way'] for row in result['rows']] == list(ways)
        assert result['mode'] == mode and result['machine']['torch'] == torch.__version__
        for row in result['rows']:
            numbers = [*row['seconds'].values(), *row['speedup'].values()]
            numbers += [row[name] for name in ('first_seconds', 'per_second', 'peak_mib', 'memory_ratio')]
            assert all(math.isfinite(number) and number > 0 for number in numbers)
            assert row['seconds']['least'] <= row['seconds']['median'] <= row['seconds']['greatest']
            assert any(line.startswith(row['way']) for line in output.out.splitlines())
        assert result['rows'][0]['differences'] == {} and result['rows'][0]['speedup']['of_medians'] == 1
        return result, output.out

    return figures


def test_forward_in_processes(figures, monkeypatch):
    """The one sub-mode that is run with real processes here; they take seconds to start."""
    monkeypatch.setattr(matmul, 'Worker', Here)
    monkeypatch.setattr(matmul, 'SIZES', dict(cpu=(64, 128)))
    result, printed = figures('forward', '--batch-size', '2', '--threads', '1')
    baseline, ours = result['rows']
    assert ours['differences']['heatmaps'] < 1e-4
    flop = 2 * 2 * count(result['settings']['config']).total
    peak = result['matmul_flops']['fp32']
    for row in (baseline, ours):
        assert row['flop'] == flop and row['flops'] == pytest.approx(flop / row['seconds']['median'])
        assert row['matmul_share'] == pytest.approx(row['flops'] / peak)
        assert row['per_second'] == pytest.approx(2 / row['seconds']['median'])
    assert 'machine: cpu' in printed and 'command: ' in printed and result['machine']['threads'] == 1


def test_several_batch_sizes(here, figures):
    result, _ = figures('forward', '--batch-size', '1', '3', ways=('baseline', 'ours fp32') * 2)
    assert [row['batch_size'] for row in result['rows']] == [1, 1, 3, 3]
    assert result['rows'][2]['flop'] == 3 * result['rows'][0]['flop']


def test_train_step(here, figures):
    result, _ = figures('train-step', '--batch-size', '2', '--checkpointing')
    assert set(result['rows'][1]['differences']) == {'loss', 'gradient_norm'}
    assert result['settings']['checkpointing'] is True


@pytest.mark.parametrize('mode', ['loading', 'evaluating'])
def test_beside_the_network(here, figures, mode, monkeypatch):
    read = []
    monkeypatch.setattr(mmcv, 'imfrombytes', lambda *a, _read=mmcv.imfrombytes, **k: read.append(1) or _read(*a, **k))
    flags = ('--batch-size', '6', '--pictures', '2', '--people', '3')
    result, printed = figures(mode, *flags, ways=('baseline', 'ours'))
    assert 'people/s' in printed
    if mode == 'loading':
        assert result['rows'][1]['differences'] == dict(pictures=0)
        assert len(read) == 3 * 6 + 3 * 2  # three calls: of each box, and of each image
    else:
        assert result['rows'][1]['differences']['keypoints'] < 0.01


def test_decode(here, figures):
    result, printed = figures('decode', '--batch-size', '3', ways=('baseline', 'ours'))
    assert result['rows'][1]['differences']['keypoints'] < 0.01 and 'people/s' in printed


def test_end_to_end(here, figures):
    result, _ = figures('end-to-end', '--batch-size', '4', '--pictures', '2', '--people', '3')
    for row in result['rows']:
        assert row['per_second'] == pytest.approx(2 * 3 / row['seconds']['median'])
    assert set(result['rows'][1]['differences']) == {'keypoints', 'scores'}


def test_end_to_end_of_given_images(here, figures, people, tmp_path):
    for index in (1, 2):
        name = f'{index:012}'
        (tmp_path / 'in').mkdir(exist_ok=True)
        (tmp_path / 'in' / f'{name}.jpg').write_bytes((people / 'val' / f'{name}.jpg').read_bytes())
        (tmp_path / 'in' / f'{name}.json').write_text(json.dumps([[20, 15, 120, 200]] * index))
    result, _ = figures('end-to-end', '--images', tmp_path / 'in', '--bboxes', tmp_path / 'in')
    row = result['rows'][0]
    assert row['per_second'] == pytest.approx(3 / row['seconds']['median'])


def test_figures():
    baseline = Measurement(9.0, {}, [4.0, 6.0, 8.0], 100.0)
    ours = Measurement(5.0, dict(heatmaps=1e-6), [2.0, 2.0, 4.0], 40.0)
    row = benchmark.figures(ours, baseline, done=8)
    assert row['seconds'] == dict(median=2, quartile_1=2, quartile_3=3, least=2, greatest=4)
    assert row['speedup'] == dict(of_medians=3, quartile_1=2, quartile_3=2.5)
    assert (row['per_second'], row['memory_ratio'], row['first_seconds']) == (4, 0.4, 5)


@pytest.mark.parametrize(
    ('flags', 'words'),
    [
        (['forward', '--batch-size', '4', '0'], '--batch-size is 0; it must be at least 1'),
        (['decode', '--repeats', '0'], '--repeats is 0; it must be at least 1'),
        (['forward', '--threads', '0'], '--threads is 0'),
        (['end-to-end', '--people', '0'], '--people is 0'),
        (['forward', '--device', 'cuda:77'], 'device cuda:77 is not there: this PyTorch sees'),
        (['forward', '--device', 'gpu'], 'device gpu is unknown; use cpu, cuda:0'),
        (['decode', '--checkpoint', 'none.pth'], 'none.pth'),
        (['train-step', '--dtype', 'fp16'], 'train-step knows --dtype fp32 and bf16, not fp16'),
        (['end-to-end', '--images', 'somewhere'], '--images and --bboxes go together'),
        (['end-to-end', '--images', 'no-folder', '--bboxes', '.'], '--images no-folder is not a folder'),
    ],
)
def test_mistakes(run_command, tiny_config, flags, words):
    with pytest.raises(InputError, match=words):
        run_command(COMMAND, tiny_config, *flags)


def test_unknown_config(run_command):
    with pytest.raises(InputError, match='config no-such-model does not exist'):
        run_command(COMMAND, 'no-such-model', 'decode')


def test_images_without_boxes(settings, tmp_path):
    cv2.imwrite(str(tmp_path / 'a.jpg'), np.zeros((8, 8, 3), np.uint8))
    settings.images = settings.bboxes = str(tmp_path)
    with pytest.raises(InputError, match='box file .*a.json does not exist'):
        image_files(settings)
    (tmp_path / 'a.json').write_text('[]')
    with pytest.raises(InputError, match='box file .*a.json is empty'):
        image_files(settings)


def test_drawn_images(settings):
    settings.pictures, settings.people = 2, 8
    files = image_files(settings)
    assert len(set(files)) == 2 and image_files(settings) == files
    for picture, boxes in files:
        assert cv2.imread(picture).shape == (480, 640, 3)
        found = load_bboxes(boxes)
        assert len(found) == 8 and len(np.unique(found, axis=0)) == 8


class TestModels:
    def test_baseline_is_the_stock_way(self, settings):
        weights = weights_file(settings)
        plain = load_baseline(settings.config, weights, 'cpu')
        assert type(plain.data_preprocessor) is PoseDataPreprocessor and plain.head.batch_decoding is False
        assert all(isinstance(layer.self_attn, MaterialisedAttention) for layer in plain.neck.encoder.layers)
        assert plain.cfg.test_dataloader.dataset.pipeline[0]['type'] == 'LoadImage'

    def test_random_weights(self, settings):
        """All the same file, and heatmaps whose peaks lie apart."""
        weights = weights_file(settings)
        model = load_model(settings.config, weights, 'cpu')
        with torch.no_grad():
            heatmaps = network(model, random_inputs(model, 4)).numpy()
        assert 0.1 < heatmaps.std() < 10
        peaks, _ = get_heatmap_maximum(heatmaps.reshape(-1, *heatmaps.shape[2:]))
        assert len(np.unique(peaks, axis=0)) > 20
        before = torch.load(weights)['state_dict']
        (settings.folder / 'random.pth').unlink()
        after = torch.load(weights_file(settings))['state_dict']
        assert all(torch.equal(before[name], after[name]) for name in before)

    def test_given_weights(self, settings, tiny_checkpoint):
        settings.checkpoint = tiny_checkpoint
        assert weights_file(settings) == tiny_checkpoint
        assert not (settings.folder / 'random.pth').exists()

    def test_only_transpose(self, tmp_path):
        config = 'mmpose::body_2d_keypoint/topdown_heatmap/coco/td-hm_res50_8xb64-210e_coco-256x192.py'
        (tmp_path / 'other.py').write_text(f"_base_ = ['{config}']\n")
        with pytest.raises(InputError, match='other.py has no TransPoseNeck'):
            weights_file(Settings(str(tmp_path / 'other.py'), folder=tmp_path))


def test_ways_and_memory(settings, monkeypatch):
    """Kept memory is part of ours; a way for each dtype, and one more compiled."""
    monkeypatch.setattr('mmtranspose.benchmark.settings.native', lambda name, device: name == 'bf16')
    settings.dtypes, settings.compile = ('fp32', 'bf16', 'fp16'), True
    names = [f'ours {dtype}{end}' for dtype in ('fp32', 'bf16', 'fp16 (runs in fp32)') for end in ('', ', compiled')]
    for mode in (forward_ways, end_to_end_ways):
        ways = mode(settings, 4)
        assert [way.name for way in ways] == ['baseline', *names]
        assert [way.keep_memory for way in ways] == [False] + [True] * 6
    settings.dtypes, settings.baseline_keeps_memory = ('fp32',), True
    for mode in (forward_ways, train_step_ways, decode_ways, end_to_end_ways):
        assert all(way.keep_memory for way in mode(settings, 4))


def test_tolerances_follow_the_precision(settings, monkeypatch):
    """GPUs convolve fp32 in TF32, unless that is switched off."""
    assert settings.precision('fp32') == 'fp32' and settings.precision('bf16') == 'bf16'
    assert forward_ways(settings, 1)[1].tolerances['heatmaps'].limit == 1e-4
    settings.device = 'cuda:0'
    assert settings.precision('fp32') == 'tf32' and settings.precision('fp16') == 'fp16'
    monkeypatch.setattr(torch.backends.cudnn, 'allow_tf32', False)
    assert settings.precision('fp32') == 'fp32'


def test_peaked_heatmaps():
    heatmaps = peaked_heatmaps(3, 5, 64, 48)
    assert heatmaps.shape == (3, 5, 64, 48) and heatmaps.dtype == np.float32
    heights = heatmaps.max((2, 3))
    assert 0.15 < heights.min() < 0.5 < heights.max() < 1.05
    one = heatmaps[0, 0]
    row, col = np.unravel_index(one.argmax(), one.shape)
    ys, xs = np.mgrid[:64, :48]
    gaussian = one.max() * np.exp(-((ys - row) ** 2 + (xs - col) ** 2) / 8)
    assert np.abs(one - gaussian).max() < 0.2 * one.max()


def test_first_gradient_norm():
    weight = torch.nn.Parameter(torch.tensor([1.0, 2.0]))
    optimizer = torch.optim.SGD([weight], lr=1.0)
    norm = first_gradient_norm(optimizer)
    for factor in (1.0, 5.0):
        optimizer.zero_grad()
        (factor * (weight * torch.tensor([3.0, 4.0])).sum()).backward()
        optimizer.step()
    assert norm() == 5.0
