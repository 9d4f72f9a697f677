"""Summaries of generated people: sums by hand, parts in any division, memory that does not grow."""

import csv
import json
import tracemalloc

import numpy as np
import pytest
import torch
from scipy.stats import t

from mmtranspose.dataset_explanation import report_files
from mmtranspose.dataset_explanation.explanation_settings import DatasetExplanationSettings
from mmtranspose.dataset_explanation.matched_difference import MatchedDifferences, matched_difference
from mmtranspose.dataset_explanation.measures import MEASURES
from mmtranspose.dataset_explanation.report_files import summary_text, write_report, write_summary, written_files
from mmtranspose.dataset_explanation.share_sums import (
    Dependency,
    grouped_shares,
    share_sums,
    shown_groups,
    student_intervals,
)
from mmtranspose.dataset_explanation.summary import summarise
from mmtranspose.explain.metrics import bootstrap
from mmtranspose.files.text_tables import counted

BODY = [f'joint_{letter}' for letter in 'abcdefghij']
MANY = BODY + [f'face-{number}' for number in range(24)]
MEASURED = ('own', 'counterpart', 'other', 'entropy', 'normalised_entropy', 'reach')


def part_of(people, names, layers=2, seed=0):
    """Generated measurements of some people, as measure_attention gives them."""
    rng, keypoints = np.random.default_rng(seed), len(names)
    visibility = rng.integers(0, 4, (people, keypoints))
    labelled = visibility > 0
    shares = rng.random((people, layers, keypoints, keypoints), np.float32)
    shares[~np.broadcast_to((labelled[:, None, :, None] & labelled[:, None, None]), shares.shape)] = np.nan
    part = dict(visibility=visibility, oks=np.where(labelled, rng.random(labelled.shape), np.nan), shares=shares)
    for name in MEASURED:
        values = rng.random((people, layers, keypoints), np.float32)
        part[name] = np.where(labelled[:, None], values, np.nan)
    if groups := shown_groups(names):
        size = (people, 3, layers, len(groups), len(groups))
        part['group_sums'] = rng.random(size, np.float32)
        part['group_counts'] = rng.integers(0, 5, (*size[:2], *size[3:]))
    return part


def summed(part):
    rest = {name: values for name, values in part.items() if name != 'shares'}
    return rest | share_sums(part['shares'], part['visibility'])


def cut(part, start, stop):
    return {name: values[start:stop] for name, values in part.items()}


def summary_of(parts, people, names):
    settings = DatasetExplanationSettings()
    return summarise(parts, people, [], 0, names, [], [], settings)


def test_share_sums_by_hand():
    nan = np.nan
    shares = np.array([[[[0.5, nan], [0.25, nan]]], [[[0.25, 0.5], [nan, nan]]], [[[0.125, 1], [0, 0.5]]]])
    sums = share_sums(shares, np.array([[2, 1], [2, 0], [1, 3]]))
    assert sums['share_sums'][:, 0].tolist() == [[[0.125, 1], [0.25, 0]], [[0.75, 0.5], [0, 0]], [[0, 0], [0, 0.5]]]
    assert sums['share_counts'][:, 0].tolist() == [[[1, 1], [1, 0]], [[2, 1], [0, 0]], [[0, 0], [1, 1]]]
    assert sums['share_squares'][1, 0].tolist() == [[0.3125, 0.25], [0, 0]]
    dependency = Dependency.of(sums, ['nose', 'hip'])
    assert dependency.intervals['all'].n[0].tolist() == [[3, 2], [2, 1]]
    assert dependency.intervals['visible'].mean[0, 0].tolist() == [0.375, 0.5]
    rows = list(dependency.rows())
    assert len(rows) == 3 * 1 * 2 * 2 and rows[1]['keypoint'] == 'nose' and rows[1]['part'] == 'hip'
    assert (rows[1]['layer'], rows[1]['group'], rows[1]['mean'], rows[1]['n']) == (1, 'all', 0.75, 2)


