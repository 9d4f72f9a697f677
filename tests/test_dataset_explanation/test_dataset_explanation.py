"""Explanations over a dataset: ground truth, shares by hand, intervals, resuming, several processes."""

import copy
import csv
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from mmengine.structures import InstanceData
from mmpose.datasets.transforms import KeypointConverter
from mmpose.structures import PoseDataSample

from mmtranspose.apis import InputError, explain_topdown, init_model
from mmtranspose.dataset_explanation import (
    DatasetExplanationSettings,
    dataset_run,
    explain_dataset,
    kept_measurements,
    measured_parts,
    measures,
    report_files,
)
from mmtranspose.dataset_explanation.cases import case_run
from mmtranspose.dataset_explanation.kept_measurements import KeptMeasurements
from mmtranspose.dataset_explanation.labelled_people import (
    UNKNOWN_VISIBILITY,
    GroundTruth,
    LabelledPeople,
    torso_lengths,
)
from mmtranspose.dataset_explanation.matched_difference import matched_difference
from mmtranspose.dataset_explanation.measures import MEASURES, counterpart_shares, measure_faithfulness, others_coverage
from mmtranspose.dataset_explanation.report_files import summary_text
from mmtranspose.dataset_explanation.share_sums import share_sums
from mmtranspose.explain import Explainer, ExplainOptions, Target, edge_knockout, token_ablation
from mmtranspose.explain.methods import build_method
from mmtranspose.explain.metrics import bootstrap
from mmtranspose.explain.recording import recorded_forward
from mmtranspose.keypoint_names import keypoint_names
from mmtranspose.media import read_image
from mmtranspose.version import __version__

SETTINGS = dict(
    max_samples=4, faithfulness_samples=1, methods=('attention-2', 'random'), score_thr=-1, steps=2, percentiles=(50,)
)


@pytest.fixture(scope='module')
def model(tiny_config, tiny_checkpoint):
    return init_model(tiny_config, tiny_checkpoint)


@pytest.fixture(scope='module')
def annotations(people):
    return json.loads((people / 'annotations' / 'person_keypoints_val.json').read_text())


@pytest.fixture(scope='module')
def explained(model, tmp_path_factory):
    root = tmp_path_factory.mktemp('explained') / 'out'
    settings = DatasetExplanationSettings(**SETTINGS, batch_size=3)
    return root, explain_dataset(model, root, settings, progress=False)


def part_of(root, kind, name='000000-000001'):
    """The arrays of a part of the only folder of a kind."""
    (path,) = (root / 'parts').glob(f'{kind}-????????/{name}.npz')
    with np.load(path) as file:
        return dict(file)


def test_ground_truth_is_the_annotations(model, annotations):
    people = LabelledPeople(model.cfg.copy(), None, seed=0)
    assert len(people) == sum(a['num_keypoints'] > 0 for a in annotations['annotations'])
    by_box = {tuple(np.round(a['bbox'], 1)): a for a in annotations['annotations']}
    batch, ground_truths = people.batch(0, 2)
    for sample, ground_truth in zip(batch['data_samples'], ground_truths):
        x1, y1, x2, y2 = sample.gt_instances.bboxes[0]
        raw = by_box[tuple(np.round([x1, y1, x2 - x1, y2 - y1], 1))]
        triples = np.array(raw['keypoints'], float).reshape(-1, 3)
        np.testing.assert_array_equal(ground_truth.visibility, triples[:, 2])
        labelled = triples[:, 2] > 0
        np.testing.assert_allclose(ground_truth.keypoints[labelled], triples[labelled, :2], atol=1e-3)
        assert np.isnan(ground_truth.keypoints[~labelled]).all()
        assert ground_truth.area == raw['area']


def test_order_is_seeded(model):
    orders = [LabelledPeople(model.cfg.copy(), None, seed).order for seed in (0, 0, 1)]
    assert orders[0] == orders[1] != orders[2] and sorted(orders[0]) == sorted(orders[2])
    assert LabelledPeople(model.cfg.copy(), 2, 0).order == orders[0][:2]


def test_ground_truth_without_flags_or_area():
    sample = PoseDataSample(metainfo=dict(raw_ann_info=None))
    sample.gt_instances = InstanceData(
        keypoints=np.array([[[1, 2], [3, 4.0]]]),
        keypoints_visible=np.array([[1, 0.0]]),
        bboxes=np.array([[10, 20, 30, 60.0]]),
    )
    ground_truth = GroundTruth.of(7, sample)
    assert ground_truth.visibility.tolist() == [3, 0] and ground_truth.area == pytest.approx(0.53 * 20 * 40)
    np.testing.assert_array_equal(ground_truth.keypoints, [[1, 2], [np.nan, np.nan]])


