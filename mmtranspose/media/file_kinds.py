"""Which files are images and which are videos, by their names."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable

IMAGES = frozenset('.jpg .jpeg .jpe .jfif .png .bmp .dib .webp .tif .tiff .jp2 .ppm .pgm .pbm .pnm'.split())
VIDEOS = frozenset(
    '.mp4 .m4v .mov .avi .mkv .webm .mpg .mpeg .m2v .ts .mts .m2ts .wmv .asf .flv .3gp .3g2 .ogv .vob .mxf .dv .y4m '
    '.gif .mjpeg .mjpg .h264 .264 .h265 .265 .hevc .ivf'.split()
)


def suffix_of(path: str) -> str:
    """The end of a file's name in lower case: ``'.jpg'``."""
    return os.path.splitext(path)[1].lower()


def known_files(paths: Iterable[str]) -> list[str]:
    """The files among the paths that are images or videos and not hidden, in natural order: a2.jpg before a10.jpg."""
    kinds = IMAGES | VIDEOS
    kept = (path for path in paths if suffix_of(path) in kinds and not os.path.basename(path).startswith('.'))
    return sorted(filter(os.path.isfile, kept), key=_natural)


def _natural(path: str) -> tuple[list, str]:
    # Text and numbers take turns, so that like is compared with like; the path itself decides between a1 and a01.
    return [int(part) if part.isdecimal() else part for part in re.split(r'(\d+)', path)], path
