"""Simulate a person detector: boxes that are a little off, with scores that roughly say how far."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

MISS_RATE = 0.03
DUPLICATE_RATE = 0.15
FALSE_RATE = 0.35  # false positives an image


def box_iou(first: Sequence[float], second: Sequence[float]) -> float:
    """Intersection over union of two boxes (x, y, w, h)."""
    wide = min(first[0] + first[2], second[0] + second[2]) - max(first[0], second[0])
    tall = min(first[1] + first[3], second[1] + second[3]) - max(first[1], second[1])
    shared = max(wide, 0) * max(tall, 0)
    return shared / (first[2] * first[3] + second[2] * second[3] - shared)


def _clipped(box: np.ndarray, size: tuple[int, int]) -> list[float]:
    x0, y0 = np.clip(box[:2], 0, np.array(size) - 2)
    x1, y1 = np.clip(box[:2] + box[2:], (x0 + 2, y0 + 2), size)
    return [round(float(v), 2) for v in (x0, y0, x1 - x0, y1 - y0)]


def _jittered(rng: np.random.Generator, box: Sequence[float], spread: float, size: tuple[int, int]) -> list[float]:
    """A box with each edge moved by a normal deviation of ``spread`` times its extent."""
    x, y, wide, tall = box
    left, top, right, bottom = rng.normal(0, spread, 4) * (wide, tall, wide, tall)
    return _clipped(np.array((x + left, y + top, max(wide + right - left, 4.0), max(tall + bottom - top, 4.0))), size)


def _scored(
    rng: np.random.Generator, box: list[float], ground_truth: Sequence[float], penalty: float = 0.0
) -> dict[str, Any]:
    score = 0.18 + 0.85 * (box_iou(box, ground_truth) - 0.15) - penalty + rng.normal(0, 0.05)
    return dict(bbox=box, score=round(float(np.clip(score, 0.03, 0.999)), 4))


def _false_positive(rng: np.random.Generator, size: tuple[int, int]) -> dict[str, Any]:
    tall = rng.uniform(0.2, 0.8) * size[1]
    wide = min(tall * rng.uniform(0.3, 0.9), 0.9 * size[0])
    spot = rng.uniform(0, 1, 2) * (np.array(size) - (wide, tall))
    score = 0.04 + 0.36 * rng.random() ** 2.5
    return dict(bbox=_clipped(np.array((*spot, wide, tall)), size), score=round(float(score), 4))


def detect(rng: np.random.Generator, boxes: Sequence[Sequence[float]], size: tuple[int, int]) -> list[dict[str, Any]]:
    """Simulate the detections of one image.

    Args:
        rng: Source of randomness.
        boxes: Ground-truth boxes (x, y, w, h) in pixels.
        size: Size of the image (w, h).

    Returns:
        One ``dict(bbox=[x, y, w, h], score)`` for each detection, best first: jittered ground-truth boxes, some of
        which are missing and some occur twice, and false positives.
    """
    found = []
    for box in boxes:
        if rng.random() < MISS_RATE:
            continue
        found.append(_scored(rng, _jittered(rng, box, rng.uniform(0.005, 0.055), size), box))
        if rng.random() < DUPLICATE_RATE:
            found.append(_scored(rng, _jittered(rng, box, rng.uniform(0.06, 0.16), size), box, penalty=0.3))
    found += [_false_positive(rng, size) for _ in range(rng.poisson(FALSE_RATE))]
    return sorted(found, key=lambda detection: -detection['score'])
