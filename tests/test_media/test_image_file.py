"""Image files: Pillow writes them, MMPose's LoadImage and Pillow say what is in them."""

from __future__ import annotations

import io
import os

import cv2
import numpy as np
import pytest
from media_files import png, smooth_image
from mmpose.datasets.transforms import LoadImage
from PIL import Image, ImageOps

from mmtranspose.errors import InputError
from mmtranspose.media import UnreadableImage, read_image, write_animation, write_image

LOGARITHMIC = ('.tif', np.float32, 3) if cv2.__version__ < '5' else None  # how OpenCV 4 writes them
FORMATS = {
    'a.jpg': dict(format='JPEG'),
    'progressive.jpg': dict(format='JPEG', progressive=True),
    'a.png': dict(format='PNG'),
    'a.webp': dict(format='WEBP', lossless=True, exact=True),
    'a.bmp': dict(format='BMP'),
    'a.tif': dict(format='TIFF'),
    'packed.tif': dict(format='TIFF', compression='tiff_lzw'),
    'a.jp2': dict(format='JPEG2000'),
    'a.ppm': dict(format='PPM'),
}
LOSSLESS = [name for name in FORMATS if not name.endswith('.jpg')]


def encoded(image: Image.Image, **options) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, **options)
    return buffer.getvalue()


def bgr(image: Image.Image) -> np.ndarray:
    return np.asarray(image.convert('RGB'))[:, :, ::-1]


@pytest.fixture
def rgb() -> Image.Image:
    return Image.fromarray(smooth_image())


@pytest.fixture
def read(tmp_path):
    def write_and_read(data: bytes, name: str = 'a.jpg') -> np.ndarray:
        (tmp_path / name).write_bytes(data)
        image = read_image(str(tmp_path / name))
        assert image.dtype == np.uint8 and image.ndim == 3 and image.flags.c_contiguous
        return image

    return write_and_read


