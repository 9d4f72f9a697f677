"""Code of README and docs: Python compiles, and runs where nothing is fetched; command lines parse, options and all."""

import json
import re
from pathlib import Path

import cv2
import numpy as np
import parsers
import pytest
import torch
from conftest import ROOT
from line_breaks import WIDTH, broken
from markdown_pages import code_blocks

from mmtranspose import apis
from mmtranspose.apis import detection
from mmtranspose.loading.config import load_config
from mmtranspose_cli.main import COMMANDS, SCRIPTS

PAGES = [
    path
    for path in (*ROOT.glob('*.md'), *(ROOT / 'docs').rglob('*.md'), *(ROOT / 'examples').rglob('*.md'))
    if path.name != 'CHANGELOG.md'
]
# What a block that uses this package needs beyond a small model, an image and a video.
NOT_RUN = {
    'reproduce(': 'needs COCO; tests/test_reproduction runs it on drawn people',
    'Pose2DInferencer': 'fetches the weights that it names',
    'export_model': 'tests/test_deployment writes and runs such files',
    'load_exported': 'tests/test_deployment writes and runs such files',
}


def blocks(*languages):
    """Page, line and code of the blocks in these languages."""
    return [
        pytest.param(block.code, id=f'{path.relative_to(ROOT)}:{block.line}')
        for path in PAGES
        for block in code_blocks(path.read_text('utf-8'), *languages)
    ]


def command_lines(code):
    """The ``mmtranspose COMMAND ...`` of a block of shell code."""
    for line in code.replace('\\\n', ' ').splitlines():
        found = re.search(r'(?:^|&& |\| )(mmtranspose (?!--)\S+[^|>&#]*)', line.strip())
        if found:
            yield found[1].strip()


def complaint(line, capsys):
    """What the command's parser says of its arguments."""
    try:
        parsers.parse(line)
    except SystemExit:
        return f'{line}: {capsys.readouterr().err}'
    return ''


def has_command(block):
    return any(command_lines(block.values[0]))


def test_lines_are_seen_whole():
    """On a desktop; a name without blanks, as of a config, may be longer. README is for another page."""
    cells = {
        f'{path.name}, cell {number}': ''.join(cell['source'])
        for path in (ROOT / 'docs' / 'notebooks').glob('*.ipynb')
        for number, cell in enumerate(json.loads(path.read_text('utf-8'))['cells'])
        if cell['cell_type'] == 'code'
    }
    pages = {block.id: block.values[0] for block in blocks('bash', 'python', 'json') if block.id.startswith('docs')}
    assert len(cells) > 10 and len(pages) > 80
    long = [
        f'{place}: {line}'
        for place, code in {**pages, **cells}.items()
        for line in code.splitlines()
        if len(line) > WIDTH and len(line) - max(map(len, line.split())) > 8
    ]
    assert long == []


@pytest.mark.parametrize(
    ('command', 'lines'),
    [
        ('a --b 1', ['a --b 1']),
        ('program file --input one --out two', ['program file --input one \\', '    --out two']),
        ('program --many 1 22 333 4444 55555 666666', ['program --many 1 22 333 \\', '    4444 55555 666666']),
        ("program 'a long name of words' && other", ['program \\', "    'a long name of words' \\", '    && other']),
    ],
)
def test_commands_are_broken(command, lines):
    assert broken(command, 29).splitlines() == lines
    assert broken(command, 29).replace(' \\\n   ', '') == command
    assert max(map(len, lines)) <= 29


@pytest.mark.parametrize('code', blocks('python'))
def test_python_compiles(code):
    compile(code, 'block', 'exec')


@pytest.fixture
def stand_ins(tmp_path, monkeypatch):
    """The names that blocks take for granted; and a folder with the files."""
    model = apis.init_model(load_config('transpose-r-tiny_synthetic'), device='cpu')
    image = np.random.default_rng(0).integers(0, 256, (400, 300, 3), np.uint8)
    monkeypatch.chdir(tmp_path)
    cv2.imwrite('street.jpg', image)
    for name in ('clip.mp4', 'street.mp4'):
        video = cv2.VideoWriter(name, cv2.VideoWriter_fourcc(*'mp4v'), 10, (300, 400))
        video.write(image)
        video.release()
    bboxes = np.array([[50, 40, 200, 380]], np.float32)
    monkeypatch.setattr(apis, 'init_model', lambda *_, **__: model)
    monkeypatch.setattr(detection, 'PersonDetector', lambda *_, **__: bboxes)
    inputs = torch.zeros(1, 3, 128, 96)
    return dict(model=model, image=image, bboxes=bboxes, inputs=inputs, cells=torch.zeros(1, 2, 2, dtype=torch.long))


RUN = [
    block
    for block in blocks('python')
    if 'from mmtranspose' in block.values[0] and not any(name in block.values[0] for name in NOT_RUN)
]


def test_most_blocks_that_use_the_package_run():
    assert len(RUN) >= 6


@pytest.mark.parametrize('code', RUN)
def test_python_runs(code, stand_ins):
    exec(compile(code, 'block', 'exec'), stand_ins)


@pytest.mark.parametrize('code', [block for block in blocks('bash') if has_command(block)])
def test_commands_are_parsed(code, capsys):
    for line in command_lines(code):
        command = line.split()[1]
        assert command in COMMANDS or command in SCRIPTS, line
        if command in COMMANDS:
            assert complaint(line, capsys) == ''


@pytest.mark.parametrize('command', COMMANDS)
def test_examples_of_commands_are_parsed(command, capsys):
    example = (parsers.parser_of(command).epilog or '').partition('example:\n')[2]
    for line in command_lines(example.replace('\n  mmtranspose', '\nmmtranspose')):
        assert complaint(line, capsys) == ''


def test_a_wrong_option_fails(capsys):
    with pytest.raises(SystemExit):
        parsers.parse('mmtranspose infer transpose-h-a4 --inputs street.jpg')
    assert 'required: --input' in capsys.readouterr().err
    with pytest.raises(SystemExit):
        parsers.parse('mmtranspose explain transpose-h-a4 --input street.jpg --anim')
    assert parsers.parse('mmtranspose infer transpose-h-a4 --input street.jpg  # yes').input == ['street.jpg']


def test_blocks_are_found():
    code = 'cd x && mmtranspose list  # all\nmmtranspose train a \\\n    --amp\nmmtranspose --help\n'
    assert list(command_lines(code)) == ['mmtranspose list', 'mmtranspose train a      --amp']
    assert len(blocks('bash')) > 40 and Path('README.md') in {path.relative_to(ROOT) for path in PAGES}
