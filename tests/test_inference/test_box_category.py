"""The category of people in box files: which is chosen, what is left out and said, and what results carry."""

import json
from collections import Counter

import cv2
import numpy as np
import pytest

from mmtranspose.errors import InputError
from mmtranspose.inference import BoxFile
from mmtranspose.inference.box_category import choose_category
from mmtranspose.media import Frame

IMAGE = np.zeros((320, 240, 3), np.uint8)
IMAGES = [dict(id=7, file_name='a b (1).jpg'), dict(id=8, file_name='人物.jpg')]


def frames(*names):
    return [Frame(IMAGE, name, index, name, None) for index, name in enumerate(names)]


def detections(*categories, **fields):
    """One box each of image 7, of the given categories; None: without one."""
    one = dict(image_id=7, bbox=[10, 10, 50, 90], score=0.5, **fields)
    return [one if category is None else dict(one, category_id=category) for category in categories]


def people(*categories):
    return [dict(entry, keypoints=[1, 2, 2]) for entry in detections(*categories)]


@pytest.fixture
def write(tmp_path):
    def write(content, name='boxes.json'):
        (tmp_path / name).write_text(json.dumps(content))
        return tmp_path / name

    return write


class TestChoice:
    @pytest.mark.parametrize(
        ('in_file', 'carried', 'asked', 'id', 'of_boxes'),
        [
            ([1, 1, 9], [], None, 1, '1'),
            ([9, 9, 1], [], None, 1, '1'),
            ([9, 9], [], None, 9, '9'),
            ([0], [], None, 0, '0'),
            (['person'], [], None, 'person', 'person'),
            (['1', 9], [], None, 1, '1'),
            ([], [], None, 1, None),
            ([1, 9], [], 9, 9, '9'),
            ([1, 9], [], '9', 9, '9'),
            ([1, 'dog'], [], 'dog', 'dog', 'dog'),
            (['9', 1], [], 9, '9', '9'),
            ([], [], '9', 9, '9'),
            ([], [], 'dog', 'dog', 'dog'),
            ([1, 9], [9], None, 9, '9'),  # what people carry in the annotations
            ([1, 3], [9], None, 9, '1'),  # detectors write 1
            ([1], ['p'], None, 'p', '1'),
            (['9'], [9], None, 9, '9'),
            ([], [9], None, 9, None),
            ([1, 2, 3], [2, 1], None, 1, '1'),
            ([2, 3], [2, 1], None, 2, '2'),
        ],
    )
    def test_rule(self, in_file, carried, asked, id, of_boxes):
        found = choose_category(Counter(in_file), carried, asked, 'boxes.json')
        assert (found.id, found.of_boxes) == (id, of_boxes) and type(found.id) is type(id)

    @pytest.mark.parametrize(
        ('in_file', 'carried', 'asked', 'words'),
        [
            (
                [2, 5, 5],
                [],
                None,
                'which .* is that of people. It has 2 of category 5, 1 of category 2; choose one by --b',
            ),
            ([9], [], '1', r'no box is of category 1 \(--bbox-category\); it has 1 of category 9'),
            (
                [9],
                [1],
                None,
                'It has 1 of category 9; people carry 1 in the annotations; choose one by --bbox-category ID',
            ),
            ([3, 1], [2, 4], None, 'people carry 2, 4 in the annotations'),
            ([2, 4], [2, 4], None, 'people carry 2, 4 in the annotations'),
        ],
    )
    def test_unknown(self, in_file, carried, asked, words):
        with pytest.raises(InputError, match=f'^boxes.json: .*{words}'):
            choose_category(Counter(in_file), carried, asked, 'boxes.json')


