"""Candidates of other runtimes compute what the model computes, and the report names what it ran."""

import shutil
from types import SimpleNamespace

import numpy as np
import onnx
import pytest
import torch

from mmtranspose.apis import InputError
from mmtranspose.benchmark import report
from mmtranspose.benchmark.benchmark_settings import BenchmarkSettings
from mmtranspose.benchmark.modes import exported as mode
from mmtranspose.benchmark.modes.forward import forward_candidates
from mmtranspose.benchmark.networks import load_model, network, random_inputs
from mmtranspose.deployment.file_meta import KEY, FileMeta


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


def test_candidates(tiny_config, tiny_checkpoint, tmp_path):
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
    assert lines[-1] == 'Not measured, because 1 minutes were over: `mmtranspose benchmark c decode --batch-size 4`'


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
