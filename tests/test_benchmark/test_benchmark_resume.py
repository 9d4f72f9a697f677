"""What ``benchmark CONFIG resume`` compares and how it measures; its command line: test_benchmark_modes.py."""

import json
import multiprocessing
import os
import pickle
import signal
from types import SimpleNamespace

import cv2
import numpy as np
import pytest
import torch
from mmengine.fileio import LocalBackend
from mmengine.hooks import CheckpointHook
from mmengine.runner import EpochBasedTrainLoop

from mmtranspose.benchmark import part_times
from mmtranspose.benchmark.added_time import resume_lines
from mmtranspose.benchmark.benchmark_settings import BenchmarkSettings
from mmtranspose.benchmark.modes import resume
from mmtranspose.benchmark.modes.resume import ADDED, INDICES, resume_candidates, seconds_of_indices
from mmtranspose.benchmark.part_times import Function, Part, PartTimes
from mmtranspose.benchmark.training_runs import training_config, write_annotations
from mmtranspose.engine.hooks import ResumableCheckpointHook
from mmtranspose.engine.loops import ResumableTrainLoop, resumable_loader, resumable_train_loop
from mmtranspose.engine.non_finite import LossGuard
from mmtranspose.errors import InputError
from mmtranspose.loading.checkpoint import Checkpoint

STEPS, BATCH = 3, 2


@pytest.fixture
def clock(monkeypatch):
    """The time that parts are measured by; it passes only by ``clock.pass_by``."""
    clock = SimpleNamespace(now=0.0)
    clock.pass_by = lambda seconds: setattr(clock, 'now', clock.now + seconds)
    clocks = SimpleNamespace(perf_counter=lambda: clock.now, thread_time=lambda: clock.now / 8)
    monkeypatch.setattr(part_times, 'time', clocks)
    return clock


class TestPartTimes:
    @pytest.fixture
    def work(self, clock):
        def inner():
            clock.pass_by(3)

        def outer(fail=False):
            clock.pass_by(4)
            work.inner()
            if fail:
                raise IndexError

        work = SimpleNamespace(inner=inner, outer=outer)
        return work

    @pytest.fixture
    def times(self, work):
        outer, inner = Function(work, 'outer'), Function(work, 'inner')
        return PartTimes(
            dict(
                both=Part((outer,)),
                own=Part((outer,), (inner,)),
                each=Part((outer, inner)),
                cpu=Part((outer,), cpu=True),
            )
        )

    def test_sums(self, work, times):
        with times.measured():
            work.outer()
            work.outer()
            work.inner()
        work.outer()
        assert times.take() == dict(both=14, own=5, each=23, cpu=1.75)  # own: the third call of inner counts against it
        assert times.take() == dict.fromkeys(('both', 'own', 'each', 'cpu'), 0)

    def test_errors(self, work, times):
        before = vars(work).copy()
        with pytest.raises(IndexError), times.measured():
            work.outer(fail=True)
        assert times.take() == dict(both=7, own=4, each=10, cpu=7 / 8)
        assert vars(work) == before

    def test_forked_processes(self, work, times):
        with times.measured():
            process = multiprocessing.get_context('fork').Process(target=lambda: work.outer())
        process.start()
        process.join()
        assert times.take()['both'] == 0  # forked too late
        with times.measured():
            process = multiprocessing.get_context('fork').Process(target=lambda: work.outer())
            process.start()
            process.join()
        assert times.take() == dict(both=7, own=4, each=10, cpu=7 / 8)


@pytest.fixture
def build(tiny_config, tmp_path):
    """Builds a candidate in this process and returns its training, which has run once."""

    def build(name):
        settings = BenchmarkSettings(tiny_config, steps=STEPS, num_images=1, people=2)
        candidates = {one.name: pickle.loads(pickle.dumps(one)) for one in resume_candidates(settings, BATCH, tmp_path)}
        task = candidates[name].build(**candidates[name].arguments)
        task.outputs(task.run())
        return task.run.__self__

    return build


def replaced_functions():
    """The functions that are replaced while a part is measured, as they are now."""
    functions = {function for part in ADDED.values() for function in (*part.functions, *part.without)}
    return {function: vars(function.owner)[function.name] for function in functions}


@pytest.mark.parametrize(
    ('name', 'loop', 'hook'),
    [('baseline', EpochBasedTrainLoop, CheckpointHook), ('ours', ResumableTrainLoop, ResumableCheckpointHook)],
)
def test_what_is_compared(build, monkeypatch, name, loop, hook):
    """Everything is as before after a call; only our files are flushed, and say what they hold."""
    flushed = []
    monkeypatch.setattr(os, 'fsync', lambda descriptor, _real=os.fsync: flushed.append(descriptor) or _real(descriptor))
    before = [replaced_functions(), LocalBackend.put, signal.getsignal(signal.SIGTERM)]
    training = build(name)
    assert [replaced_functions(), LocalBackend.put, signal.getsignal(signal.SIGTERM)] == before
    ours = name == 'ours'
    assert (type(training.loop), type(training.saving)) == (loop, hook)
    assert bool(flushed) == ours
    assert training.runner.iter == STEPS and training.runner.epoch == 1
    checkpoint = Checkpoint.read(training.saving.last_ckpt)
    assert ('weights_digest' in checkpoint.meta) == ours
    assert all(name in training.calls[0] for name in ('step', 'checkpoint', 'reading'))
    assert (set(ADDED) | {INDICES} <= set(training.calls[0])) == ours


def test_both_train_the_same_samples(build):
    orders = [build(name).outputs(None)['samples'].tolist() for name in ('baseline', 'ours')]
    assert orders[0] == orders[1] and sorted(orders[0]) == list(range(STEPS * BATCH))


