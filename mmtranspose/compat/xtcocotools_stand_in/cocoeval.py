"""Average precision of keypoints, with the kinds of keypoints that xtcocotools adds to pycocotools."""

from __future__ import annotations

import contextlib
import io
from collections import defaultdict
from collections.abc import Hashable, Iterable
from copy import deepcopy
from typing import Any

import numpy as np
from pycocotools import cocoeval
from pycocotools.coco import COCO

BODY, FOOT, FACE, LEFT_HAND, RIGHT_HAND = 'keypoints', 'foot_kpts', 'face_kpts', 'lefthand_kpts', 'righthand_kpts'
FIELDS = {  # kind of evaluation: fields of an annotation whose keypoints count
    'keypoints': (BODY,),
    'keypoints_body': (BODY,),
    'keypoints_crowd': (BODY,),
    'keypoints_foot': (FOOT,),
    'keypoints_face': (FACE,),
    'keypoints_lefthand': (LEFT_HAND,),
    'keypoints_righthand': (RIGHT_HAND,),
    'keypoints_wholebody': (BODY, FOOT, FACE, LEFT_HAND, RIGHT_HAND),
}
SCORES = {  # kind of evaluation: the score of a result that sorts it, where it has one
    'keypoints_foot': 'foot_score',
    'keypoints_face': 'face_score',
    'keypoints_lefthand': 'lefthand_score',
    'keypoints_righthand': 'righthand_score',
    'keypoints_wholebody': 'wholebody_score',
}
CROWDED = ('easy', 'medium', 'hard')
CROWD_INDEX = (0.2, 0.8)  # from which on an image is medium, and hard
AREA_OF_BOX = 0.53  # the share of a box that a body fills, where areas are not used


class COCOeval(cocoeval.COCOeval):
    """Average precision and recall of boxes, masks, or one of several kinds of keypoints.

    Args:
        cocoGt (COCO | None): The annotations.
        cocoDt (COCO | None): The results.
        iouType (str): ``'bbox'``, ``'segm'`` or a key of :data:`FIELDS`.
        sigmas (np.ndarray | None): (K,): tolerance of each keypoint; None: COCO's of 17 keypoints.
        use_area (bool): Divide by the annotated areas; False: by 0.53 of the boxes.
    """

    params: Any
    evalImgs: Any
    eval: dict[str, Any]
    stats: Any
    _paramsEval: Any

    def __init__(
        self,
        cocoGt: COCO | None = None,
        cocoDt: COCO | None = None,
        iouType: str = 'keypoints',
        sigmas: np.ndarray | None = None,
        use_area: bool = True,
    ) -> None:
        if iouType not in ('bbox', 'segm', *FIELDS):
            raise ValueError(f'iouType {iouType!r} is unknown; choose from bbox, segm, {", ".join(FIELDS)}')
        super().__init__(cocoGt, cocoDt, 'keypoints' if iouType in FIELDS else iouType)
        self.kind, self.use_area = iouType, use_area
        if iouType in FIELDS and sigmas is not None:
            self.params.kpt_oks_sigmas = np.asarray(sigmas)

    def _prepare(self) -> None:
        """Take the annotations and results of the chosen images and categories, as pycocotools evaluates them."""
        if self.kind in FIELDS:
            self._gts = _grouped(self._person(one) for one in self._chosen(self.cocoGt))
            results = (self._result(one) for one in self._chosen(self.cocoDt))
            self._dts = _grouped(one for one in results if one['num_keypoints'] > 0)
            _number([one for some in self._gts.values() for one in some])
            self.evalImgs, self.eval = defaultdict(list), {}
        else:
            super()._prepare()
            self._gts = _grouped(dict(one) for some in self._gts.values() for one in some)
        for key, some in self._gts.items():
            for one in some:
                if not self.use_area or ('area' not in one and not self._dts[key]):
                    one['area'] = AREA_OF_BOX * one['bbox'][2] * one['bbox'][3]

    def _chosen(self, annotations: COCO) -> list[dict]:
        categories = self.params.catIds if self.params.useCats else []
        return annotations.loadAnns(annotations.getAnnIds(imgIds=self.params.imgIds, catIds=categories))

    def _keypoints(self, one: dict) -> tuple[list[float], int]:
        """The keypoints of the kind that is evaluated, flat, and how many have a flag above 0."""
        flat = [value for field in FIELDS[self.kind] for value in one[field]]
        return flat, int(np.count_nonzero(np.array(flat[2::3]) > 0))

    def _person(self, one: dict) -> dict:
        """A copy of an annotation with the keypoints that are evaluated; to be ignored if it is a crowd or has none."""
        keypoints, count = self._keypoints(one)
        if self.kind == 'keypoints_crowd':  # CrowdPose counts the visible alone
            count = one['num_keypoints']
        crowd = one.get('iscrowd', 0)
        return dict(one, keypoints=keypoints, num_keypoints=count, iscrowd=crowd, ignore=bool(count == 0 or crowd))

    def _result(self, one: dict) -> dict:
        keypoints, count = self._keypoints(one)
        score = one.get(SCORES.get(self.kind, 'score'), one['score'])
        return dict(one, keypoints=keypoints, num_keypoints=count, score=score)

    def summarize(self) -> None:
        """Compute :attr:`stats`, and print them.

        Ten figures of keypoints: AP, AP50, AP75, AP of medium and large people, and the same of AR. Nine of crowds:
        AP, AP50, AP75, AR, AR50, AR75, and AP of images that are crowded little, more and much.
        """
        super().summarize()
        if self.kind == 'keypoints_crowd':
            by_crowding = self._by_crowding()
            for name, value in zip(CROWDED, by_crowding):
                print(f' Average Precision  (AP) @[ IoU=0.50:0.95 | type={name:>6s} | maxDets= 20 ] = {value: 0.3f}')
            self.stats = np.array([*self.stats[[0, 1, 2, 5, 6, 7]], *by_crowding])

    def _by_crowding(self) -> list[float]:
        """The AP of the images of each group, rounded to four digits as CrowdPose's own evaluation does."""
        kept = deepcopy(self.params), self.evalImgs, self.eval, self._paramsEval
        groups = np.digitize([image['crowdIndex'] for image in self.cocoGt.dataset['images']], CROWD_INDEX)
        found = []
        try:
            for group in range(len(CROWDED)):
                ids = [image['id'] for image, own in zip(self.cocoGt.dataset['images'], groups) if own == group]
                self.params.imgIds = ids
                with contextlib.redirect_stdout(io.StringIO()):
                    self.evaluate()
                    self.accumulate()
                found.append(round(float(np.mean(self.eval['precision'][:, :, :, 0, :])), 4))
        finally:
            self.params, self.evalImgs, self.eval, self._paramsEval = kept
        return found


def _grouped(annotations: Iterable[dict]) -> dict[tuple[Hashable, Hashable], list[dict]]:
    groups: dict[Any, list[dict]] = defaultdict(list)
    for one in annotations:
        groups[one['image_id'], one['category_id']].append(one)
    return groups


def _number(people: list[dict]) -> None:
    """Give people ids by which a match is told from none, 0 in pycocotools, if theirs cannot serve."""
    if not all(isinstance(one['id'], int) and one['id'] > 0 for one in people):
        for number, one in enumerate(people):
            one['id'] = number + 1
