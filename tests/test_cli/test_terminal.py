"""What is printed cannot steer a terminal or forge a line."""

import logging
import unicodedata
import warnings

import pytest

from mmtranspose_cli import terminal
from mmtranspose_cli.doctor.report import Row, table_lines
from mmtranspose_cli.parser import command_parser
from mmtranspose_cli.terminal import printable


@pytest.mark.parametrize(
    ('text', 'shown'),
    [
        ('a\nerror: all fine\x1b[2J.jpg', r'a\nerror: all fine\x1b[2J.jpg'),
        ('50%\r100%', r'50%\r100%'),
        ('a\tb\0\x07\x7f\x9b31m', r'a\tb\x00\x07\x7f\x9b31m'),
        ('\u202egnp.exe', r'\u202egnp.exe'),
        ('line\u2028line\x85line', r'line\u2028line\x85line'),
        ('\udcff.jpg', r'\udcff.jpg'),
        ('räksmörgås ねこ\u3000🙂 C:\\new', 'räksmörgås ねこ\u3000🙂 C:\\new'),
    ],
)
def test_printable(text, shown):
    assert printable(text) == shown
    assert printable(text).encode().decode().splitlines() == [shown]


def test_no_control_character_is_left():
    left = {unicodedata.category(c) for c in printable(''.join(map(chr, range(0x110000))))}
    assert not left & {'Cc', 'Cs', 'Zl', 'Zp'}


def test_lines_may_stay():
    assert printable('a\tb\nc\x1b[2J\rd', lines=True) == 'a\tb\nc\\x1b[2J\\rd'


@pytest.fixture
def escaped(monkeypatch):
    monkeypatch.setattr(warnings, 'formatwarning', warnings.formatwarning)
    before = logging.getLogRecordFactory()
    terminal.escape_messages()
    yield
    logging.setLogRecordFactory(before)


def test_log_and_warnings(escaped, caplog):
    logging.getLogger('any').warning('loads %s', 'a\x1b[2J.pth')
    assert caplog.messages == ['loads a\\x1b[2J.pth']
    assert '\x1b' not in warnings.formatwarning(UserWarning('a\x1b[2J'), UserWarning, 'f.py', 1)


def test_mistakes_on_the_command_line(capsys):
    with pytest.raises(SystemExit):
        command_parser('list', '').parse_args(['a\nerror: all fine\x1b[2J'])
    assert capsys.readouterr().err.splitlines()[0].endswith(r'a\nerror: all fine\x1b[2J')


def test_the_doctors_table():
    assert table_lines([Row('a', '1\x1b[2J', 'ok', 'b\nc')], colour=False)[1] == r'a     1\x1b[2J  ok       b\nc'
