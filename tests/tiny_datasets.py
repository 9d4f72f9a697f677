"""Tiny datasets in the formats and places that configs name: images, annotations, head boxes, detector boxes."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np
from mmengine.config import Config, ConfigDict
from mmpose.datasets.datasets.utils import parse_pose_metainfo
from mmpose.registry import DATASETS
from scipy.io import savemat

from mmtranspose.loading.leaf_datasets import leaf_datasets

LOADERS = ('train_dataloader', 'val_dataloader', 'test_dataloader')
WIDTH, HEIGHT = 160, 128
BOXES = ((1, (8, 10, 62, 100)), (1, (84, 14, 66, 104)), (2, (40, 8, 84, 112)), (3, (20, 20, 70, 96)))  # image, xywh
WITHOUT_AREA = ('aic', 'crowdpose')  # folders of datasets whose annotations have no area
PARSED: dict[str, dict] = {}  # metainfo of datasets
WHOLE_BODY = dict(keypoints=17, foot_kpts=6, face_kpts=68, lefthand_kpts=21, righthand_kpts=21)


@dataclass
class Person:
    """The ground truth about one person (or animal, or hand).

    Attributes:
        id (int): Of the annotation.
        image_id (int): Of the image.
        category_id (int): 1, but for datasets of several categories.
        bbox (tuple): x, y, w, h in pixels of the image.
        keypoints (np.ndarray): (K, 2) as (x, y), in pixels of the image, inside the box.
        labelled (np.ndarray): (K,) bool.
        flag (float): Visibility of the labelled keypoints, as the file has it.
    """

    id: int
    image_id: int
    category_id: int
    bbox: tuple[int, int, int, int]
    keypoints: np.ndarray
    labelled: np.ndarray
    flag: float = 2.0

    @property
    def triples(self) -> list[float]:
        """x, y, v of each keypoint, as COCO writes them."""
        flags = np.where(self.labelled, self.flag, 0.0)
        return (np.column_stack([self.keypoints, flags]) * self.labelled[:, None]).ravel().tolist()


def metainfo(dataset: ConfigDict) -> dict:
    """A dataset's metainfo, parsed; its files are not read."""
    key = repr((dataset.type, dataset.get('metainfo'), dataset.get('subset')))
    if key not in PARSED and 'datasets' in dataset:
        PARSED[key] = parse_pose_metainfo(dataset.metainfo)
    elif key not in PARSED:
        PARSED[key] = DATASETS.build(dict(dataset, lazy_init=True, pipeline=[])).metainfo
    return PARSED[key]


def write_datasets(cfg: Config) -> dict[str, list[Person]]:
    """Write all files that the data loaders of a config name.

    Returns:
        dict: The people by the loader's name; loaders with the same annotation file share them. Their keypoints are
        the network's.
    """
    written, people = {}, {}
    for name in LOADERS:
        people[name] = []
        for _, dataset, steps in leaf_datasets(cfg[name].dataset):
            path = Path(dataset.data_root, dataset.ann_file)
            if path not in written:
                written[path] = list(_people(dataset, first=10 * len(written) + 1))
                _write_images(dataset, written[path])
                WRITERS.get(dataset.type, _write_coco)(dataset, path, written[path])
            if dataset.get('bbox_file'):
                _write_detections(Path(dataset.bbox_file), written[path])
            people[name] += [_converted(person, steps.get('KeypointConverter')) for person in written[path]]
    return people


def _converted(person: Person, converter: ConfigDict | None) -> Person:
    """A person with the keypoints of the network, which a ``KeypointConverter`` renumbers."""
    if converter is None:
        return person
    keypoints, labelled = np.zeros((converter.num_keypoints, 2)), np.zeros(converter.num_keypoints, bool)
    for source, target in converter.mapping:
        keypoints[target], labelled[target] = person.keypoints[source], person.labelled[source]
    return replace(person, keypoints=keypoints, labelled=labelled)


def _people(dataset: ConfigDict, first: int) -> Iterator[Person]:
    """Four in three images, the first image and person numbered ``first``; one keypoint of each is not labelled."""
    rng = np.random.default_rng(first)
    num_keypoints = metainfo(dataset)['num_keypoints']
    for index, (picture, (x, y, w, h)) in enumerate(BOXES):
        keypoints = random_keypoints(rng, (x, y, w, h), num_keypoints)
        labelled = np.arange(num_keypoints) != index
        category = 1 + index % 2 if dataset.type == 'AP10KDataset' else 1
        yield Person(first + index, first + picture - 1, category, (x, y, w, h), keypoints, labelled)


def random_keypoints(rng: np.random.Generator, bbox: tuple[int, int, int, int], count: int) -> np.ndarray:
    """Keypoints (count, 2) in pixels, at random in a box (x, y, w, h), 6 pixels from its edges."""
    x, y, w, h = bbox
    return rng.uniform((x + 6, y + 6), (x + w - 6, y + h - 6), (count, 2)).round(1)