def test_student_intervals_are_those_of_scipy():
    values = np.random.default_rng(0).random((12, 3)) * [0.1, 1, 1e-3]
    found = student_intervals(values.sum(0), (values**2).sum(0), np.full(3, 12))
    error = values.std(0, ddof=1) / np.sqrt(12)
    low, high = t.interval(0.95, 11, values.mean(0), error)
    np.testing.assert_allclose([found.mean, found.low, found.high], [values.mean(0), low, high], rtol=1e-9)
    edges = student_intervals(np.array([0.2, 1.9, 0.7, 0]), np.array([0.04, 1.81, 0.49, 0]), np.array([2, 2, 1, 0]))
    assert edges.low[0] == 0 and edges.high[1] == 1  # no share is below 0 or above 1
    assert edges.mean[2] == 0.7 and np.isnan([edges.low[2], edges.high[2], edges.mean[3], edges.low[3]]).all()


def test_shares_of_groups_by_hand():
    """One layer, two people, three keypoints in two groups, a grid of 1 x 2 cells."""
    nan = float('nan')
    maps = torch.tensor([[[[[0.5, 0.5]], [[1.0, 0]], [[0, 1.0]]]] * 2])  # (1, 2, 3, 1, 2)
    coverage = torch.tensor([[[[0.5, 0]], [[0.5, 1.0]], [[0, 0.5]]], [[[nan, nan]], [[0.5, 0]], [[nan, nan]]]])
    visibility = np.array([[2, 1, 2], [0, 2, 0]])
    found = grouped_shares(maps, coverage, visibility, dict(a=[0, 1], b=[2]))
    # both discs of group a: 1 - 0.5 * 0.5 of the first cell, all of the second
    a, b = [0.5 * 0.75 + 0.5 * 1, 0.75, 1], [0.25, 0, 0.5]
    assert found['group_sums'][0, :, 0].tolist() == [
        [[a[1], b[1]], [0, 0]],  # occluded: keypoint 1
        [[a[0], b[0]], [a[2], b[2]]],  # visible: keypoints 0 and 2
        [[0, 0], [0, 0]],
    ]
    assert found['group_counts'][0].tolist() == [[[1, 1], [0, 0]], [[1, 1], [1, 1]], [[0, 0], [0, 0]]]
    assert found['group_counts'][1, 1].tolist() == [[1, 0], [0, 0]]  # nothing of group b is labelled
    assert found['group_sums'][1, 1, 0].tolist() == [[0.5, 0], [0, 0]]


def test_groups_are_shown_for_many_keypoints_alone():
    assert shown_groups([*BODY, 'face-0', 'face-1']) == {}
    assert list(shown_groups(MANY)) == ['body', 'face']
    assert shown_groups([f'face-{number}' for number in range(68)]) == {}  # one group would say nothing


@pytest.mark.parametrize('ends', [[4, 9], [1, 2, 5, 9]], ids=str)
def test_any_division_into_parts_gives_the_same(ends):
    """Parts with their people's shares or with sums of them, in any number: means and intervals are the same."""
    whole = part_of(9, MANY)
    expected, table = summary_of([whole], 9, MANY)
    pieces = [cut(whole, start, stop) for start, stop in zip([0, *ends], ends)]
    found, other = summary_of([summed(piece) for piece in pieces[:-1]] + pieces[-1:], 9, MANY)
    for name in ('layers', 'occlusion', 'groups'):
        numbers = [[list(row.values())[-4:] for row in summary[name]] for summary in (expected, found)]
        np.testing.assert_allclose(*numbers, rtol=1e-9)
    for group, intervals in table.intervals.items():
        for values, others in zip(intervals, other.intervals[group]):
            np.testing.assert_allclose(values, others, rtol=1e-6, atol=1e-6)
    assert (found['keypoints'], found['people']) == (expected['keypoints'], 9)
    assert found['mean_keypoint_oks'] == pytest.approx(np.nanmean(whole['oks']))


