"""The names of keypoints, however they are spelt."""

from __future__ import annotations

import re

_SIDES = dict(l='left', r='right')
_MIRROR = dict(left='right', right='left')


def _words(name: str) -> list[str]:
    words = re.findall(r'[A-Z]?[a-z]+|[A-Z]+|[0-9]+', name)
    return [_SIDES.get(word.lower(), word.lower()) for word in words]


def canonical(name: str) -> str:
    """One spelling of a name: ``'L_Eye'``, ``'Left Eye'`` and ``'left-eye'`` are all ``'left_eye'``."""
    return '_'.join(_words(name))


def mirrored(name: str) -> str | None:
    """The canonical name of a keypoint's mirror image, None for one without a side."""
    words = _words(name)
    if not set(words) & set(_MIRROR):
        return None
    return '_'.join(_MIRROR.get(word, word) for word in words)


def sided_pairs(names: list[str]) -> dict[str, tuple[int, int]]:
    """The pairs among keypoint names: the left one's canonical name to the indices (left, right)."""
    index = {canonical(name): k for k, name in enumerate(names)}
    pairs = {}
    for name, k in index.items():
        other = mirrored(name)
        if other in index and 'left' in name.split('_') and 'right' not in name.split('_'):
            pairs[name] = (k, index[other])
    return pairs