def test_ground_truth_with_weights():
    """KeypointConverter, which fits the keypoints of one dataset to another, adds a column of weights to the labels."""
    info = dict(
        keypoints=np.array([[[1, 2], [3, 4.0]]]),
        keypoints_visible=np.array([[[0, 1.0], [1, 1]]]),
        bbox=np.array([[10, 20, 30, 60.0]]),
        raw_ann_info=dict(keypoints=[1, 2, 2] * 3, area=50),
    )
    ground_truth = GroundTruth.of_info(7, info)
    assert ground_truth.visibility.tolist() == [0, 3] and ground_truth.area == 50
    np.testing.assert_array_equal(ground_truth.keypoints, [[np.nan, np.nan], [3, 4]])


@pytest.mark.parametrize('flags', [[1, 2], [2, 0]], ids=str)
def test_flags_of_keypoints_in_another_order(flags):
    """The raw annotation has the keypoints in the order before KeypointConverter, as many as after it."""
    info = dict(
        keypoints=np.array([[[1, 2], [3, 4.0]]]),
        keypoints_visible=np.array([np.minimum(flags, 1.0)]),
        bbox=np.array([[10, 20, 30, 60.0]]),
        raw_ann_info=dict(keypoints=[1, 2, flags[0], 3, 4, flags[1]], area=50),
    )
    assert GroundTruth.of_info(7, info).visibility.tolist() == flags
    swapped = KeypointConverter(2, [(0, 1), (1, 0)])(copy.deepcopy(info))
    expected = [UNKNOWN_VISIBILITY if flag else 0 for flag in reversed(flags)]
    assert GroundTruth.of_info(7, swapped).visibility.tolist() == expected
    reordered = dict(info, keypoints_visible=info['keypoints_visible'][:, ::-1])  # without weights that would tell
    assert flags == [1, 2] or GroundTruth.of_info(7, reordered).visibility.tolist() == expected


@pytest.fixture
def fitted(model, annotations, people, tmp_path):
    """A config whose people are fitted to another dataset, which has no nose, the only keypoint of the first person."""
    content, cfg = copy.deepcopy(annotations), copy.deepcopy(model.cfg)
    content['annotations'][0].update(keypoints=[5, 5, 2] + [0] * 48, num_keypoints=1)
    (tmp_path / 'people.json').write_text(json.dumps(content))
    inner = cfg.test_dataloader.dataset
    pipeline, inner.pipeline = (
        inner.pipeline,
        [dict(type='KeypointConverter', num_keypoints=17, mapping=[(k, k) for k in range(1, 17)])],
    )
    inner.ann_file = str(tmp_path / 'people.json')
    inner.bbox_file = str(people / 'person_detection_results' / 'person_detections_val.json')  # as in the config
    metainfo = dict(from_file='configs/_base_/datasets/coco.py')
    cfg.test_dataloader.dataset = dict(type='CombinedDataset', metainfo=metainfo, datasets=[inner], pipeline=pipeline)
    return cfg


def test_people_whose_labels_were_left_out_are_not_measured(fitted, annotations):
    labelled = [number for number, one in enumerate(annotations['annotations']) if one['num_keypoints']]
    assert len(labelled) == 5 and LabelledPeople(fitted, None, 0).labelled == [1, 2, 3, 4]


def test_torso_by_hand():
    names = ['left_shoulder', 'right_shoulder', 'left_hip', 'right_hip']
    points = np.array([[[0, 0], [4, 0], [1, 10], [3, 10]], [[0, 0], [4, 0], [np.nan, 10], [3, 10]]], float)
    np.testing.assert_allclose(torso_lengths(points, names), [10, np.nan])
    assert np.isnan(torso_lengths(points, ['nose', *names[1:]])).all()


def test_others_coverage_by_hand():
    coverage = torch.tensor([[[[1.0, 0.5, 0]], [[0.2, 0.8, 0]], [[float('nan')] * 3], [[0, 0, 0.4]]]])
    others = others_coverage(coverage)[0, :, 0]
    expected = [[0, 0.3, 0.4], [0.8, 0, 0.4], [np.nan] * 3, [1, 0.8, 0]]
    np.testing.assert_allclose(others.numpy(), expected, atol=1e-6)


def test_counterparts_by_hand():
    shares = torch.arange(9.0).reshape(1, 3, 3)
    found = counterpart_shares(shares, [0, 2, 1])
    np.testing.assert_array_equal(found.numpy(), [[np.nan, 5, 7]])


