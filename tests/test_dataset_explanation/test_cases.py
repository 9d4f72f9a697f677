"""Single cases of a dataset: who else is in an image, where maps lie, tables, and the people of the report."""

import base64
import csv
import json
import sys
from dataclasses import replace
from typing import ClassVar

import numpy as np
import pytest
import torch

from mmtranspose.apis import InputError, init_model
from mmtranspose.dataset_explanation.cases import CaseOptions, Cases
from mmtranspose.dataset_explanation.cases.annotated_people import AnnotatedPeople
from mmtranspose.dataset_explanation.cases.case_measures import (
    MAPS,
    METHODS,
    QUANTITIES,
    RADIAL,
    maps_of,
    measure_cases,
    others_discs,
)
from mmtranspose.dataset_explanation.cases.case_report import chosen_people, page_names
from mmtranspose.dataset_explanation.cases.case_summary import cases_text
from mmtranspose.dataset_explanation.cases.case_tables import keypoint_rows, person_oks, write_table
from mmtranspose.dataset_explanation.cases.error_links import BEYOND, ELSEWHERE, FEWEST, REJECTED, error_links
from mmtranspose.dataset_explanation.cases.error_types import TYPES
from mmtranspose.dataset_explanation.explanation_settings import DatasetExplanationSettings
from mmtranspose.dataset_explanation.labelled_people import GroundTruth, LabelledPeople
from mmtranspose.dataset_explanation.measures import measure_attention
from mmtranspose.dataset_explanation.report_files import written_files
from mmtranspose.explain import Explainer, ExplainOptions
from mmtranspose.keypoint_names import keypoint_names
from mmtranspose.visualization.explanation_page.packing import LEVELS

NAN = np.nan
SETTINGS = DatasetExplanationSettings(batch_size=5)


@pytest.fixture(scope='module')
def model(tiny_config, tiny_checkpoint):
    return init_model(tiny_config, tiny_checkpoint)


@pytest.fixture(scope='module')
def annotations(people):
    content = json.loads((people / 'annotations' / 'person_keypoints_val.json').read_text())
    return {one['id']: one for one in content['annotations']}


@pytest.fixture(scope='module')
def labelled(model):
    return LabelledPeople(model.cfg.copy(), None, 0)


@pytest.fixture(scope='module')
def annotated(labelled):
    return AnnotatedPeople(labelled.dataset)


@pytest.fixture(scope='module')
def cases(model, labelled):
    return Cases(model, labelled, replace(SETTINGS, cell='nearest', batch_size=2))


@pytest.fixture(scope='module')
def batch(labelled):
    return labelled.batch(0, 5)


@pytest.fixture(scope='module')
def measured(cases):
    return cases.measure(range(5))


@pytest.fixture(scope='module')
def summary(cases, measured):
    keypoints = dict(
        visible=int((measured['visibility'] == 2).sum()), occluded=int((measured['visibility'] == 1).sum())
    )
    names = keypoint_names(cases._people.metainfo)
    return dict(people=5, keypoints=keypoints, names=names, faithfulness=[], cases=cases.summarise(measured))


@pytest.fixture(scope='module')
def written(cases, measured, summary, tmp_path_factory):
    """Written by two people at a time, as was asked for."""
    root, people, sizes = tmp_path_factory.mktemp('cases'), LabelledPeople.batch_of, []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(LabelledPeople, 'batch_of', lambda self, ids: sizes.append(len(ids)) or people(self, ids))
        cases.write(written_files(root), measured, summary, CaseOptions(pages=2))
    assert sizes == [2, 2, 1]
    return root


def rows_of(path):
    with open(path, newline='') as file:
        return list(csv.DictReader(file))


def triples(annotation):
    points = np.array(annotation['keypoints'], float).reshape(-1, 3)
    points[points[:, 2] == 0, :2] = NAN
    return points


def test_other_people_of_an_image(annotated, annotations):
    for index, name in enumerate(annotated.names):
        others = [one for one in annotations.values() if one['image_id'] == name.image and one['id'] != name.annotation]
        found = annotated.others(index)
        assert [annotated.names[other.id].annotation for other in found] == [one['id'] for one in others]
        for one, other in zip(others, found):
            np.testing.assert_allclose(other.keypoints, triples(one)[:, :2], atol=1e-3)
            assert other.area == one['area']
    assert sum(bool(annotated.others(index)) for index in range(len(annotated.names))) == 2


