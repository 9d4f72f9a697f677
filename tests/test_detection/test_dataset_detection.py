"""Detector boxes of a dataset: the file that is written, stops, and images that cannot be read."""

import json
import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from mmdet.evaluation import CocoMetric
from tiny_detector import write_detector

from mmtranspose.detection import PersonDetector, detect_dataset
from mmtranspose.detection import dataset_detection as dataset_module
from mmtranspose.detection.annotated_boxes import AnnotatedImages, TrueBoxes, box_ap, true_boxes
from mmtranspose.detection.people_category import category_of_people
from mmtranspose.errors import InputError
from mmtranspose.files import resumable_arrays as parts_module
from mmtranspose.files.resumable_arrays import Parts
from mmtranspose.media import read_image

ANNOTATIONS = Path('annotations') / 'person_keypoints_val.json'


@pytest.fixture(scope='module')
def files(tmp_path_factory):
    return write_detector(tmp_path_factory.mktemp('detector'))


@pytest.fixture(scope='module')
def detector(files):
    return PersonDetector(*files, bbox_thr=0.3, nms_thr=0.7)


@pytest.fixture
def copied(people, tmp_path):
    """A copy of the dataset, whose images may be damaged; and one of them."""
    root = tmp_path / 'people'
    shutil.copytree(people, root)
    return root, sorted((root / 'val').iterdir())[1]


def detect(detector, root, out, **options):
    return detect_dataset(detector, root / ANNOTATIONS, root / 'val', out, progress=False, **options)


def expected(detector, root) -> list[tuple]:
    """(image id, x, y, w, h, score) of every box, image by image."""
    rows = []
    for image in json.loads((root / ANNOTATIONS).read_text())['images']:
        for x1, y1, x2, y2, score in detector([read_image(str(root / 'val' / image['file_name']))])[0]:
            rows.append((image['id'], x1, y1, x2 - x1, y2 - y1, score))
    return rows


def rows_of(detections: list[dict]) -> list[tuple]:
    return [(one['image_id'], *one['bbox'], one['score']) for one in detections]


@pytest.fixture(scope='module')
def written(files, people, run_command, tmp_path_factory):
    """What the command line writes."""
    out = tmp_path_factory.mktemp('out') / 'boxes.json'
    options = ('--batch-size', 3, '--bbox-thr', 0.3, '--nms-thr', 0.7, '--device', 'cpu')
    arguments = (*files, people / ANNOTATIONS, '--img-root', people / 'val', '--out', out)
    assert run_command('detect', *arguments, *options) == 0
    return out


class TestFile:
    def test_boxes_of_every_image(self, written, detector, people):
        detections = json.loads(written.read_text())
        assert {one['category_id'] for one in detections} == {1} and len(detections) > 8
        np.testing.assert_allclose(rows_of(detections), expected(detector, people), atol=0.02)
        assert not written.with_name('boxes.json.parts').exists()

    def test_the_test_tool_evaluates_with_them(self, written, tiny_config, tiny_checkpoint, run_command, tmp_path):
        """The boxes of those images go through the model, and their scores into the result."""
        options = (
            f'test_dataloader.dataset.bbox_file={written}',
            f'test_evaluator.outfile_prefix={tmp_path / "test"}',
            'test_evaluator.nms_mode=none',
            'experiment_name=detected',
        )
        run_command('test', tiny_config, tiny_checkpoint, '--work-dir', tmp_path, '--cfg-options', *options)
        poses = json.loads((tmp_path / 'test.keypoints.json').read_text())
        detections = json.loads(written.read_text())
        assert sorted(one['image_id'] for one in poses) == sorted(one['image_id'] for one in detections)
        assert len(poses) == len(detections)

    def test_box_ap_as_mmdets(self, detector, people, tmp_path):
        found = detect(detector, people, tmp_path / 'boxes.json')
        metric = CocoMetric(ann_file=str(people / ANNOTATIONS), metric='bbox')
        metric.dataset_meta = dict(classes=('person',))
        by_image = {}
        for one in found.detections:
            by_image.setdefault(one['image_id'], []).append(one)
        for image in json.loads((people / ANNOTATIONS).read_text())['images']:
            boxes = torch.tensor([one['bbox'] for one in by_image[image['id']]])
            boxes[:, 2:] += boxes[:, :2]
            scores = torch.tensor([one['score'] for one in by_image[image['id']]])
            instances = dict(bboxes=boxes, scores=scores, labels=torch.zeros(len(boxes), dtype=int))
            shape = (image['height'], image['width'])
            metric.process({}, [dict(img_id=image['id'], ori_shape=shape, pred_instances=instances)])
        metrics = metric.evaluate(4)
        names = {'AP': 'mAP', 'AP50': 'mAP_50', 'AP75': 'mAP_75'}
        assert {name: round(found.ap[name], 3) for name in names} == {
            name: metrics[f'coco/bbox_{theirs}'] for name, theirs in names.items()
        }