def test_matched_difference_by_hand():
    nan = np.nan
    visible = np.array([[1, 5], [3, 5], [nan, nan], [nan, 5.0]])
    occluded = np.array([[nan, nan], [nan, nan], [4, 6], [6, nan]])
    row = matched_difference(visible, occluded)
    # keypoint 0: 5 - 2, occluded twice; keypoint 1: 6 - 5, once
    assert row.mean == pytest.approx((2 * 3 + 1 * 1) / 3) and row.n == 2
    assert row.low <= row.mean <= row.high
    never = matched_difference(visible, np.full((4, 2), nan))
    assert np.isnan(never.mean) and never.n == 0


def test_matched_difference_compares_each_keypoint_with_itself():
    """Keypoint 1 is higher anyway and occluded more often: the plain means differ, the matched ones do not."""
    rng = np.random.default_rng(0)
    values = np.array([0, 10]) + 0.1 * rng.standard_normal((400, 2))
    hidden = rng.random((400, 2)) < [0.1, 0.8]
    visible, occluded = np.where(hidden, np.nan, values), np.where(hidden, values, np.nan)
    assert np.nanmean(occluded) - np.nanmean(visible) > 4
    row = matched_difference(visible, occluded)
    assert row.low < 0 < row.high and abs(row.mean) < 0.05


def test_measurements_of_a_person_by_hand(model, explained, people, annotations):
    """Shares in discs by counting small squares, entropy and reach of one person's maps."""
    root, _ = explained
    part = part_of(root, 'attention', '000000-000004')
    info = LabelledPeople(model.cfg.copy(), 4, 0).dataset.get_data_info(int(part['id'][0]))
    raw = info['raw_ann_info']
    x, y, w, h = raw['bbox']
    person = explain_topdown(model, read_image(info['img_path']), [[x, y, x + w, y + h]], flip_test=False)[0]
    np.testing.assert_array_equal(part['visibility'][0], raw['keypoints'][2::3])
    np.testing.assert_allclose(part['score'][0], person.scores, rtol=1e-4)
    scale = person.crop_to_image[0, 0]
    points = person.to_crop(np.array(raw['keypoints'], float).reshape(-1, 3)[:, :2])
    sigmas = np.array(model.dataset_meta['sigmas'])
    radii = np.sqrt(raw['area']) / scale * 2 * sigmas * np.sqrt(2 * np.log(2))
    xs, ys = (
        person.token_to_crop[axis, axis] * ((np.arange(size * 40) + 0.5) / 40 - 0.5) + person.token_to_crop[axis, 2]
        for axis, size in ((0, 6), (1, 8))
    )
    inside = (xs - points[:, 0, None]) ** 2  # (K, x)
    discs = inside[:, None] + ((ys - points[:, 1, None]) ** 2)[:, :, None] <= (radii**2)[:, None, None]
    covered = discs.reshape(17, 8, 40, 6, 40).mean((2, 4))
    labelled = np.array(raw['keypoints'][2::3]) > 0
    expected = np.einsum('lkhw,jhw->lkj', person.dependency, covered)
    np.testing.assert_allclose(
        part['shares'][0][:, labelled][..., labelled], expected[:, labelled][..., labelled], atol=2e-3
    )
    maps = person.dependency.reshape(2, 17, -1)
    np.testing.assert_allclose(part['entropy'][0], -(maps * np.log(maps)).sum(-1), atol=1e-4)
    k = int(np.flatnonzero(labelled)[0])
    middles = np.stack(np.meshgrid(np.arange(6), np.arange(8)), -1) * np.diag(person.token_to_crop[:, :2])
    distances = np.linalg.norm(middles + person.token_to_crop[:, 2] - points[k], axis=-1).ravel()
    torso = torso_lengths(points[None], keypoint_names(model.dataset_meta))
    np.testing.assert_allclose(part['reach'][0][:, k], maps[:, k] @ distances / torso, rtol=1e-4)
    np.testing.assert_allclose(part['own'][0], np.einsum('lkk->lk', part['shares'][0]))


