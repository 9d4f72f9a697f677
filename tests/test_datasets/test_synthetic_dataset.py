"""The whole dataset: files, formats, determinism, and what happens when something goes wrong."""

import contextlib
import hashlib
import io
import json
import os
from pathlib import Path

import cv2
import numpy as np
import pytest

from mmtranspose.commands import command_line, generate_people
from mmtranspose.datasets.synthetic import generate_dataset, generator, make_scene
from mmtranspose.datasets.synthetic.simulated_detections import box_iou
from mmtranspose.errors import InputError

NUM_TRAIN, NUM_VAL, SEED = 20, 30, 3


def digests(root):
    files = sorted(path for path in root.rglob('*') if path.is_file())
    return {str(path.relative_to(root)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def load(root, name):
    return json.loads((root / name).read_text())


@pytest.fixture(scope='module')
def root(tmp_path_factory):
    folder = tmp_path_factory.mktemp('synthetic') / 'people'
    assert generate_dataset(folder, NUM_TRAIN, NUM_VAL, SEED, num_workers=1, progress=False)
    return folder


def small(folder, **changes):
    return generate_dataset(folder, **{**dict(num_train=1, num_val=1, num_workers=1, progress=False), **changes})


def test_layout(root):
    assert {entry.name for entry in root.iterdir()} == {
        'annotations', 'person_detection_results', 'synthetic.json', 'train', 'val',
    }  # fmt: skip
    assert sorted(path.name for path in (root / 'train').iterdir())[0] == '000000000001.jpg'
    assert len(list((root / 'val').iterdir())) == NUM_VAL
    assert load(root, 'synthetic.json') == dict(
        version=generator.VERSION, difficulty='full', seed=SEED, num_train=NUM_TRAIN, num_val=NUM_VAL
    )


def test_bytes_do_not_depend_on_the_number_of_workers(root, tmp_path):
    generate_dataset(tmp_path / 'again', NUM_TRAIN, NUM_VAL, SEED, num_workers=3, progress=False)
    assert digests(tmp_path / 'again') == digests(root)


def test_a_larger_set_begins_with_the_smaller_one(root, tmp_path):
    generate_dataset(tmp_path / 'fewer', 4, 2, SEED, num_workers=1, progress=False)
    for name in ('train/000000000004.jpg', 'val/000000000002.jpg'):
        assert (tmp_path / 'fewer' / name).read_bytes() == (root / name).read_bytes()


def test_splits_and_seeds_differ():
    images = [make_scene(*key)[0].image for key in ((0, 'train', 0), (0, 'val', 0), (1, 'train', 0), (0, 'train', 1))]
    assert len({image.tobytes() for image in images}) == 4


def test_images_are_what_was_drawn(root):
    entry = load(root, 'annotations/person_keypoints_val.json')['images'][4]
    drawn = make_scene(SEED, 'val', 4)[0].image
    stored = cv2.imread(str(root / 'val' / entry['file_name']))
    assert stored.shape == drawn.shape == (entry['height'], entry['width'], 3)
    assert np.abs(stored.astype(int) - drawn).mean() < 12


@pytest.mark.parametrize('package', ['pycocotools', 'xtcocotools'])
def test_annotations_load_and_agree_with_their_masks(root, package):
    coco_module = pytest.importorskip(f'{package}.coco')
    mask_module = pytest.importorskip(f'{package}.mask')
    with contextlib.redirect_stdout(io.StringIO()):
        coco = coco_module.COCO(str(root / 'annotations/person_keypoints_val.json'))
    assert sorted(coco.getImgIds()) == list(range(1, NUM_VAL + 1))
    annotations = coco.loadAnns(coco.getAnnIds())
    assert [annotation['id'] for annotation in annotations] == list(range(1, len(annotations) + 1))
    for annotation in annotations:
        mask = coco.annToMask(annotation)
        encoded = mask_module.encode(np.asfortranarray(mask))
        assert mask_module.area(encoded) == annotation['area']
        assert mask_module.toBbox(encoded).tolist() == annotation['bbox']
        flags = annotation['keypoints'][2::3]
        assert annotation['num_keypoints'] == sum(flag > 0 for flag in flags) > 0
        assert (annotation['iscrowd'], annotation['category_id']) == (0, 1)


def test_the_truth_scores_a_perfect_ap(root):
    coco_module, evaluation = pytest.importorskip('xtcocotools.coco'), pytest.importorskip('xtcocotools.cocoeval')
    path = root / 'annotations/person_keypoints_val.json'
    results = [{**annotation, 'score': 1.0} for annotation in load(root, path)['annotations']]
    with contextlib.redirect_stdout(io.StringIO()):
        truth = coco_module.COCO(str(path))
        judge = evaluation.COCOeval(truth, truth.loadRes(results), 'keypoints', sigmas=SIGMAS)
        judge.evaluate()
        judge.accumulate()
        judge.summarize()
    assert judge.stats[0] == pytest.approx(1)


SIGMAS = np.array([26, 25, 25, 35, 35, 79, 79, 72, 72, 62, 62, 107, 107, 87, 87, 89, 89]) / 1000


def test_detections_match_most_people(root):
    annotations = load(root, 'annotations/person_keypoints_val.json')['annotations']
    detections = load(root, 'person_detection_results/person_detections_val.json')
    recalled, ious, scores = 0, [], []
    for annotation in annotations:
        found = [d for d in detections if d['image_id'] == annotation['image_id']]
        recalled += any(box_iou(d['bbox'], annotation['bbox']) > 0.5 for d in found)
    for detection in detections:
        boxes = [a['bbox'] for a in annotations if a['image_id'] == detection['image_id']]
        ious.append(max((box_iou(detection['bbox'], box) for box in boxes), default=0))
        scores.append(detection['score'])
        assert detection['category_id'] == 1 and len(detection['bbox']) == 4
    assert recalled / len(annotations) > 0.85
    assert np.corrcoef(ious, scores)[0, 1] > 0.6


def test_mmpose_reads_it(root):
    from mmpose.datasets import CocoDataset  # importable without a compiled mmcv because mmtranspose came first

    annotations = load(root, 'annotations/person_keypoints_train.json')['annotations']
    train = CocoDataset(
        ann_file='annotations/person_keypoints_train.json', data_root=str(root), data_prefix=dict(img='train/')
    )
    assert len(train) == len(annotations)
    info = train.get_data_info(0)
    assert Path(info['img_path']).is_file()
    np.testing.assert_allclose(info['keypoints'][0], np.reshape(annotations[0]['keypoints'], (17, 3))[:, :2], atol=1e-3)
    detections = root / 'person_detection_results/person_detections_val.json'
    val = CocoDataset(
        ann_file='annotations/person_keypoints_val.json', bbox_file=str(detections), data_root=str(root),
        data_prefix=dict(img='val/'), test_mode=True,
    )  # fmt: skip
    assert len(val) == len(json.loads(detections.read_text()))
    assert val.metainfo['num_keypoints'] == 17


def test_the_same_again_does_nothing(tmp_path):
    assert small(tmp_path / 'people') is True
    before = (tmp_path / 'people' / 'synthetic.json').stat().st_mtime_ns
    assert small(tmp_path / 'people') is False
    assert (tmp_path / 'people' / 'synthetic.json').stat().st_mtime_ns == before


def test_other_parameters_need_overwrite(tmp_path):
    small(tmp_path / 'people')
    with pytest.raises(InputError, match='--overwrite'):
        small(tmp_path / 'people', seed=9)
    assert load(tmp_path / 'people', 'synthetic.json')['seed'] == 0
    assert small(tmp_path / 'people', seed=9, overwrite=True)
    assert load(tmp_path / 'people', 'synthetic.json')['seed'] == 9
    assert [entry.name for entry in tmp_path.iterdir()] == ['people']


@pytest.mark.parametrize('overwrite', [False, True])
def test_what_it_did_not_make_is_never_replaced(tmp_path, overwrite):
    (tmp_path / 'thesis').mkdir()
    (tmp_path / 'thesis' / 'chapter.txt').write_text('years of work')
    with pytest.raises(InputError, match='not made by this generator'):
        small(tmp_path / 'thesis', overwrite=overwrite)
    assert (tmp_path / 'thesis' / 'chapter.txt').read_text() == 'years of work'


def test_foreign_files_in_a_data_set_are_kept(tmp_path):
    small(tmp_path / 'people')
    (tmp_path / 'people' / 'notes.txt').write_text('mine')
    with pytest.raises(InputError, match='notes.txt'):
        small(tmp_path / 'people', seed=1, overwrite=True)
    assert (tmp_path / 'people' / 'notes.txt').read_text() == 'mine'


def test_a_file_in_the_way_is_an_error(tmp_path):
    (tmp_path / 'people').write_text('a file')
    with pytest.raises(InputError, match='people'):
        small(tmp_path / 'people', overwrite=True)
    assert (tmp_path / 'people').read_text() == 'a file'


def test_an_empty_folder_is_filled(tmp_path):
    (tmp_path / 'people').mkdir()
    assert small(tmp_path / 'people')
    assert (tmp_path / 'people' / 'train' / '000000000001.jpg').is_file()


@pytest.mark.parametrize('error', [RuntimeError, KeyboardInterrupt])
@pytest.mark.parametrize('existing', [False, True])
def test_an_interruption_leaves_nothing_and_spoils_nothing(tmp_path, monkeypatch, error, existing):
    if existing:
        small(tmp_path / 'people')
    before, draw = digests(tmp_path), generator._make_image

    def stops_at_third(job):
        if job.index == 2:
            raise error
        return draw(job)

    monkeypatch.setattr(generator, '_make_image', stops_at_third)
    with pytest.raises(error):
        small(tmp_path / 'people', num_train=5, overwrite=True)
    assert digests(tmp_path) == before
    assert [entry.name for entry in tmp_path.iterdir()] == (['people'] if existing else [])


def test_a_failed_swap_puts_the_old_one_back(tmp_path, monkeypatch):
    small(tmp_path / 'people')
    before, replace = digests(tmp_path), generator.os.replace

    def fails_into_place(source, target):
        if Path(source).name == 'new':
            raise OSError('disk gone')
        replace(source, target)

    monkeypatch.setattr(generator.os, 'replace', fails_into_place)
    with pytest.raises(OSError, match='disk gone'):
        small(tmp_path / 'people', seed=5, overwrite=True)
    assert digests(tmp_path) == before


@pytest.mark.parametrize(
    ('changes', 'message'),
    [
        (dict(num_train=-1), 'num_train'),
        (dict(num_val=1.5), 'num_val'),
        (dict(seed=-2), 'seed'),
        (dict(num_workers=0), 'num_workers'),
        (dict(num_train=0, num_val=0), 'at least one image'),
    ],
)
def test_wrong_numbers_are_named(tmp_path, changes, message):
    with pytest.raises(InputError, match=message):
        small(tmp_path / 'people', **changes)
    assert not any(tmp_path.iterdir())


def test_command_line(tmp_path, run_command):
    out, sheet = tmp_path / 'people', tmp_path / 'look.png'
    run_command('generate-people', out, '--num-train', 2, '--num-val', 1, '--num-workers', 1, '--preview', sheet)
    assert (out / 'synthetic.json').is_file() and cv2.imread(str(sheet)).std() > 10
    with pytest.raises(InputError, match='--overwrite'):
        run_command('generate-people', out, '--num-train', 3, '--num-val', 1)


def test_the_preview_shows_labelled_images(tmp_path, run_command):
    counts = ('--num-train', 2, '--num-val', 3, '--num-workers', 1)
    run_command('generate-people', tmp_path / 'people', *counts, '--preview', tmp_path / 'a.png')
    sheet = cv2.imread(str(tmp_path / 'a.png'))
    assert sheet.shape == (400, 4 * 480, 3)
    for index in range(3):
        scene = make_scene(0, 'val', index)[0]
        drawn, cell = generate_people.with_labels(scene), sheet[:, 480 * index : 480 * (index + 1)]
        top, left = (400 - drawn.shape[0]) // 2, (480 - drawn.shape[1]) // 2
        assert (cell[top : top + drawn.shape[0], left : left + drawn.shape[1]] == drawn).all()
        scale = drawn.shape[0] / scene.image.shape[0]
        for person in scene.people:
            x, y, w, _ = (np.array(person.bbox) * scale).round().astype(int)
            assert (drawn[y, x : x + w] == 255).all(-1).mean() > 0.4
        x, y, _ = np.rint((scene.people[-1].keypoints[-1] + 0.5) * scale - 0.5).astype(int)  # drawn last
        assert scene.people[-1].keypoints[-1, 2] < 2 or drawn[y, x].tolist() == [60, 130, 255]


@pytest.mark.parametrize('place', ['file/people', 'file/deeper/people', '/proc/people'])
def test_a_folder_that_cannot_be_made(tmp_path, monkeypatch, capsys, place):
    (tmp_path / 'file').touch()
    monkeypatch.setattr(command_line.keep_memory, 'apply', lambda: None)
    out = tmp_path / place  # an absolute place replaces tmp_path
    with pytest.raises(SystemExit) as stop:
        command_line.run(generate_people.main, [str(out), '--num-train', '1', '--num-val', '0', '--num-workers', '1'])
    (line,) = capsys.readouterr().err.splitlines()
    assert stop.value.code == 2 and line.startswith('error: ') and str(out.parent) in line and '.tmp' not in line
    assert os.listdir(tmp_path) == ['file']


def test_a_preview_that_cannot_be_written_is_told_before_anything_is_drawn(tmp_path, run_command):
    (tmp_path / 'file').touch()
    (tmp_path / 'folder.png').mkdir()
    for name in ('file/sheet.png', 'folder.png'):
        with pytest.raises(InputError, match='--preview'):
            run_command('generate-people', tmp_path / 'people', '--preview', tmp_path / name)
    assert not (tmp_path / 'people').exists()


@pytest.mark.parametrize(
    ('arguments', 'message'),
    [
        (('--num-train', '-3'), 'at least 0'),
        (('--seed', 'x'), 'not a whole number'),
        (('--num-train', '0', '--num-val', '0'), 'at least one image'),
        (('--preview', 'sheet.gif'), '.png'),
    ],
)
def test_command_line_mistakes(tmp_path, capsys, run_command, arguments, message):
    with pytest.raises(SystemExit) as stop:
        run_command('generate-people', tmp_path / 'people', *arguments)
    assert stop.value.code == 2 and message in capsys.readouterr().err
    assert not any(tmp_path.iterdir())
