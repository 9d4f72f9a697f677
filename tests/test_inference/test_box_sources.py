"""Boxes from files and by hand."""

import json
from fractions import Fraction

import numpy as np
import pytest
import torch

from mmtranspose.errors import InputError
from mmtranspose.inference.box_file import BoxFile
from mmtranspose.inference.box_sources import box_source
from mmtranspose.media import Frame, Video

CLIP = Video('clip.mp4', Fraction(25), (64, 48), None)
IMAGE = np.zeros((48, 64, 3), np.uint8)
DETECTIONS = [
    dict(image_id=7, category_id=1, bbox=[1, 2, 30, 40], score=0.9),
    dict(image_id=7, category_id=1, bbox=[2, 2, 30, 40], score=0.8),  # IoU about 0.94 with the first
    dict(image_id=7, category_id=3, bbox=[0, 0, 9, 9], score=0.9),
    dict(image_id=8, category_id=1, bbox=[5, 5, 10, 10], score=0.2),
]


def image(path, index=0):
    return Frame(IMAGE, path, index, path, None)


def frame(index):
    return Frame(IMAGE, f'clip.mp4, frame {index}', index, 'clip.mp4', CLIP)


@pytest.fixture
def write(tmp_path):
    def write_json(content, name='boxes.json'):
        (tmp_path / name).write_text(json.dumps(content))
        return str(tmp_path / name)

    return write_json


def boxes(source, *frames):
    return [found.astype(float).round(4).tolist() for found in source(list(frames))]


class TestBySource:
    def test_whole_image_by_name_alone(self):
        assert boxes(box_source('whole-image'), image('a.jpg')) == [[[0, 0, 64, 48, 1]]]
        with pytest.raises(InputError, match="'whole-image'.*BoxFile"):
            box_source('boxes.json')

    def test_by_hand_for_every_frame(self):
        assert boxes(box_source([[1, 2, 3, 4]]), frame(0), frame(1)) == [[[1, 2, 3, 4, 1]]] * 2
        assert boxes(box_source(np.zeros((0, 4))), frame(0)) == [[]]
        assert boxes(box_source(torch.tensor([[1, 2, 3, 4.0]])), frame(0)) == [[[1, 2, 3, 4, 1]]]

    @pytest.mark.parametrize('bad', [None, 3])
    def test_none(self, bad):
        with pytest.raises(InputError, match='boxes must be a detector'):
            box_source(bad)

    def test_bad_box_by_hand(self):
        with pytest.raises(InputError, match='bboxes must be numbers of shape'):
            box_source([[1, 2, 3, 4], [5, 5, 5]])


class TestDetections:
    def test_by_number_in_the_name(self, write):
        source = BoxFile(write(DETECTIONS))
        first, second = [1, 2, 31, 42, 0.9], [2, 2, 32, 42, 0.8]
        found = boxes(source, image('x/000000000007.jpg'), image('8.png', 1), image('9.png', 2))
        assert found == [[first, second], [[5, 5, 15, 15, 0.2]], []]

    def test_thresholds_and_category(self, write):
        path = write(DETECTIONS)
        assert boxes(BoxFile(path, bbox_thr=0.3), image('8.png')) == [[]]
        assert boxes(BoxFile(path, nms_thr=0.5), image('7.png')) == [[[1, 2, 31, 42, 0.9]]]
        assert boxes(BoxFile(path, category_id=3), image('7.png')) == [[[0, 0, 9, 9, 0.9]]]

    def test_by_annotation_file(self, write):
        images = [dict(file_name='seq1/1.jpg', id=7), dict(file_name='seq2/1.jpg', id=8)]
        source = BoxFile(write(DETECTIONS), write(dict(images=images), 'ann.json'))
        counts = [len(found) for found in boxes(source, image('in/seq1/1.jpg'), image('in/seq2/1.jpg', 1))]
        assert counts == [2, 1]
        with pytest.raises(InputError, match='other.jpg is not among the images'):
            source([image('other.jpg')])

    def test_frames_of_a_video(self, write):
        assert [len(found) for found in BoxFile(write(DETECTIONS))([frame(6), frame(7), frame(8)])] == [0, 2, 1]

    def test_ids_are_of_images_or_of_one_video(self, write):
        source = BoxFile(write(DETECTIONS))
        source([frame(7)])
        with pytest.raises(InputError, match='7.jpg: detections by image_id are for images or for the frames of one'):
            source([image('7.jpg')])
        assert len(boxes(source, frame(8))[0]) == 1  # those that came first are not held up

    def test_name_without_a_number(self, write):
        with pytest.raises(InputError, match=r'street.jpg.*--ann-file'):
            BoxFile(write(DETECTIONS))([image('street.jpg')])


