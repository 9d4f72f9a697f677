"""Results of units of work, merged into what one folder of results would have."""

import json
import os
from contextlib import nullcontext
from pathlib import Path

import pytest
from made_results import META, frames, result, still
from written_results import content

from mmtranspose.errors import InputError
from mmtranspose.inference.image_ids import ImageIds
from mmtranspose.inference.work_units import UnitEnd
from mmtranspose.results import PredictionFiles, ResultsFolder
from mmtranspose.results.finished_units import MADE_BY, MERGED, FinishedUnits
from mmtranspose.results.merging import merge_units
from mmtranspose.results.units_folder import UnitsFolder

# Two images of one name, a name that is too long to be written, a video, and nothing that can be read.
UNITS = [
    [result(still('a/x.png'), 0), result(still('a/5.png', 1), 1, 2)],
    [result(still(f'{"y" * 252}.png', 2), 3), result(still('b/x.png', 3)), result(still('b/y.png', 4), 4)],
    [result(frame, frame.index, tracks=True) for frame in frames('clip.mp4', (0, 1, 3))],
    [],
]


def page(root, name, *_):
    (root / f'{Path(name).stem}_overlays').mkdir(parents=True, exist_ok=True)
    overlay = root / f'{Path(name).stem}_overlays' / '000_nose.jpg'
    overlay.write_text(name)
    return dict(page=[], overlays=[str(overlay)])


def draw(result):
    return result.frame.image + len(result.samples)


def write(folder, results):
    for one in results:
        with pytest.raises(OSError, match='yyy') if 'yyy' in one.frame.name else nullcontext():
            folder.write(one, draw(one))


def folder_of(root, ids):
    return ResultsFolder(root, (), PredictionFiles(root, META, ids))


@pytest.fixture
def by_one(tmp_path):
    with folder_of(tmp_path / 'one', ImageIds()) as folder:
        for results in UNITS:
            write(folder, results)
    return content(tmp_path / 'one')


@pytest.fixture
def units(tmp_path):
    """All units, finished in another order."""
    units = FinishedUnits(tmp_path / 'out', dict(kpt_thr=0.3), len(UNITS))
    for number in (2, 0, 3, 1):
        with UnitsFolder(units, [number], lambda root: folder_of(root, None), 1) as folder:
            write(folder, UNITS[number])
            folder.end_unit(UnitEnd(number, (('z.png', 'is empty'),) if number == 3 else ()))
    return units


def merge(units, asked=()):
    return merge_units(units, units.root.parent, (), ImageIds(), list(asked).append)


def test_the_same_files(units, by_one, tmp_path):
    assert set(by_one) >= {'x.png', 'x_2.png', 'x_2.json', 'y.png', '5.png', 'clip.mp4', 'results_coco.json'}
    merged = merge(units)
    assert content(tmp_path / 'out') == by_one
    assert (merged.frames, merged.people) == (8, 8) and merged.skipped[1] == ('z.png', 'is empty')
    assert 'yyy.png' in merged.skipped[0][0] and 'cannot be written' in merged.skipped[0][1]
    ids = [one['image_id'] for one in json.loads(by_one['results_coco.json'])]
    assert ids == [0, 5, 5, 2, 3, 4, 6]


def test_frames_are_told_of(units):
    asked = []
    merge_units(units, units.root.parent, (), None, asked.append)
    assert [(one.name, one.index) for one in asked][-3:] == [(f'clip.mp4, frame {n}', n) for n in (0, 1, 3)]
    assert asked[-1].video == UNITS[2][0].frame.video and asked[0].path == 'a/x.png'
    assert not (units.root.parent / 'results_coco.json').exists()


def test_a_merge_that_was_stopped_is_begun_again(units, by_one, tmp_path, monkeypatch):
    link, linked = os.link, []

    def stops(source, target):
        if len(linked) == 3:
            raise KeyboardInterrupt
        linked.append(target)
        link(source, target)

    with monkeypatch.context() as patch:
        patch.setattr(os, 'link', stops)
        with pytest.raises(KeyboardInterrupt):
            merge(units)
    (tmp_path / 'out' / 'y.png').write_bytes(b'of an earlier run')
    (tmp_path / 'out' / 'results_coco.json.4194399.partial').write_text('[')  # of a killed process
    monkeypatch.setattr('mmtranspose.compat.partial_files.PATIENCE', 0)
    merge(units)
    for path in (tmp_path / 'out').glob(f'results_coco.json.{os.getpid()}.partial'):  # this process lives
        path.unlink()
    assert content(tmp_path / 'out') == by_one


def test_a_file_that_no_frame_has_stays_where_it_is(units, by_one, tmp_path):
    (units.folder(1) / 'x.png').rename(units.folder(1) / 'b.png')
    units.frames(1).write_text(units.frames(1).read_text().replace('"drawing": "x.png"', '"drawing": "b.png"'))
    (units.folder(1) / 'x.png').write_bytes(b'would take the place of the x.png of another part')
    units.finish(1, [('yyy', 'cannot be written')], 3)
    merge(units)
    assert content(tmp_path / 'out') == by_one


