"""The checkpoint that ``--resume`` finds."""

import mmengine.runner.runner as runner
import pytest
import torch

from mmtranspose.compat import auto_resume


def write(folder, name, whole=True):
    path = folder / name
    torch.save({'meta': {'name': name}, 'state_dict': {'weight': torch.randn(400)}}, path)
    if not whole:
        path.write_bytes(path.read_bytes()[:-600])


@pytest.mark.parametrize(
    ('whole', 'truncated', 'pointer', 'expected'),
    [
        (['epoch_1', 'epoch_2'], [], 'epoch_2', 'epoch_2'),
        (['epoch_1', 'epoch_2'], [], 'epoch_1', 'epoch_1'),  # the pointer goes before the number
        (['epoch_1', 'epoch_2'], ['epoch_3'], 'epoch_3', 'epoch_2'),
        (['epoch_1'], ['epoch_2', 'epoch_3'], 'epoch_3', 'epoch_1'),
        (['epoch_1', 'epoch_2'], [], 'epoch_9', 'epoch_2'),  # a deleted file
        (['epoch_9', 'epoch_10', 'epoch_2'], [], None, 'epoch_10'),  # by number, not by name
        (['iter_500', 'iter_1000'], ['iter_1500'], None, 'iter_1000'),
        (['epoch_2', 'best_coco_AP_epoch_7'], [], None, 'epoch_2'),  # the best one cannot be resumed from
        (['epoch_2', 'epoch_x', 'my_epoch_8'], [], '', 'epoch_2'),  # an empty pointer
        ([], ['epoch_1'], 'epoch_1', None),
        ([], [], 'epoch_1', None),
        ([], [], None, None),
    ],
)
def test_newest_readable_checkpoint(tmp_path, whole, truncated, pointer, expected):
    for name in whole:
        write(tmp_path, f'{name}.pth')
    for name in truncated:
        write(tmp_path, f'{name}.pth', whole=False)
    if pointer is not None:
        (tmp_path / 'last_checkpoint').write_text(pointer and str(tmp_path / f'{pointer}.pth'))
    found = auto_resume.find_latest_checkpoint(str(tmp_path))
    assert found == (expected and str(tmp_path / f'{expected}.pth'))


@pytest.mark.parametrize('content', [b'\x00' * 40, b'\xff\xfe\x80garbage', b'\n'], ids=['zeros', 'not-utf8', 'newline'])
def test_a_damaged_pointer_is_passed_over(tmp_path, content):
    write(tmp_path, 'epoch_3.pth')
    (tmp_path / 'last_checkpoint').write_bytes(content)
    assert auto_resume.find_latest_checkpoint(str(tmp_path)) == str(tmp_path / 'epoch_3.pth')


def test_a_moved_work_directory(tmp_path):
    write(tmp_path, 'epoch_4.pth')
    (tmp_path / 'last_checkpoint').write_text('/a/folder/that/was/renamed/epoch_4.pth')
    assert auto_resume.find_latest_checkpoint(str(tmp_path)) == str(tmp_path / 'epoch_4.pth')


def test_a_folder_that_is_not_there(tmp_path):
    assert auto_resume.find_latest_checkpoint(str(tmp_path / 'none')) is None


@pytest.mark.parametrize('cut', [0, 1, 100, 1000, -1])
def test_truncated_files_are_not_readable(tmp_path, cut):
    write(tmp_path, 'a.pth')
    assert auto_resume.is_readable(tmp_path / 'a.pth')
    content = (tmp_path / 'a.pth').read_bytes()
    (tmp_path / 'a.pth').write_bytes(content[:cut])
    assert not auto_resume.is_readable(tmp_path / 'a.pth')


def test_checkpoints_of_training_are_readable(trained):
    assert auto_resume.find_latest_checkpoint(str(trained)) == str(trained / 'epoch_1.pth')


def test_the_runner_uses_it():
    assert runner.find_latest_checkpoint is auto_resume.find_latest_checkpoint