class Twins:
    """In place of AnnotatedPeople: beside everybody stands somebody of the same pose, twice as large."""

    shift = 12.0

    def __init__(self, annotations, annotated):
        self.annotations, self.annotated = annotations, annotated

    def twin(self, index):
        found = dict(self.annotations[self.annotated.names[index].annotation])
        points = np.array(found['keypoints'], float).reshape(-1, 3)
        points[:, 0] += self.shift
        return dict(found, keypoints=points.ravel().tolist(), area=2 * found['area'])

    def others(self, index):
        twin = self.twin(index)
        return [GroundTruth(9, triples(twin)[:, :2], triples(twin)[:, 2].astype(int), twin['area'])]


def test_where_maps_lie(model, cases, labelled, annotated, annotations, batch):
    """Shares in the discs of somebody else by counting small squares; on the own body as measured elsewhere."""
    twins, (crops, ground_truths) = Twins(annotations, annotated), batch
    explainer = Explainer(model, ExplainOptions(flip_test=False, methods=METHODS))
    measured = measure_cases(explainer, crops, ground_truths, twins, labelled.metainfo, SETTINGS)
    attention = measure_attention(explainer, crops, ground_truths, labelled.metainfo, SETTINGS)
    found = dict(zip(QUANTITIES, measured['links'].transpose(2, 0, 1, 3)))
    for quantity, name in (('own', 'own'), ('counterpart', 'counterpart'), ('own body', 'other')):
        expected = np.where(measured['kind'] >= 0, attention[name][:, -1], NAN)
        np.testing.assert_allclose(found[quantity][:, MAPS.index('attention')], expected, atol=1e-3)
    np.testing.assert_allclose(measured['similarity'], attention['oks'], rtol=1e-3)
    sigmas, flip = np.array(labelled.metainfo['sigmas']), labelled.metainfo['flip_indices']
    seen = 0
    for number, (person, truth) in enumerate(zip(explainer(crops), ground_truths)):
        annotation = annotations[annotated.names[truth.id].annotation]
        own, other = (covered(person, one, sigmas) for one in (annotation, twins.twin(truth.id)))
        maps = maps_of([person], torch.from_numpy(person.crop_keypoints)[None])[:, 0].numpy()
        at_prediction = covered(person, annotation, sigmas, person.crop_keypoints)
        mine, labels = np.nan_to_num(own).max(0), np.isfinite(own[:, 0, 0])
        for m, k in np.ndindex(len(MAPS), 17):
            if not labels[k]:
                assert all(np.isnan(found[name][number, m, k]) for name in QUANTITIES)
                continue
            share = maps[m, k] / maps[m, k].sum()
            part = np.nan_to_num(other[[k, flip[k]]]).max(0)
            rest = np.nan_to_num(np.delete(other, [k, flip[k]], 0)).max(0)
            expected = (
                (share * np.maximum(part - mine, 0)).sum(),
                (share * np.maximum(rest - np.maximum(part, mine), 0)).sum(),
            )
            assert found['other part'][number, m, k] == pytest.approx(expected[0], abs=2e-3)
            assert found['other body'][number, m, k] == pytest.approx(expected[1], abs=4e-3)
            assert found['predicted'][number, m, k] == pytest.approx((share * at_prediction[k]).sum(), abs=3e-3)
            seen += expected[0] > 0.02
    assert seen > 20


def test_nobody_else(measured, annotated):
    for number, index in enumerate(measured['id'].tolist()):
        links = measured['links'][number][:, [QUANTITIES.index('other part'), QUANTITIES.index('other body')]]
        assert annotated.others(index) or np.isnan(links).all()


