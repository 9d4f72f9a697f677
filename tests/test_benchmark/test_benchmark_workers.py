"""The mode ``workers``: several processes share the images of one."""

import multiprocessing
import pickle
import threading

import numpy as np
import pytest

from mmtranspose.benchmark.benchmark_settings import BenchmarkSettings
from mmtranspose.benchmark.modes import workers
from mmtranspose.errors import InputError


@pytest.fixture
def settings(tiny_config):
    return BenchmarkSettings(tiny_config, num_images=5, people=2, threads=1, workers=(1, 2))


@pytest.fixture
def in_threads(monkeypatch):
    """Other processes are threads here."""
    threads = []

    def started(share):
        ours, theirs = multiprocessing.Pipe()
        threads.append(threading.Thread(target=workers.serve, args=(theirs, pickle.loads(pickle.dumps(share)))))
        threads[-1].start()
        return threads[-1], ours

    building = threading.Lock()  # torch.fx, which folds normalisations, traces one network of a process at a time

    def accelerate(*arguments, _accelerate=workers.accelerate, **options):
        with building:
            return _accelerate(*arguments, **options)

    monkeypatch.setattr(workers, 'accelerate', accelerate)
    finalizers = []
    monkeypatch.setattr(workers, '_started', started)
    monkeypatch.setattr(workers, 'Finalize', lambda _, end, given, exitpriority: finalizers.append((end, given)))
    yield threads
    for end, given in finalizers:
        end(*given)
    assert not any(thread.is_alive() for thread in threads)


def test_two_processes_do_what_one_does(settings, in_threads, tmp_path):
    one, two = workers.workers_candidates(settings, 4, tmp_path)
    assert (one.name, one.starts_processes) == ('baseline', False)
    assert (two.name, two.starts_processes) == ('ours fp32, 2 workers', True)
    outputs = []
    for candidate in (one, two):
        task = candidate.build(**candidate.arguments)
        outputs.append(task.outputs(task.run()))
    task.run()  # again, in the same processes
    assert len(in_threads) == 1
    assert outputs[0]['keypoints'].shape == (10, 17, 2) and outputs[0]['scores'].shape == (10, 17)
    for name in ('keypoints', 'scores'):
        np.testing.assert_allclose(outputs[1][name], outputs[0][name], atol=1e-3)
    written = {folder: len(list((tmp_path / folder).glob('*.jpg'))) for folder in ('baseline/1', f'{two.name}/1')}
    assert written == {'baseline/1': 5, f'{two.name}/1': 4}  # units of 4 images
    assert len(list((tmp_path / two.name / '2').glob('*.json'))) == 2  # of one image, and for all


def test_cores_are_shared(settings, tmp_path, monkeypatch):
    settings.threads, settings.workers = None, (3, 16)
    monkeypatch.setattr(workers.os, 'cpu_count', lambda: 12)
    candidates = workers.workers_candidates(settings, 4, tmp_path)
    threads = [[share.threads for share in candidate.arguments['shares']] for candidate in candidates]
    assert threads == [[12], [4] * 3, [1] * 16]


def test_every_variant_is_measured(settings, tmp_path, monkeypatch):
    """A dtype that the processor has not is named; tolerances are those of what is computed."""
    monkeypatch.setattr('mmtranspose.benchmark.benchmark_settings.is_native', lambda name, device: name == 'bf16')
    settings.dtypes, settings.compile, settings.workers = ('bf16', 'fp16'), True, (2,)
    found = {
        one.name: (one.arguments['shares'][0].dtype, one.arguments['shares'][0].compiled, len(one.arguments['shares']))
        for one in workers.workers_candidates(settings, 4, tmp_path)
    }
    assert found == {
        'baseline': ('fp32', False, 1),
        'ours bf16, 1 worker': ('bf16', False, 1),
        'ours bf16, 2 workers': ('bf16', False, 2),
        'ours bf16, compiled, 1 worker': ('bf16', True, 1),
        'ours bf16, compiled, 2 workers': ('bf16', True, 2),
        'ours fp16 (runs in fp32), 2 workers': ('fp32', False, 2),
        'ours fp16 (runs in fp32), compiled, 1 worker': ('fp32', True, 1),
        'ours fp16 (runs in fp32), compiled, 2 workers': ('fp32', True, 2),
    }
    limits = [one.tolerances['scores'].limit for one in workers.workers_candidates(settings, 4, tmp_path)]
    assert limits == [1e-4] + [1e-1] * 4 + [1e-4] * 3


def test_the_network_is_that_of_the_name(settings, tmp_path, monkeypatch):
    made = []

    def accelerate(model, **options):
        made.append(options)
        raise InputError('enough')

    monkeypatch.setattr(workers, 'accelerate', accelerate)
    monkeypatch.setattr('mmtranspose.benchmark.benchmark_settings.is_native', lambda name, device: True)
    settings.dtypes, settings.compile = ('bf16',), True
    compiled = workers.workers_candidates(settings, 4, tmp_path)[3]
    with pytest.raises(InputError, match='enough'):
        workers._Work(compiled.arguments['shares'][0])
    assert made == [dict(dtype='bf16', compile=True)]


def test_a_number_that_is_none(tiny_config):
    with pytest.raises(InputError, match='--workers=0 must be at least 1'):
        BenchmarkSettings(tiny_config, workers=(0,))
