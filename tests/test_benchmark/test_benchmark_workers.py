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
    assert (two.name, two.starts_processes) == ('2 workers', True)
    outputs = []
    for candidate in (one, two):
        task = candidate.build(**candidate.arguments)
        outputs.append(task.outputs(task.run()))
    task.run()  # again, in the same processes
    assert len(in_threads) == 1
    assert outputs[0]['keypoints'].shape == (10, 17, 2) and outputs[0]['scores'].shape == (10, 17)
    for name in ('keypoints', 'scores'):
        np.testing.assert_allclose(outputs[1][name], outputs[0][name], atol=1e-3)
    written = {folder: len(list((tmp_path / folder).glob('*.jpg'))) for folder in ('1-workers/1', '2-workers/1')}
    assert written == {'1-workers/1': 5, '2-workers/1': 4}  # units of 4 images
    assert len(list((tmp_path / '2-workers' / '2').glob('*.json'))) == 2  # of one image, and for all


def test_cores_are_shared(settings, tmp_path, monkeypatch):
    settings.threads, settings.workers = None, (3, 16)
    monkeypatch.setattr(workers.os, 'cpu_count', lambda: 12)
    candidates = workers.workers_candidates(settings, 4, tmp_path)
    threads = [[share.threads for share in candidate.arguments['shares']] for candidate in candidates]
    assert threads == [[12], [4] * 3, [1] * 16]


def test_a_number_that_is_none(tiny_config):
    with pytest.raises(InputError, match='--workers=0 must be at least 1'):
        BenchmarkSettings(tiny_config, workers=(0,))
