"""Frames of images and videos that no file holds, for tests of what goes by their names."""

from fractions import Fraction

import numpy as np

from mmtranspose.media import Frame, Video

IMAGE = np.zeros((4, 6, 3), np.uint8)


def still(path, index=0):
    return Frame(IMAGE, str(path), index, str(path), None)


def video_frames(name, indices, live=False):
    video = Video(name, Fraction(25), (6, 4), None, live)
    return [Frame(IMAGE, f'{name}, frame {index}', index, None if live else name, video) for index in indices]
