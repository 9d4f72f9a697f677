"""The annotations of a dataset by image: what each person is called, and who else is in the same image."""

from __future__ import annotations

import os
from collections import defaultdict
from pathlib import Path
from typing import NamedTuple

from mmengine.dataset import BaseDataset

from mmtranspose.dataset_explanation.labelled_people import GroundTruth


class PersonName(NamedTuple):
    """What a person of a dataset is called.

    Attributes:
        annotation (int | str): Id of the annotation; the number in the dataset where annotations have no id.
        image (int | str): Id of the image; ``''`` where images have none.
        file (str): File of the image, relative to the dataset's folder of images where it lies in that folder. What is
            no Unicode in its name, or in an id, is written as an escape, such as ``\\udcff``.
        path (str): The same file, as it can be read.
    """

    annotation: int | str
    image: int | str
    file: str
    path: str


class AnnotatedPeople:
    """All annotated people of a dataset, by number and by image.

    Their ids are numbers if those of all people are, and texts otherwise.

    Args:
        dataset (BaseDataset): From :class:`~mmtranspose.dataset_explanation.labelled_people.LabelledPeople`.
    """

    def __init__(self, dataset: BaseDataset):
        self._dataset = dataset
        folder = (getattr(dataset, 'data_prefix', None) or {}).get('img', '')
        self.names = [_name(index, dataset.get_data_info(index), folder) for index in range(len(dataset))]
        for field in ('annotation', 'image'):
            if any(isinstance(getattr(name, field), str) for name in self.names):
                self.names = [name._replace(**{field: str(getattr(name, field))}) for name in self.names]
        self._in_image: dict[str, list[int]] = defaultdict(list)
        for index, name in enumerate(self.names):
            self._in_image[name.path].append(index)

    def others(self, index: int) -> list[GroundTruth]:
        """The other people in the image of a person who have a labelled keypoint, in the order of the dataset."""
        numbers = [other for other in self._in_image[self.names[index].path] if other != index]
        found = [GroundTruth.of_info(number, self._dataset.get_data_info(number)) for number in numbers]
        return [person for person in found if person.visibility.any()]


def _name(index: int, info: dict, folder: str) -> PersonName:
    path = str(info['img_path'])
    inside = bool(folder) and Path(folder) in Path(path).parents
    file = os.path.relpath(path, folder) if inside else Path(path).name
    return PersonName(_plain(info.get('id', index)), _plain(info.get('img_id', '')), _unicode(file), path)


def _plain(value: object) -> int | str:
    """An id as a number or a text; datasets also have NumPy's numbers."""
    return _unicode(value) if isinstance(value, str) else int(value)  # type: ignore[call-overload]


def _unicode(text: str) -> str:
    """The text, with escapes for lone surrogates, which stand for bytes of file names that are no UTF-8."""
    return text.encode('utf-8', 'backslashreplace').decode('utf-8')
