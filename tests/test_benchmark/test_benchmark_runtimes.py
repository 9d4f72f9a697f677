"""Candidates of other runtimes compute what the model computes, and the report names what it ran."""

import importlib.util
import shutil
import subprocess
import warnings
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import onnx
import pytest
import torch

from mmtranspose.acceleration.openvino_network import OpenVinoNetwork
from mmtranspose.apis import InputError
from mmtranspose.benchmark import benchmark_settings, report
from mmtranspose.benchmark.benchmark_settings import BenchmarkSettings
from mmtranspose.benchmark.modes import exported as mode
from mmtranspose.benchmark.modes import forward
from mmtranspose.benchmark.modes.forward import forward_candidates
from mmtranspose.benchmark.networks import load_model, network, random_inputs
from mmtranspose.benchmark.worker import filter_warnings
from mmtranspose.deployment.file_meta import KEY, FileMeta
from mmtranspose.deployment.openvino_file import write_openvino


@pytest.fixture
def once_exported(exported, monkeypatch):
    """Builders take the files that are there, with the flip test, in place of tracing the model again."""

    def traced(*_):
        model = onnx.load(str(exported / 'image.onnx'))
        return model, FileMeta.from_json({one.key: one.value for one in model.metadata_props}[KEY], 'image.onnx')

    monkeypatch.setattr(mode, 'traced', traced)
    monkeypatch.setattr(mode, 'export_model', lambda _, path, **__: shutil.copy(exported / 'image.onnx', path))


@torch.no_grad()
def test_network_in_onnxruntime(once_exported, tiny_config, tiny_checkpoint):
    task = mode.build_onnxruntime(tiny_config, tiny_checkpoint, 'cpu', 3)
    model = load_model(tiny_config, tiny_checkpoint, 'cpu')
    wanted = network(model, random_inputs(model, 3)).numpy()
    assert np.allclose(task.outputs(task.run())['heatmaps'], wanted, atol=1e-5)


def test_file_in_place_of_the_model(once_exported, tiny_config, tiny_checkpoint):
    shared = (tiny_config, tiny_checkpoint, 'cpu', 5)
    wanted, found = (
        task.outputs(task.run())
        for task in (mode.build_model(*shared), mode.build_file(*shared, 'onnxruntime', 'fp32', True))
    )
    assert found['keypoints'].shape == (5, 17, 2)
    assert np.allclose(found['scores'], wanted['scores'], atol=1e-6)


def test_network_in_whole_numbers_of_8_bits(once_exported, tiny_config, tiny_checkpoint, monkeypatch):
    """Calibrated with crops, and run by as many threads as PyTorch has; here without the rounding."""
    openvino = pytest.importorskip('openvino')
    pytest.importorskip('nncf')
    compiled, samples = [], []

    def write(graph, meta, path, given):
        samples.extend(given)
        write_openvino(graph, replace(meta, precision='fp32'), path, [])

    def compile_model(core, *arguments, _compile=openvino.Core.compile_model):
        compiled.append(_compile(core, *arguments))
        return compiled[-1]

    monkeypatch.setattr(mode, 'write_openvino', write)
    monkeypatch.setattr(openvino.Core, 'compile_model', compile_model)
    task = mode.build_int8(tiny_config, tiny_checkpoint, 'cpu', 2)
    assert [one['crops'].shape for one in samples] == [(1, 64, 48, 3)] * mode.CALIBRATION
    assert compiled[0].get_property('INFERENCE_NUM_THREADS') == torch.get_num_threads() == 1
    model = load_model(tiny_config, tiny_checkpoint, 'cpu')
    with torch.no_grad():
        wanted = network(model, random_inputs(model, 2)).numpy()
    assert np.abs(task.outputs(task.run())['heatmaps'] - wanted).max() < 0.05 * np.abs(wanted).max()  # bf16


def test_session_on_the_device(once_exported, tiny_config, tiny_checkpoint, monkeypatch):
    opened = []
    monkeypatch.setattr(mode, 'open_session', lambda model, device: opened.append((type(model), device)))
    mode.build_onnxruntime(tiny_config, tiny_checkpoint, 'cuda:1', 1)
    assert opened == [(bytes, 'cuda:1')]


