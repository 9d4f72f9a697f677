"""A runner with ``resume=True`` goes on from the newest checkpoint that can be used."""

import os
import shutil

import mmengine.runner.runner as runner
import pytest

from mmtranspose import registration
from mmtranspose.errors import InputError


def test_the_runner_uses_it():
    assert runner.find_latest_checkpoint is registration.find_latest_checkpoint


def test_checkpoints_of_training_are_found(trained):
    assert runner.find_latest_checkpoint(str(trained)) == str(trained / 'epoch_1.pth')


def test_a_folder_without_checkpoints(tmp_path):
    assert runner.find_latest_checkpoint(str(tmp_path)) is None
    assert runner.find_latest_checkpoint(str(tmp_path / 'none')) is None


# None: the path in the directory that this one was copied from
@pytest.mark.parametrize('content', [None, b'', b'\x00' * 40, b'\xff\xfe\x80garbage', b'/a/renamed/folder/epoch_1.pth'])
def test_last_checkpoint_is_not_followed(trained, tmp_path, content):
    shutil.copy(trained / 'epoch_1.pth', tmp_path)
    pointer = str(trained / 'epoch_1.pth').encode() if content is None else content
    (tmp_path / 'last_checkpoint').write_bytes(pointer)
    assert runner.find_latest_checkpoint(str(tmp_path)) == str(tmp_path / 'epoch_1.pth')


def test_a_run_does_not_start_over_what_it_cannot_read(trained, tmp_path):
    content = (trained / 'epoch_1.pth').read_bytes()
    (tmp_path / 'epoch_1.pth').write_bytes(content[:-600])
    with pytest.raises(InputError, match=f'no training can be resumed in {tmp_path}: none of its 1 checkpoints'):
        runner.find_latest_checkpoint(str(tmp_path))
    assert os.listdir(tmp_path) == ['epoch_1.pth']