def covered(person, annotation, sigmas, points=None, fine=40):
    """The shares of cells in the discs of an annotation's keypoints, by counting ``fine`` x ``fine`` squares a cell."""
    points = person.to_crop(triples(annotation)[:, :2]) if points is None else points
    side = np.sqrt(annotation['area'] / np.linalg.det(person.crop_to_image[:, :2]))
    radii = side * 2 * sigmas * np.sqrt(2 * np.log(2))
    h, w = person.grid
    (ax, _, bx), (_, ay, by) = person.token_to_crop
    xs, ys = ax * ((np.arange(w * fine) + 0.5) / fine - 0.5) + bx, ay * ((np.arange(h * fine) + 0.5) / fine - 0.5) + by
    inside = (xs - points[:, :1]) ** 2
    discs = inside[:, None] + ((ys - points[:, 1:]) ** 2)[:, :, None] <= (radii**2)[:, None, None]
    shares = discs.reshape(len(points), h, fine, w, fine).mean((2, 4))
    return np.where(np.isnan(points[:, :1, None]), NAN, shares)


def test_others_discs_by_hand():
    other = torch.tensor([[[[1.0, 0.5, 0, 0]], [[0, 0, 0.6, 0]], [[NAN] * 4], [[0, 0.2, 0, 0.8]]]])
    own = torch.tensor([[[[0.3, 0, 0, 0]], [[NAN] * 4], [[0, 0, 0.1, 0]], [[0, 0, 0, 0]]]])
    part, body = (each[0, :, 0].numpy() for each in others_discs(other, own, [0, 2, 1, 3]))
    limb = [0, 0, 0.5, 0]
    np.testing.assert_allclose(part, [[0.7, 0.5, 0, 0], limb, limb, [0, 0.2, 0, 0.8]], atol=1e-6)
    np.testing.assert_allclose(body[0], [0, 0, 0.5, 0.8], atol=1e-6)  # 0.2 lies in the part's own disc
    np.testing.assert_allclose(body[1], [0.7, 0.5, 0, 0.8], atol=1e-6)
    nobody = torch.full((1, 4, 1, 4), NAN)
    assert all(each.isnan().all() for each in others_discs(nobody, own, [0, 2, 1, 3]))


def linked(kinds, attention, radial=0.1):
    """Cases of people with two keypoints; ``attention`` on the counterpart and on the own body, elsewhere 0."""
    links = np.zeros((len(kinds), len(MAPS), len(QUANTITIES), 2), np.float16)
    for quantity in ('counterpart', 'own body'):
        links[:, MAPS.index('attention'), QUANTITIES.index(quantity)] = attention
        links[:, MAPS.index(RADIAL), QUANTITIES.index(quantity)] = radial
    return dict(kind=np.array([[TYPES.index(name) for name in row] for row in kinds], np.int8), links=links)


def found_link(cases, name, quantity='counterpart'):
    wanted = ('inversion', name, quantity)
    return next(row for row in error_links(cases) if (row['error'], row['map'], row['quantity']) == wanted)


def test_links_by_hand():
    kinds = [('good', 'good'), ('good', 'miss'), ('inversion', 'good'), ('inversion', 'inversion')]
    attention = [[0.25, 0.5], [0.125, 1], [0.5, 0.75], [0.75, 0.875]]
    row = found_link(linked(kinds, attention), 'attention')
    first, second = (0.5 + 0.75) / 2 - (0.25 + 0.125) / 2, 0.875 - (0.5 + 0.75) / 2
    assert row['mean'] == pytest.approx((2 * first + second) / 3)
    assert row['of_errors'] == pytest.approx((0.5 + 0.75 + 0.875) / 3)
    assert row['of_good'] == pytest.approx(row['of_errors'] - row['mean'])
    assert (row['keypoints'], row['n'], row['enough']) == (3, 2, False)
    cases = linked(kinds, attention, np.array(attention) - 0.0625)
    assert found_link(cases, BEYOND, 'own body')['mean'] == pytest.approx(0, abs=1e-3)  # it grows in the same way
    assert {row['quantity'] for row in error_links(cases) if row['map'] == BEYOND} == set(
        ELSEWHERE
    )  # not the counterpart
    assert found_link(linked(kinds, attention), 'rollout')['mean'] == 0