@pytest.mark.filterwarnings('ignore:Mean of empty slice')  # of two keypoints that nobody shows together
def test_tables_are_means_of_what_is_given():
    part = part_of(24, MANY)
    summary, dependency = summary_of([part], 24, MANY)
    rows = {(row['layer'], row['quantity'], row['group']): row for row in summary['layers']}
    hidden = np.where(part['visibility'] == 1, part['reach'][:, 1], np.nan)
    assert rows[2, 'reach', 'occluded']['mean'] == pytest.approx(np.nanmean(hidden))
    nothing = np.where(part['visibility'] > 0, (1 - part['own'] - part['other'])[:, 0], np.nan)
    assert rows[1, 'elsewhere', 'all']['mean'] == pytest.approx(np.nanmean(nothing), rel=1e-5)
    seen = np.where((part['visibility'] == 2)[:, :, None], part['shares'][:, 1], np.nan)
    np.testing.assert_allclose(dependency.intervals['visible'].mean[1], np.nanmean(seen, 0), rtol=1e-6)
    grouped = {(row['layer'], row['group'], row['keypoints'], row['parts']): row for row in summary['groups']}
    sums, counts = part['group_sums'].sum((0, 1)), part['group_counts'].sum((0, 1))
    assert grouped[2, 'all', 'face', 'body']['mean'] == pytest.approx(sums[1, 1, 0] / counts[1, 0])
    assert len(grouped) == 2 * 3 * 4


@pytest.mark.filterwarnings('ignore:Mean of empty slice')
@pytest.mark.parametrize(
    ('people', 'words'), [(1, 'one person: no intervals'), (4, 'the intervals of 4 people are rough')]
)
def test_few_people_are_said_to_be_few(people, words):
    """Also of those who are tested for faithfulness, where these are fewer; no line holds nan."""
    part = part_of(people, BODY)
    sizes = dict(faithfulness=(1, 1, len(MEASURES), 10), randomization=(1, 1, 2, 10), best=(1, 2, 10))
    tested = [{name: np.full(size, 0.5) for name, size in sizes.items()}]
    settings = DatasetExplanationSettings()
    summary, _ = summarise([part], people, tested, 1, BODY, ['random'], ['head', 'all'], settings)
    text = summary_text(summary)
    first, second = text.splitlines()[:2]
    assert first.startswith(counted(people, 'person') + ', ') and second == words
    assert first.endswith(f'; mean keypoint OKS {np.nanmean(part["oks"]):.3f}')
    assert text.count('no intervals') == 1 and text.count('rough') == (people > 1)
    assert ('faithfulness: one person: no intervals' in text) == (people > 1)
    assert 'nan' not in text and 'random         0.500 ' in text
    assert summary['settings']['methods'] == ['random'] and settings.methods == ()


def test_differences_of_people_given_block_by_block():
    rng = np.random.default_rng(5)
    values, hidden = rng.random((20, 3, 4)), rng.random((20, 1, 4)) < 0.4
    visible, occluded = np.where(hidden, np.nan, values), np.where(hidden, values, np.nan)
    differences = MatchedDifferences(20)
    for start in range(0, 20, 7):
        differences.add(visible[start : start + 7], occluded[start : start + 7])
    for index, found in enumerate(differences.intervals()):
        assert found == pytest.approx(matched_difference(visible[:, index], occluded[:, index]))


