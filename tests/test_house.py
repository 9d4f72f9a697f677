"""The house stays simple: imports run one way, files are neither crumbs nor twins."""

import statistics

import house
import pytest


def test_imports_run_downwards():
    assert len(house.files()) > 300
    assert [one for path in house.files() for one in house.forbidden_imports(path)] == []


@pytest.mark.parametrize(
    ('room', 'statement', 'found'),
    [
        ('models', 'from mmtranspose.explain import attention_maps', ['models/x.py imports explain']),
        ('codecs', 'import mmtranspose.models', ['codecs/x.py imports models']),
        ('files', 'from mmtranspose.loading.zoo import models', ['files/x.py imports loading']),
        ('app', 'def late():\n    from mmtranspose.benchmark import run', ['app/x.py imports benchmark']),
        ('engine', 'from mmtranspose.commands import train', ['engine/x.py imports commands']),
        ('inference', 'from mmtranspose.crops.boxes import check_boxes', []),
        ('compat', 'from mmtranspose.errors import InputError', ['compat/x.py imports errors']),
    ],
)
def test_an_upward_import_is_seen(room, statement, found):
    assert house.forbidden_imports(house.PACKAGE / room / 'x.py', statement) == found


def test_every_room_has_a_row():
    assert {house.room_of(path) for path in house.files()} <= set(house.ROOMS)


def test_no_circles():
    assert house.circles() == []


def test_no_two_files_share_a_name_but_in_parallel_folders():
    twins = house.twins()
    for name, folders in list(twins.items()):
        parallel = [folder for folder in folders if folder == 'commands' or folder.split('/')[0] in house.PROGRAMS]
        if len(folders) - len(parallel) <= 1:  # a command or program beside the room that does the work
            twins.pop(name)
    assert twins == {}


def test_files_are_no_crumbs():
    lines = house.line_counts()
    assert 100 <= statistics.median(lines) <= 150
    assert sum(count < 60 for count in lines) <= 0.22 * len(lines)
