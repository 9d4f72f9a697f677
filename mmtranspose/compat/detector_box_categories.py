"""Evaluate with detector boxes where people are of another category than 1.

Datasets of MMPose 1.3.2 take boxes of ``category_id`` 1 from a ``bbox_file`` and no others, and their predictions count
as category 1: where people carry another category in the annotations, AP is 0.000, and nothing is said. The work-around
can go when boxes and predictions have the category of the people.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from mmtranspose.compat.patching import replace_once


def apply(person_boxes: Callable) -> None:
    """Make MMPose's datasets take the boxes of their people.

    Args:
        person_boxes (Callable): From boxes, the content of the annotation file and the name of the box file to a named
            tuple of the people's ``boxes``, with the category that people carry, and words about what is ``left_out``.
    """
    base = sys.modules['mmpose.datasets.datasets.base.base_coco_style_dataset']  # its package is still being imported

    def of_people(original: Callable) -> Callable:
        return _of_people(original, person_boxes)

    replace_once(base.BaseCocoStyleDataset, '_load_detection_results', of_people)


def _of_people(original: Callable, person_boxes: Callable) -> Callable:
    def _load_detection_results(self: Any) -> list[dict]:
        from mmengine.fileio import dump, load
        from mmengine.logging import print_log

        path = self.bbox_file
        chosen = person_boxes(load(path), load(self.ann_file), path)
        if chosen.left_out:
            print_log(f'file of detector boxes {path}: {chosen.left_out} and are left out', 'current')
        categories = [one['category_id'] for one in chosen.boxes]
        if set(categories) <= {1}:
            return original(self)
        with TemporaryDirectory() as folder:
            try:
                self.bbox_file = str(Path(folder) / 'boxes.json')
                dump([dict(one, category_id=1) for one in chosen.boxes], self.bbox_file)
                people = original(self)
            finally:
                self.bbox_file = path
        for one, category in zip(people, categories):
            one['category_id'] = np.array(category)
        return people

    return _load_detection_results
