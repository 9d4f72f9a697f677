"""Sheets of images: places, sizes, background."""

import numpy as np
import pytest

from mmtranspose.errors import InputError
from mmtranspose.visualization import contact_sheet

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
        with pytest.raises(InputError, match='at least one image'):
            contact_sheet([])
