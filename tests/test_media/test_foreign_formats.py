"""Whole files that OpenCV does not decode are named for what they are, wherever an image is read."""

import io

import numpy as np
import pytest
from PIL import Image, features

from mmtranspose.app.opened_image import open_image
from mmtranspose.commands.machine_errors import machine_error
from mmtranspose.errors import InputError
from mmtranspose.media import image_file, open_source, read_image
from mmtranspose.media.foreign_formats import foreign_format

CONVERT = 'format, which is not read: convert it to PNG or JPEG'


def gif(frames):
    images = [Image.fromarray(np.full((8, 9), 80 * number, np.uint8)) for number in range(frames)]
    file = io.BytesIO()
    images[0].save(file, 'GIF', save_all=True, append_images=images[1:])
    return file.getvalue()


def iso(brand):
    return b'\0\0\0\x18ftyp' + brand + b'\0\0\0\0mif1' + bytes(99)


FILES = {
    'animated.gif': (
        gif(3),
        'is an animated GIF of 3 frames, which is read as a video only: `mmtranspose infer` takes',
    ),
    'still.gif': (gif(1), 'is a GIF, which is read as a video only'),
    'cut.gif': (gif(1)[:9], 'is a GIF, which is read as a video only'),
    'a.avif': (iso(b'avif'), f'is in AVIF {CONVERT}'),
    'a.heic': (iso(b'heic'), f'is in HEIC {CONVERT}'),
    'a.jxl': (b'\xff\x0a' + bytes(9), f'is in JPEG XL {CONVERT}'),
    'a.ico': (b'\0\0\x01\0\x01\0', f'is in ICO {CONVERT}'),
    'a.pdf': (b'%PDF-1.7', f'is in PDF {CONVERT}'),
    'a.svg': (b'<?xml version="1.0"?>\n<svg xmlns="x"/>', f'is in SVG {CONVERT}'),
    'a.mp4': (iso(b'isom'), 'is a video: `mmtranspose infer` takes it under a name that ends in .mp4'),
    'a.webm': (b'\x1a\x45\xdf\xa3', 'is a video: `mmtranspose infer` takes it under a name that ends in .mkv'),
    'a.avi': (b'RIFF\0\0\0\0AVI LIST', 'is a video: `mmtranspose infer` takes it under a name that ends in .avi'),
}


@pytest.mark.parametrize('name', FILES)
def test_every_reader_of_images_names_the_format(name, tmp_path):
    data, words = FILES[name]
    path = tmp_path / f'{name}.jpg'
    path.write_bytes(data)
    for read in (read_image, open_image):
        with pytest.raises(InputError) as caught:
            read(path)
        assert f'cannot be decoded: it {words}' in str(caught.value)
    (unreadable,) = open_source(str(path))
    assert unreadable.reason.startswith(words)
    lost = OSError(f'`imread failed` occurs when loading `{path}`.Please check whether')  # MMPose's, in a training
    assert machine_error(lost, 'train').startswith(f'image {path} {words}')


def test_a_gif_is_no_image_for_any_opencv(tmp_path, monkeypatch):
    (tmp_path / 'a.gif').write_bytes(gif(3))
    monkeypatch.setattr(image_file, '_by_opencv', lambda data: np.full((8, 9, 3), 99, np.uint8))
    with pytest.raises(InputError, match='animated GIF of 3 frames'):
        read_image(tmp_path / 'a.gif')


def test_photographs_of_a_phone_are_not_passed_over(tmp_path):
    for name in ('a.heic', 'b.HEIF'):
        (tmp_path / name).write_bytes(FILES['a.heic'][0])
    Image.new('RGB', (8, 8), (200, 99, 99)).save(tmp_path / 'c.jpg')
    for given in (tmp_path, tmp_path / '*'):
        heic, heif, image = open_source(str(given))
        assert image.image.shape == (8, 8, 3)
        for unreadable in (heic, heif):
            assert unreadable.reason.startswith('is in HEIC format')


def test_input_by_its_own_name(tmp_path):
    (tmp_path / 'a.heic').write_bytes(FILES['a.heic'][0])
    with pytest.raises(InputError, match=f'input {tmp_path}/a.heic is in HEIC {CONVERT}'):
        open_source(str(tmp_path / 'a.heic'))


@pytest.mark.skipif(not features.check('avif'), reason='this Pillow writes no AVIF')
def test_avif_of_pillow():
    file = io.BytesIO()
    Image.new('RGB', (8, 8)).save(file, 'AVIF')
    assert foreign_format(file.getvalue()) == f'is in AVIF {CONVERT}'


@pytest.mark.parametrize('data', [b'', b'no image', b'RIFF\0\0\0\0WEBPVP8X', b'\xff\xd8\xff', b'<?xml version="1.0"?>'])
def test_what_nothing_is_known_of(data):
    assert foreign_format(data) is None