class TestFile:
    def test_what_is_left_out_is_said(self, write):
        source = BoxFile(write(detections(1, 1, 9, 'dog', None)))
        assert len(source(frames('7.jpg'))[0]) == 3  # a box without a category may be anybody's
        assert source.left_out.endswith("2 of 5 boxes are of other categories (9: 1, 'dog': 1), not of 1")

    def test_a_choice_that_nobody_asked_for_is_said(self, write):
        source = BoxFile(write(detections(9, 9)))
        assert source.category_id == 9 and source.left_out.endswith('boxes.json: category 9 is used, the only one')
        assert BoxFile(write(detections(9, 9)), category_id='9').left_out == ''
        assert BoxFile(write(detections(1, 1))).left_out == ''

    def test_thresholds_are_said(self, write):
        source = BoxFile(write(detections(1, 1, 1)), bbox_thr=0.4, nms_thr=0.5)
        assert source.left_out.endswith('2 of 3 boxes are left out by the thresholds of score and overlap')

    def test_people_of_the_annotations(self, write):
        annotations = write(dict(images=IMAGES, annotations=people(9, 9)), 'ann.json')
        source = BoxFile(write(detections(9, 1, 1)), annotations)
        assert source.category_id == 9 and len(source(frames('a b (1).jpg'))[0]) == 1
        assert 'category 9 is used, which people carry in the annotations; 2 of 3 boxes' in source.left_out
        assert BoxFile(write(detections(1, 1)), annotations).category_id == 9

    @pytest.mark.parametrize('form', ['list', 'names'])
    def test_other_forms_have_categories_too(self, write, form):
        entries = [{key: value for key, value in one.items() if key != 'image_id'} for one in detections(1, 1, 3)]
        source = BoxFile(write(entries if form == 'list' else {'7.jpg': entries}))
        assert len(source(frames('7.jpg'))[0]) == 2
        assert '1 of 3 boxes are of other categories (3: 1)' in source.left_out

    def test_annotation_file_as_boxes(self, write):
        annotations = [*people(4, 4), dict(people(4)[0], image_id=8), dict(people(4)[0], iscrowd=1)]
        source = BoxFile(write(dict(images=IMAGES, annotations=annotations, categories=[dict(id=1, name='person')])))
        found = source(frames('x/a b (1).jpg', 'x/人物.jpg'))
        assert [boxes[:, :4].tolist() for boxes in found] == [[[10, 10, 60, 100]] * 2, [[10, 10, 60, 100]]]
        assert source.category_id == 4 and source.ids.get('人物.jpg') == 8
        assert '1 of 4 boxes are crowd regions' in source.left_out

    def test_no_boxes_are_said(self, write):
        for content in ([], {}, {'a.jpg': []}):
            source = BoxFile(write(content))
            if content:
                source(frames('a.jpg'))
            assert ('has no boxes: nobody is in any input' in source.left_out) or content
            assert source.unmatched() is None

    def test_boxes_of_other_images(self, write):
        source = BoxFile(write([*detections(1, 1), dict(detections(1)[0], image_id=9)]))
        assert source.unmatched() is None  # nothing was asked
        source(frames('5.jpg', '6.jpg'))
        said = source.unmatched()
        assert 'none of its boxes is of an input: it has image_id 7, 9, and the inputs have 5, 6' in said
        assert '--ann-file' in said and source.of_other_images() == ''
        source(frames('7.jpg'))
        assert source.unmatched() is None
        assert source.of_other_images().endswith('1 of 3 boxes are of images that were not read (9)')


class TestInfer:
    @pytest.fixture
    def infer(self, run_command, tiny_config, tiny_checkpoint, tmp_path, write):
        def infer(content, *flags):
            (tmp_path / 'images').mkdir(exist_ok=True)
            for number in (7, 8):
                cv2.imwrite(str(tmp_path / 'images' / f'{number}.png'), IMAGE)
            arguments = ('--input', tmp_path / 'images', '--bboxes', write(content), '--output-root', tmp_path / 'out')
            status = run_command('infer', tiny_config, tiny_checkpoint, *arguments, *flags)
            return status, json.loads((tmp_path / 'out' / 'results_coco.json').read_text())

        return infer

    @pytest.mark.parametrize(
        ('categories', 'flags', 'expected'),
        [
            ((9, 9), (), [9, 9]),
            ((1, 9), (), [1]),
            ((1, 9), ('--bbox-category', 9), [9]),
            ((1, 'dog'), ('--bbox-category', 'dog'), ['dog']),
            ((None, None), (), [1, 1]),
            ((None, None), ('--bbox-category', 3), [3, 3]),
        ],
    )
    def test_results_carry_it(self, infer, categories, flags, expected):
        status, results = infer(detections(*categories), *flags)
        assert status == 0 and [one['category_id'] for one in results] == expected

    def test_results_carry_that_of_the_annotations(self, infer, write):
        annotations = write(dict(images=[dict(id=7, file_name='7.png')], annotations=people('p')), 'ann.json')
        status, results = infer(detections(1), '--ann-file', annotations)
        assert status == 1 and [one['category_id'] for one in results] == ['p']  # 8.png is not annotated

    def test_detectors_results_carry_that_of_the_annotations(
        self, run_command, tiny_config, tiny_checkpoint, tmp_path, write
    ):
        cv2.imwrite(str(tmp_path / 'a.png'), IMAGE)
        annotations = write(dict(images=[dict(id=3, file_name='a.png')], annotations=people(6)), 'ann.json')
        arguments = ('--input', tmp_path / 'a.png', '--bboxes', 'whole-image', '--output-root', tmp_path / 'out')
        assert run_command('infer', tiny_config, tiny_checkpoint, *arguments, '--ann-file', annotations) == 0
        [result] = json.loads((tmp_path / 'out' / 'results_coco.json').read_text())
        assert (result['category_id'], result['image_id']) == (6, 3)

    def test_nobody(self, infer, capsys):
        assert infer([]) == (0, [])
        assert 'boxes.json has no boxes: nobody is in any input' in capsys.readouterr().err

    def test_no_box_of_any_input(self, infer, capsys):
        assert infer([dict(detections(1)[0], image_id=70)]) == (1, [])
        assert 'none of its boxes is of an input: it has image_id 70' in capsys.readouterr().err

    @pytest.mark.parametrize('where', ['whole-image', None])
    def test_option_needs_a_file(self, run_command, tiny_config, tiny_checkpoint, tmp_path, where):
        given = ('--bboxes', where) if where else ('--det-config', 'rtmdet_tiny_8xb32-300e_coco')
        arguments = ('--input', tmp_path, *given, '--output-root', tmp_path / 'out', '--bbox-category', 1)
        with pytest.raises(InputError, match='--bbox-category is the category of boxes in a file'):
            run_command('infer', tiny_config, tiny_checkpoint, *arguments)