class TestAveragePrecision:
    ANNOTATED = (
        dict(image_id=1, category_id=5, bbox=[0, 0, 10, 10]),
        dict(image_id=2, category_id=5, bbox=[0, 0, 10, 20]),
        dict(image_id=2, category_id=6, bbox=[50, 50, 10, 20]),
    )

    def ground_truth(self, category):
        return true_boxes(dict(annotations=[*self.ANNOTATED]), category).boxes

    @pytest.mark.parametrize(
        ('boxes', 'ap50', 'ap'),
        [
            ([(1, [0, 0, 10, 10], 0.9), (2, [0, 0, 10, 20], 0.8)], 1, 1),
            ([(1, [0, 0, 10, 10], 0.9)], 51 / 101, 51 / 101),  # half of them: recalls 0 to 0.5 of COCO's 101
            ([(1, [0, 0, 10, 10], 0.9), (2, [0, 0, 10, 12.2], 0.8)], 1, (3 * 1 + 7 * 51 / 101) / 10),  # IoU 0.61
            ([(1, [30, 30, 10, 10], 0.9)], 0, 0),
            ([], 0, 0),
        ],
    )
    def test_by_hand(self, boxes, ap50, ap):
        detections = [dict(image_id=image, bbox=bbox, score=score) for image, bbox, score in boxes]
        found = box_ap(self.ground_truth(5), [1, 2], detections)
        assert (found['AP50'], found['AP']) == pytest.approx((ap50, ap))

    def test_images_that_do_not_count(self):
        detections = [dict(image_id=1, bbox=[0, 0, 10, 10], score=1)]
        assert box_ap(self.ground_truth(5), [1], detections)['AP'] == pytest.approx(1)

    @pytest.mark.parametrize(('category', 'ids'), [(7, [1, 2]), (5, [3])])
    def test_nothing_to_measure_by(self, category, ids):
        assert box_ap(self.ground_truth(category), ids, []) is None
        assert true_boxes({}, category) == TrueBoxes()

    @pytest.mark.parametrize(
        'broken',
        [
            *[dict(bbox=bbox) for bbox in ([1, 2, 3], '1234', [None] * 4, [1, 2, 3, -4], [1, 2, 0, 4], 7, {'x': 1})],
            *[dict(bbox=[1, 2, 3, bad]) for bad in (np.nan, np.inf, 'wide', [1], 10**400)],
            *[dict(area=bad) for bad in ('x', np.nan, np.inf, -1, [])],
            *[dict(iscrowd=bad) for bad in (1e30, np.inf, np.nan, 'x', 2, [1])],
            *[dict(image_id=bad) for bad in ([1], None, {}, 0.5)],
            3,
            None,
        ],
        ids=str,
    )
    def test_broken_annotation_is_named_and_its_image_left_out(self, broken):
        entry = dict(self.ANNOTATED[1], **broken) if isinstance(broken, dict) else broken
        found = true_boxes(dict(annotations=[self.ANNOTATED[0], entry, self.ANNOTATED[2]]), 5)
        [(fault, image)] = found.faults.items()
        assert fault.startswith('annotations[1] ') and len(fault) < 200
        assert image == (None if entry is broken or 'image_id' in broken else 2)
        assert [one['bbox'] for one in found.boxes] == [[0, 0, 10, 10]] and found.others == 1

    def test_annotations_that_are_no_list(self):
        assert true_boxes(dict(annotations={'a': 1}), 5) == TrueBoxes(faults={'"annotations" is no list': None})

    def test_numbers_and_texts_as_ids(self):
        ground_truth = self.ground_truth(5)
        names = {1: 1, 2: 'two'}
        ground_truth = [dict(one, image_id=names.get(one['image_id'], one['image_id'])) for one in ground_truth]
        detections = [
            dict(image_id=1, bbox=[0, 0, 10, 10], score=1),
            dict(image_id='two', bbox=[0, 0, 10, 20], score=1),
        ]
        assert box_ap(ground_truth, [1, 'two'], detections)['AP'] == pytest.approx(1)