def test_without_hard_links(units, by_one, tmp_path, monkeypatch):
    def refuse(*_):
        raise PermissionError

    monkeypatch.setattr(os, 'link', refuse)
    merge(units)
    assert content(tmp_path / 'out') == by_one


def test_files_of_pages_keep_their_names(tmp_path, monkeypatch):
    monkeypatch.setattr('mmtranspose.results.results_folder.write_explanations', page)
    units = FinishedUnits(tmp_path / 'out', {}, 1)
    with UnitsFolder(units, [0], lambda root: ResultsFolder(root, (), None, pages=True), None) as folder:
        one = result(still('x.png'), 0)
        one.explanations = ['explained']
        folder.write(one, draw(one))
        folder.end_unit(UnitEnd(0))
    merge_units(units, tmp_path / 'out', (), None, [].append)
    assert content(tmp_path / 'out')['x_overlays/000_nose.jpg'] == b'x.png'
    assert set(content(tmp_path / 'out')) == {'x.png', 'x_overlays/000_nose.jpg'}


def test_the_note_stays(units):
    merge(units)
    assert units.merged is None
    units.retire(2)
    assert sorted(os.listdir(units.root)) == [MADE_BY, MERGED] and units.merged == 2
    assert FinishedUnits(units.root.parent, dict(kpt_thr=0.3), len(UNITS)).merged == 2


def cut(path):
    path.write_text(path.read_text()[: path.read_text().index('\n', 5) + 1])


def fill(path, byte):
    path.write_bytes(byte * path.stat().st_size)


@pytest.mark.parametrize(
    ('damage', 'named'),
    [
        (lambda units: (units.folder(0) / '5.png').unlink(), r'000000/5.png is missing'),
        (lambda units: (units.folder(0) / '5.png').write_bytes(b''), r'000000/5.png has 0 bytes in place of \d\d+'),
        (lambda units: units.frames(1).unlink(), r'000001.frames.json is missing'),
        (lambda units: units.frames(1).write_text(''), r'000001.frames.json has 0 bytes in place of'),
        (lambda units: cut(units.frames(1)), r'000001.frames.json has \d+ bytes in place of'),
        (lambda units: fill(units.frames(1), b'\n'), r'000001.frames.json has 0 frames in place of 3'),
        (lambda units: fill(units.frames(1), b'{'), r'000001.frames.json cannot be read'),
        (lambda units: units.path(2).write_text('{"made_by": "of others", "skipped": []}'), 'with other settings than'),
        (lambda units: units.path(2).write_text('{'), 'is not JSON: .*: delete .*000002.json and run its shard again'),
        (lambda units: units.path(2).write_text(''), 'is not JSON: .*: delete .*000002.json and run its shard again'),
    ],
)
def test_a_damaged_unit(units, damage, named):
    damage(units)
    with pytest.raises(InputError, match=named):
        merge(units)


@pytest.mark.parametrize('links', [True, False])
def test_what_is_finished_is_on_the_disk(units, monkeypatch, links):
    """A note is written when all that it speaks of has been flushed: files, and names in folders."""
    flushed, fsync = [], os.fsync
    monkeypatch.setattr(
        os, 'fsync', lambda one: flushed.append(Path(os.readlink(f'/proc/self/fd/{one}'))) or fsync(one)
    )
    units.path(0).unlink()
    with UnitsFolder(units, [0], lambda root: folder_of(root, None), 1) as folder:
        write(folder, UNITS[0])
        folder.end_unit(UnitEnd(0))
    *files, note, parts = flushed
    names = {'000000', '000000.frames.json', *(f'000000/{name}' for name in ('x.png', 'x.json', '5.png', '5.json'))}
    assert {str(path.relative_to(units.root)) for path in files} == names
    assert note.name.startswith('000000.json.') and parts == units.root

    if not links:
        monkeypatch.setattr(os, 'link', lambda *_: os.stat('missing'))
    flushed.clear()
    merge(units)
    assert flushed[-2:] == [units.root.parent / 'results_coco.json', units.root.parent]
    assert sum(path.name.endswith('.partial') for path in flushed) == (0 if links else 10)
    flushed.clear()
    units.retire(0)
    assert flushed[0].name.startswith('merged.json.')


def test_what_is_left(tmp_path):
    units = FinishedUnits(tmp_path, {}, 5)
    for number in (0, 1, 3):
        units.frames(number).write_text('[]')
        units.finish(number, [], 0)
    assert units.left(2) == ['shard 1/2 (2 of 3 parts)']
    assert units.left(3) == ['shard 2/3 (1 of 2 parts)', 'shard 3/3 (1 of 1 parts)']
    assert units.left(1) == ['shard 1/1 (2 of 5 parts)']


def test_a_unit_without_its_end_is_not_finished(tmp_path):
    units = FinishedUnits(tmp_path, {}, 2)
    with UnitsFolder(units, [1], lambda root: folder_of(root, None), 1) as folder:
        write(folder, UNITS[0])
    assert units.missing() == [0, 1] and (units.folder(1) / 'x.png').is_file()
