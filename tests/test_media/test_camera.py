"""Cameras: a stand-in for cv2.VideoCapture plays one."""

from __future__ import annotations

from fractions import Fraction
from typing import ClassVar

import cv2
import numpy as np
import pytest
from media_files import number_of, numbered

from mmtranspose.errors import InputError
from mmtranspose.media import Unreadable, Video, open_source


class FakeCapture:
    """Camera 0 gives 3 images and is then unplugged; camera 1 is there and gives none; others are not there."""

    rate = 15.0
    made: ClassVar[list[FakeCapture]] = []

    def __init__(self, index: int):
        self.images = iter([numbered(number) for number in range(3 if index == 0 else 0)])
        self.index, self.released = index, False
        self.made.append(self)

    def isOpened(self) -> bool:
        return self.index < 2

    def read(self) -> tuple[bool, np.ndarray | None]:
        assert not self.released
        image = next(self.images, None)
        return image is not None, image

    def get(self, what: int) -> float:
        return {cv2.CAP_PROP_FPS: self.rate}[what]

    def release(self) -> None:
        self.released = True


@pytest.fixture(autouse=True)
def cameras(monkeypatch):
    monkeypatch.setattr(cv2, 'VideoCapture', FakeCapture)
    monkeypatch.setattr(FakeCapture, 'made', [])
    return FakeCapture.made


@pytest.mark.parametrize('given', [0, np.int64(0), 'webcam', 'webcam:0'])
def test_frames_until_it_is_unplugged(cameras, given):
    source = open_source(given)
    assert source.live and source.length is None
    *frames, last = source
    assert [number_of(frame.image) for frame in frames] == [0, 1, 2] == [frame.index for frame in frames]
    assert frames[2].name == 'camera 0, frame 2' and frames[2].path is None
    assert frames[2].video == Video('camera 0', Fraction(15), (64, 48), None, live=True)
    assert last == Unreadable('camera 0', 'gave no image after frame 2: was it unplugged?')
    assert cameras[0].released and list(source) == []


@pytest.mark.parametrize(
    ('told', 'rate'), [(0.0, 25), (-1.0, 25), (float('nan'), 25), (30.00003, 30), (29.97003, Fraction(30000, 1001))]
)
def test_rate(told, rate, monkeypatch):
    monkeypatch.setattr(FakeCapture, 'rate', told)
    assert next(open_source(0)).video.rate == rate


def test_no_image_at_all():
    assert list(open_source('webcam:1')) == [Unreadable('camera 1', 'gave no image: was it unplugged?')]


@pytest.mark.parametrize('given', [2, 'webcam:2'])
def test_not_there(cameras, given):
    with pytest.raises(InputError, match='^camera 2 cannot be opened: is it plugged in'):
        open_source(given)
    assert cameras[0].released


def test_negative():
    with pytest.raises(InputError, match='camera -1 does not exist: cameras are numbered from 0'):
        open_source(-1)


def test_given_back_unread(cameras):
    with open_source(0):
        assert not cameras[0].released
    assert cameras[0].released


def test_given_back_when_another_input_is_bad(cameras, tmp_path):
    with pytest.raises(InputError, match='does not exist'):
        open_source([0, tmp_path / 'none.jpg'])
    assert cameras[0].released