def test_image_that_the_detector_cannot_take(detector, copied, tmp_path):
    root, file = copied
    whole = detect(detector, root, tmp_path / 'whole.json').detections
    number = next(
        one['id'] for one in json.loads((root / ANNOTATIONS).read_text())['images'] if one['file_name'] == file.name
    )
    cv2.imwrite(str(file), np.zeros((1, 3000, 3), np.uint8))
    found = detect(detector, root, tmp_path / 'boxes.json', batch_size=2)
    assert list(found.skipped) == [str(file)] and '3000 x 1 pixels' in found.skipped[str(file)]
    left = [row for row in rows_of(whole) if row[0] != number]
    np.testing.assert_allclose(rows_of(found.detections), left, atol=0.02)
    with pytest.raises(InputError, match=f'{file.name}.*3000 x 1 pixels'):
        detect(detector, root, tmp_path / 'strict.json', strict=True)


@pytest.mark.parametrize(('out', 'words'), [(ANNOTATIONS, 'would overwrite'), ('val', 'is a folder; name a file')])
def test_nothing_given_is_overwritten(detector, copied, out, words):
    root, _ = copied
    before = (root / ANNOTATIONS).read_bytes()
    with pytest.raises(InputError, match=words):
        detect(detector, root, root / out)
    assert (root / ANNOTATIONS).read_bytes() == before