def test_the_rejected_place_by_hand():
    """Of the wrong ones the own place, of the good ones the counterpart."""
    cases = linked([('good', 'good'), ('inversion', 'good')], [[0.25, 0.5], [0.75, 0.125]])
    cases['links'][:, 0, QUANTITIES.index('own')] = [[0.875, 0.875], [0.375, 0.875]]
    row = found_link(cases, 'attention', REJECTED)
    assert (row['of_errors'], row['of_good'], row['mean'], row['keypoints']) == (0.375, 0.25, 0.125, 1)


def test_links_say_when_there_are_enough():
    kinds = [('good', 'good')] * 3 + [('inversion', 'good')] * FEWEST
    rng = np.random.default_rng(0)
    attention = np.array([[0.1, 0.1]] * 3 + [[0.6, 0.1]] * FEWEST) + 0.01 * rng.random((3 + FEWEST, 2))
    row = found_link(linked(kinds, attention), 'attention')
    assert row['enough'] and row['n'] == FEWEST and 0.45 < row['low'] <= row['mean'] <= row['high'] < 0.55
    assert not found_link(linked(kinds[:-1], attention[:-1]), 'attention')['enough']


def test_links_of_a_keypoint_that_is_never_good():
    row = found_link(linked([('inversion', 'good'), ('inversion', 'good')], [[0.5, 0.5]] * 2), 'attention')
    assert row['n'] == row['keypoints'] == 0 and np.isnan(row['mean']) and not row['enough']


def test_table_of_keypoints(written, measured, labelled, annotated, annotations):
    rows = rows_of(written / 'keypoints.csv')
    assert len(rows) == 5 * 17
    n = int(np.flatnonzero(measured['kind'].max(1) > 0)[0])
    name = annotated.names[measured['id'][n]]
    truth = triples(annotations[name.annotation])
    sigmas = np.array(labelled.metainfo['sigmas'])
    for k, row in enumerate(rows[17 * n : 17 * n + 17]):
        assert row['annotation_id'] == str(name.annotation) and row['image'] == name.file
        assert row['visibility'] == {0: 'not labelled', 1: 'occluded', 2: 'visible'}[truth[k, 2]]
        if not truth[k, 2]:
            assert row['truth_x'] == row['error_sigma'] == row['error_type'] == row['attention_own'] == ''
            continue
        predicted = np.array([float(row['predicted_x']), float(row['predicted_y'])])
        distance = np.linalg.norm(predicted - truth[k, :2])
        error = distance / (np.sqrt(annotations[name.annotation]['area']) * 2 * sigmas[k])
        assert float(row['error_px']) == pytest.approx(distance, abs=0.01)
        assert float(row['error_sigma']) == pytest.approx(error, rel=1e-2, abs=1e-3)
        assert float(row['keypoint_oks']) == pytest.approx(np.exp(-(float(row['error_sigma']) ** 2) / 2), rel=1e-3)
        assert row['error_type'] == TYPES[measured['kind'][n, k]]
        own = measured['links'][n, 0, QUANTITIES.index('own'), k]
        assert float(row['attention_own']) == pytest.approx(own, rel=1e-3)
        entropy = measured['links'][n, 1, QUANTITIES.index('entropy'), k]
        assert float(row['rollout_entropy']) == pytest.approx(entropy, rel=1e-3)
    assert not any(row['mistaken_for'] for row in rows if row['error_type'] != 'swap')


def test_table_names_the_person_of_a_swap(measured, labelled, annotated):
    """Of the second person's nose, for whom the third one of the dataset was mistaken."""
    cases = {name: values.copy() for name, values in measured.items()}
    cases['kind'][1, 0], cases['whose'][1, 0] = TYPES.index('swap'), 2
    cases['kind'][:, 1:] = TYPES.index('miss')
    rows = list(
        keypoint_rows(cases, annotated.names, keypoint_names(labelled.metainfo), np.array(labelled.metainfo['sigmas']))
    )
    assert rows[17]['error_type'] == 'swap' and rows[17]['mistaken_for'] == annotated.names[2].annotation
    assert annotated.names[2].annotation not in (2, None)  # the id, not the number in the dataset
    assert sum(row['mistaken_for'] is not None for row in rows) == 1 + (measured['whose'] >= 0).sum()


