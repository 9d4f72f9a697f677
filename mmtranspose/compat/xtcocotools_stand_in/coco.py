"""An annotation file of COCO's format, with what xtcocotools adds to pycocotools."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from typing import Any

import numpy as np
from pycocotools import coco


class COCO(coco.COCO):
    """Annotations by id and by image; those without ``iscrowd`` are no crowds.

    Args:
        annotation_file (str | None): A JSON file of COCO's format; None: nothing is read.
        test_index (Sequence[int] | None): Keypoints to keep of each annotation, in this order; None: all.
        ann_data (dict | None): The content of the file, where it has been read.
    """

    def __init__(
        self,
        annotation_file: str | None = None,
        test_index: Sequence[int] | None = None,
        ann_data: dict[str, Any] | None = None,
    ) -> None:
        super().__init__()
        self.anno_file = [annotation_file]
        self.test_index = test_index
        if annotation_file is None and ann_data is None:
            return
        print('loading annotations into memory...')
        start = time.time()
        self.dataset = _read(str(annotation_file)) if ann_data is None else ann_data
        assert isinstance(self.dataset, dict), f'{annotation_file} holds a {type(self.dataset).__name__}, not a dict'
        print(f'Done (t={time.time() - start:0.2f}s)')
        for one in self.dataset.get('annotations', ()):
            one.setdefault('iscrowd', False)
            if test_index is not None:
                one['keypoints'] = [one['keypoints'][3 * k + part] for k in test_index for part in range(3)]
        self.createIndex()

    def getAnnIds(self, imgIds: Any = (), catIds: Any = (), areaRng: Any = (), iscrowd: Any = None) -> list:
        """Ids of the annotations of images, of categories, from one area to below another, of crowds or of others.

        Args:
            imgIds, catIds: One id or several; none: of all.
            areaRng (Sequence[float]): (2,), in square pixels; empty: any area.
            iscrowd (bool | None): None: both.
        """
        if len(areaRng):
            areaRng = [np.nextafter(areaRng[0], -np.inf), areaRng[1]]  # pycocotools leaves out the lower end
        return super().getAnnIds(_listed(imgIds), _listed(catIds), areaRng, iscrowd)

    def getCatIds(self, catNms: Any = (), supNms: Any = (), catIds: Any = ()) -> list:
        """Ids of the categories of a name, supercategory or id, or of several; none: of all."""
        return super().getCatIds(_listed(catNms), _listed(supNms), _listed(catIds))

    def getImgIds(self, imgIds: Any = (), catIds: Any = ()) -> list:
        """Ids of the images of an id, or of several, that show all the categories; none: of all."""
        return super().getImgIds(_listed(imgIds), _listed(catIds))

    def loadRes(self, resFile: Any, resData: list[dict] | None = None) -> COCO:
        """Read results.

        Args:
            resFile (str | list | np.ndarray): A JSON file of a list of results, or the results.
            resData (list[dict] | None): The content of the file, where it has been read.
        """
        results = resFile
        if isinstance(resFile, str):
            results = _read(resFile) if resData is None else resData
        if len(self.anno_file) == 1:
            self.anno_file.append(resFile)
        if isinstance(results, list) and not results:  # nobody was found, at which pycocotools stops
            return COCO(ann_data=dict(self.dataset, annotations=[]))
        loaded = COCO()
        loaded.__dict__.update(vars(super().loadRes(results)))
        return loaded


def _listed(value: Any) -> Any:
    """A text is one name, where pycocotools takes it for its letters."""
    return [value] if isinstance(value, str) else value


def _read(path: str) -> Any:
    with open(path, encoding='utf-8-sig') as file:
        return json.load(file)