class TestStops:
    def test_goes_on(self, detector, people, tmp_path, monkeypatch):
        whole = detect(detector, people, tmp_path / 'whole.json', batch_size=1).detections
        count = len(json.loads((people / ANNOTATIONS).read_text())['images'])
        looked = []

        def stops_at(limit):
            def call(self, images):
                if len(looked) == limit:
                    raise KeyboardInterrupt
                looked.append(len(images))
                return original(self, images)

            return call

        original = PersonDetector.__call__
        monkeypatch.setattr(PersonDetector, '__call__', stops_at(2))
        with pytest.raises(KeyboardInterrupt):
            detect(detector, people, tmp_path / 'boxes.json', batch_size=1)
        assert not (tmp_path / 'boxes.json').exists()
        monkeypatch.setattr(PersonDetector, '__call__', stops_at(count))
        again = detect(detector, people, tmp_path / 'boxes.json', batch_size=1)
        assert looked == [1] * count and again.detections == whole
        assert json.loads((tmp_path / 'boxes.json').read_text()) == whole

    def test_boxes_of_other_thresholds_are_not_mixed(self, files, detector, people, tmp_path, monkeypatch):
        with monkeypatch.context() as patch:
            patch.setattr(dataset_module, 'partial_file', lambda *args: (_ for _ in ()).throw(OSError('full')))
            with pytest.raises(OSError, match='full'):
                detect(detector, people, tmp_path / 'boxes.json')
        with pytest.raises(InputError, match=r'boxes.json.parts holds .*bbox_thr=0.3, now 0.5: give another --out'):
            detect(PersonDetector(*files, bbox_thr=0.5, nms_thr=0.7), people, tmp_path / 'boxes.json')

    @pytest.mark.parametrize('other', ['weights', 'model'])
    def test_boxes_of_another_detector_are_not_mixed(self, files, detector, people, tmp_path, monkeypatch, other):
        with monkeypatch.context() as patch:
            patch.setattr(dataset_module, 'partial_file', lambda *args: (_ for _ in ()).throw(OSError('full')))
            with pytest.raises(OSError, match='full'):
                detect(detector, people, tmp_path / 'boxes.json')
        options = {'model.data_preprocessor.bgr_to_rgb': True} if other == 'model' else None
        changed = PersonDetector(*files, bbox_thr=0.3, nms_thr=0.7, cfg_options=options)
        if other == 'weights':
            next(changed.model.parameters()).data += 1
        with pytest.raises(InputError, match=f'boxes.json.parts holds .*{other}='):
            detect(changed, people, tmp_path / 'boxes.json')

    def test_empty_part_is_named(self, detector, people, tmp_path, monkeypatch):
        with monkeypatch.context() as patch:
            patch.setattr(dataset_module, 'partial_file', lambda *args: (_ for _ in ()).throw(OSError('full')))
            with pytest.raises(OSError, match='full'):
                detect(detector, people, tmp_path / 'boxes.json')
        (tmp_path / 'boxes.json.parts' / '000000.npz').write_bytes(b'')
        with pytest.raises(InputError, match='000000.npz is damaged .*; delete it and run again'):
            detect(detector, people, tmp_path / 'boxes.json')

    def test_processes_share_the_images(self, detector, people, tmp_path, monkeypatch):
        """Rank 1 of 2 makes every second part, rank 0 the rest and the file."""
        out, looked = tmp_path / 'boxes.json', []
        original = PersonDetector.__call__
        monkeypatch.setattr(PersonDetector, '__call__', lambda self, images: looked.append(1) or original(self, images))
        monkeypatch.setattr(parts_module, 'get_world_size', lambda: 2)
        for module in (parts_module, dataset_module):
            monkeypatch.setattr(module, 'is_main_process', lambda: rank == 0)
        monkeypatch.setattr(parts_module, 'get_rank', lambda: rank)
        rank = 1
        assert detect(detector, people, out, batch_size=1) is None
        assert len(looked) == 2 and not out.exists()
        rank = 0
        found = detect(detector, people, out, batch_size=1)
        assert len(looked) == 4
        np.testing.assert_allclose(rows_of(found.detections), expected(detector, people), atol=0.02)

    def test_few_parts_of_many_images(self, detector, people, tmp_path, monkeypatch):
        made = []

        class Counted(Parts):
            def __init__(self, root, made_by, count, option):
                made.append((made_by['images_per_part'], count))
                super().__init__(root, made_by, count, option)

        monkeypatch.setattr(dataset_module, 'Parts', Counted)
        monkeypatch.setattr(dataset_module, 'MAX_PARTS', 2)
        found = detect(detector, people, tmp_path / 'boxes.json', batch_size=1)
        assert made == [(2, 2)]
        np.testing.assert_allclose(rows_of(found.detections), expected(detector, people), atol=0.02)


