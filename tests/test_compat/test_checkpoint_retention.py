"""An old checkpoint is there until the new one is."""

import os
import shutil
from types import SimpleNamespace

import mmengine.runner  # noqa: F401  (puts the work-arounds in place)
import pytest
from mmengine.fileio import LocalBackend
from mmengine.hooks import CheckpointHook
from mmengine.logging import MessageHub, MMLogger

from mmtranspose.compat import checkpoint_retention
from mmtranspose.compat.patching import REPLACED_BY


class Run:
    """What the hook needs of a runner; ``seen`` has what lay in the folder as each checkpoint began to be written."""

    def __init__(self, folder, **options):
        self.work_dir, self.epoch, self.iter = str(folder), 0, 0
        self.message_hub = MessageHub(f'retention-{folder.name}')
        self.logger = MMLogger.get_current_instance()
        self.seen, self.disk_full = [], False
        self.hook = CheckpointHook(interval=1, **options)
        self.hook.before_train(self)

    def checkpoints(self):
        return sorted(name for name in os.listdir(self.work_dir) if name.endswith('.pth'))

    def save_checkpoint(self, out_dir, filename, *args, **kwargs):
        self.seen.append((filename, self.checkpoints()))
        if self.disk_full:
            raise OSError(28, 'No space left on device')
        with open(os.path.join(out_dir, filename), 'w') as file:
            file.write(f'{self.epoch}')

    def train_epoch(self):
        self.hook._save_checkpoint(self)
        self.epoch += 1

    def validate(self, **metrics):
        self.hook._save_best_checkpoint(self, metrics)


def test_the_only_checkpoint_outlives_the_writing_of_the_next(tmp_path):
    run = Run(tmp_path, max_keep_ckpts=1)
    run.train_epoch()
    run.train_epoch()
    run.train_epoch()
    assert run.seen == [
        ('epoch_1.pth', []),
        ('epoch_2.pth', ['epoch_1.pth']),
        ('epoch_3.pth', ['epoch_2.pth']),
    ]
    assert run.checkpoints() == ['epoch_3.pth']
    assert (tmp_path / 'last_checkpoint').read_text() == str(tmp_path / 'epoch_3.pth')


def test_mmengine_alone_would_delete_first(tmp_path, monkeypatch):
    original = CheckpointHook._save_checkpoint_with_step.__wrapped__
    monkeypatch.setattr(CheckpointHook, '_save_checkpoint_with_step', original)
    run = Run(tmp_path, max_keep_ckpts=1)
    run.train_epoch()
    run.train_epoch()
    assert run.seen[1] == ('epoch_2.pth', [])  # when this fails, the work-around can go


def test_as_many_as_asked_for_are_kept(tmp_path):
    run = Run(tmp_path, max_keep_ckpts=2)
    for _ in range(4):
        run.train_epoch()
    assert run.checkpoints() == ['epoch_3.pth', 'epoch_4.pth']
    assert run.seen[-1] == ('epoch_4.pth', ['epoch_2.pth', 'epoch_3.pth'])


def test_a_full_disk_keeps_the_old_checkpoint(tmp_path):
    run = Run(tmp_path, max_keep_ckpts=1)
    run.train_epoch()
    run.disk_full = True
    with pytest.raises(OSError, match='No space left'):
        run.train_epoch()
    assert run.checkpoints() == ['epoch_1.pth']
    assert isinstance(run.hook.file_backend, LocalBackend)


def test_the_best_checkpoint_outlives_the_writing_of_the_better(tmp_path):
    run = Run(tmp_path, save_best='AP', rule='greater', max_keep_ckpts=1)
    run.train_epoch()
    run.validate(AP=0.1)
    run.train_epoch()
    run.validate(AP=0.3)
    better = next(seen for name, seen in run.seen if name == 'best_AP_epoch_2.pth')
    assert better == ['best_AP_epoch_1.pth', 'epoch_2.pth']
    assert run.checkpoints() == ['best_AP_epoch_2.pth', 'epoch_2.pth']
    run.train_epoch()
    run.validate(AP=0.2)
    assert run.checkpoints() == ['best_AP_epoch_2.pth', 'epoch_3.pth']


def test_a_best_checkpoint_written_over_itself_stays(tmp_path):
    run = Run(tmp_path, save_best='AP', rule='greater')
    run.train_epoch()
    run.validate(AP=0.1)
    run.validate(AP=0.2)
    assert run.checkpoints() == ['best_AP_epoch_1.pth', 'epoch_1.pth']


def test_best_checkpoints_of_several_metrics(tmp_path):
    run = Run(tmp_path, save_best=['AP', 'AR'], rule='greater', max_keep_ckpts=1)
    run.train_epoch()
    run.validate(AP=0.1, AR=0.5)
    run.train_epoch()
    run.validate(AP=0.2, AR=0.4)
    assert run.checkpoints() == ['best_AP_epoch_2.pth', 'best_AR_epoch_1.pth', 'epoch_2.pth']


def test_folders_are_removed_last_too():
    removed = []
    backend = SimpleNamespace(
        remove=lambda p: removed.append(('file', p)), rmtree=lambda p: removed.append(('tree', p))
    )
    deferred = checkpoint_retention._DeferredRemoval(backend)
    deferred.remove('a.pth')
    deferred.rmtree('b')
    deferred.remove('c.pth')
    assert removed == []
    deferred.flush(keep={'c.pth'})
    assert removed == [('file', 'a.pth'), ('tree', 'b')]


def test_applied_once_only():
    before = CheckpointHook._save_best_checkpoint
    checkpoint_retention.apply()
    assert CheckpointHook._save_best_checkpoint is before and hasattr(before, REPLACED_BY)


@pytest.mark.parametrize('metrics', [['AP'], ['AP', 'AR']], ids=' '.join)
@pytest.mark.parametrize('spelling', [str, lambda path: f'{path}/'], ids=['plain', 'with a slash'])
def test_a_copied_work_directory_leaves_the_original_alone(tmp_path, metrics, spelling):
    (tmp_path / 'a').mkdir()
    original = Run(tmp_path / 'a', save_best=metrics, rule='greater', max_keep_ckpts=1)
    original.train_epoch()
    original.validate(AP=0.1, AR=0.1)
    shutil.copytree(tmp_path / 'a', tmp_path / 'b')
    before = {path: path.read_bytes() for path in (tmp_path / 'a').iterdir()}
    copy = Run.__new__(Run)
    copy.__dict__.update(original.__dict__, work_dir=spelling(tmp_path / 'b'), seen=[])
    copy.hook = CheckpointHook(interval=1, save_best=metrics, rule='greater', max_keep_ckpts=1)
    copy.hook.before_train(copy)  # with the message hub of the original's checkpoint
    copy.train_epoch()
    copy.validate(AP=0.3, AR=0.05)
    assert {path: path.read_bytes() for path in (tmp_path / 'a').iterdir()} == before
    kept = ['best_AR_epoch_1.pth'] if 'AR' in metrics else []
    assert copy.checkpoints() == ['best_AP_epoch_2.pth', *kept, 'epoch_2.pth']
