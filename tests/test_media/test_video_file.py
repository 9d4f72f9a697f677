"""Video files: PyAV writes them, OpenCV's reader and numbers in the images say what is in them."""

from __future__ import annotations

import gc
import os
import shutil
import sys
import weakref
from fractions import Fraction

import av
import cv2
import numpy as np
import pytest
from media_files import break_packet, number_of, numbered, smooth_image, textured, write_video

from mmtranspose.errors import InputError
from mmtranspose.media import Frame, Unreadable, Video, VideoWriter, open_source

KINDS = {
    'a.mp4': {},
    'b-frames.mp4': dict(bf='2'),
    'a.mov': {},
    'a.mkv': {},
    'a.ts': {},
    'a.avi': dict(codec='mpeg4'),
    'a.mjpeg': dict(codec='mjpeg', pixels='yuvj420p'),
    'a.h264': {},
    'a.gif': dict(codec='gif', pixels='rgb8'),
}


def read(path) -> list[Frame | Unreadable]:
    with open_source(str(path)) as source:
        return list(source)


def numbers(items) -> list[int | str]:
    return [number_of(item.image) if isinstance(item, Frame) else 'broken' for item in items]


@pytest.fixture
def mp4(tmp_path):
    return write_video(tmp_path / 'clip.mp4')