def test_openvino_or_nothing(tiny_config, tiny_checkpoint, monkeypatch):
    """PyTorch's times are none of OpenVINO's."""

    def broken(*_):
        raise RuntimeError('no such operator')

    given = (tiny_config, tiny_checkpoint, 'cpu', 1, 'fp32', False, 'openvino')
    if importlib.util.find_spec('openvino') is not None:
        monkeypatch.setattr(OpenVinoNetwork, '_compile', broken)
        with warnings.catch_warnings():
            warnings.simplefilter('ignore')
            filter_warnings()
            task = forward.build_ours(*given)
            with pytest.raises(UserWarning, match='runs in PyTorch: RuntimeError: no such operator'):
                task.run()
    monkeypatch.setattr('importlib.util.find_spec', lambda name: None)
    with pytest.raises(InputError, match='openvino not installed: pip install "openvino<'):
        forward.build_ours(*given)


@pytest.fixture
def native(monkeypatch):
    """A function that sets which dtypes the processor has."""

    def native(*dtypes):
        for module in (benchmark_settings, mode):
            monkeypatch.setattr(module, 'is_native', lambda name, device: name in dtypes)

    return native


def test_names_say_where_a_dtype_falls_back(tiny_config, tiny_checkpoint, tmp_path, native):
    native('fp16')
    settings = BenchmarkSettings(
        tiny_config, tiny_checkpoint, dtypes=('bf16', 'fp16'), candidates=('torch', 'openvino')
    )
    found = forward_candidates(settings, 1, tmp_path)[1:]
    assert [(one.name, one.arguments['dtype'], one.tolerances['heatmaps'].limit) for one in found] == [
        ('ours bf16 (runs in fp32)', 'fp32', 1e-4),
        ('ours fp16', 'fp16', 2e-2),
        ('openvino bf16 (runs in fp32)', 'fp32', 1e-4),
        ('openvino fp16', 'fp16', 2e-2),
    ]
    names = [one.name for one in mode.exported_candidates(settings, 1, tmp_path)]
    assert names[3:] == ['openvino bf16 (not native)', 'openvino bf16 (not native), dependency']


def test_gpus_compute_in_tf32(tiny_config, tmp_path, monkeypatch):
    settings = BenchmarkSettings(tiny_config, candidates=('onnxruntime',))
    settings.device = 'cuda:0'
    for module in (forward, mode):
        monkeypatch.setattr(module, 'weights_file', lambda *_: 'weights.pth')
    found = forward_candidates(settings, 1, tmp_path)[1]
    assert (found.name, found.tolerances['heatmaps']) == ('onnxruntime', forward.HEATMAP_TOLERANCES['tf32'])
    assert mode.exported_candidates(settings, 1, tmp_path)[1].tolerances == mode.POSES['tf32']


@pytest.mark.parametrize('candidate', ['openvino', 'openvino-int8'])
def test_openvino_runs_on_the_cpu(tiny_config, monkeypatch, candidate):
    monkeypatch.setattr(benchmark_settings, 'require_device', lambda _: None)
    with pytest.raises(InputError, match=f'candidate {candidate} runs on the CPU, not on cuda:0: leave it out'):
        BenchmarkSettings(tiny_config, device='cuda:0', candidates=('torch', candidate))


@pytest.mark.parametrize(
    ('options', 'words'),
    [
        (dict(candidates=('openvino',), compile=True), '--compile concerns the candidate torch alone'),
        (dict(candidates=('onnxruntime',), dtypes=('fp32', 'bf16')), '--dtype concerns the candidates torch and openv'),
    ],
)
def test_options_of_no_candidate(tiny_config, tmp_path, options, words):
    with pytest.raises(InputError, match=words):
        forward_candidates(BenchmarkSettings(tiny_config, **options), 1, tmp_path)


def test_candidates(tiny_config, tiny_checkpoint, tmp_path, native):
    native('bf16')

    def names(candidates, build, **options):
        settings = BenchmarkSettings(tiny_config, tiny_checkpoint, candidates=candidates, **options)
        return [one.name for one in build(settings, 1, tmp_path)]

    everything = ('torch', 'openvino', 'onnxruntime', 'openvino-int8')
    assert names(everything, forward_candidates, dtypes=('fp32',)) == [
        *('baseline', 'ours fp32', 'openvino fp32', 'onnxruntime', 'openvino-int8')
    ]
    assert names(('openvino',), mode.exported_candidates) == [
        *('baseline', 'openvino fp32', 'openvino fp32, dependency', 'openvino bf16', 'openvino bf16, dependency')
    ]
    with pytest.raises(InputError, match="candidate='tvm' is unknown"):
        names(('tvm',), forward_candidates)


