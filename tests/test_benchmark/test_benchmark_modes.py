"""Each mode of the benchmark, from its command line to its figures."""

import importlib.util
import json
import math
import pickle
import time

import cv2
import mmcv
import numpy as np
import pytest
import torch

from mmtranspose.benchmark import matmul_peak as matmul
from mmtranspose.benchmark import measurement as measuring
from mmtranspose.benchmark import run as benchmark
from mmtranspose.benchmark.benchmark_settings import BenchmarkSettings
from mmtranspose.benchmark.image_set import image_files
from mmtranspose.benchmark.measurement import Measurement
from mmtranspose.benchmark.modes import interventions
from mmtranspose.benchmark.modes.decode import decode_candidates, peaked_heatmaps
from mmtranspose.benchmark.modes.end_to_end import end_to_end_candidates
from mmtranspose.benchmark.modes.forward import forward_candidates
from mmtranspose.benchmark.modes.train_step import first_gradient_norm, train_step_candidates
from mmtranspose.benchmark.multiply_accumulates import count
from mmtranspose.benchmark.networks import load_model
from mmtranspose.benchmark.peak_memory import PeakMemory
from mmtranspose.benchmark.worker import Worker
from mmtranspose.crops.boxes import load_bboxes
from mmtranspose.errors import InputError

COMMAND = 'benchmark'
BY_OPENVINO = ['token ablation, OpenVINO'] if importlib.util.find_spec('openvino') else []


class Here:
    """In place of a worker: everything in this process, from the candidate as its process would receive it."""

    def __init__(self, candidate, threads, returns_memory=False):
        candidate = pickle.loads(pickle.dumps(candidate))
        self.name, self.task = candidate.name, candidate.build(**candidate.arguments)
        self.memory = PeakMemory(candidate.device)
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

    def parts(self):
        return self.task.parts()


@pytest.fixture
def here(monkeypatch):
    monkeypatch.setattr(measuring, 'Worker', Here)
    monkeypatch.setattr(matmul, 'Worker', Here)
    monkeypatch.setattr(matmul, 'SIZES', dict(cpu=(64, 128)))


@pytest.fixture
def settings(tiny_config):
    return BenchmarkSettings(tiny_config)


@pytest.fixture
def figures(run_command, tiny_config, tmp_path, capsys):
    """Runs a mode and returns what it wrote, after checks that hold for all of them; and what it printed."""

    def figures(mode, *flags, candidates=('baseline', 'ours fp32')):
        file = tmp_path / 'figures.json'
        run_command(COMMAND, tiny_config, mode, *flags, '--repeats', '2', '--warmup', '0', '--json', file)
        result, output = json.loads(file.read_text()), capsys.readouterr()
        assert [row['candidate'] for row in result['rows']] == list(candidates)
        assert result['mode'] == mode and result['machine']['torch'] == torch.__version__
        for row in result['rows']:
            numbers = [*row['seconds'].values(), *row['speedup'].values()]
            numbers += [row[name] for name in ('first_seconds', 'per_second', 'peak_mib', 'memory_ratio')]
            assert all(math.isfinite(number) and number > 0 for number in numbers)
            assert row['seconds']['least'] <= row['seconds']['median'] <= row['seconds']['greatest']
            assert any(line.startswith(row['candidate']) for line in output.out.splitlines())
        assert result['rows'][0]['differences'] == {} and result['rows'][0]['speedup']['of_medians'] == 1
        return result, output.out

    return figures


def test_forward_in_a_process(here, figures, monkeypatch):
    """The one test whose process is real here, of our candidate; such a process takes seconds to start."""
    monkeypatch.setattr(measuring, 'Worker', lambda one, n: (Here if one.name == 'baseline' else Worker)(one, n))
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


def test_arithmetic_of_several_batch_sizes(settings, monkeypatch):
    monkeypatch.setattr(benchmark, 'matmul_peak', lambda precision, device, threads: 1e9)
    rows = [dict(candidate='baseline', batch_size=batch, seconds=dict(median=2.0)) for batch in (1, 3)]
    assert benchmark._add_flops(settings, rows) == dict(fp32=1e9)
    flop = 2 * count(settings.config).total
    assert [row['flop'] for row in rows] == [flop, 3 * flop]
    assert [row['matmul_share'] for row in rows] == [flop / 2e9, 3 * flop / 2e9]


def test_arithmetic_where_a_dtype_falls_back(settings, monkeypatch):
    monkeypatch.setattr(benchmark, 'matmul_peak', lambda precision, device, threads: dict(fp32=1e9)[precision])
    monkeypatch.setattr('mmtranspose.benchmark.benchmark_settings.is_native', lambda name, device: False)
    settings.dtypes = ('bf16',)
    rows = [dict(candidate='openvino bf16 (runs in fp32)', batch_size=1, seconds=dict(median=2.0))]
    benchmark._add_flops(settings, rows)
    assert rows[0]['matmul_share'] == 2 * count(settings.config).total / 2e9