def test_a_whole_part_holds_sums(model, explained, monkeypatch):
    """Sums of people in batches are those of their shares; groups of one keypoint have its shares."""
    rows, names = part_of(explained[0], 'attention', '000000-000004'), keypoint_names(model.dataset_meta)
    monkeypatch.setattr(measures, 'shown_groups', lambda names: {name: [k] for k, name in enumerate(names)})
    people, settings = LabelledPeople(model.cfg.copy(), 4, 0), DatasetExplanationSettings(batch_size=3)
    explainer = Explainer(model, ExplainOptions(flip_test=False))
    part = measured_parts.attention_part(explainer, people, range(4), settings, summed=True)
    assert 'shares' not in part
    for name, values in share_sums(rows['shares'], rows['visibility']).items():
        np.testing.assert_allclose(part[name], values, rtol=1e-4, atol=1e-6)
    for name in ('visibility', 'own', 'entropy'):
        np.testing.assert_allclose(part[name], rows[name], rtol=1e-4)
    assert part['group_sums'].shape == (4, 3, 2, len(names), len(names))
    shares = np.nan_to_num(rows['shares'])
    for flag, found in zip((1, 2), part['group_sums'].swapaxes(0, 1)):
        chosen = (rows['visibility'] == flag)[:, None, :, None]
        np.testing.assert_allclose(found, np.where(chosen, shares, 0), rtol=1e-3, atol=1e-6)


@pytest.mark.filterwarnings('ignore:Mean of empty slice')  # of a keypoint that nobody shows
def test_summary_is_the_means(explained):
    root, summary = explained
    part = part_of(root, 'attention', '000000-000004')
    assert len(part['id']) == summary['people'] == 4
    visibility, shares = part['visibility'], part['shares']
    assert summary['keypoints']['visible'] == (visibility == 2).sum()
    with open(root / 'dependency.csv', newline='') as file:
        rows = {(row['layer'], row['group'], row['keypoint'], row['part']): row for row in csv.DictReader(file)}
    row = rows['2', 'visible', 'left_hip', 'nose']
    values = np.where(visibility[:, 11] == 2, shares[:, 1, 11, 0], np.nan)
    assert float(row['mean']) == pytest.approx(np.nanmean(values), rel=1e-5, nan_ok=True)
    assert float(row['n']) == np.isfinite(values).sum()
    assert len(rows) == 3 * 2 * 17 * 17
    faithfulness = {(row['method'], row['measure']): row for row in summary['faithfulness']}
    assert set(faithfulness) == {(method, measure) for method in SETTINGS['methods'] for measure in MEASURES}
    measured, effects = part_of(root, 'faithfulness-random')['values'], part_of(root, 'effects')
    assert measured.shape == (1, len(MEASURES), 17)  # one person tested
    values = np.where(effects['labelled'], measured[:, 2], np.nan)
    assert faithfulness['random', 'road']['mean'] == pytest.approx(np.nanmean(values))
    assert summary['randomization'][0]['block'] == 'head.final_layer'


