"""Outputs that cannot be written are refused before any work."""

import os

import pytest

from mmtranspose.errors import InputError


@pytest.mark.parametrize(
    ('command', 'given', 'option'),
    [
        ('train', (), '--work-dir'),
        ('train', (), '--show-dir'),
        ('test', ('CHECKPOINT',), '--work-dir'),
        ('test', ('CHECKPOINT',), '--out'),
        ('test', ('CHECKPOINT',), '--dump'),
        ('infer', ('CHECKPOINT', '--input', 'IMAGE', '--bboxes', 'whole-image'), '--output-root'),
        ('explain', ('CHECKPOINT', '--input', 'IMAGE', '--bboxes', 'whole-image'), '--output-root'),
        ('explain-dataset', ('CHECKPOINT',), '--output-root'),
        ('check-dataset', (), '--json'),
        ('detect', ('CHECKPOINT', 'IMAGE', '--img-root', '.'), '--out'),
        ('flops', (), '--json'),
        ('benchmark', ('decode',), '--json'),
        ('convert', (), '--output-root'),
    ],
)
def test_below_a_file(run_command, tiny_config, tiny_checkpoint, people, tmp_path, monkeypatch, command, given, option):
    monkeypatch.chdir(tmp_path)
    (tmp_path / 'file').touch()
    words = dict(CHECKPOINT=tiny_checkpoint, IMAGE=people / 'val' / '000000000001.jpg')
    with pytest.raises(InputError, match=f'^{option} file/out.json: .*file is a file, not a folder; choose another$'):
        run_command(command, tiny_config, *(words.get(one, one) for one in given), option, 'file/out.json')
    assert os.listdir(tmp_path) == ['file']


@pytest.mark.parametrize(
    ('option', 'name', 'words'),
    [
        ('--out', 'metrics.txt', 'the file must end in .json, .yaml or .pkl'),
        ('--out', '.', 'is a folder; name a file'),
        ('--dump', 'CHECKPOINT', 'would overwrite'),
    ],
)
def test_of_a_test(run_command, tiny_config, tiny_checkpoint, tmp_path, monkeypatch, option, name, words):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError, match=words):
        run_command('test', tiny_config, tiny_checkpoint, option, name.replace('CHECKPOINT', tiny_checkpoint))
    assert os.listdir(tmp_path) == []