def test_encoder(here, figures):
    result, printed = figures('encoder', '--batch-size', '2', candidates=('baseline', 'ours'))
    assert result['rows'][1]['differences']['norm'] < 1e-4 and 'images/s' in printed


def test_explanation(here, figures, monkeypatch):
    assert benchmark.MODES['explanation'].peak_processes == 3
    monkeypatch.setitem(benchmark.MODES, 'explanation', benchmark.MODES['explanation']._replace(peak_processes=1))
    flags = ('--batch-size', '2', '--direction', 'affect')
    result, printed = figures('explanation', *flags, candidates=('baseline', 'explained', 'whole matrices'))
    _, explained, whole = (row['differences'] for row in result['rows'])
    assert explained == dict(heatmaps=0) and set(whole) == {'heatmaps', 'maps'}
    assert result['settings']['direction'] == 'affect' and 'images/s' in printed


@pytest.mark.parametrize(
    ('mode', 'candidates'),
    [('token-ablation', ('token ablation', *BY_OPENVINO)), ('edge-knockout', ('with edge knockout',))],
)
def test_interventions(here, figures, mode, candidates):
    result, printed = figures(mode, '--batch-size', '2', candidates=('baseline', *candidates))
    assert all(row['differences'] == {} for row in result['rows']) and 'images/s' in printed


def test_interventions_without_openvino(settings, tmp_path, monkeypatch):
    monkeypatch.setattr('mmtranspose.benchmark.modes.interventions.importlib.util.find_spec', lambda name: None)
    names = [candidate.name for candidate in interventions.token_ablation_candidates(settings, 2, tmp_path)]
    assert names == ['baseline', 'token ablation']


def test_passes_of_interventions(settings, tmp_path, monkeypatch):
    """The ablation makes the baseline's passes of the encoder, and one for each image; the knockout only the latter."""
    passes = []

    def loaded(*arguments):
        model = load_model(*arguments)
        model.neck.encoder.layers[0].register_forward_hook(lambda _, given, made: passes.append(len(given[0])))
        return model

    monkeypatch.setattr(interventions, 'load_model', loaded)
    monkeypatch.setattr(interventions.importlib.util, 'find_spec', lambda name: None)  # OpenVINO runs no hooks
    found = {}
    for candidate in (
        *interventions.token_ablation_candidates(settings, 2, tmp_path),
        *interventions.edge_knockout_candidates(settings, 2, tmp_path),
    ):
        task = candidate.build(**candidate.arguments)
        passes.clear()
        task.run()
        found[candidate.arguments['work']] = sum(passes)
    squares = 2 * 2  # of 8 x 6 tokens
    assert found == dict(passes=2 * squares, ablation=2 * squares + 2, forward=2, knockout=2)


def test_train_step(here, figures):
    result, _ = figures('train-step', '--batch-size', '2', '--checkpointing')
    assert set(result['rows'][1]['differences']) == {'loss', 'gradient_norm'}
    assert result['settings']['checkpointing'] is True


@pytest.mark.parametrize('mode', ['loading', 'evaluating'])
def test_beside_the_network(here, figures, mode, monkeypatch):
    read = []
    monkeypatch.setattr(mmcv, 'imfrombytes', lambda *a, _read=mmcv.imfrombytes, **k: read.append(1) or _read(*a, **k))
    flags = ('--batch-size', '6', '--num-images', '2', '--people', '3')
    result, printed = figures(mode, *flags, candidates=('baseline', 'ours'))
    assert 'people/s' in printed
    if mode == 'loading':
        assert result['rows'][1]['differences'] == dict(images=0)
        assert len(read) == 3 * 6 + 3 * 2  # three calls: of each box, and of each image
    else:
        assert result['rows'][1]['differences']['keypoints'] < 0.01


def test_decode_of_several_batch_sizes(here, figures):
    result, printed = figures('decode', '--batch-size', '1', '3', candidates=('baseline', 'ours') * 2)
    assert [row['batch_size'] for row in result['rows']] == [1, 1, 3, 3] and 'people/s' in printed
    assert all(row['differences']['keypoints'] < 0.01 for row in result['rows'][1::2])


def test_end_to_end(here, figures):
    result, _ = figures('end-to-end', '--batch-size', '4', '--pictures', '2', '--people', '3')
    for row in result['rows']:
        assert row['per_second'] == pytest.approx(2 * 3 / row['seconds']['median'])
    assert set(result['rows'][1]['differences']) == {'keypoints', 'scores'}