def test_table_of_people(written, measured, annotations):
    keypoints = rows_of(written / 'keypoints.csv')
    for row in rows_of(written / 'people.csv'):
        own = [one for one in keypoints if one['annotation_id'] == row['annotation_id']]
        labelled = [one for one in own if one['error_type']]
        assert float(row['oks']) == pytest.approx(np.mean([float(one['keypoint_oks']) for one in labelled]), rel=1e-3)
        assert int(row['labelled']) == len(labelled) == annotations[int(row['annotation_id'])]['num_keypoints']
        assert float(row['area']) == annotations[int(row['annotation_id'])]['area']
        for name in TYPES:
            assert int(row[name]) == sum(one['error_type'] == name for one in own)


def test_summary_counts(summary, measured):
    found = summary['cases']
    assert sum(found['oks']) == 5 and len(found['oks']) == 20
    labelled = int((measured['kind'] >= 0).sum())
    assert (
        sum(row['keypoints'] for row in found['types'])
        == sum(row['labelled'] for row in found['keypoints'])
        == labelled
    )
    assert sum(row['mean'] for row in found['types']) == pytest.approx(1)
    oks = [np.mean([value for value in row if np.isfinite(value)]) for row in measured['similarity']]
    assert found['mean_person_oks'] == pytest.approx(np.mean(oks)) != pytest.approx(np.nanmean(measured['similarity']))
    misses = next(row for row in found['types'] if row['type'] == 'miss')
    assert misses['mean'] == pytest.approx((measured['kind'] == 4).sum() / labelled)
    nose = found['keypoints'][0]
    assert sum(nose[name] for name in TYPES) == nose['labelled'] == (measured['kind'][:, 0] >= 0).sum()
    lines = cases_text(found).splitlines()
    assert lines[0].startswith(f'mean person OKS {np.mean(oks):.3f}; AP {found["costs"][0]["AP"]:.3f}') and lines[
        -1
    ].split()[:2] == [
        'miss',
        str(misses['keypoints']),
    ]


def test_report_and_pages(written, measured, annotated, model, labelled):
    worst = [annotated.names[measured['id'][row]].annotation for row in np.argsort(person_oks(measured))]
    assert {path.name for path in (written / 'report_pages').iterdir()} == {f'{id}.html' for id in worst[:2]}
    text = (written / 'report.html').read_text()
    data = json.loads(text.split('<script id="data" type="application/json">')[1].split('</script>')[0])
    assert [card['annotation'] for card in data['cards']] == [str(id) for id in worst]
    for cell, same in (('nearest', True), ('bilinear', False)):  # the maps are those of the cells that were measured
        explainer = Explainer(model, ExplainOptions(cell=cell, flip_test=False))
        for card, row in zip(data['cards'], np.argsort(person_oks(measured))):
            (person,) = explainer(labelled.batch_of([int(measured['id'][row])])[0])
            maps, packed = person.maps()[-1][card['mapped']], card['maps']
            codes = np.frombuffer(base64.b64decode(packed['codes']), np.uint8).reshape(maps.shape)
            low, high = (np.array(packed[end])[:, None, None] for end in ('low', 'high'))
            found = low + (high - low) * (codes / LEVELS) ** 2
            assert np.allclose(found, maps, atol=maps.max() / LEVELS) == same
    assert [card['page'] for card in data['cards']] == [f'report_pages/{id}.html' for id in worst[:2]] + [None] * 3
    assert {f'{name}.csv' for name in ('keypoints', 'people', 'error_types', 'error_costs', 'error_links')} <= {
        path.name for path in written.iterdir()
    }
    costs = rows_of(written / 'error_costs.csv')
    assert [row['corrected'] for row in costs][:5] == ['none', 'miss', 'swap', 'inversion', 'jitter']


