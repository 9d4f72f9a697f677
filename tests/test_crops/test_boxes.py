"""Boxes from JSON files, and a box around an image."""

import json

import numpy as np
import pytest

from mmtranspose.crops.boxes import as_boxes, load_bboxes, parse_box, whole_image
from mmtranspose.errors import InputError


class TestLoadBboxes:
    @pytest.fixture
    def load(self, tmp_path):
        def load(content):
            path = tmp_path / 'boxes.json'
            path.write_text(content if isinstance(content, str) else json.dumps(content))
            return load_bboxes(str(path))

        return load

    @pytest.mark.parametrize(
        ('entry', 'box'),
        [
            ([1, 2, 30, 40.5], [1, 2, 30, 40.5, 1]),
            ([1, 2, 30, 40.5, 0.25], [1, 2, 30, 40.5, 0.25]),
            ({'bbox': [1, 2, 30, 40.5]}, [1, 2, 31, 42.5, 1]),
            ({'bbox': [1, 2, 30, 40], 'score': 0.5, 'image_id': 7, 'category_id': 1}, [1, 2, 31, 42, 0.5]),
            ([-10, -20, 5, 6], [-10, -20, 5, 6, 1]),
        ],
    )
    def test_forms(self, load, entry, box):
        boxes = load([entry, [0, 0, 1, 1, 0]])
        assert boxes.dtype == np.float32
        assert boxes.tolist() == [box, [0, 0, 1, 1, 0]]

    def test_none_at_all(self, load):
        assert load([]).shape == (0, 5)

    @pytest.mark.parametrize(
        ('entry', 'reason'),
        [
            ([1, 2, 3], 'is not a box'),
            ([1, 2, 3, 4, 5, 6], 'is not a box'),
            ([], 'is not a box'),
            (3, 'is not a box'),
            (None, 'is not a box'),
            ('1258', 'is not a box'),
            ({'bbox': '1258'}, 'is not a box'),
            ({'bbox': {'x': 1, 'y': 2, 'w': 3, 'h': 4}}, 'is not a box'),
            ([True, False, 5, 5], 'is not a box'),
            ({'bbox': [1, 2, 3, 4], 'score': None}, 'is not a box'),
            ([[1]] * 10**4, r'\[\[1\], .*\.\.\. is not a box'),
            ({'box': [1, 2, 3, 4]}, 'is not a box'),
            ({'bbox': [1, 2, 3]}, 'is not a box'),
            ({'bbox': [1, 2, 3, 4], 'score': 'high'}, 'is not a box'),
            ([1, 2, 'wide', 4], 'is not a box'),
            ([10**400, 0, 10**400, 3], 'is not'),
            ([1, 2, float('nan'), 4], 'not finite'),
            ([1, 2, 3, float('inf')], 'not finite'),
            ([1, 2, 3, 4, float('nan')], 'not finite'),
            ([5, 2, 5, 4], 'no positive width and height'),
            ([1, 4, 3, 4], 'no positive width and height'),
            ([5, 2, 1, 4], 'no positive width and height'),
            ({'bbox': [5, 2, 0, 4]}, 'no positive width and height'),
            ({'bbox': [5, 2, 3, -4]}, 'no positive width and height'),
        ],
        ids=lambda value: str(value)[:30],
    )
    def test_bad_boxes(self, load, tmp_path, entry, reason):
        with pytest.raises(InputError, match=f'box file {tmp_path / "boxes.json"}, entry 1: .*{reason}'):
            load([[0, 0, 1, 1], entry])

    @pytest.mark.parametrize(
        ('content', 'words'), [('{}', 'must hold a list of boxes, not a dict'), ('[[1,', 'is not JSON')]
    )
    def test_bad_files(self, load, tmp_path, content, words):
        with pytest.raises(InputError, match=f'box file {tmp_path / "boxes.json"} {words}'):
            load(content)

    def test_missing_file(self, tmp_path):
        with pytest.raises(InputError, match=f'box file {tmp_path / "none.json"} does not exist'):
            load_bboxes(str(tmp_path / 'none.json'))


def test_as_boxes():
    given = np.array([[1, 2, 30, 40, 0.5], [3, 4, 5, 6, 0.25]], np.float32)
    assert as_boxes(given, 'xywh').tolist() == [[1, 2, 31, 42, 0.5], [3, 4, 8, 10, 0.25]]
    assert as_boxes(given).tolist() == given.tolist() and as_boxes(given) is not given
    assert as_boxes(given[:, :4].tolist())[:, 4].tolist() == [1, 1]
    assert as_boxes([], 'xywh').shape == (0, 5)


def test_entry_as_deep_as_json_allows():
    deep = []
    for _ in range(10**5):
        deep = [deep]
    with pytest.raises(InputError, match='a list of lists is not a box'):
        parse_box(deep)


def test_whole_image():
    assert whole_image(np.zeros((5, 7, 3), np.uint8)).tolist() == [[0, 0, 7, 5, 1]]