class TestPixels:
    @pytest.mark.parametrize('name', FORMATS)
    def test_as_mmpose(self, read, rgb, name, tmp_path):
        image = read(encoded(rgb, **FORMATS[name]), name)
        np.testing.assert_array_equal(image, LoadImage()(dict(img_path=str(tmp_path / name)))['img'])

    @pytest.mark.parametrize('name', LOSSLESS)
    def test_as_written(self, read, rgb, name):
        np.testing.assert_array_equal(read(encoded(rgb, **FORMATS[name]), name), bgr(rgb))

    @pytest.mark.parametrize('name', ['a.png', 'a.jpg', 'a.tif', 'a.webp'])
    def test_grey(self, read, rgb, name):
        image = read(encoded(rgb.convert('L'), **FORMATS[name]), name)
        assert np.abs(image - np.asarray(rgb.convert('L'), int)[..., None]).max() <= (8 if name == 'a.jpg' else 0)
        assert (np.ptp(image, axis=2) == 0).all()

    @pytest.mark.parametrize('suffix', ['.png', '.tiff'])
    @pytest.mark.parametrize('channels', [1, 3])
    def test_16_bits_keep_the_upper_8(self, read, suffix, channels):
        values = np.random.default_rng(0).integers(0, 65536, (9, 7, channels), dtype=np.uint16)
        image = read(cv2.imencode(suffix, values)[1].tobytes(), f'a{suffix}')
        assert np.abs(image - (values >> 8).astype(int)).max() <= (suffix == '.tiff')  # there OpenCV rounds

    @pytest.mark.parametrize(
        ('suffix', 'dtype', 'words'),
        [
            ('.tif', np.float32, 'holds 32-bit floating-point values, of which none is known to be white'),
            ('.tif', np.float64, 'holds 64-bit floating-point values'),
            ('.tif', np.int32, 'holds 32-bit signed values'),
            ('.tif', np.int16, 'holds 16-bit signed values'),
            ('.tif', np.int8, 'holds 8-bit signed values'),
            ('.pfm', np.float32, 'holds floating-point values'),
            ('.hdr', np.float32, 'holds floating-point values'),
        ],
    )
    @pytest.mark.parametrize('channels', [1, 3])
    @pytest.mark.parametrize('white', [1, 127])
    def test_values_without_a_white_are_refused(self, read, suffix, dtype, words, channels, white):
        values = np.random.default_rng(0).random((9, 7, channels)) * white
        kind = 'logarithmic' if (suffix, dtype, channels) == LOGARITHMIC else words
        with pytest.raises(UnreadableImage, match=f'a{suffix} cannot be decoded: it .*{kind}'):
            read(cv2.imencode(suffix, values.astype(dtype))[1].tobytes(), f'a{suffix}')

    @pytest.mark.parametrize('mode', ['F', 'I'])
    def test_pillows_32_bits_are_refused(self, read, rgb, mode):
        with pytest.raises(UnreadableImage, match='holds 32-bit .* save it with 8 or 16 bits a channel'):
            read(encoded(rgb.convert(mode), format='TIFF'), 'a.tif')

    def test_openexr_is_refused(self, read):
        with pytest.raises(UnreadableImage, match='holds floating-point values'):
            read(b'v/1\x01' + bytes(100), 'a.exr')

    @pytest.mark.parametrize('suffix', ['.png', '.tiff'])
    @pytest.mark.parametrize('top', [255, 4095])
    def test_fewer_bits_in_16_are_refused(self, read, suffix, top):
        values = np.random.default_rng(0).integers(1, top + 1, (50, 40), dtype=np.uint16)
        with pytest.raises(UnreadableImage, match=f'16-bit values that go up to {values.max()} of 65535 only'):
            read(cv2.imencode(suffix, values)[1].tobytes(), f'a{suffix}')
        bright = values * (65535 // top)
        assert abs(int(read(cv2.imencode(suffix, bright)[1].tobytes(), f'a{suffix}').max()) - (bright.max() >> 8)) <= 1

    @pytest.mark.parametrize('dtype', [np.uint8, np.uint16])
    def test_dark_images_are_read(self, read, dtype):
        values = np.zeros((9, 7, 3), dtype)
        assert not read(cv2.imencode('.png', values)[1].tobytes(), 'a.png').any()

    def test_big_tiff(self, read, rgb):
        np.testing.assert_array_equal(read(encoded(rgb, format='TIFF', big_tiff=True), 'a.tif'), bgr(rgb))

    @pytest.mark.parametrize('name', ['a.png', 'a.webp', 'a.tif', 'packed.tif'])
    def test_alpha_is_dropped(self, read, rgb, name):
        alpha = Image.fromarray(np.random.default_rng(1).integers(0, 256, rgb.size[::-1], dtype=np.uint8))
        both = rgb.copy()
        both.putalpha(alpha)
        np.testing.assert_array_equal(read(encoded(both, **FORMATS[name]), name), bgr(rgb))

    @pytest.mark.parametrize('mode', ['P', '1', 'LA'])
    def test_other_modes(self, read, rgb, mode):
        image = rgb.convert(mode)
        np.testing.assert_array_equal(read(encoded(image, format='PNG'), 'a.png'), bgr(image))

    @pytest.mark.parametrize('kind', ['inverted', 'unmarked', 'ycck'])
    def test_cmyk(self, read, rgb, kind):
        data = bytearray(encoded(rgb.convert('CMYK'), format='JPEG', quality=95))  # as Adobe writes it: inverted
        assert data[6:11] == b'Adobe' and data[17] == 0
        if kind == 'unmarked':
            del data[2:18]
        elif kind == 'ycck':
            data[17] = 2
        image = read(bytes(data))
        assert np.abs(image.astype(int) - bgr(Image.open(io.BytesIO(data)))).max() <= 1
        if kind != 'ycck':  # whose channels were only renamed here
            assert np.abs(image.astype(int) - bgr(rgb)).mean() < 3

    @pytest.mark.parametrize('name', ['a.jpg', 'a.png', 'a.webp', 'a.tif'])
    @pytest.mark.parametrize('orientation', range(1, 9))
    def test_exif_rotation(self, read, rgb, name, orientation):
        exif = Image.Exif()
        exif[0x0112] = orientation
        data = encoded(rgb, exif=exif, **FORMATS[name])
        upright = bgr(ImageOps.exif_transpose(Image.open(io.BytesIO(data))))
        assert (upright.shape[:2] == rgb.size) == (orientation > 4)
        np.testing.assert_array_equal(read(data, name), upright)

    @pytest.mark.parametrize('name', ['a.jpg', 'a.png', 'a.webp', 'a.bmp'])
    @pytest.mark.parametrize('behind', [b'\n', bytes(5000), b'ftypmp42' * 99], ids=['newline', 'zeros', 'video'])
    def test_bytes_behind_the_end_are_legal(self, read, rgb, name, behind):
        data = encoded(rgb, **FORMATS[name])
        np.testing.assert_array_equal(read(data + behind, name), read(data, name))

    def test_metadata_before_the_image(self, read, rgb):
        """A thumbnail with its own end marker, and fill bytes, stand before the scan."""
        data = encoded(rgb, format='JPEG')
        thumbnail = encoded(rgb.resize((9, 9)), format='JPEG')
        segment = b'\xff\xe1' + (len(thumbnail) + 2).to_bytes(2, 'big') + thumbnail
        image = read(data)
        np.testing.assert_array_equal(read(data[:2] + segment + b'\xff\xff' + data[2:]), image)
        with pytest.raises(InputError, match='is truncated'):
            read(data[:2] + segment + data[2:-200])


class TestRefused:
    @pytest.mark.filterwarnings('ignore:.*(EXIF|Truncated):UserWarning')  # Pillow, of TIFF files
    @pytest.mark.parametrize('kept', [0.02, 0.3, 0.6, 0.9, 0.999])
    @pytest.mark.parametrize('name', FORMATS)
    def test_truncated(self, read, rgb, name, kept, tmp_path):
        data = encoded(rgb, **FORMATS[name])
        with pytest.raises(InputError, match=f'image {tmp_path / name} cannot be decoded: it is .*truncated'):
            read(data[: int(kept * len(data))], name)

    @pytest.mark.parametrize('name', ['a.jpg', 'progressive.jpg', 'a.png'])
    @pytest.mark.parametrize('missing', [1, 2, 13, 400])
    @pytest.mark.parametrize('fill', [0, 1], ids=['cut', 'zeros'])
    def test_truncated_whatever_opencv_makes_of_it(self, read, rgb, name, missing, fill, monkeypatch):
        monkeypatch.setattr(cv2, 'imdecode', lambda *_: np.zeros((45, 62, 3), np.uint8))
        data = encoded(rgb, **FORMATS[name])
        assert read(data, name).shape == (45, 62, 3)
        with pytest.raises(InputError, match='it is truncated: the end of the file is missing'):
            read(data[:-missing] + bytes(fill * missing), name)

    def test_tiff_with_a_damaged_strip(self, read, rgb):
        data = bytearray(encoded(rgb.resize((300, 200)), **FORMATS['packed.tif']))
        data[len(data) // 2 : len(data) // 2 + 50] = bytes(50)
        assert cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR) is not None
        with pytest.raises(InputError, match='is truncated or damaged'):
            read(bytes(data), 'a.tif')

    @pytest.mark.parametrize(
        ('data', 'reason'),
        [
            (b'', r'is empty \(0 bytes\)'),
            (b'no image', 'is damaged, truncated or not an image'),
            (b'\xff\xd8\xff' + b'\xff' * 999, 'is truncated: the end of the file is missing'),
            (b'\xff\xd8\xff\xe0\0\4ab\xff\xd9', 'is truncated: the end of the file is missing'),
            (b'\xff\xd8\xff\xda\0\4ab\xff\xd9', 'is damaged, truncated or not an image'),
            (b'RIFF\0\0\0\0WEBPVP8X', 'is damaged, truncated or not an image'),
            (b'II*\0', 'is damaged, truncated or not an image'),
            (png(40000, 40000), r'has more pixels than OpenCV reads \(2\^30\); make it smaller'),
            (png(30, 20), 'is damaged, truncated or not an image'),
        ],
        ids=['empty', 'text', 'fill bytes', 'no scan', 'no tables', 'webp header', 'tiff header', 'huge', 'no pixels'],
    )
    def test_no_image(self, read, data, reason, tmp_path):
        with pytest.raises(
            UnreadableImage, match=f'^image {tmp_path / "a.jpg"} cannot be decoded: it {reason}$'
        ) as got:
            read(data)
        assert str(got.value).endswith(got.value.reason) and got.value.reason.startswith(('is ', 'has '))

    def test_missing(self, tmp_path):
        for path, reason in ((tmp_path / 'none.jpg', 'does not exist'), (tmp_path, 'is a folder')):
            with pytest.raises(UnreadableImage, match=f'^image {path} {reason}$'):
                read_image(path)

    def test_unreadable_file(self, read, rgb, monkeypatch):
        def denied(*_):
            raise PermissionError(13, 'Permission denied')

        monkeypatch.setattr('builtins.open', denied)
        monkeypatch.setattr('pathlib.Path.write_bytes', lambda path, data: path.touch())
        with pytest.raises(InputError, match='cannot be read: Permission denied'):
            read(b'')


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


def test_animations_are_stored_and_repeat(tmp_path):
    smooth = np.indices((40, 60)).sum(0)[..., None] * np.array([1, 2, 0]) + [40, 20, 90]  # BGR
    frames = [smooth.astype(np.uint8), smooth[:, ::-1].astype(np.uint8)]
    path = tmp_path / 'new' / 'a.gif'
    write_animation(path, frames, [500, 80])
    with Image.open(path) as image:
        assert (image.n_frames, image.info['loop'], image.size) == (2, 0, (60, 40))
        for number, (frame, duration) in enumerate(zip(frames, (500, 80))):
            image.seek(number)
            assert image.info['duration'] == duration
            difference = np.asarray(image.convert('RGB')).astype(int) - frame[..., ::-1]
            assert np.abs(cv2.blur(difference.astype(np.float32), (9, 9))).max() < 6  # dithered: right on average
    with pytest.raises(OSError, match='a.gif'):
        write_animation(path / 'b.gif', frames, [500, 80])