class TestFrames:
    def test_all_there_is_to_a_frame(self, mp4):
        items = read(mp4)
        assert numbers(items) == list(range(20)) == [item.index for item in items]
        assert items[12].name == f'{mp4}, frame 12' and items[12].path == str(mp4)
        assert items[0].video == Video(str(mp4), Fraction(30000, 1001), (64, 48), 20)
        assert all(item.video is items[0].video for item in items)

    @pytest.mark.parametrize('name', KINDS)
    def test_as_opencv(self, tmp_path, name):
        path = write_video(tmp_path / name, **KINDS[name])
        items, capture = read(path), cv2.VideoCapture(str(path))
        for item in items:
            image = capture.read()[1]
            assert item.image.dtype == np.uint8 and item.image.flags.c_contiguous
            assert np.abs(item.image.astype(int) - image).max() <= 2
        assert not capture.read()[0] and numbers(items) == list(range(20))

    @pytest.mark.parametrize('name', KINDS)
    def test_rate_and_length(self, tmp_path, name):
        path = write_video(tmp_path / name, **KINDS[name])
        raw = name in ('a.mjpeg', 'a.h264')
        with open_source(path) as source:
            assert source.length == (None if raw else 20) and not source.live
            video = next(source).video
        assert video.length == (None if raw else 20)
        told = {'a.mjpeg': 25, 'a.gif': Fraction(100, 3)}  # no rate in the file; ticks of 1/100 s
        assert video.rate == told.get(name, Fraction(30000, 1001))

    def test_no_duration(self, tmp_path):
        path = write_video(tmp_path / 'stream.mkv', container={'live': '1'})
        with open_source(path) as source:
            assert source.length is None
            assert numbers(source) == list(range(20))

    def test_varying_rate_is_averaged(self, tmp_path):
        path = write_video(tmp_path / 'a.mp4', rate=Fraction(30), ticks=[n + n // 5 * 5 for n in range(20)])
        (video, *_), images = zip(*[(item.video, item.image) for item in read(path)])
        assert len(images) == 20 and video.rate == Fraction(20 * 30, 35)  # the last tick is 34, and lasts one

    def test_sound_is_left_out(self, tmp_path):
        path = tmp_path / 'sound.mp4'
        with av.open(str(path), 'w') as output:
            sound = output.add_stream('aac', rate=8000)
            video = output.add_stream('libx264', rate=25, options={'bf': '0'})
            video.width, video.height, video.pix_fmt = 64, 48, 'yuv420p'
            for number in range(5):
                frame = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), 'fltp', 'mono')
                frame.sample_rate, frame.pts = 8000, 1024 * number
                output.mux(sound.encode(frame))
                output.mux(video.encode(av.VideoFrame.from_ndarray(numbered(number), 'bgr24')))
            output.mux(sound.encode(None))
            output.mux(video.encode(None))
        assert numbers(read(path)) == list(range(5))

    @pytest.mark.parametrize('degrees', [0, 90, 180, 270])
    @pytest.mark.parametrize('flips', [{}, dict(hflip=True), dict(vflip=True)], ids=['', 'h', 'v'])
    def test_turned_and_mirrored(self, tmp_path, degrees, flips):
        options = dict(count=2, frames=lambda n: smooth_image(48, 64, n))
        plain = read(write_video(tmp_path / 'plain.mp4', **options))
        ask = dict(prepare=lambda stream: stream.set_display_rotation(degrees, **flips))
        turned = read(write_video(tmp_path / 'a.mp4', **options, **ask))
        for before, after in zip(plain, turned):
            expected = np.rot90(before.image, degrees // 90)  # counter-clockwise, as FFmpeg counts
            expected = expected[:: -1 if 'vflip' in flips else 1, :: -1 if 'hflip' in flips else 1]
            np.testing.assert_array_equal(after.image, expected)
            assert after.image.flags.c_contiguous
        assert turned[0].video.size == ((64, 48) if degrees % 180 == 0 else (48, 64))

    def test_size_that_changes_midway_is_kept(self, tmp_path):
        path = write_video(tmp_path / 'a.h264', count=3)
        larger = write_video(tmp_path / 'b.h264', count=3, frames=lambda n: numbered(n + 3, 128, 96))
        with open(path, 'ab') as file:
            file.write(larger.read_bytes())
        items = read(path)
        assert len(items) == 6 and {item.image.shape for item in items} == {(48, 64, 3)}
        assert items[0].video.size == (64, 48)


class TestBroken:
    @pytest.mark.parametrize('number', [1, 5, 12, 17, 18, 19])
    def test_one_packet(self, mp4, number):
        break_packet(mp4, number)
        items = read(mp4)
        found = numbers(items)
        keyframe = number // 10 * 10 + 10  # until there, frames are patched from what is left
        assert found[: number + 1] == [*range(number), 'broken'] and found[keyframe:] == list(range(keyframe, 20))
        assert len(found) == 20 and found.count('broken') == 1
        assert items[number].name == f'{mp4}, frame {number}'
        assert items[number].reason.startswith('cannot be decoded (Invalid data')

    @pytest.mark.parametrize('number', [0, 10])
    def test_one_keyframe(self, mp4, number):
        """Frames that depend on it are lost, and counted."""
        break_packet(mp4, number)
        *items, last = read(mp4)
        found = numbers(items)
        assert found[: number + 1] == [*range(number), 'broken'] and found.count('broken') == 1
        assert number == 10 or found[1:] == list(range(10, 20))
        assert last == Unreadable(str(mp4), f'lacks {20 - len(items)} more frames, which depend on broken ones')

    def test_what_the_decoder_patches_and_marks(self, tmp_path):
        path = write_video(tmp_path / 'a.mp4', codec='mpeg4')
        break_packet(path, 5)
        items = read(path)
        assert numbers(items)[:6] == [0, 1, 2, 3, 4, 'broken']
        assert Unreadable(f'{path}, frame 5', 'is damaged') in items

    @pytest.mark.parametrize('name', ['a.mkv', 'a.ts', 'a.avi', 'a.h264'])
    def test_truncated(self, tmp_path, name):
        path = write_video(tmp_path / name, frames=textured, **KINDS[name])
        data = path.read_bytes()
        path.write_bytes(data[: len(data) * 9 // 10])
        found = [number for number in numbers(read(path)) if number != 'broken']  # the frame that the end cuts
        assert 5 < len(found) < 20 and found == list(range(len(found)))

    def test_without_index(self, mp4):
        data = mp4.read_bytes()
        mp4.write_bytes(data[: len(data) // 2])
        with open_source(mp4) as source:
            assert source.length is None
            (item,) = source
        assert item.name == str(mp4) and item.reason.startswith('cannot be opened, it is truncated or no video (')

    def test_empty(self, tmp_path):
        (tmp_path / 'a.mp4').touch()
        (item,) = read(tmp_path / 'a.mp4')
        assert isinstance(item, Unreadable) and 'cannot be opened' in item.reason

    def test_nothing_to_decode(self, mp4):
        for number in range(20):
            break_packet(mp4, number)
        items = read(mp4)
        assert items[-1] == Unreadable(str(mp4), 'holds no frame that can be decoded')
        assert [item.name for item in items[:-1]] == [f'{mp4}, frame {number}' for number in range(20)]

    def test_sound_alone(self, tmp_path):
        path = tmp_path / 'sound.mp4'
        with av.open(str(path), 'w') as output:
            sound = output.add_stream('aac', rate=8000)
            frame = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), 'fltp', 'mono')
            frame.sample_rate = 8000
            output.mux(sound.encode(frame))
            output.mux(sound.encode(None))
        with open_source(path) as source:
            assert source.length is None
            assert list(source) == [Unreadable(str(path), 'holds no video stream')]

    def test_reading_fails_midway(self, mp4):
        class Failing:
            def __init__(self, container):
                self.container, self.duration = container, container.duration

            def demux(self, stream):
                for number, packet in enumerate(self.container.demux(stream)):
                    if number == 7:
                        raise av.error.OSError(5, 'Input/output error')
                    yield packet

        from mmtranspose.media.video_file import VideoInput

        given = VideoInput(str(mp4))
        with av.open(str(mp4)) as container:
            items = list(given._frames(Failing(container), container.streams.video[0]))
        assert numbers(items) == [*range(7), 'broken']
        assert items[-1].reason == 'cannot be read, nor what follows (Input/output error)'


class TestResources:
    def open_files(self, path) -> int:
        links = (f'/proc/self/fd/{number}' for number in os.listdir('/proc/self/fd'))
        return sum(os.path.lexists(link) and os.readlink(link) == str(path) for link in links)

    @pytest.mark.skipif(not os.path.isdir('/proc/self/fd'), reason='needs /proc')
    def test_closed_when_reading_stops(self, mp4):
        source = open_source(mp4)
        assert source.length == 20 and self.open_files(mp4) == 0
        next(source)
        assert self.open_files(mp4) == 1
        source.close()
        assert self.open_files(mp4) == 0 and list(source) == []
        read(mp4)
        assert self.open_files(mp4) == 0

    def test_frames_leave_nothing_to_the_garbage_collector(self, tmp_path):
        with open_source(write_video(tmp_path / 'a.mp4', count=100)) as source:
            next(source)
            gc.collect()
            gc.disable()
            try:
                assert len(list(zip(range(80), source))) == 80
                assert gc.collect() < 40
            finally:
                gc.enable()

    def test_frames_are_not_kept(self, tmp_path):
        alive = []
        with open_source(write_video(tmp_path / 'a.mp4', count=60)) as source:
            for item in source:
                alive = [image for image in alive if image() is not None] + [weakref.ref(item.image)]
                assert len(alive) <= 2

    def test_read_as_it_comes(self, tmp_path):
        """The first frames are there before the rest of the file is read."""
        whole = write_video(tmp_path / 'whole.ts', count=100, frames=textured)
        path = tmp_path / 'a.ts'
        shutil.copy(whole, path)
        with open_source(path) as source:
            first = next(source)
            os.truncate(path, 0)
            rest = list(source)
        assert first.index == 0 and len(rest) < 90


def test_without_pyav(mp4, monkeypatch):
    monkeypatch.setitem(sys.modules, 'av', None)
    with pytest.raises(InputError, match='^videos need PyAV: pip install "av<[0-9]+"$'):
        open_source(mp4)


class TestNames:
    @pytest.mark.parametrize('name', ['2024-01-01T10:30.mp4', 'http:x.mp4', 'a b%20 #1.mp4'])
    def test_names_that_look_like_addresses(self, tmp_path, monkeypatch, name):
        monkeypatch.chdir(tmp_path)
        with VideoWriter(name, 25, (32, 24)) as writer:
            writer.write(np.zeros((24, 32, 3), np.uint8))
        assert (tmp_path / name).is_file()
        with open_source(name) as source:
            assert source.length == 1 and [type(item) for item in source] == [Frame]

    def test_lists_of_other_files(self, tmp_path):
        with VideoWriter(tmp_path / 'good.mp4', 25, (32, 24)) as writer:
            writer.write(np.zeros((24, 32, 3), np.uint8))
        (tmp_path / 'list.avi').write_text('ffconcat version 1.0\nfile good.mp4\n')
        with open_source(str(tmp_path / 'list.avi')) as source:
            (item,) = source
        assert isinstance(item, Unreadable) and 'list of other files' in item.reason