class TestUnreadable:
    def test_is_left_out_and_named(self, files, detector, copied, run_command, tmp_path, capsys):
        root, bad = copied
        whole = json.loads((root / ANNOTATIONS).read_text())
        kept = expected(detector, root)
        bad.write_bytes(b'')
        out = tmp_path / 'boxes.json'
        arguments = (*files, root / ANNOTATIONS, '--img-root', root / 'val', '--out', out)
        assert run_command('detect', *arguments, '--bbox-thr', 0.3, '--nms-thr', 0.7, '--device', 'cpu') == 1
        printed = capsys.readouterr()
        assert str(bad) in printed.err and 'left out, as they cannot be read: 1 image\n' in printed.err
        (bad_id,) = (image['id'] for image in whole['images'] if image['file_name'] == bad.name)
        rows = rows_of(json.loads(out.read_text()))
        np.testing.assert_allclose(rows, [row for row in kept if row[0] != bad_id], atol=0.02)

    def test_does_not_count_in_the_ap(self, detector, copied, tmp_path, monkeypatch):
        root, bad = copied
        content = json.loads((root / ANNOTATIONS).read_text())
        ground_truth = {image['id']: [] for image in content['images']}
        for one in content['annotations']:
            x, y, w, h = one['bbox']
            ground_truth[one['image_id']].append([x, y, x + w, y + h, 0.9])
        bad.unlink()
        perfect = iter([np.array(ground_truth[one['id']]) for one in content['images'] if one['file_name'] != bad.name])
        monkeypatch.setattr(PersonDetector, '__call__', lambda self, images: [next(perfect) for _ in images])
        found = detect(detector, root, tmp_path / 'boxes.json')
        assert found.ap['AP'] == pytest.approx(1) and list(found.skipped) == [str(bad)]

    def test_strict_stops(self, detector, copied, tmp_path):
        root, bad = copied
        bad.write_bytes(bad.read_bytes()[:500])
        with pytest.raises(InputError, match=bad.name):
            detect(detector, root, tmp_path / 'boxes.json', strict=True)
        assert not (tmp_path / 'boxes.json').exists()

    def test_none_at_all(self, detector, copied, people, tmp_path):
        root, _ = copied
        for path in (root / 'val').iterdir():
            path.write_bytes(b'')
        with pytest.raises(InputError, match='none of the 4 images could be read: .*jpg'):
            detect(detector, root, tmp_path / 'boxes.json')
        shutil.copytree(people / 'val', root / 'val', dirs_exist_ok=True)
        assert detect(detector, root, tmp_path / 'boxes.json').skipped == {}


class TestAnnotationFile:
    @pytest.mark.parametrize(
        ('content', 'words'),
        [
            ([], 'not in COCO format: it has no "images"'),
            (dict(images=[]), 'not in COCO format: it has no "images"'),
            (dict(images=[dict(id=1)]), r'images\[0\] is .*; a dict with id and file_name is expected'),
            (dict(images=[dict(id=None, file_name='a.jpg')]), r'images\[0\] is .*id and file_name is expected'),
            (dict(images=[dict(id=1, file_name='gone.jpg')]), 'none of the 1 images of .* such as .*gone.jpg'),
        ],
    )
    def test_refused(self, content, words, tmp_path):
        (tmp_path / 'ann.json').write_text(json.dumps(content))
        with pytest.raises(InputError, match=words):
            AnnotatedImages(tmp_path / 'ann.json', tmp_path)

    def test_folder_that_is_not_there(self, people):
        with pytest.raises(InputError, match=r'image folder nowhere \(--img-root\) does not exist'):
            AnnotatedImages(people / ANNOTATIONS, 'nowhere')


NAMED = [dict(id=3, name='dog'), dict(id=7, name='Person')]


def people_in(*ids, **fields):
    return [dict(category_id=one, **fields) for one in ids]


