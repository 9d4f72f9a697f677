"""Average precision of keypoints, with the kinds of keypoints that xtcocotools adds to pycocotools."""

from __future__ import annotations

import warnings
from collections import defaultdict
from collections.abc import Hashable, Iterable, Sequence
from copy import deepcopy
from typing import Any

import numpy as np
from pycocotools import cocoeval
from pycocotools.coco import COCO

from mmtranspose.compat.prints import without_prints

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
NAMES = {'AP': 'Average Precision', 'AR': 'Average Recall'}
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
        self.params.iouType = iouType
        self.sigmas = cocoeval.Params('keypoints').kpt_oks_sigmas if sigmas is None else np.asarray(sigmas)
        self.use_area = use_area
        self._kind = iouType
        self._ids: dict[str, np.ndarray] = {}

    def evaluate(self) -> None:
        """Match the results of every image with its people, into :attr:`evalImgs`.

        ``dtMatches`` and ``gtMatches`` hold the id of the match, -1 for none.
        """
        try:
            super().evaluate()
        finally:
            self.params.iouType = self._kind
        self._paramsEval.iouType = self._kind

    def _prepare(self) -> None:
        """Take copies of the chosen annotations and results that pycocotools evaluates as its own kinds."""
        self._kind = self.params.iouType
        people, results = self._chosen(self.cocoGt), self._chosen(self.cocoDt)
        self._ids = {'gt': _ids(people), 'dt': _ids(results)}  # of the numbers from 1 on that the copies have
        self._gts = _grouped(self._person(one, number) for number, one in enumerate(people, 1))
        found = [self._result(one, number) for number, one in enumerate(results, 1)]
        self._dts = _grouped(one for one in found if self._kind not in FIELDS or one['num_keypoints'] > 0)
        name = SCORES.get(self._kind, 'score')
        if not all(name in one for one in results):
            warnings.warn(f"'{name}' not found, use 'score' instead.", stacklevel=2)
        self.evalImgs, self.eval = defaultdict(list), {}
        if self._kind in FIELDS:
            self.params.kpt_oks_sigmas = self.sigmas
            self.params.iouType = 'keypoints'  # the only kind that pycocotools knows; until the end of evaluate

    def _chosen(self, annotations: COCO) -> list[dict]:
        categories = self.params.catIds if self.params.useCats else []
        return annotations.loadAnns(annotations.getAnnIds(imgIds=self.params.imgIds, catIds=categories))

    def _person(self, one: dict, number: int) -> dict:
        """A copy of an annotation; to be ignored if it is a crowd, or has none of the keypoints that are evaluated."""
        person = dict(one, id=number, iscrowd=one.get('iscrowd', 0), lacks_area=self.use_area and 'area' not in one)
        if not self.use_area or person['lacks_area']:
            person['area'] = one['bbox'][2] * one['bbox'][3] * AREA_OF_BOX
        person.update(self._shape(one, self.cocoGt))
        if self._kind == 'keypoints_crowd':
            person['num_keypoints'] = one['num_keypoints']  # CrowdPose counts the visible alone
        empty = self._kind in FIELDS and person['num_keypoints'] == 0
        return dict(person, ignore=bool(empty or person['iscrowd']))

    def _result(self, one: dict, number: int) -> dict:
        name = SCORES.get(self._kind, 'score')
        score = one[name] if name in one else one['score']
        return dict(one, id=number, score=score, **self._shape(one, self.cocoDt))

    def _shape(self, one: dict, annotations: COCO) -> dict[str, Any]:
        """The fields that hold what is compared, beside the box."""
        if self._kind == 'segm':
            return dict(segmentation=annotations.annToRLE(one))
        if self._kind == 'bbox':
            return {}
        keypoints = np.array([value for field in FIELDS[self._kind] for value in one[field]])
        return dict(keypoints=keypoints, num_keypoints=np.count_nonzero(keypoints[2::3] > 0))

    def computeOks(self, imgId: Hashable, catId: Hashable) -> Any:
        """Similarities of the results of an image, best first, with its people: (D, G), or empty.

        Raises:
            KeyError: A person has no area, and areas are used.
        """
        for person in self._gts[imgId, catId] if self._dts[imgId, catId] else ():
            if person['lacks_area']:
                id = self._ids['gt'][person['id']]
                raise KeyError(f"annotation {id} has no 'area': give it one, or evaluate with use_area=False")
        return super().computeOks(imgId, catId)

    def evaluateImg(self, imgId: Hashable, catId: Hashable, aRng: Sequence[float], maxDet: int) -> dict | None:
        """Match the results of an image with its people, by their own ids."""
        found = super().evaluateImg(imgId, catId, aRng, maxDet)
        if found is not None:
            for side, other in (('gt', 'dt'), ('dt', 'gt')):
                found[f'{side}Ids'] = [self._ids[side][number] for number in found[f'{side}Ids']]
                found[f'{side}Matches'] = self._ids[other][found[f'{side}Matches'].astype(np.int64)]
        return found

    def accumulate(self, p: Any = None) -> None:
        """Compute precision and recall of all images together, into :attr:`eval`.

        Args:
            p (Params | None): None: :attr:`params`.
        """
        kept = self.evalImgs
        self.evalImgs = [one and dict(one, dtMatches=one['dtMatches'] >= 0) for one in kept]  # 0 is an id here
        try:
            super().accumulate(p)
        finally:
            self.evalImgs = kept

    def summarize(self) -> None:
        """Compute :attr:`stats`, and print them.

        Ten figures of keypoints: AP, AP50, AP75, AP of medium and large people, and the same of AR. Nine of crowds:
        AP, AP50, AP75, AR, AR50, AR75, and AP of images that are crowded little, more and much. Twelve of boxes and
        masks: AP, AP50, AP75, AP of small, medium and large ones, AR of 1, 10 and 100 results an image, and AR of
        small, medium and large ones.
        """
        if not self.eval:
            raise RuntimeError('Please run accumulate() first')
        kind = self.params.iouType
        if kind == 'keypoints_crowd':
            rows = [(name, iou, 'all', 20) for name in NAMES for iou in (None, 0.5, 0.75)]
        elif kind in FIELDS:
            settings = ((None, 'all'), (0.5, 'all'), (0.75, 'all'), (None, 'medium'), (None, 'large'))
            rows = [(name, *setting, 20) for name in NAMES for setting in settings]
        else:
            few, more, most = self.params.maxDets
            sizes = ('small', 'medium', 'large')
            rows = [('AP', None, 'all', 100), ('AP', 0.5, 'all', most), ('AP', 0.75, 'all', most)]
            rows += [('AP', None, size, most) for size in sizes]
            rows += [('AR', None, 'all', count) for count in (few, more, most)]
            rows += [('AR', None, size, most) for size in sizes]
        self.stats = np.array([self._figure(*row) for row in rows], dtype=float)
        if kind == 'keypoints_crowd':
            self.stats = np.append(self.stats, self._by_crowding())

    def _figure(self, name: str, iou: float | None, area: str, count: int) -> float:
        """The mean of the precisions or recalls of a setting, printed; -1 if there are none."""
        p = self.params
        values = self.eval['precision' if name == 'AP' else 'recall']
        if iou is not None:
            values = values[np.where(p.iouThrs == iou)[0]]
        areas = [k for k, label in enumerate(p.areaRngLbl) if label == area]
        values = values[..., areas, [k for k, most in enumerate(p.maxDets) if most == count]]
        values = values[values > -1]
        mean = np.mean(values) if values.size else -1
        self._print(name, iou, f'area={area:>6s}', count, f'{mean: 0.3f}')
        return mean

    def _print(self, name: str, iou: float | None, group: str, count: int, value: str) -> None:
        thresholds = self.params.iouThrs
        over = f'{thresholds[0]:0.2f}:{thresholds[-1]:0.2f}' if iou is None else f'{iou:0.2f}'
        print(f' {NAMES[name]:<18} ({name}) @[ IoU={over:<9} | {group} | maxDets={count:>3d} ] = {value}')

    def _by_crowding(self) -> list[float]:
        """The AP of the images of each group, rounded to four digits as CrowdPose's own evaluation does."""
        kept = deepcopy(self.params), self.evalImgs, self.eval, self._paramsEval
        images = self.cocoGt.dataset['images']
        groups = np.digitize([image['crowdIndex'] for image in images], CROWD_INDEX)
        found = []
        try:
            for group in range(len(CROWDED)):
                self.params.imgIds = [image['id'] for image, own in zip(images, groups) if own == group]
                with without_prints():
                    self.evaluate()
                    self.accumulate()
                found.append(np.mean(self.eval['precision'][:, :, :, 0, :]).round(4))
        finally:
            self.params, self.evalImgs, self.eval, self._paramsEval = kept
        for name, value in zip(CROWDED, found):
            self._print('AP', None, f'type={name:>6s}', 20, f'{value:0.3f}')
        return found


def _grouped(annotations: Iterable[dict]) -> dict[tuple[Hashable, Hashable], list[dict]]:
    groups: dict[Any, list[dict]] = defaultdict(list)
    for one in annotations:
        groups[one['image_id'], one['category_id']].append(one)
    return groups


def _ids(annotations: list[dict]) -> np.ndarray:
    """(N + 1,): -1 for none, then the ids; their numbers from 1 on if any could be taken for none, or for another."""
    ids = [one['id'] for one in annotations]
    serve = all(isinstance(id, (int, np.integer)) and id >= 0 for id in ids)
    return np.array([-1, *(ids if serve else range(1, len(ids) + 1))], dtype=np.int64)
