"""Names of files and fields that hold control characters: every command prints them escaped, on one line."""

import importlib
import json
import shutil

import pytest

from mmtranspose.commands import command_line
from mmtranspose_cli.terminal import STEERING_IN_LINES

NASTY = 'a\nerror: all fine\x1b[2J\r\x9b31m\u202e'
SHOWN = r'a\nerror: all fine\x1b[2J\r\x9b31m\u202e'


@pytest.fixture
def printed(monkeypatch, capfd):
    """Runs a command as the console does; gives its exit status and what it printed."""
    monkeypatch.setattr(command_line.keep_memory, 'apply', lambda: None)
    monkeypatch.setenv('LOCAL_RANK', '0')

    def printed(name, *arguments):
        capfd.readouterr()
        with pytest.raises(SystemExit) as stop:
            command_line.run(importlib.import_module(f'mmtranspose.commands.{name}').main, list(map(str, arguments)))
        output = capfd.readouterr()
        return stop.value.code or 0, output.out + output.err

    return printed


def check(text: str, shown: str = SHOWN) -> None:
    """The name is there, escaped; a progress bar's carriage returns are the only control characters."""
    assert shown in text
    assert not STEERING_IN_LINES.search(text.replace('\r', '').replace('\x1b[A', ''))
    assert 'error: all fine' not in [line[:15] for line in text.replace('\r', '\n').splitlines()]


@pytest.fixture
def nasty(tmp_path):
    folder = tmp_path / NASTY
    folder.mkdir()
    return folder


def test_infer(printed, tiny_config, tiny_checkpoint, people, nasty):
    (nasty / f'{NASTY}.jpg').write_bytes(b'no image')
    shutil.copy(people / 'val' / '000000000001.jpg', nasty / f'{NASTY}2.jpg')
    options = ('--bboxes', 'whole-image', '--output-root', nasty / 'out')
    status, text = printed('infer', tiny_config, tiny_checkpoint, '--input', nasty, *options)
    assert status == 1
    check(text, f'{SHOWN}/{SHOWN}.jpg: ')
    assert [line for line in text.splitlines() if line.startswith('1 image, 1 pose, 1 skipped') and SHOWN in line]
    assert json.loads((nasty / 'out' / f'{NASTY}2.json').read_text())  # files keep their names


def test_check_dataset(printed, tiny_config, people, tmp_path):
    root = shutil.copytree(people, tmp_path / 'people')
    file = root / 'annotations' / 'person_keypoints_train.json'
    content = json.loads(file.read_text())
    content['images'][0]['file_name'] = f'{NASTY}.jpg'
    content['annotations'][0]['bbox'] = [NASTY]
    file.write_text(json.dumps(content))
    options = ('--cfg-options', f'data_root={root}')
    status, text = printed('check_dataset', tiny_config, '--json', tmp_path / 'found.json', *options)
    assert status == 1
    check(text)
    examples = [
        example for one in json.loads((tmp_path / 'found.json').read_text())['problems'] for example in one['examples']
    ]
    assert [example for example in examples if f'{NASTY}.jpg' in example]  # JSON escapes by itself


@pytest.mark.parametrize(
    ('command', 'arguments'),
    [
        ('train', ('NASTY/no.py',)),
        ('train', ('CONFIG', '--work-dir', 'NASTY/file')),
        ('test', ('CONFIG', 'NASTY/no.pth')),
        ('test', ('CONFIG', 'NASTY/file')),
        ('test', ('CONFIG', 'CHECKPOINT', '--dump', 'NASTY/file')),
        ('infer', ('CONFIG', 'CHECKPOINT', '--input', 'NASTY/no.jpg', '--bboxes', 'whole-image', '--output-root', 'o')),
        ('explain', ('CONFIG', 'CHECKPOINT', '--input', 'NASTY/file', '--bboxes', 'NASTY/file', '--output-root', 'o')),
        ('explain_dataset', ('CONFIG', 'CHECKPOINT', '--output-root', 'NASTY/file')),
        ('generate_people', ('NASTY/file', '--num-train', '1', '--num-val', '0')),
        ('list', ('--path', 'NASTY')),
        ('convert', ('NASTY/file',)),
        ('check_dataset', ('NASTY/no.py',)),
        ('detect', ('NASTY/no.py', 'zoo', 'NASTY/no.json', '--img-root', 'NASTY', '--out', 'o.json')),
        ('flops', ('NASTY/no.py',)),
        ('train', ('CONFIG', 'NASTY')),
        ('train', ('CONFIG', '--resume', '--work-dir', 'NASTY')),
    ],
)
def test_mistakes(printed, tiny_config, tiny_checkpoint, nasty, command, arguments):
    for name in ('file', 'epoch_3.pth'):
        (nasty / name).write_bytes(b'not what is asked for')
    words = {'CONFIG': tiny_config, 'CHECKPOINT': tiny_checkpoint}
    arguments = [words.get(word, word.replace('NASTY', str(nasty))) for word in arguments]
    status, text = printed(command, *arguments)
    assert status == 2
    check(text)