def _file_name(image_id: int) -> str:
    return f'{image_id:012d}.jpg'


def _write_images(dataset: ConfigDict, people: list[Person]) -> None:
    folder = Path(dataset.data_root, dataset.data_prefix.img)
    for image_id in {person.image_id for person in people}:
        write_image(folder / _file_name(image_id), image_id, (WIDTH, HEIGHT))


def write_image(path: Path, image_id: int, size: tuple[int, int]) -> None:
    """Write an image of the size (w, h), noise that depends on the number."""
    path.parent.mkdir(parents=True, exist_ok=True)
    noise = np.random.default_rng(image_id).integers(0, 256, (8, 10, 3), dtype=np.uint8)
    assert cv2.imwrite(str(path), cv2.resize(noise, size))


def write_json(path: Path, content: object) -> None:
    """Write a JSON file, and its folder."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content))


def _write_coco(dataset: ConfigDict, path: Path, people: list[Person]) -> None:
    """COCO's format, with what the dataset has more or less than COCO; image_info files have no annotations."""
    images = [dict(id=i, file_name=_file_name(i), width=WIDTH, height=HEIGHT) for i in image_ids(people)]
    if path.name.startswith('image_info'):
        return write_json(path, dict(images=images, categories=[dict(id=1, name='person')]))
    if dataset.type == 'CrowdPoseDataset':
        for image, crowding in zip(images, (0.1, 0.5, 0.9)):
            image['crowdIndex'] = crowding
    names = list(metainfo(dataset)['keypoint_name2id'])
    if dataset.type == 'CocoWholeBodyDataset':
        names = names[: WHOLE_BODY['keypoints']]  # its categories list the body's alone
    categories = [dict(id=i, name=f'kind {i}', keypoints=names) for i in sorted({p.category_id for p in people})]
    annotations = [_annotation(dataset, person) for person in people]
    write_json(path, dict(images=images, annotations=annotations, categories=categories))


def image_ids(people: list[Person]) -> list[int]:
    """The images, each once, in order."""
    return sorted({person.image_id for person in people})


def _annotation(dataset: ConfigDict, person: Person) -> dict:
    annotation = coco_annotation(person)
    if Path(dataset.data_root).name in WITHOUT_AREA:
        del annotation['area'], annotation['segmentation']
    if dataset.type == 'CocoWholeBodyDataset':
        annotation.update(whole_body(person))
    return annotation


def coco_annotation(person: Person) -> dict:
    """An annotation as COCO has it."""
    x, y, w, h = person.bbox
    return dict(
        id=person.id,
        image_id=person.image_id,
        category_id=person.category_id,
        bbox=list(person.bbox),
        iscrowd=0,
        num_keypoints=int(person.labelled.sum()),
        keypoints=person.triples,
        area=0.6 * w * h,
        segmentation=[[x, y, x + w, y, x + w, y + 0.6 * h, x, y + 0.6 * h]],
    )


def whole_body(person: Person) -> dict[str, list[float] | int]:
    """The fields of the 133 keypoints of COCO-WholeBody, whose num_keypoints counts those of the body."""
    triples, fields = person.triples, dict(num_keypoints=int(person.labelled[: WHOLE_BODY['keypoints']].sum()))
    for part, count in WHOLE_BODY.items():
        fields[part], triples = triples[: 3 * count], triples[3 * count :]
    return fields


def _write_mpii(dataset: ConfigDict, path: Path, people: list[Person]) -> None:
    write_json(path, mpii_entries(people))
    if dataset.get('headbox_file'):
        write_head_boxes(dataset.headbox_file, people)


def mpii_entries(people: list[Person]) -> list[dict]:
    """The list of MPII's JSON, which counts pixels from 1 and gives boxes as middle and size / 200.

    MMPose moves the middle 15 / 200 of the size down.
    """
    entries = []
    for person in people:
        x, y, w, h = person.bbox
        entries.append(
            dict(
                image=_file_name(person.image_id),
                center=[x + w / 2 + 1, y + h / 2 + 1 - 0.075 * max(w, h)],
                scale=max(w, h) / 200,
                joints=person.keypoints.tolist(),
                joints_vis=person.labelled.astype(int).tolist(),
            )
        )
    return entries


def write_head_boxes(path: str | Path, people: list[Person]) -> None:
    """MPII's file of head boxes: 24 x 32 pixels, a diagonal of 40."""
    corners = [[(x, y), (x + 24, y + 32)] for x, y, _, _ in (person.bbox for person in people)]
    savemat(path, dict(headboxes_src=np.moveaxis(np.array(corners, float), 0, -1)))


def _write_detections(path: Path, people: list[Person]) -> None:
    """Boxes 2 pixels off, with scores."""
    boxes = [(person, [person.bbox[0] + 2, person.bbox[1] - 2, *person.bbox[2:]]) for person in people]
    write_json(path, [dict(image_id=p.image_id, category_id=1, bbox=box, score=0.9) for p, box in boxes])


WRITERS = {'MpiiDataset': _write_mpii}