def test_people_who_are_chosen():
    """Of 300 people: those with swaps, though their OKS is high, then those of lowest OKS; sorted by OKS."""
    similarity = np.linspace(0.2, 1, 300)[:, None].repeat(2, 1)
    kind = np.zeros((300, 2), np.int8)
    kind[[250, 260, 270], 0] = TYPES.index('swap')
    kind[260, 1] = TYPES.index('swap')
    chosen = chosen_people(dict(similarity=similarity, kind=kind), 40)
    assert chosen == [*range(37), 250, 260, 270]
    assert chosen_people(dict(similarity=similarity[::-1], kind=kind), 400) == list(range(299, -1, -1))
    kind[:, 1] = TYPES.index('jitter')
    kind[299] = TYPES.index('jitter')
    few = chosen_people(dict(similarity=similarity, kind=kind), 40)
    assert len(few) == 40 and 299 in few and {0, 1, 2, 250, 270} <= set(few)


def test_page_names_cannot_leave_the_folder():
    assert page_names([7, '../x', '__/x', 7, 'a b']) == ['7.html', '___x.html', '___x-2.html', '7-3.html', 'a_b.html']


def test_page_names_differ():
    assert page_names(['a-2', 'a', 'a']) == ['a-2.html', 'a.html', 'a-3.html']
    assert page_names(['b', 'B', 'B-1']) == ['b.html', 'B-1.html', 'B-1-2.html']  # on any file system


def test_options_that_cannot_be(monkeypatch):
    monkeypatch.setitem(sys.modules, 'pyarrow', None)
    with pytest.raises(InputError, match='Parquet needs pyarrow .*: pip install "pyarrow<'):
        CaseOptions(parquet=True)
    with pytest.raises(InputError, match='pages=-1 must be at least 0'):
        CaseOptions(pages=-1)


def test_pyarrow_that_needs_another_numpy(monkeypatch, tmp_path):
    (tmp_path / 'pyarrow.py').write_text('raise ImportError("pyarrow requires NumPy 2.0 or newer")')
    monkeypatch.delitem(sys.modules, 'pyarrow', raising=False)
    monkeypatch.syspath_prepend(str(tmp_path))
    with pytest.raises(InputError, match=r'requires NumPy 2.0 or newer\): pip install "pyarrow<'):
        CaseOptions(parquet=True)


def test_parquet_is_the_csv(tmp_path, monkeypatch):
    parquet = pytest.importorskip('pyarrow.parquet', reason='there is no pyarrow', exc_type=ImportError)
    monkeypatch.setattr('mmtranspose.dataset_explanation.cases.case_tables.BLOCK', 2)
    rows = [
        dict(annotation_id='a', error_px=None, error_type=None, mistaken_for=None, count=1),
        dict(annotation_id='b', error_px=1.5, error_type='swap', mistaken_for='a', count=2),
        dict(annotation_id='c', error_px=2.0, error_type='miss', mistaken_for=None, count=3),
    ]
    table = tmp_path / 'table.csv'
    write_table(table, iter(rows), tmp_path / 'table.parquet')
    assert parquet.read_table(tmp_path / 'table.parquet').to_pylist() == rows
    assert table.read_text().splitlines() == [
        'annotation_id,error_px,error_type,mistaken_for,count',
        'a,,,,1',
        'b,1.5,swap,a,2',
        'c,2.0,miss,,3',
    ]


class Dataset(list):
    """In place of MMPose's: people by number."""

    data_prefix: ClassVar = dict(img='images')

    def get_data_info(self, index):
        return self[index]


def test_names_of_any_file_and_ids_of_two_kinds():
    """Bytes of a file name that are no UTF-8 can be written in a table; ids are texts unless all are numbers."""
    infos = [
        dict(id=7, img_id=np.int64(1), img_path='images/one.jpg'),
        dict(id='8\ud800', img_id=2, img_path='images/tw\udcff.jpg'),
        dict(img_path='elsewhere/three.jpg', img_id=3),
    ]
    names = AnnotatedPeople(Dataset(infos)).names
    assert [name.annotation for name in names] == ['7', '8\\ud800', '2'] and [name.image for name in names] == [1, 2, 3]
    assert [name.file for name in names] == ['one.jpg', 'tw\\udcff.jpg', 'three.jpg']
    assert names[1].path == infos[1]['img_path']  # by which it is read
    assert [name.annotation for name in AnnotatedPeople(Dataset(infos[::2])).names] == [7, 1]
