"""Compare the people of a dataset with those of the annotation file that its evaluator names for itself."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable, Iterator

import numpy as np

from mmtranspose.dataset_check.annotations import Annotations
from mmtranspose.dataset_check.areas import is_person
from mmtranspose.dataset_check.entry_fields import well_formed
from mmtranspose.dataset_check.problems import Problem

TOLERANCE = 1.5  # pixels; dataset classes shift keypoints by 1 where a file counts pixels from 1, and exports round


def check_labels(found: Annotations, content: dict, path: str) -> Iterator[Problem]:
    """Check that every person is labelled alike in both files; ids do not matter, since exports number people anew.

    People whose keypoints the dataset class lays out in another way than the file, such as whole bodies, are left out.

    Args:
        found (Annotations): The dataset's annotation file.
        content (dict): The evaluator's annotation file, in COCO's format.
        path (str): Its name.
    """
    theirs: dict[Hashable, list[tuple[Hashable, np.ndarray]]] = defaultdict(list)
    for entry in well_formed(content['annotations'], 'annotations', []):
        if is_person(entry) and len(entry['keypoints']) == 3 * found.num_keypoints:
            labels = np.array(entry['keypoints'], np.float64).reshape(-1, 3)
            theirs[entry['image_id']].append((entry['id'], labels))
    if not theirs:
        return
    ours: dict[Hashable, list[np.ndarray]] = defaultdict(list)
    for person in found.people:
        if person.used and (person.keypoints[:, 2] > 0).any():
            ours[person.image_id].append(person.keypoints)
            if not any(_alike(person.keypoints, other) for _, other in theirs[person.image_id]):
                yield Problem('evaluation-labels', f'annotation {person.id} is not so in {path}')
    for image_id in found.predicted_image_ids:
        for id, labels in theirs[image_id]:
            if not any(_alike(labels, other) for other in ours[image_id]):
                yield Problem('evaluation-labels', f'annotation {id} of {path} is not so in the dataset')


def _alike(one: np.ndarray, other: np.ndarray) -> bool:
    """Whether two people, (K, 3) each, have the same keypoints labelled at the same places."""
    labelled = one[:, 2] > 0
    if not np.array_equal(labelled, other[:, 2] > 0):
        return False
    return bool((np.abs(one[labelled, :2] - other[labelled, :2]) <= TOLERANCE).all())