def test_the_baseline_has_no_guard(build, monkeypatch):
    seen = []
    monkeypatch.setattr(LossGuard, 'check', lambda *arguments: seen.append(arguments))
    build('baseline')
    assert not seen
    build('ours')
    assert seen


def test_parts_are_those_of_a_step(build, clock, monkeypatch):
    """With functions that take a set time: once for each step, once for each sample, once for each checkpoint."""
    taken = {
        (resumable_train_loop, 'seed_random_states'): 5,
        (resumable_loader, 'seed_random_states'): 7,
        (resume.resumable_checkpoint_hook, 'weights_digest'): 11,
        (resume.checkpoint_files, 'damage_of'): 13,
        (torch, 'isfinite'): 0.125,
    }
    for (owner, name), seconds in taken.items():
        function = getattr(owner, name)
        monkeypatch.setattr(owner, name, lambda *a, _f=function, _s=seconds: clock.pass_by(_s) or _f(*a))
    parts = build('ours').calls[0]
    assert parts['step: seeding'] == 5
    assert parts['step (CPU of loader): seeding of samples'] == BATCH * 7 / 8
    assert parts['checkpoint: digest'] == 11
    assert parts['reading: check sums'] == 13
    assert parts['checkpoint: numbers are finite'] > parts['reading: numbers are finite'] > 1  # Adam's, too
    others = (
        'step: signals, time to save',
        'step: guard of losses',
        'checkpoint: flushed, read back',
        'reading: digest',
    )
    assert [parts[name] for name in others] == [0] * 4


def test_indices(monkeypatch):
    times = iter([10, 14, 15])
    monkeypatch.setattr(resume, 'time', SimpleNamespace(perf_counter=lambda: next(times)))
    assert seconds_of_indices([3, 1]) == 3  # 4 with seeds, 1 without


def test_annotations(tmp_path):
    files = []
    for name, boxes in (('a', [[2, 3, 12, 33]]), ('b', [[0, 0, 10, 10], [5, 5, 20, 25]])):
        cv2.imwrite(str(tmp_path / f'{name}.png'), np.zeros((40, 30, 3), np.uint8))
        (tmp_path / f'{name}.json').write_text(json.dumps(boxes))
        files.append((str(tmp_path / f'{name}.png'), str(tmp_path / f'{name}.json')))
    write_annotations(tmp_path / 'found.json', files, samples=5, num_keypoints=4)
    found = json.loads((tmp_path / 'found.json').read_text())
    assert [(image['width'], image['height']) for image in found['images']] == [(30, 40)] * 2
    assert [(one['image_id'], one['bbox']) for one in found['annotations']] == [
        (0, [2, 3, 10, 30]),
        (1, [0, 0, 10, 10]),
        (1, [5, 5, 15, 20]),
        (0, [2, 3, 10, 30]),
        (1, [0, 0, 10, 10]),
    ]
    for one in found['annotations']:
        keypoints, (x, y, w, h) = np.reshape(one['keypoints'], (4, 3)), one['bbox']
        assert (keypoints[:, :2] >= (x, y)).all() and (keypoints[:, :2] <= (x + w, y + h)).all()
        assert (keypoints[:, 2] == 2).all()


def test_mistakes(tiny_config, tmp_path, monkeypatch):
    (tmp_path / 'no_data.py').write_text(f"_base_ = ['{tiny_config}']\ntrain_dataloader = dict(_delete_=True)\n")
    with pytest.raises(InputError, match='no_data.py has no train_dataloader.dataset with a pipeline'):
        training_config(str(tmp_path / 'no_data.py'), 'x.pth', 'x.json', 2, tmp_path, {})
    monkeypatch.setattr(resume, 'get_device', lambda: 'cuda')
    with pytest.raises(InputError, match=r'--device cpu: mmengine trains on cuda here; .*CUDA_VISIBLE_DEVICES'):
        resume_candidates(BenchmarkSettings(tiny_config), 2, tmp_path)


def test_tables():
    def row(candidate, work, seconds, **more):
        figures = dict(median=seconds, quartile_1=seconds / 2, quartile_3=seconds * 2)
        speedup = dict(of_medians=0.995, quartile_1=0.9, quartile_3=1.1)
        return dict(candidate=candidate, work=work, batch_size=16, seconds=figures, speedup=speedup, parts={}) | more

    parts = {
        'step: seeding': dict(median=1e-5),
        'step: guard': dict(median=3e-5),
        'step (loader): seeding': dict(median=1e-3),
    }
    saving = dict(parts={'checkpoint: digest': dict(median=0.05)}, training_share=0.00123)
    rows = [
        row('baseline', 'step', 0.1),
        row('ours', 'step', 0.1, parts=parts),
        row('ours', 'checkpoint', 0.2, **saving),
    ]
    assert resume_lines(rows) == [
        'candidate  of          batch  median ms    (quartiles)  speed-up  (quartiles)',
        'baseline   step           16     100.00   50.00-200.00     0.995  0.900-1.100',
        'ours       step           16     100.00   50.00-200.00     0.995  0.900-1.100',
        'ours       checkpoint     16     200.00  100.00-400.00     0.995  0.900-1.100',
        '',
        'added, batch 16              ms  of a step',
        'step: seeding             0.010     0.010%',
        'step: guard               0.030     0.030%',
        'step (loader): seeding    1.000     1.000%',
        'checkpoint: digest       50.000    50.000%',
        'step, together            0.040     0.040%',
        'step (loader), together   1.000     1.000%',
        'checkpoint, together     50.000    50.000%',
        "checkpoints at the config's interval, beyond mmengine's: 0.12% of the time of all steps",
    ]
