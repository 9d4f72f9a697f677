"""Two processes on a machine without a GPU."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from mmtranspose.compat import cpu_distributed

no_gpu = pytest.mark.skipif(torch.cuda.is_available(), reason='with a GPU, mmengine starts the group itself')


@pytest.fixture
def started(monkeypatch):
    """The backends that groups were started with; none is really started."""
    backends = []
    monkeypatch.setattr(cpu_distributed.distributed, 'init_process_group', lambda backend: backends.append(backend))
    return backends


@pytest.mark.parametrize(
    ('launcher', 'gpu', 'running', 'expected'),
    [
        ('pytorch', False, False, ['gloo']),
        ('pytorch', True, False, []),
        ('pytorch', False, True, []),
        ('none', False, False, []),
        ('slurm', False, False, []),
        ('mpi', False, False, []),
    ],
)
def test_when_the_group_is_started(monkeypatch, started, launcher, gpu, running, expected):
    monkeypatch.setattr(torch.cuda, 'is_available', lambda: gpu)
    monkeypatch.setattr(cpu_distributed.distributed, 'is_initialized', lambda: running)
    assert cpu_distributed.init_process_group(launcher) is bool(expected)
    assert started == expected


@no_gpu
def test_two_processes_predict_what_one_does(tiny_config, tiny_checkpoint, tested, tmp_path, server):
    options = (f'test_evaluator.outfile_prefix={tmp_path / "two"}', 'test_dataloader.batch_size=2')
    outputs = ('--work-dir', tmp_path / 'work', '--out', tmp_path / 'metrics.json')
    arguments = (tiny_config, tiny_checkpoint, *outputs, '--cfg-options', *options)
    log = tmp_path / 'log'
    assert server.run(*arguments, command='test', ranks=2, log=log) == [0, 0], log.read_text()
    assert 'Distributed training: True' in log.read_text() and 'GPU number: 2' in log.read_text()
    assert json.loads((tmp_path / 'metrics.json').read_text()) == pytest.approx(tested.metrics, abs=1e-6)
    ours, theirs = people(tmp_path / 'two.keypoints.json'), people(tested.predictions)
    assert [image for image, *_ in ours] == [image for image, *_ in theirs]
    np.testing.assert_allclose(ours, theirs, atol=0.1)  # px: peaks of a barely trained model are nearly flat


def people(path) -> list:
    """Image, score and keypoints of each person, best first in each image."""
    found = [[entry['image_id'], entry['score'], *entry['keypoints']] for entry in json.loads(Path(path).read_text())]
    assert found
    return sorted(found, key=lambda person: (person[0], -person[1]))
