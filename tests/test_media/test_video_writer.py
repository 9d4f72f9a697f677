"""Videos that are written: PyAV and OpenCV read them back."""

from __future__ import annotations

import errno
import itertools
import os
import signal
import sys
import threading
import time
from fractions import Fraction

import av
import cv2
import numpy as np
import pytest
from media_files import number_of, numbered, smooth_image, textured

from mmtranspose.errors import InputError
from mmtranspose.media import VideoWriter, open_source

SIZE = (64, 48)


def read(path) -> list:
    with open_source(path) as source:
        return list(source)


def numbers(path) -> list[int]:
    return [number_of(item.image) for item in read(path)]


@pytest.fixture
def path(tmp_path):
    return tmp_path / 'out.mp4'


class TestContent:
    def test_frames_rate_and_size(self, path):
        with VideoWriter(path, Fraction(30000, 1001), SIZE) as writer:
            for number in range(30):
                writer.write(numbered(number))
        items = read(path)
        assert numbers(path) == list(range(30))
        video = items[0].video
        assert (video.rate, video.size, video.length) == (Fraction(30000, 1001), SIZE, 30)
        capture = cv2.VideoCapture(str(path))
        assert abs(capture.get(cv2.CAP_PROP_FPS) - 29.97003) < 1e-4 and capture.get(cv2.CAP_PROP_FRAME_COUNT) == 30

    def test_codec(self, path):
        with VideoWriter(path, 25, SIZE) as writer:
            writer.write(numbered(0))
        with av.open(str(path)) as container:
            context = container.streams.video[0].codec_context
            assert (context.name, context.pix_fmt) == ('h264', 'yuv420p') and 'mp4' in container.format.name

    def test_without_libx264(self, path, monkeypatch):
        monkeypatch.setattr(av, 'codecs_available', av.codecs_available - {'libx264'})
        with VideoWriter(path, Fraction(360007, 12003), (320, 240)) as writer:
            for number in range(12):
                writer.write(textured(number))
        items = read(path)
        with av.open(str(path)) as container:
            assert container.streams.video[0].codec_context.name == 'mpeg4'
        assert [number_of(item.image) for item in items] == list(range(12))
        assert abs(items[0].video.rate - Fraction(360007, 12003)) < Fraction(1, 1000)
        assert np.abs(items[5].image.astype(int) - textured(5)).mean() < 6

    @pytest.mark.parametrize('size', [(1280, 720), (64, 48)])
    def test_colours(self, path, size):
        """The same to who reads the file's tags (PyAV) and who does not (OpenCV), in large images too."""
        image = np.full((size[1], size[0], 3), (30, 200, 60), np.uint8)
        with VideoWriter(path, 25, size) as writer:
            writer.write(image)
        for back in (read(path)[0].image, cv2.VideoCapture(str(path)).read()[1]):
            assert np.abs(back.astype(int) - image).max() <= 4

    def test_likeness(self, path):
        image = cv2.resize(smooth_image(), (320, 240), interpolation=cv2.INTER_CUBIC)
        with VideoWriter(path, 25, (320, 240)) as writer:
            writer.write(image)
        assert np.abs(read(path)[0].image.astype(int) - image).mean() < 4

    @pytest.mark.parametrize('size', [(65, 48), (64, 49), (65, 49), (1, 1)])
    def test_odd_sizes_repeat_the_edge(self, path, size):
        w, h = size
        image = np.full((h, w, 3), 90, np.uint8)
        image[:, w // 2 :] = 200
        with VideoWriter(path, 25, size) as writer:
            writer.write(image)
        back = read(path)[0].image
        assert back.shape == (h + h % 2, w + w % 2, 3)
        assert np.abs(back[:h, :w].astype(int) - image).max() < 12
        assert np.abs(back[:, -1].astype(int) - 200).max() < 12

    @pytest.mark.parametrize('rate', [0.5, 29.97, 1000, Fraction(1200000, 61061)])
    def test_rates(self, path, rate):
        with VideoWriter(path, rate, SIZE) as writer:
            for number in range(4):
                writer.write(numbered(number))
        assert abs(read(path)[0].video.rate - rate) < 1e-3 * rate

    def test_view_of_an_array(self, path):
        with VideoWriter(path, 25, SIZE) as writer:
            writer.write(np.flip(numbered(6)[:, ::-1], 1))
            writer.write(np.asfortranarray(numbered(7)))
        assert numbers(path) == [6, 7]


class TestRefused:
    @pytest.mark.parametrize('rate', [0, -1, float('nan'), float('inf')])
    def test_rate(self, path, rate):
        with pytest.raises(InputError, match=f'video {path}: a rate of {rate} frames per second is not positive'):
            VideoWriter(path, rate, SIZE)

    def test_size(self, path):
        with pytest.raises(InputError, match='a size of 0 x 48 pixels is not positive'):
            VideoWriter(path, 25, (0, 48))

    @pytest.mark.parametrize('image', [numbered(0, 64, 50), numbered(0)[..., 0], numbered(0) / 255])
    def test_frame(self, path, image):
        with VideoWriter(path, 25, SIZE) as writer:
            writer.write(numbered(1))
            with pytest.raises(InputError, match='a frame of shape .* does not fit into frames of 64 x 48 pix'):
                writer.write(image)
            writer.write(numbered(2))
        assert numbers(path) == [1, 2]

    def test_too_large_for_the_encoder(self, path):
        image = np.zeros((2, 20000, 3), np.uint8)
        with (
            VideoWriter(path, 25, (20000, 2)) as writer,
            pytest.raises(InputError, match=f'video {path} cannot be encoded'),
        ):
            writer.write(image)
        assert os.listdir(path.parent) == []

    def test_without_pyav(self, path, monkeypatch):
        monkeypatch.setitem(sys.modules, 'av', None)
        with pytest.raises(InputError, match='videos need PyAV'):
            VideoWriter(path, 25, SIZE)


class TestFile:
    def test_appears_when_closed(self, tmp_path):
        path = tmp_path / 'new' / 'folder' / 'out.mp4'
        writer = VideoWriter(path, 25, SIZE)
        assert not path.parent.exists()
        for number in range(100):
            writer.write(numbered(number))
        assert os.listdir(path.parent) == [f'out.mp4.{os.getpid()}.partial']
        writer.close()
        writer.close()
        assert os.listdir(path.parent) == ['out.mp4'] and numbers(path) == list(range(100))
        with pytest.raises(InputError, match='is closed'):
            writer.write(numbered(3))

    def test_no_frame_no_file(self, path):
        path.write_text('the video of yesterday')
        with VideoWriter(path, 25, SIZE):
            pass
        assert path.read_text() == 'the video of yesterday' and os.listdir(path.parent) == ['out.mp4']

    @pytest.mark.parametrize('error', [KeyboardInterrupt, ZeroDivisionError])
    def test_playable_after(self, path, error):
        def write_and_fail():
            with VideoWriter(path, 25, SIZE) as writer:
                for number in range(17):
                    writer.write(numbered(number))
                raise error

        with pytest.raises(error):
            write_and_fail()
        assert numbers(path) == list(range(17)) and os.listdir(path.parent) == ['out.mp4']

    @pytest.mark.parametrize('size', [50_000, 70_000, 90_000])
    def test_playable_after_ctrl_c_at_any_moment(self, path, size):
        """A signal comes while frames are encoded, as soon as the file has this size."""
        frames = [textured(number) for number in range(32)]
        partial = path.with_name(f'{path.name}.{os.getpid()}.partial')
        deadline = time.monotonic() + 60

        def interrupt():
            while time.monotonic() < deadline:
                if partial.exists() and partial.stat().st_size > size:
                    os.kill(os.getpid(), signal.SIGINT)
                    return
                time.sleep(0.001)

        def write():
            with VideoWriter(path, 25, (320, 240)) as writer:
                thread.start()
                for frame in itertools.cycle(frames):
                    writer.write(frame)
                    assert time.monotonic() < deadline

        thread = threading.Thread(target=interrupt)
        with pytest.raises(KeyboardInterrupt):
            write()
        thread.join()
        found = numbers(path)
        assert len(found) > 10 and found == [number % 32 for number in range(len(found))]
        assert os.listdir(path.parent) == ['out.mp4']


@pytest.mark.skipif(not os.path.exists('/dev/full'), reason='needs /dev/full')
class TestFullDisk:
    @pytest.fixture
    def full(self, path):
        """The file that is written at first lies on a device without space."""
        path.write_text('the video of yesterday')
        path.with_name(f'{path.name}.{os.getpid()}.partial').symlink_to('/dev/full')
        return path

    @pytest.mark.parametrize('count', [1, 300], ids=['when closing', 'when writing'])
    def test_says_so_and_leaves_nothing(self, full, count):
        noise = np.random.default_rng(0).integers(0, 256, (480, 640, 3), dtype=np.uint8)
        written = []

        def write():
            with VideoWriter(full, 25, (640, 480)) as writer:
                for number in range(count):
                    writer.write(np.roll(noise, number, axis=1))
                    written.append(number)

        with pytest.raises(OSError, match='No space left') as caught:
            write()
        assert (len(written) == 1) if count == 1 else (len(written) < 299)
        assert caught.value.errno == errno.ENOSPC and caught.value.filename == str(full)
        assert os.strerror(errno.ENOSPC) in str(caught.value)
        assert os.listdir(full.parent) == ['out.mp4'] and full.read_text() == 'the video of yesterday'

    def test_folder_that_cannot_be_made(self, tmp_path):
        (tmp_path / 'file').touch()
        writer = VideoWriter(tmp_path / 'file' / 'out.mp4', 25, SIZE)
        with pytest.raises(OSError, match='out.mp4') as caught:
            writer.write(numbered(0))
        assert caught.value.filename == str(tmp_path / 'file' / 'out.mp4')


def test_interrupted_while_it_is_finished(tmp_path, monkeypatch):
    """A second Ctrl-C, or one that comes in the last flush."""
    path = tmp_path / 'v.mp4'
    writer = VideoWriter(path, 25, (32, 24))
    for _ in range(3):
        writer.write(np.zeros((24, 32, 3), np.uint8))
    put, interrupts = writer._encoder._put, [KeyboardInterrupt]

    def interrupted(frame):
        if interrupts:
            raise interrupts.pop()
        put(frame)

    monkeypatch.setattr(writer._encoder, '_put', interrupted)
    with pytest.raises(KeyboardInterrupt):
        writer.close()
    with open_source(str(path)) as source:
        assert len(list(source)) == 3
    assert [file.name for file in tmp_path.iterdir()] == ['v.mp4']