def test_interventions(model):
    """The shares of what interventions take lie where the map is highest; every keypoint of one person is tested."""
    people = LabelledPeople(model.cfg.copy(), 4, seed=0)
    batch, ground_truths = people.batch(0, 1)
    settings = DatasetExplanationSettings(steps=1, percentiles=(50,), ablation_steps=1, sensitivity_samples=1)
    explainer, method = Explainer(model, ExplainOptions(flip_test=False)), build_method('attention-2', 2)
    part = measure_faithfulness(explainer, batch, ground_truths, people.metainfo, [method], settings)
    inputs = model.data_preprocessor(batch, training=False)['inputs']
    run = recorded_forward(model, inputs)
    target = Target.of(run.heatmaps, run.grid)
    maps = method(model, inputs, target)
    tested = part['labelled'][0]
    np.testing.assert_allclose(part['score'], run.heatmaps.amax((2, 3)), rtol=1e-6)
    assert tested.sum() == (ground_truths[0].visibility > 0).sum() > 0
    for index, (name, drop) in enumerate([('tokens', token_ablation), ('edges', edge_knockout)]):
        changed = drop(model, inputs, target.peaks)[0].abs().flatten(1)
        first = maps[0].flatten(1).argsort(descending=True)[:, : -(-changed.shape[1] // 10)]
        found = part['faithfulness'][0, 0, list(MEASURES).index(f'share of {name}')]
        np.testing.assert_allclose(found[tested], (changed.gather(1, first).sum(1) / changed.sum(1))[tested], atol=1e-4)
        best = changed.sort(descending=True).values[:, : first.shape[1]].sum(1) / changed.sum(1)
        np.testing.assert_allclose(part['best'][0, index][tested], best[tested], atol=1e-4)
        assert np.isfinite(part['faithfulness'][0, 0][:, tested]).all()
    again = measure_faithfulness(
        explainer, batch, ground_truths, people.metainfo, [method], settings, [], part['effects']
    )
    np.testing.assert_array_equal(again['faithfulness'], part['faithfulness'])
    assert again['randomization'].size == 0


def test_files(explained):
    root, summary = explained
    names = {path.name for path in root.iterdir()}
    tables = ('dependency', 'layers', 'occlusion', 'faithfulness', 'randomization', 'best')
    assert {f'{name}.csv' for name in tables} | {'explanation.json'} <= names
    figures = ('dependency', 'layers', 'faithfulness', 'interventions', 'maps', 'randomization')
    assert {f'{name}.png' for name in figures} <= names
    written = json.loads((root / 'explanation.json').read_text(), parse_constant=pytest.fail)  # no NaN in JSON
    assert written['people'] == 4 and len(written['layers']) == len(summary['layers'])
    made_with = written['made_with']
    assert made_with['loader'] == 'test_dataloader' and made_with['versions']['mmtranspose'] == __version__
    assert made_with['versions']['torch'] == torch.__version__.split('+')[0]
    kept_by = json.loads((root / 'parts' / 'made_by.json').read_text())
    assert made_with['crc32'] == {name: f'{kept_by[name]:08x}' for name in ('weights', 'labels')}
    lines = (root / 'layers.csv').read_text().splitlines()
    assert lines[0] == 'layer,group,quantity,mean,low,high,n' and len(lines) == 1 + len(summary['layers'])


@pytest.fixture
def counted(monkeypatch):
    """What is measured: how many people's attention, and for each tested person the methods' names."""
    counts = dict(attention=0, effects=0, faithfulness=[], randomization=[])
    attention, faithfulness = measured_parts.measure_attention, measured_parts.measure_faithfulness

    def measure_attention(explainer, batch, ground_truths, *rest):
        counts['attention'] += len(ground_truths)
        return attention(explainer, batch, ground_truths, *rest)

    def measure_faithfulness(
        explainer, batch, ground_truths, metainfo, methods, settings, randomized, effects, encoder
    ):
        counts['effects'] += effects is None
        counts['faithfulness'] += [method.name for method in methods]
        counts['randomization'] += [method.name for method in randomized]
        return faithfulness(explainer, batch, ground_truths, metainfo, methods, settings, randomized, effects, encoder)

    monkeypatch.setattr(measured_parts, 'measure_attention', measure_attention)
    monkeypatch.setattr(measured_parts, 'measure_faithfulness', measure_faithfulness)
    monkeypatch.setattr(dataset_run, 'write_report', lambda *_: [])  # see test_files
    monkeypatch.setattr(dataset_run.Cases, 'write', lambda *_: None)
    return counts


@pytest.fixture
def copied(explained, tmp_path):
    """A copy of the measurements of ``explained``."""
    shutil.copytree(explained[0] / 'parts', tmp_path / 'parts')
    return tmp_path


def explain(model, root, **changes):
    return explain_dataset(model, root, DatasetExplanationSettings(**SETTINGS | changes), progress=False)


def test_goes_on_after_a_stop(model, explained, copied, counted):
    (lost,) = (copied / 'parts').glob('faithfulness-random-*/000000-000001.npz')
    lost.unlink()
    assert json.dumps(explain(model, copied, batch_size=3)) == json.dumps(explained[1])  # NaN and all
    assert counted == dict(attention=0, effects=0, faithfulness=['random'], randomization=[])


def require_close(first, second, tables=('layers', 'occlusion')):
    """Check that two summaries agree but for rounding."""
    assert (first['people'], first['keypoints']) == (second['people'], second['keypoints'])
    for table in tables:
        numbers = [[list(row.values())[-4:] for row in summary[table]] for summary in (first, second)]
        np.testing.assert_allclose(*numbers, rtol=1e-3, atol=1e-4)


def test_more_people_are_added(model, explained, copied, counted):
    """2 people, then 4: two more are measured. 4, then 3: none is, and the result is that of 3 alone."""
    few = explain(model, copied / 'grown', max_samples=2, faithfulness_samples=0)
    assert counted['attention'] == few['people'] == 2
    require_close(explain(model, copied / 'grown', faithfulness_samples=0), explained[1])
    assert counted['attention'] == 4
    three = explain(model, copied, max_samples=3)
    assert counted['attention'] == 4
    require_close(three, explain(model, copied / 'alone', max_samples=3, faithfulness_samples=0))
    assert counted == dict(attention=4 + 3, effects=0, faithfulness=[], randomization=[])


def test_more_people_are_tested(model, explained, copied, counted):
    """The second person is measured alone; one person again gives what one gave."""
    methods = dict(methods=('random',))
    two = explain(model, copied, faithfulness_samples=2, **methods)
    assert counted == dict(attention=0, effects=1, faithfulness=['random'], randomization=['random'])
    assert {row['n'] for row in two['best']} == {2}
    one, rows = explain(model, copied, **methods), explained[1]['faithfulness']
    assert counted['effects'] == 1
    assert json.dumps(one['faithfulness']) == json.dumps([row for row in rows if row['method'] == 'random'])


def test_cases_of_more_people_are_added(model, explained, copied, monkeypatch):
    """2 people, then 4: two more are measured, and the errors are those of 4 alone."""
    counts, measure_cases = [], case_run.measure_cases

    def counting(explainer, batch, ground_truths, *rest):
        counts.extend(person.id for person in ground_truths)
        return measure_cases(explainer, batch, ground_truths, *rest)

    monkeypatch.setattr(case_run, 'measure_cases', counting)
    monkeypatch.setattr(dataset_run, 'write_report', lambda *_: [])
    monkeypatch.setattr(dataset_run.Cases, 'write', lambda *_: None)
    explain(model, copied / 'grown', max_samples=2, faithfulness_samples=0)
    assert len(counts) == 2
    grown = explain(model, copied / 'grown', faithfulness_samples=0)
    assert len(counts) == len(set(counts)) == 4
    assert json.dumps(grown['cases']['types']) == json.dumps(explained[1]['cases']['types'])
    assert grown['cases']['oks'] == explained[1]['cases']['oks']


def test_batches_change_nothing(model, explained, copied, counted):
    found = explain(model, copied, batch_size=1)
    assert json.dumps(found['layers']) == json.dumps(explained[1]['layers']) and counted['attention'] == 0
    require_close(explain(model, copied / 'ones', batch_size=1, faithfulness_samples=0), explained[1])


@pytest.mark.parametrize(
    ('changes', 'measured'),
    [
        (dict(methods=('attention-2', 'gaussian')), dict(faithfulness=['gaussian'], randomization=['gaussian'])),
        (dict(methods=('random',), steps=3), dict(faithfulness=['random'])),
        (
            dict(methods=('random',), cell='nearest'),
            dict(attention=4, faithfulness=['random'], randomization=['random']),
        ),
        (dict(score_thr=-0.5, batch_size=2), {}),
        (dict(methods=('random',)), {}),
    ],
    ids=lambda value: ' '.join(value),
)
def test_a_changed_setting_redoes_what_depends_on_it(model, explained, copied, counted, changes, measured):
    before = {path: path.stat().st_mtime_ns for path in copied.rglob('*.npz')}
    found = explain(model, copied, **changes)
    assert counted == dict(attention=0, effects=0, faithfulness=[], randomization=[]) | measured
    assert {path: path.stat().st_mtime_ns for path in before} == before  # nothing is deleted or written again
    methods = changes.get('methods', SETTINGS['methods'])
    assert list(dict.fromkeys(row['method'] for row in found['faithfulness'])) == list(methods)
    again = explain(model, copied)
    assert json.dumps(again | dict(settings=0)) == json.dumps(explained[1] | dict(settings=0))
    assert counted['faithfulness'] == measured.get('faithfulness', [])


def test_scores_below_the_threshold_are_left_out(model, explained, copied, counted):
    effects = part_of(copied, 'effects')
    middle = float(np.median(effects['score'][effects['labelled']]))
    found = explain(model, copied, score_thr=middle)
    kept = (effects['score'] >= middle) & effects['labelled']
    assert 0 < kept.sum() < effects['labelled'].sum()
    row = found['best'][1]
    assert row['measure'] == 'share of edges' and row['mean'] == pytest.approx(effects['best'][:, 1][kept].mean())
    found = explain(model, copied, score_thr=2)
    assert found['faithfulness'] == found['randomization'] == found['best'] == []
    assert summary_text(found).endswith('not tested: no labelled keypoint has a score of 2 (--kpt-thr)')
    assert not (copied / 'faithfulness.csv').exists()


def test_it_says_what_is_there(model, copied, counted, capsys):
    settings = DatasetExplanationSettings(**SETTINGS | dict(methods=('random',), max_samples=5))
    explain_dataset(model, copied, settings)
    assert bootstrap._drawn.cache_info().currsize == 0  # 2 KB a person
    line = next(line for line in capsys.readouterr().err.splitlines() if 'to measure' in line)
    assert line == (
        'attention of people: 4 found, 1 to measure; cases: 4 found, 1 to measure; interventions on people: 1 found, '
        '0 to measure; faithfulness of people x methods: 1 found, 0 to measure; '
        'randomisation of people x methods: 1 found, 0 to measure'
    )


def test_arrays_that_mean_something_else_are_not_read(model, copied, monkeypatch):
    """Another order of names, or another format of a kind, and its people are measured again."""
    people, settings = LabelledPeople(model.cfg.copy(), 4, 0), DatasetExplanationSettings(**SETTINGS)
    methods = [build_method('attention-2', 2)]

    def found():
        kept = KeptMeasurements(copied / 'parts', model, model.cfg, people, 'test_dataloader')
        kinds = dict(attention=kept.attention(settings, 4, 17), cases=kept.cases(settings, 4))
        return {
            name: parts.items_found for name, parts in (kinds | kept.faithfulness(settings, methods, 1).kinds).items()
        }

    before = {'attention': 4, 'cases': 4, 'effects': 1, 'faithfulness-attention-2': 1, 'randomization-attention-2': 1}
    assert found() == before
    for kind in kept_measurements.FORMATS:
        for field, value in kept_measurements.FORMATS[kind].items():
            other = value + 1 if field == 'format' else value[::-1]
            with monkeypatch.context() as patch:
                patch.setitem(kept_measurements.FORMATS, kind, kept_measurements.FORMATS[kind] | {field: other})
                assert found() == {name: 0 if name.startswith(kind) else n for name, n in before.items()}


@pytest.mark.parametrize(
    'change',
    [
        lambda one, image: one['keypoints'].__setitem__(2, 3 - one['keypoints'][2]),
        lambda one, image: one.update(area=0.9 * one['area']),
        lambda one, image: image.update(file_name='000000000002.jpg', width=256, height=384),
        lambda one, image: one.update(foot_kpts=[1, 1, 2]),  # as many flags as no keypoints: they say nothing
        lambda one, image: one.update(note='nothing'),
    ],
    ids=['flag', 'area', 'image', 'whole body', 'nothing'],
)
def test_changed_labels_are_noticed(model, annotations, tmp_path, change, request):
    content, cfg = copy.deepcopy(annotations), copy.deepcopy(model.cfg)
    cfg.test_dataloader.dataset.ann_file = str(tmp_path / 'people.json')

    def keep():
        (tmp_path / 'people.json').write_text(json.dumps(content))
        people = LabelledPeople(cfg, None, 0)
        KeptMeasurements(tmp_path / 'parts', model, cfg, people, 'test_dataloader')

    keep()
    change(content['annotations'][0], content['images'][0])
    if request.node.callspec.id == 'nothing':
        keep()
        return
    with pytest.raises(InputError, match='holds results with labels='):
        keep()


def test_a_stop_while_files_are_written_leaves_none_of_the_run_before(model, explained, tmp_path, monkeypatch):
    shutil.copytree(explained[0], tmp_path / 'out')
    (tmp_path / 'out' / 'mine.csv').touch()

    def full(*_):
        raise OSError('disk full')

    monkeypatch.setattr(report_files, '_figures', lambda *_: [])
    monkeypatch.setattr(dataset_run.Cases, 'write', full)
    with pytest.raises(OSError, match='disk full'):
        explain(model, tmp_path / 'out')
    tables = ('dependency', 'layers', 'occlusion', 'faithfulness', 'randomization', 'best', 'mine')
    assert {path.name for path in (tmp_path / 'out').iterdir()} == {'parts', *(f'{name}.csv' for name in tables)}


def test_other_crops_are_not_mixed(explained, tiny_config, tiny_checkpoint):
    root, _ = explained
    options = {'test_dataloader.dataset.pipeline.1.padding': 3.0}
    model = init_model(tiny_config, tiny_checkpoint, cfg_options=options)
    with pytest.raises(InputError, match='holds results with dataset='):
        explain_dataset(model, root, DatasetExplanationSettings(**SETTINGS, batch_size=3))


def test_damaged_part(model, explained, tmp_path):
    root, _ = explained
    shutil.copytree(root / 'parts', tmp_path / 'parts')
    (part,) = (tmp_path / 'parts').glob('attention-*/000000-000004.npz')
    part.write_bytes(part.read_bytes()[:200])
    with pytest.raises(InputError, match='000000-000004.npz is damaged .*; delete it and run again'):
        explain_dataset(model, tmp_path, DatasetExplanationSettings(**SETTINGS, batch_size=3), progress=False)


def test_dataset_without_sigmas(tiny_config, tiny_checkpoint, tmp_path):
    model = init_model(tiny_config, tiny_checkpoint)
    info = {k: dict(name=f'point{k}', id=k, swap='') for k in range(17)}
    metainfo = dict(dataset_name='points', keypoint_info=info, skeleton_info={}, joint_weights=[1.0] * 17, sigmas=[])
    model.cfg.test_dataloader.dataset.metainfo = metainfo
    with pytest.raises(InputError, match='CocoDataset has no sigma for each keypoint'):
        explain_dataset(model, tmp_path / 'out')


def test_flags_of_whole_bodies():
    sample = PoseDataSample(metainfo=dict(raw_ann_info=dict(keypoints=[0, 0, 2] * 2, foot_kpts=[5, 5, 1.0])))
    sample.gt_instances = InstanceData(
        keypoints=np.ones((1, 3, 2)), keypoints_visible=np.ones((1, 3)), bboxes=np.array([[10, 20, 30, 60.0]])
    )
    assert GroundTruth.of(7, sample).visibility.tolist() == [2, 2, 1]


def test_weights_that_are_not_finite(tiny_config, tiny_checkpoint, tmp_path):
    model = init_model(tiny_config, tiny_checkpoint)
    model.backbone.conv1.weight.data[0] = float('nan')
    with pytest.raises(InputError, match='the heatmaps are not finite'):
        explain_dataset(model, tmp_path / 'out', DatasetExplanationSettings(max_samples=1))


def test_weights_of_another_model_are_not_mixed(explained, tiny_config):
    root, _ = explained
    with pytest.raises(InputError, match='holds results with weights='):
        explain_dataset(init_model(tiny_config), root, DatasetExplanationSettings(**SETTINGS, batch_size=3))


@pytest.mark.parametrize(
    ('settings', 'words'),
    [
        (dict(max_samples=0), 'max_samples=0 must be at least 1'),
        (dict(oks_level=1.0), 'oks_level=1.0 must lie between 0 and 1'),
        (dict(batch_size=0), 'batch_size=0 must be at least 1'),
        (dict(cell='near'), "cell='near' is unknown"),
        (dict(score_thr=float('inf')), 'score_thr=inf must be a finite number'),
        (dict(seed=-1), 'seed=-1 must be at least 0'),
        (dict(percentiles=(0,)), 'percentiles=.* must lie above 0'),
        (dict(methods=('lime',)), "method 'lime' is unknown; choose from attention-1"),
    ],
)
def test_mistakes(model, tmp_path, settings, words):
    with pytest.raises(InputError, match=words):
        explain_dataset(model, tmp_path / 'out', DatasetExplanationSettings(**settings))
    assert not (tmp_path / 'out').exists()


def test_people_without_labels(tiny_config, tiny_checkpoint, annotations, tmp_path):
    content = copy.deepcopy(annotations)
    for annotation in content['annotations']:
        annotation.update(keypoints=[0] * 51, num_keypoints=0)
    (tmp_path / 'empty.json').write_text(json.dumps(content))
    options = {'test_dataloader.dataset.ann_file': str(tmp_path / 'empty.json')}
    model = init_model(tiny_config, tiny_checkpoint, cfg_options=options)
    with pytest.raises(InputError, match='no-people.*\n    4 images, 5 annotations: 5 no labelled keypoint'):
        explain_dataset(model, tmp_path / 'out')
    model.cfg.test_dataloader = None
    with pytest.raises(InputError, match='the config has no test_dataloader'):
        explain_dataset(model, tmp_path / 'out')


@pytest.mark.parametrize('loader', ['val_dataloader', 'test_dataloader'])
def test_advice_names_the_loader(fitted, loader):
    (converter,) = fitted.test_dataloader.dataset.datasets[0].pipeline
    converter.mapping = [(0, 16)]  # of people who show no nose, nothing is left
    path = Path(fitted.test_dataloader.dataset.datasets[0].ann_file)
    content = json.loads(path.read_text())
    for annotation in content['annotations']:
        annotation.update(keypoints=[0, 0, 0, *annotation['keypoints'][3:]])
    content['annotations'] = content['annotations'][1:]
    path.write_text(json.dumps(content))
    fitted[loader] = fitted.test_dataloader
    with pytest.raises(InputError, match=rf'no person with labelled keypoints; .* {loader}.dataset.ann_file='):
        LabelledPeople(fitted, None, 0, loader)


@pytest.mark.parametrize('area', [-1, float('nan'), float('inf'), 1e30, [[1]], '1'], ids=str)
def test_areas_that_cannot_be_are_named(tiny_config, tiny_checkpoint, annotations, tmp_path, area):
    content = copy.deepcopy(annotations)
    content['annotations'][1]['area'] = area
    (tmp_path / 'areas.json').write_text(json.dumps(content))
    options = {'test_dataloader.dataset.ann_file': str(tmp_path / 'areas.json')}
    model = init_model(tiny_config, tiny_checkpoint, cfg_options=options)
    number = content['annotations'][1]['id']
    with pytest.raises(
        InputError, match=rf'1 of 5 people have an area .*\nannotation {number} has area .* in a box of'
    ):
        explain_dataset(model, tmp_path / 'out')
    assert not (tmp_path / 'out').exists()