class TestOthers:
    def test_by_name(self, write):
        source = BoxFile(write({'a.jpg': [[1, 2, 3, 4]], 'x/b.jpg': [[5, 6, 7, 8, 0.5]], 'y/b.jpg': []}))
        found = boxes(source, image('d/a.jpg'), image('./d/x/b.jpg', 1), image('y/b.jpg', 2))
        assert found == [[[1, 2, 3, 4, 1]], [[5, 6, 7, 8, 0.5]], []]
        with pytest.raises(InputError, match='c.jpg is not in the box file.*empty list'):
            source([image('c.jpg')])
        with pytest.raises(InputError, match='z/b.jpg is not in the box file'):
            source([image('z/b.jpg')])
        with pytest.raises(InputError, match='b.jpg may be any of x/b.jpg, y/b.jpg'):
            source([image('b.jpg')])

    def test_thresholds(self, write):
        same = [[1, 1, 20, 20, 0.2], [1, 1, 20, 20.5, 0.9], [1, 1, 20, 21, 0.8]]
        for content in (same, {'a.jpg': same}):
            assert boxes(BoxFile(write(content), bbox_thr=0.5, nms_thr=0.3), image('a.jpg')) == [[same[1]]]
            assert len(boxes(BoxFile(write(content), bbox_thr=0.5), image('a.jpg'))[0]) == 2

    def test_one_image(self, write):
        source = BoxFile(write([[1, 2, 3, 4], {'bbox': [1, 2, 3, 4]}]))
        assert boxes(source, image('a.jpg')) == [[[1, 2, 3, 4, 1], [1, 2, 4, 6, 1]]]
        assert boxes(source, frame(5)) == boxes(source, image('a.jpg'))
        with pytest.raises(InputError, match='the boxes of one image, and b.jpg is another'):
            source([image('b.jpg', 1)])

    def test_nobody(self, write):
        assert boxes(BoxFile(write([])), image('a.jpg'), image('b.jpg', 1)) == [[], []]

    def test_boxes_without_size_are_the_pipelines_to_leave_out(self, write):
        assert boxes(BoxFile(write([[5, 5, 5, 9]])), image('a.jpg')) == [[[5, 5, 5, 9, 1]]]

    def test_results_may_be_changed(self, write):
        source = BoxFile(write([[1, 2, 3, 4]]))
        source([frame(0)])[0][:] = 0
        assert boxes(source, frame(1)) == [[[1, 2, 3, 4, 1]]]

    @pytest.mark.parametrize(
        ('content', 'words'),
        [
            (3, 'must hold a list or a dict'),
            ({'a.jpg': 3}, 'a.jpg: a list of boxes is expected'),
            ({'a.jpg': [[1, 2, 3]]}, 'a.jpg, entry 0'),
            ([{'image_id': 1}], 'entry 0'),
            ([{'image_id': 1, 'bbox': [1, 2, 3, 4]}, {'bbox': [1, 2, 3, 4]}], 'entry 1: an image_id is expected'),
            ([{'image_id': [1], 'bbox': [1, 2, 3, 4]}], 'entry 0: an image_id is expected'),
        ],
    )
    def test_another_form(self, write, content, words):
        with pytest.raises(InputError, match=words):
            BoxFile(write(content))

    def test_ids_may_be_texts(self, write):
        assert len(boxes(BoxFile(write([dict(image_id='7', bbox=[1, 2, 3, 4])])), image('7.png'))[0]) == 1

    @pytest.mark.parametrize(
        ('content', 'words'),
        [
            ({'images': []}, 'ann.json is not in COCO format: it has no "images"'),
            ({'images': [{'id': [1], 'file_name': 'a.jpg'}]}, r'images\[0\].*a dict with id and file_name'),
            ({'images': [{'id': 1, 'file_name': 1}]}, r'images\[0\].*a dict with id and file_name'),
            ({'images': [{'id': 1, 'file_name': 'a'}] * 2}, 'image id 1 appears twice'),
        ],
    )
    def test_bad_annotation_file(self, write, content, words):
        with pytest.raises(InputError, match=words):
            BoxFile(write([]), write(content, 'ann.json'))


@pytest.mark.parametrize('slip', ['whole_image', 'Whole-Image', 'wholeimage'])
def test_a_slip_in_the_name_of_the_whole_image(slip):
    with pytest.raises(InputError, match=f'box file {slip} does not exist; did you mean whole-image'):
        BoxFile(slip)