def peak_of(people, part):
    """Most bytes that are held while parts of 20 people are summarised, beside one part."""
    bootstrap._drawn.cache_clear()
    tracemalloc.start()
    summary_of((summed(part) for _ in range(people // 20)), people, MANY)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    bootstrap._drawn.cache_clear()
    return peak


def test_memory_does_not_grow_with_people(monkeypatch):
    """Each person costs the counts of 2000 resamples, a byte each, and little else: 34 keypoints' shares take 9 KB."""
    monkeypatch.setattr(bootstrap, 'BLOCK_ELEMENTS', 2**17)
    part = part_of(20, MANY)
    assert (peak_of(160, part) - peak_of(80, part)) / 80 < 3000


@pytest.mark.parametrize('names', [BODY, MANY], ids=['few', 'many'])
def test_report(names, tmp_path, monkeypatch):
    """Files of another run go, nobody else's do; the long table stands in its own file; figures show groups."""
    drawn = []
    figure = report_files.dependency_matrix_figure
    monkeypatch.setattr(
        report_files, 'dependency_matrix_figure', lambda *given: drawn.append(given) or figure(*given, dpi=20)
    )
    others, mine = written_files(tmp_path), {'maps.png', 'groups.csv' if names is BODY else 'best.csv', 'index.html'}
    for name in ('faithfulness.csv', 'keypoints.parquet', 'explanation.json', 'report_pages/7.html'):
        path = others.path(name)
        path.parent.mkdir(exist_ok=True)
        path.write_text('of another run')
    for name in mine:
        (tmp_path / name).write_text('mine')
    summary, dependency = summary_of([part_of(6, names)], 6, names)
    files = written_files(tmp_path)
    figures = write_report(files, summary, dependency)
    assert [path.name for path in figures] == ['dependency.png', 'layers.png']
    assert not (tmp_path / 'explanation.json').exists()
    write_summary(files, summary)
    written = {'dependency.csv', 'dependency.png', 'layers.csv', 'layers.png', 'occlusion.csv', 'explanation.json'}
    written |= set() if names is BODY else {'groups.csv'}
    assert {path.name for path in tmp_path.iterdir()} == written | mine | {'parts'}
    assert all((tmp_path / name).read_text() == 'mine' for name in mine)
    assert set(json.loads((tmp_path / 'parts' / 'written.json').read_text())) == written
    content = json.loads((tmp_path / 'explanation.json').read_text())
    assert 'dependency' not in content and 'dependency.csv' in content['intervals']['dependency']
    with open(tmp_path / 'dependency.csv', newline='') as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 3 * 2 * len(names) ** 2
    row = rows[len(names) + 2]  # all, layer 1, second keypoint, third part
    assert (row['keypoint'], row['part'], row['layer'], row['group']) == (names[1], names[2], '1', 'all')
    assert float(row['mean']) == pytest.approx(dependency.intervals['all'].mean[0, 1, 2], rel=1e-5)
    shares, rows, columns, title, occluded = drawn[0]
    if names is BODY:
        assert list(rows) == list(columns) == BODY and 'disc of each body part' in title
        np.testing.assert_array_equal(shares, dependency.intervals['visible'].mean)
    else:
        assert rows == ['body (10)', 'face (24)'] and 'each group of keypoints' in title
        means = [row['mean'] for row in summary['groups'] if row['group'] == 'occluded']
        assert np.ravel(occluded).tolist() == means and (tmp_path / 'groups.csv').is_file()


def test_a_report_that_fails_leaves_no_summary(tmp_path, monkeypatch):
    """Where explanation.json is, all files beside it are of the same run. The next run removes what is left."""
    summary, dependency = summary_of([part_of(3, BODY)], 3, BODY)
    (tmp_path / 'explanation.json').write_text('{}')

    def full(*_):
        raise OSError('disk full')

    monkeypatch.setattr(report_files, '_figures', lambda *_: [('dependency', np.zeros((2, 2, 3), np.uint8))])
    monkeypatch.setattr(report_files, 'write_image', full)
    with pytest.raises(OSError, match='disk full'):
        write_report(written_files(tmp_path), summary, dependency)
    assert {path.name for path in tmp_path.glob('*.*')} == {'dependency.csv', 'layers.csv', 'occlusion.csv'}
    written_files(tmp_path).remove()
    assert not list(tmp_path.glob('*.*'))