ROW = dict(
    candidate='ours',
    batch_size=2,
    seconds=dict(median=0.0125),
    speedup=dict(of_medians=2.5, quartile_1=2.6, quartile_3=2.4),
    memory_ratio=0.5,
    differences=dict(heatmaps=1e-6),
)


def test_report(tmp_path, monkeypatch):
    runs = (report.Run('a b', 'forward', (1, 2), dict(dtypes=('fp32', 'bf16'), baseline_keeps_memory=True)),) * 2
    monkeypatch.setattr(report, 'CPU_RUNS', (*runs, report.Run('c', 'decode', (4,))))
    ran, clock = [], iter([0, 0, 30, 61])
    monkeypatch.setattr(report, 'time', SimpleNamespace(monotonic=lambda: next(clock)))

    def run_benchmark(mode, settings, batch_sizes):
        ran.append((mode, settings.config, settings.dtypes, settings.baseline_keeps_memory, batch_sizes))
        if len(ran) == 2:
            raise RuntimeError('outputs differ')
        return dict(rows=[ROW])

    monkeypatch.setattr(report, 'run_benchmark', run_benchmark)
    lines = report.write_report(tmp_path / 'report.md', 'cpu', minutes=1)
    assert ran == [('forward', 'a b', ('fp32', 'bf16'), True, (1, 2))] * 2
    assert (tmp_path / 'report.md').read_text().splitlines() == lines
    assert "`mmtranspose benchmark 'a b' forward --batch-size 1 2 --dtype fp32 bf16 --baseline-keeps-memory`" in lines
    assert '| ours | 2 | 12.5 | 2.50 (2.40-2.60) | 0.50 | heatmaps 1e-06 |' in lines
    assert 'Failed: outputs differ' in lines
    assert lines[-1] == 'Not measured, because 1 min were over: `mmtranspose benchmark c decode --batch-size 4`'


def git(folder, *words):
    identity = ('-c', 'user.name=a', '-c', 'user.email=a@b')
    run = subprocess.run(['git', *identity, *words], cwd=folder, check=True, capture_output=True, text=True)
    return run.stdout.strip()


@pytest.mark.skipif(shutil.which('git') is None, reason='needs git')
def test_commit_is_that_of_the_package(tmp_path, monkeypatch):
    """Not that of another repository, in which the package is installed or the command is called."""
    package = tmp_path / 'other' / 'site-packages'
    package.mkdir(parents=True)
    for name in ('report.py', 'own.py'):
        (package / name).touch()
    git(tmp_path / 'other', 'init', '-q')
    git(tmp_path / 'other', 'add', 'site-packages/own.py')
    git(tmp_path / 'other', 'commit', '-qm', 'a')
    monkeypatch.chdir(package)
    monkeypatch.setattr(report, '__file__', str(package / 'report.py'))
    assert report._commit() == ''
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(report, '__file__', str(package / 'own.py'))
    assert report._commit() == f', commit {git(package, "rev-parse", "--short", "HEAD")}'

    def slow(*words, **options):
        raise subprocess.TimeoutExpired('git', 10)

    monkeypatch.setattr(report.subprocess, 'run', slow)
    assert report._commit() == ''


def test_commands_of_the_report_can_be_given():
    """Every command in the page is one that the parser takes, with the same meaning."""
    from mmtranspose.commands import benchmark

    for run in (*report.CPU_RUNS, *report.GPU_RUNS):
        given = run.command('cpu').split()[2:]
        seen = []
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(benchmark, 'run_benchmark', lambda *arguments, seen=seen: seen.append(arguments) or {})
            patch.setattr(benchmark, 'benchmark_lines', lambda _: [])
            benchmark.main(given)
        ((mode_name, settings, batch_sizes),) = seen
        assert mode_name == run.mode and tuple(batch_sizes) == run.batch_sizes and settings.config == run.config
        for name, value in run.settings.items():
            given_value = getattr(settings, name)
            assert (tuple(given_value) if isinstance(value, tuple) else given_value) == value
