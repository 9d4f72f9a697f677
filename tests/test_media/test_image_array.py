"""Arrays as images: what is converted, and what is refused by one sentence that says what to do."""

import cv2
import numpy as np
import pytest
import torch
from media_files import smooth_image
from PIL import Image

from mmtranspose.errors import InputError
from mmtranspose.media import as_image, open_source

BGR = smooth_image()
GREY = BGR[..., 1]

ACCEPTED = {
    'bgr': (BGR, BGR),
    'grey': (GREY, np.dstack([GREY] * 3)),
    'grey with an axis': (GREY[..., None], np.dstack([GREY] * 3)),
    'bgra': (np.dstack([BGR, GREY]), BGR),
    'backwards': (BGR[::-1, ::-1], BGR[::-1, ::-1]),
    'every second row': (BGR[::2], BGR[::2]),
    'rgb turned to bgr': (BGR[..., ::-1], BGR[..., ::-1]),
    'columns first in memory': (np.asfortranarray(BGR), BGR),
    'three rows': (BGR[:3], BGR[:3]),
    'one pixel': (BGR[:1, :1], BGR[:1, :1]),
    'one pixel, grey': (GREY[:1, :1], np.dstack([GREY[:1, :1]] * 3)),
}

REFUSED = {
    'uint16': (BGR.astype(np.uint16), r'has dtype uint16.*give \(array >> 8\).astype\(numpy.uint8\), if'),
    'float': (BGR / 255, r'has dtype float64.*give \(array \* 255\).round\(\).astype\(numpy.uint8\), if'),
    'half': (BGR.astype(np.float16), 'has dtype float16'),
    'bool': (BGR > 127, r'has dtype bool.*give array.astype\(numpy.uint8\) \* 255'),
    'int64': (BGR.astype(int), r'has dtype int64.*give array.astype\(numpy.uint8\), if'),
    'int8': (BGR.view(np.int8), 'has dtype int8'),
    'text': (np.array([['a', 'b']]), 'has dtype <U1'),
    'objects': (BGR.astype(object), 'has dtype object'),
    'channels first': (BGR.transpose(2, 0, 1), r'has shape \(3, 45, 62\), with the channels first: give array.tran'),
    'grey channel first': (GREY[None], r'has shape \(1, 45, 62\), with the channels first'),
    'empty': (BGR[:0], r'is empty: its shape is \(0, 62, 3\)'),
    'empty grey': (GREY[:, :0], r'is empty: its shape is \(45, 0\)'),
    'two channels': (BGR[..., :2], r'has shape \(45, 62, 2\), not \(h, w, 3\)'),
    'five channels': (np.dstack([BGR, BGR[..., :2]]), r'has shape \(45, 62, 5\), not'),
    'a row': (GREY[0], r'has shape \(62,\), not'),
    'a number': (np.zeros((), np.uint8), r'has shape \(\), not'),
    'five axes': (BGR[None, None], r'has shape \(1, 1, 45, 62, 3\), not'),
}


@pytest.mark.parametrize('name', ACCEPTED)
def test_accepted(name):
    given, expected = ACCEPTED[name]
    image = as_image(given)
    assert image.dtype == np.uint8 and image.flags.c_contiguous
    np.testing.assert_array_equal(image, expected)
    [frame] = open_source(given)
    np.testing.assert_array_equal(frame.image, expected)


def test_the_usual_form_is_not_copied():
    assert as_image(BGR) is BGR


@pytest.mark.parametrize('name', REFUSED)
def test_refused_by_one_sentence_everywhere(name):
    given, words = REFUSED[name]
    with pytest.raises(InputError, match=words) as here:
        as_image(given)
    assert str(here.value).startswith('the image ') and str(here.value).count('. ') == 0
    with pytest.raises(InputError) as there:
        open_source(given)
    assert str(there.value) == str(here.value)
    [unreadable] = open_source(iter([given]))
    assert f'the image {unreadable.reason}' == str(here.value)


def test_several_images_are_one_at_a_time():
    with pytest.raises(InputError, match=r'has shape \(2, 45, 62, 3\), which is several images'):
        as_image(np.stack([BGR, BGR]))


@pytest.mark.parametrize('given', [None, 3, BGR.tolist(), torch.zeros(4, 4, 3), Image.fromarray(BGR)], ids=type)
def test_other_objects(given):
    with pytest.raises(InputError, match=rf'the image is of type {type(given).__name__}, not an array \(h, w, 3\)'):
        as_image(given)


def test_files(tmp_path):
    cv2.imwrite(str(tmp_path / 'a.png'), BGR)
    for path in (tmp_path / 'a.png', str(tmp_path / 'a.png')):
        np.testing.assert_array_equal(as_image(path), BGR)
    with pytest.raises(InputError, match='image .*none.png does not exist'):
        as_image(tmp_path / 'none.png')
    with pytest.raises(InputError, match='is a folder'):
        as_image(tmp_path)


def test_an_array_that_is_filled_again_is_kept():
    def frames():
        image = np.zeros((4, 5), np.uint8)
        for value in range(3):
            image[:] = value
            yield image
            yield np.ma.array(np.dstack([image] * 3))

    assert [int(frame.image.max()) for frame in list(open_source(frames()))] == [0, 0, 1, 1, 2, 2]