class TestCategoryOfPeople:
    @pytest.mark.parametrize(
        ('annotations', 'categories', 'expected'),
        [
            (people_in(9), [dict(id=1, name='person'), dict(id=9, name='human')], 9),  # whatever is named
            (people_in(0), [], 0),
            (people_in('p', 'p'), [dict(id='p', name='x')], 'p'),
            (people_in(3, 3, 7), NAMED, 7),
            (people_in(3, 3, 7), [], 3),
            (people_in(2, 5, 5), [*NAMED, dict(id=1, name='person')], 5),  # those of that name are not carried
            ([*people_in(3, 3), *people_in(4, keypoints=[1, 2, 2])], NAMED, 4),  # dogs have no keypoints
            ([], NAMED, 7),
            ([], [dict(id=4, name='human')], 4),
            ([], [dict(id=3, name='dog'), dict(id=4, name='human')], 1),
            ([], [], 1),
            (None, [], 1),
        ],
    )
    def test_rule(self, annotations, categories, expected):
        content = dict(annotations=annotations, categories=categories)
        assert category_of_people(content, 'ann.json') == expected

    def test_of_the_detectors_name(self):
        assert category_of_people(dict(annotations=people_in(7, 7, 3), categories=NAMED), 'ann.json', 'dog') == 3

    @pytest.mark.parametrize('category', [9, 0, 'person'])
    def test_boxes_carry_it_and_are_measured_against_it(self, category, detector, files, copied, run_command, capsys):
        root, _ = copied
        (root / 'plain').mkdir()
        plain = detect(detector, root, root / 'plain' / 'boxes.json')
        content = json.loads((root / ANNOTATIONS).read_text())
        for one in content['annotations']:
            one['category_id'] = category
        content['categories'] = [dict(content['categories'][0], id=category)]
        (root / ANNOTATIONS).write_text(json.dumps(content))
        arguments = (*files, root / ANNOTATIONS, '--img-root', root / 'val', '--out', root / 'boxes.json')
        assert run_command('detect', *arguments, '--bbox-thr', 0.3, '--nms-thr', 0.7, '--device', 'cpu') == 0
        found = json.loads((root / 'boxes.json').read_text())
        assert found == [dict(one, category_id=category) for one in plain.detections] and found
        said = capsys.readouterr().out
        assert f'{len(found)} boxes of category_id {category!r}, which the annotated people carry, in 4 images' in said
        assert f'box AP {plain.ap["AP"]:.3f}' in said and plain.ap['AP'] > 0

    def test_annotations_that_cannot_be_used_are_named(self, detector, copied, files, run_command, capsys):
        root, _ = copied
        content = json.loads((root / ANNOTATIONS).read_text())
        bad = content['annotations'][2]
        others = [one['id'] for one in content['images'] if one['id'] != bad['image_id']]
        plain = detect(detector, root, root / 'plain.json')
        expected = box_ap(true_boxes(content, 1).boxes, others, plain.detections)
        bad['bbox'] = ['wide', 1, 2, 3]
        content['annotations'] += people_in(5, 1, image_id=99, bbox=[1, 2, 3, 4])
        (root / ANNOTATIONS).write_text(json.dumps(content))
        arguments = (*files, root / ANNOTATIONS, '--img-root', root / 'val', '--out', root / 'boxes.json')
        assert run_command('detect', *arguments, '--bbox-thr', 0.3, '--nms-thr', 0.7, '--device', 'cpu') == 1
        assert json.loads((root / 'boxes.json').read_text()) == plain.detections
        said = capsys.readouterr()
        assert f'box AP {expected["AP"]:.3f}' in said.out and expected['AP'] != pytest.approx(plain.ap['AP'])
        assert "annotations[2] has no bbox, area and iscrowd that can be used: {'bbox': ['wide', 1, 2, 3]" in said.err
        assert '1 annotated boxes are of other categories than 1' in said.err
        assert '1 annotated boxes are of images that the annotation file does not list' in said.err


def test_batch_size_must_be_positive(run_command, files, people, capsys):
    with pytest.raises(SystemExit):
        run_command('detect', *files, people / ANNOTATIONS, '--img-root', 'x', '--out', 'y', '--batch-size', '0')
    assert '0 is not a whole number from 1 on' in capsys.readouterr().err
