"""An annotation file of COCO's format, with what xtcocotools adds to pycocotools."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

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
        if annotation_file is None and ann_data is None:
            return
        self.dataset = _read(str(annotation_file)) if ann_data is None else ann_data
        assert isinstance(self.dataset, dict), f'{annotation_file} holds a {type(self.dataset).__name__}, not a dict'
        for one in self.dataset.get('annotations', ()):
            one.setdefault('iscrowd', False)
            if test_index is not None:
                one['keypoints'] = [one['keypoints'][3 * k + part] for k in test_index for part in range(3)]
        self.createIndex()

    def loadRes(self, resFile: Any, resData: list[dict] | None = None) -> coco.COCO:
        """Read results.

        Args:
            resFile (str | list | np.ndarray): A JSON file of a list of results, or the results.
            resData (list[dict] | None): The content of the file, where it has been read.
        """
        results = resFile
        if isinstance(resFile, str):
            results = _read(resFile) if resData is None else resData
        self.anno_file = [self.anno_file[0], resFile]
        if isinstance(results, list) and not results:  # nobody was found
            return COCO(ann_data=dict(self.dataset, annotations=[]))
        return super().loadRes(results)


def _read(path: str) -> Any:
    with open(path, encoding='utf-8-sig') as file:
        return json.load(file)