def test_resume(here, figures):
    flags = ('--batch-size', '2', '--steps', '3', '--num-images', '1', '--people', '2', '--epoch-samples', '9')
    result, printed = figures('resume', *flags, candidates=('baseline', 'ours') * 3)
    rows = {(row['work'], row['candidate']): row for row in result['rows']}
    assert [work for work, _ in rows] == ['step'] * 2 + ['checkpoint'] * 2 + ['reading'] * 2
    assert [len(row['parts']) for row in result['rows']] == [0, 5, 0, 3, 0, 3]
    assert all(row['differences'] == (dict(samples=0) if row['candidate'] == 'ours' else {}) for row in result['rows'])
    assert rows['step', 'ours']['per_second'] == pytest.approx(2 / rows['step', 'ours']['seconds']['median'])
    seconds = {key: row['seconds']['median'] for key, row in rows.items()}
    share = (seconds['checkpoint', 'ours'] - seconds['checkpoint', 'baseline']) / (5 * seconds['step', 'baseline'])
    assert rows['checkpoint', 'ours']['training_share'] == pytest.approx(share)  # 9 samples make 5 steps
    assert 'step (CPU of loader), together' in printed and 'of the time of all steps' in printed


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
        (['forward', '--batch-size', '4', '0'], '--batch-size=0 must be at least 1'),
        (['decode', '--repeats', '0'], '--repeats=0 must be at least 1'),
        (['forward', '--threads', '0'], '--threads=0 must be'),
        (['end-to-end', '--people', '0'], '--people=0 must be'),
        (['resume', '--steps', '0'], '--steps=0 must be at least 1'),
        (['resume', '--epoch-samples', '0'], '--epoch-samples=0 must be at least 1'),
        (['forward', '--device', 'cuda:77'], 'device cuda:77 is not available: this PyTorch sees'),
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


@pytest.mark.parametrize('mode', benchmark.MODES)
def test_config_is_checked_before_a_process_starts(run_command, monkeypatch, mode):
    monkeypatch.setattr(measuring, 'Worker', None)
    with pytest.raises(InputError, match='config no-such-model does not exist'):
        run_command(COMMAND, 'no-such-model', mode)


def test_images_without_boxes(settings, tmp_path):
    cv2.imwrite(str(tmp_path / 'a.jpg'), np.zeros((8, 8, 3), np.uint8))
    settings.images = settings.bboxes = str(tmp_path)
    with pytest.raises(InputError, match='box file .*a.json does not exist'):
        image_files(settings, tmp_path)
    (tmp_path / 'a.json').write_text('[]')
    with pytest.raises(InputError, match='box file .*a.json is empty'):
        image_files(settings, tmp_path)


def test_drawn_images(settings, tmp_path):
    settings.num_images, settings.people = 2, 8
    files = image_files(settings, tmp_path)
    assert len(set(files)) == 2 and image_files(settings, tmp_path) == files
    for image, boxes in files:
        assert cv2.imread(image).shape == (480, 640, 3)
        found = load_bboxes(boxes)
        assert len(found) == 8 and len(np.unique(found, axis=0)) == 8


def test_candidates_and_memory(settings, tmp_path, monkeypatch):
    """Kept memory is part of ours; a candidate for each dtype, and one more compiled."""
    monkeypatch.setattr('mmtranspose.benchmark.benchmark_settings.is_native', lambda name, device: name == 'bf16')
    settings.dtypes, settings.compile = ('fp32', 'bf16', 'fp16'), True
    names = [f'ours {dtype}{end}' for dtype in ('fp32', 'bf16', 'fp16 (runs in fp32)') for end in ('', ', compiled')]
    for mode in (forward_candidates, end_to_end_candidates):
        candidates = mode(settings, 4, tmp_path)
        assert [candidate.name for candidate in candidates] == ['baseline', *names]
        assert [candidate.keep_memory for candidate in candidates] == [False] + [True] * 6
    settings.dtypes, settings.baseline_keeps_memory = ('fp32',), True
    for mode in (forward_candidates, train_step_candidates, decode_candidates, end_to_end_candidates):
        assert all(candidate.keep_memory for candidate in mode(settings, 4, tmp_path))


def test_tolerances_follow_the_precision(settings, tmp_path, monkeypatch):
    """GPUs convolve fp32 in TF32, unless that is switched off."""
    assert settings.precision('fp32') == 'fp32' and settings.precision('bf16') == 'bf16'
    assert forward_candidates(settings, 1, tmp_path)[1].tolerances['heatmaps'].limit == 1e-4
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
