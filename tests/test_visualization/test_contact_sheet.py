"""Sheets of images, and images in files."""

import os

import cv2
import numpy as np
import pytest

from mmtranspose.visualization import contact_sheet, write_image

GREY = 32


def plain(h, w, value):
    return np.full((h, w, 3), value, np.uint8)


class TestContactSheet:
    def test_places(self):
        sheet = contact_sheet([plain(30, 40, v) for v in (50, 100, 150, 200, 250)], columns=2, cell=(40, 30))
        assert sheet.shape == (90, 80, 3) and sheet.dtype == np.uint8
        assert [sheet[y, x, 0] for y in (15, 45, 75) for x in (20, 60)] == [50, 100, 150, 200, 250, GREY]

    def test_a_wide_image_is_fitted_in_the_middle(self):
        sheet = contact_sheet([plain(10, 40, 200)], columns=1, cell=(80, 80))
        assert sheet.shape == (80, 80, 3)
        filled = sheet[..., 0] == 200
        assert filled[30:50].all() and not filled[:30].any() and not filled[50:].any()
        assert (sheet[~filled] == GREY).all()

    def test_a_tall_image_is_shrunk(self):
        sheet = contact_sheet([plain(400, 100, 200)], columns=1, cell=(80, 80))
        filled = sheet[..., 0] == 200
        assert filled[:, 30:50].all() and filled.sum() == 80 * 20

    def test_rows_are_filled_up(self):
        sheet = contact_sheet([plain(8, 8, 200)] * 3, columns=4, cell=(8, 8))
        assert sheet.shape == (8, 32, 3)
        assert (sheet[:, :24] == 200).all() and (sheet[:, 24:] == GREY).all()

    def test_shrinking_averages(self):
        stripes = np.zeros((8, 8, 3), np.uint8)
        stripes[:, ::2] = 200
        assert (contact_sheet([stripes], columns=1, cell=(4, 4)) == 100).all()

    def test_a_very_thin_image_keeps_a_pixel(self):
        assert (contact_sheet([plain(1, 1000, 200)], columns=1, cell=(20, 20)) == 200).any()

    def test_no_images(self):
        with pytest.raises(ValueError, match='at least one image'):
            contact_sheet([])


class TestWriteImage:
    @pytest.fixture
    def image(self):
        return np.random.default_rng(0).integers(0, 256, (12, 9, 3), dtype=np.uint8)

    def test_pixels_and_folders(self, tmp_path, image):
        write_image(tmp_path / 'new' / 'folder' / 'a.png', image)
        np.testing.assert_array_equal(cv2.imread(str(tmp_path / 'new' / 'folder' / 'a.png')), image)
        assert os.listdir(tmp_path / 'new' / 'folder') == ['a.png']

    def test_the_ending_decides(self, tmp_path, image):
        write_image(str(tmp_path / 'a.jpg'), image)
        write_image(tmp_path / 'a.PNG', image)
        assert (tmp_path / 'a.jpg').read_bytes()[:3] == b'\xff\xd8\xff'
        assert (tmp_path / 'a.PNG').read_bytes()[:4] == b'\x89PNG'

    @pytest.mark.parametrize('name', ['a.pose', 'a', 'a.json'])
    def test_unknown_endings(self, tmp_path, image, name):
        with pytest.raises(OSError, match=f'{tmp_path / name}: an image of .* cannot be written as .*use .png or .jpg'):
            write_image(tmp_path / name, image)
        assert os.listdir(tmp_path) == []

    def test_an_error_leaves_the_old_file(self, tmp_path, image, monkeypatch):
        write_image(tmp_path / 'a.png', image)

        def fail(source, target):
            raise OSError(28, 'No space left on device')

        monkeypatch.setattr(os, 'replace', fail)
        with pytest.raises(OSError, match='No space left'):
            write_image(tmp_path / 'a.png', 255 - image)
        np.testing.assert_array_equal(cv2.imread(str(tmp_path / 'a.png')), image)
        assert os.listdir(tmp_path) == ['a.png']
