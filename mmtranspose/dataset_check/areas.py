"""Check the areas of people, by which OKS divides, against their boxes and segmentations."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import cv2
import numpy as np

from mmtranspose.dataset_check.entry_fields import are_numbers, is_box, is_finite
from mmtranspose.dataset_check.problems import Problem

MOST_OF_BOX = 1.5  # an area above this many times its box is wrong: a body lies in its box, but for what is rounded
LEAST_OF_BOX = 0.005  # an area below this share of its box is wrong
SMALL_OF_BOX = 0.03  # an area below this share of its box is rare
USUAL_OF_BOX = (0.1, 1.05)  # the median of a file's areas lies between these shares of their boxes
MOST_OF_SEGMENTATION = 1.5  # the median area and the median segmentation differ by no more than this factor
ALL_OF_BOX = 0.98  # an area above this share of its box is that of the box
MIN_PEOPLE = 3  # fewer people than this have no median to speak of


def is_person(entry: dict) -> bool:
    """Whether an annotation counts in AP: a keypoint is labelled, and it is no crowd."""
    flat = entry.get('keypoints')
    return not entry.get('iscrowd') and are_numbers(flat) and any(flag > 0 for flag in flat[2::3])  # type: ignore[index]


def check_area(entry: dict, person: bool, predicted: bool) -> Iterator[Problem]:
    """Check the area by which ``CocoMetric`` divides distances, against the box.

    Args:
        entry (dict): An annotation.
        person (bool): Whether it counts in AP.
        predicted (bool): Whether its image has predictions.
    """
    where, area, box = f'annotation {entry["id"]}', entry.get('area'), entry.get('bbox')
    if 'area' not in entry:
        if predicted:
            yield Problem('area-missing', where)
    elif isinstance(area, bool) or not is_finite(area):
        yield Problem('area', f'{where}: area {area!r:.40}, not a number')
    elif person and area <= 0:  # type: ignore[operator]
        yield Problem('area', f'{where}: area {area:g}')
    elif person and is_box(box) and min(box[2:]) > 0:  # type: ignore[index]
        share = area / (box[2] * box[3])  # type: ignore[index]
        if not SMALL_OF_BOX <= share <= MOST_OF_BOX:
            kind = 'area-small' if LEAST_OF_BOX <= share <= MOST_OF_BOX else 'area'
            size = f'{box[2]:g} x {box[3]:g}'  # type: ignore[index]
            yield Problem(kind, f'{where}: area {area:g}, which is {share:.3g} of its box of {size}')


def check_areas(people: list[dict]) -> Iterator[Problem]:
    """Check a file's areas as a whole: a factor that all of them have in common shows in their median.

    Args:
        people (list[dict]): The annotations that count in AP and have a number as area.
    """
    shares = [one['area'] / (one['bbox'][2] * one['bbox'][3]) for one in people if _has_size(one.get('bbox'))]
    if len(shares) >= MIN_PEOPLE:
        low, high = USUAL_OF_BOX
        median = float(np.median(shares))
        if not low <= median <= high:
            text = f'the median area is {median:.3g} of its box; {low:g} to {high:g} is usual'
            yield Problem('areas', text)
        elif len([share for share in shares if share > ALL_OF_BOX]) > len(shares) / 2:
            yield Problem('areas-of-boxes', f'the median area is {median:.3g} of its box')
    ratios = [one['area'] / drawn for one in people if (drawn := polygon_area(one.get('segmentation'))) > 0]
    if len(ratios) >= MIN_PEOPLE and not 1 / MOST_OF_SEGMENTATION <= np.median(ratios) <= MOST_OF_SEGMENTATION:
        yield Problem('areas', f'the median area is {np.median(ratios):.3g} of the segmentation that it should be')


def _has_size(box: Any) -> bool:
    return is_box(box) and min(box[2:]) > 0


def polygon_area(segmentation: Any) -> float:
    """The area of the polygons of a segmentation, in square pixels; 0 where it is no list of polygons.

    Args:
        segmentation (Any): ``[[x, y, x, y, ...], ...]`` in pixels, as COCO writes them.
    """
    if not isinstance(segmentation, list) or not all(are_numbers(one) for one in segmentation):
        return 0.0
    rings = [np.array(one[: len(one) // 2 * 2], np.float32).reshape(-1, 2) for one in segmentation]
    return float(sum(cv2.contourArea(ring) for ring in rings if len(ring) > 2))
