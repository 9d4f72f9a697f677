"""Small datasets in the exact form in which each labelling tool, or a converter for it, writes them.

All show the same four people. Forms are those of public exports, with the fields that nothing reads here too: they must
not disturb. Each ``write_*`` fills a folder and returns what a config needs to know of it.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import cv2
import numpy as np

NAMES = ['nose', 'left_shoulder', 'right_shoulder', 'left_hip', 'right_hip']
SKELETON = [[2, 4], [3, 5], [2, 3], [4, 5]]


@dataclass
class Person:
    """One person: box (x, y, w, h) and keypoints (x, y, flag), in pixels of the image."""

    bbox: tuple[int, int, int, int]
    keypoints: list[tuple[float, float, int]]

    @property
    def flat(self) -> list[float]:
        return [value for point in self.keypoints for value in point]

    @property
    def num_keypoints(self) -> int:
        return sum(flag > 0 for _, _, flag in self.keypoints)

    @property
    def around_keypoints(self) -> list[float]:
        """The box (x, y, w, h) from keypoint to keypoint, as tools write it that know no other."""
        x, y = np.array([point[:2] for point in self.keypoints if point[2]]).T
        return [float(x.min()), float(y.min()), float(np.ptp(x)), float(np.ptp(y))]


@dataclass
class Picture:
    """One image of ``size`` (w, h) pixels and its people."""

    name: str
    size: tuple[int, int]
    people: list[Person]


TRAIN = [
    Picture(
        'street 1.jpg',
        (320, 240),
        [
            Person((40, 30, 100, 180), [(90, 50, 2), (120, 90, 2), (60, 90, 2), (110, 150, 1), (70, 150, 2)]),
            Person((180, 60, 90, 160), [(225, 80, 2), (250, 110, 2), (200, 110, 1), (0, 0, 0), (0, 0, 0)]),
        ],
    ),
    Picture(
        'street 2.jpg',
        (240, 320),
        [Person((60, 80, 120, 200), [(120, 100, 2), (150, 140, 2), (90, 140, 2), (140, 210, 2), (100, 210, 2)])],
    ),
]
VAL = [
    Picture(
        'park.jpg',
        (320, 240),
        [Person((100, 20, 110, 200), [(150, 40, 2), (180, 80, 2), (120, 80, 2), (0, 0, 0), (130, 150, 1)])],
    )
]


@dataclass
class Export:
    """What a config needs to know of a dataset.

    Attributes:
        train (tuple[str, str]): Annotation file and folder of the images, relative to the root.
        val (tuple[str, str]): The same of the images to evaluate with.
        tight (bool): Boxes are :attr:`Person.around_keypoints`.
        occlusion (bool): Flags tell occluded keypoints from visible ones.
        area (bool): Annotations have ``area``.
        per_image (bool): Keypoints of all people of an image are written as one person.
        left_out (dict[str, int]): Annotations to train with that MMPose leaves out, by reason.
    """

    train: tuple[str, str]
    val: tuple[str, str]
    tight: bool = False
    occlusion: bool = True
    area: bool = True
    per_image: bool = False
    left_out: dict[str, int] = field(default_factory=dict)


def numbered(first: int) -> Iterator[int]:
    while True:
        yield first
        first += 1


def write_images(folder: Path, pictures: list[Picture], names: dict[str, str] | None = None) -> None:
    """Write images of noise, each other than the others."""
    folder.mkdir(parents=True, exist_ok=True)
    for picture in pictures:
        rng = np.random.default_rng(sum(picture.name.encode()))
        image = rng.integers(0, 256, (picture.size[1], picture.size[0], 3), np.uint8)
        cv2.imwrite(str(folder / (names or {}).get(picture.name, picture.name)), image)


def write_json(path: Path, content: Any, **options: Any) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content), **options)


def write_cvat(root: Path) -> Export:
    """CVAT, "COCO Keypoints 1.0" of a project with the subsets Train and Validation.

    Boxes go from keypoint to keypoint. A track leaves shapes without keypoints (cvat-ai/cvat#7021).
    """
    for subset, pictures in (('Train', TRAIN), ('Validation', VAL)):
        ids, images, annotations = numbered(1), [], []
        for number, picture in enumerate(pictures, 1):
            images.append(
                dict(id=number, width=picture.size[0], height=picture.size[1], file_name=picture.name, license=0)
                | dict(flickr_url='', coco_url='', date_captured=0)
            )
            for person in picture.people:
                bbox = person.around_keypoints
                annotations.append(
                    dict(id=next(ids), image_id=number, category_id=1, segmentation=[], area=bbox[2] * bbox[3])
                    | dict(bbox=bbox, iscrowd=0, attributes=dict(occluded=False, keyframe=False))
                    | dict(keypoints=person.flat, num_keypoints=person.num_keypoints)
                )
        if subset == 'Train':
            annotations.append(
                dict(id=next(ids), image_id=2, category_id=1, segmentation=[], area=0, bbox=[0, 0, 0, 0], iscrowd=0)
                | dict(attributes=dict(occluded=False, track_id=0, keyframe=True), keypoints=[], num_keypoints=0)
            )
        category = dict(id=1, name='person', supercategory='', keypoints=NAMES, skeleton=SKELETON)
        content = dict(
            licenses=[dict(name='', id=0, url='')],
            info=dict(contributor='', date_created='', description='', url='', version='', year=''),
            categories=[category],
            images=images,
            annotations=annotations,
        )
        write_json(root / f'annotations/person_keypoints_{subset}.json', content)
        write_images(root / 'images' / subset, pictures)
    return Export(
        ('annotations/person_keypoints_Train.json', 'images/Train/'),
        ('annotations/person_keypoints_Validation.json', 'images/Validation/'),
        tight=True,
        left_out={'no labelled keypoint': 1},
    )


def write_roboflow(root: Path) -> Export:
    """Roboflow, "COCO" of a keypoint project: a folder for each split, ids from 0, a category 0 that nobody carries."""
    for split, pictures in (('train', TRAIN), ('valid', VAL)):
        ids, images, annotations, names = numbered(0), [], [], {}
        for number, picture in enumerate(pictures):
            stem = picture.name.replace(' ', '-').replace('.', '_')
            names[picture.name] = f'{stem}.rf.{number:032x}.jpg'
            images.append(
                dict(id=number, license=1, file_name=names[picture.name], height=picture.size[1], width=picture.size[0])
                | dict(date_captured='2026-11-27T10:00:00+00:00', extra=dict(name=picture.name))
            )
            for person in picture.people:
                box = [*person.bbox]
                annotations.append(
                    dict(id=next(ids), image_id=number, category_id=1, bbox=box, area=box[2] * box[3], segmentation=[])
                    | dict(iscrowd=0, keypoints=person.flat)
                )
        categories = [
            dict(id=0, name='people', supercategory='none'),
            dict(id=1, name='person', supercategory='people', keypoints=NAMES, skeleton=SKELETON),
        ]
        content = dict(
            info=dict(year='2026', version='1', description='Exported from roboflow.com', contributor='', url=''),
            licenses=[dict(id=1, url='https://creativecommons.org/licenses/by/4.0/', name='CC BY 4.0')],
            categories=categories,
            images=images,
            annotations=annotations,
        )
        write_json(root / split / '_annotations.coco.json', content)
        write_images(root / split, pictures, names)
    return Export(('train/_annotations.coco.json', 'train/'), ('valid/_annotations.coco.json', 'valid/'))


def write_coco_annotator(root: Path) -> Export:
    """COCO Annotator: large ids, ``iscrowd`` as a truth value, no lines, and what the server knows of each image."""
    for dataset, (split, pictures) in enumerate((('train', TRAIN), ('val', VAL)), 5):
        ids, images, annotations = numbered(2001), [], []
        for number, picture in enumerate(pictures, 625):
            w, h = picture.size
            images.append(
                dict(id=number, dataset_id=dataset, category_ids=[113], path=f'/datasets/{split}/{picture.name}')
                | dict(width=w, height=h, file_name=picture.name, annotated=True, annotating=[], num_annotations=1)
                | dict(metadata={}, deleted=False, milliseconds=0, events=[], regenerate_thumbnail=False)
            )
            for person in picture.people:
                x, y, bw, bh = person.bbox
                outline = [[x, y, x + bw, y, x + bw, y + bh, x, y + bh]]
                annotations.append(
                    dict(id=next(ids), image_id=number, category_id=113, dataset_id=dataset, segmentation=outline)
                    | dict(area=bw * bh, bbox=[x, y, bw, bh], iscrowd=False, isbbox=True, creator='me', width=w)
                    | dict(height=h, color='#c36fcd', keypoints=person.flat, num_keypoints=person.num_keypoints)
                    | dict(metadata={}, milliseconds=0, events=[])
                )
        category = dict(id=113, name='person', supercategory='', color='#5f9bd8', metadata={}, creator='me')
        category |= dict(keypoint_colors=['#bf5c4d'] * len(NAMES), keypoints=NAMES, skeleton=[])
        write_json(root / f'{split}.json', dict(images=images, categories=[category], annotations=annotations))
        write_images(root / split, pictures)
    return Export(('train.json', 'train/'), ('val.json', 'val/'))


def write_rectlabel(root: Path) -> Export:
    """RectLabel, "Export COCO JSON file": no ``info``, file names as they are on a Mac, blanks too."""
    for split, pictures in (('train', TRAIN), ('val', VAL)):
        ids, images, annotations = numbered(1), [], []
        for number, picture in enumerate(pictures, 1):
            images.append(dict(id=number, file_name=picture.name, width=picture.size[0], height=picture.size[1]))
            for person in picture.people:
                x, y, w, h = person.bbox
                annotations.append(
                    dict(area=w * h, iscrowd=0, id=next(ids), image_id=number, category_id=1)
                    | dict(segmentation=[[x, y, x + w, y, x + w, y + h, x, y + h]], bbox=[x, y, w, h])
                    | dict(num_keypoints=person.num_keypoints, keypoints=person.flat)
                )
        category = dict(id=1, name='person', keypoints=NAMES, skeleton=SKELETON)
        write_json(root / f'{split}.json', dict(images=images, annotations=annotations, categories=[category]))
        write_images(root / split, pictures)
    return Export(('train.json', 'train/'), ('val.json', 'val/'))


def write_x_anylabeling(root: Path) -> Export:
    """LabelMe's files after ``xanylabeling convert --task xlabel2coco --mode pose``: ids from 0, whole pixels.

    ``ignore`` is 1 where the last keypoint of the image is occluded; evaluators take no notice of it.
    """
    for split, pictures in (('train', TRAIN), ('val', VAL)):
        ids, images, annotations = numbered(0), [], []
        for number, picture in enumerate(pictures):
            images.append(
                dict(license=0, url=None, file_name=picture.name, height=picture.size[1], width=picture.size[0])
                | dict(date_captured=None, id=number)
            )
            ignore = int([flag for _, _, flag in picture.people[-1].keypoints if flag][-1] == 1)
            for person in picture.people:
                x, y, w, h = map(float, person.bbox)
                annotations.append(
                    dict(id=next(ids), image_id=number, category_id=1, bbox=[x, y, w, h], area=w * h, iscrowd=0)
                    | dict(keypoints=person.flat, num_keypoints=person.num_keypoints, ignore=ignore, segmentation=[])
                )
        category = dict(id=1, name='person', supercategory='', keypoints=NAMES, skeleton=[])
        content = dict(
            info=dict(year=2023, version='4.2.1', description='COCO Label Conversion', contributor='CVHub'),
            licenses=[dict(id=1, url='https://www.gnu.org/licenses/gpl-3.0.html', name='GNU GPL 3')],
            categories=[category],
            images=images,
            annotations=annotations,
        )
        write_json(root / split / 'coco_keypoints.json', content)
        write_images(root / split, pictures)
    return Export(('train/coco_keypoints.json', 'train/'), ('val/coco_keypoints.json', 'val/'))


def write_label_studio_coco(root: Path) -> Export:
    """Label Studio's own "COCO": ids from 0, no ``area``, and one person an image, whose box is tight.

    Rectangles become annotations of their own, without keypoints. Coordinates are whole pixels, flags always 2.
    """
    for split, pictures in (('train', TRAIN), ('val', VAL)):
        ids, images, annotations = numbered(0), [], []
        for number, picture in enumerate(pictures):
            images.append(dict(width=picture.size[0], height=picture.size[1], id=number, file_name=picture.name))
            for person in picture.people:
                x, y, w, h = map(float, person.bbox)
                annotations.append(
                    dict(id=next(ids), image_id=number, category_id=3, segmentation=[], bbox=[x, y, w, h])
                    | dict(ignore=0, iscrowd=0, area=w * h)
                )
            merged = merge(picture.people)
            annotations.append(
                dict(id=next(ids), image_id=number, category_id=4, keypoints=merged.flat)
                | dict(num_keypoints=merged.num_keypoints, bbox=merged.around_keypoints, iscrowd=0)
            )
        categories = [
            dict(id=3, name='person'),
            dict(id=4, name='default', supercategory='default', keypoints=NAMES, skeleton=[]),
        ]
        info = dict(year=2026, version='1.0', description='', contributor='Label Studio', url='')
        content = dict(images=images, categories=categories, annotations=annotations, info=info)
        write_json(root / f'{split}.json', content)
        write_images(root / split, pictures)
    return Export(
        ('train.json', 'train/'),
        ('val.json', 'val/'),
        tight=True,
        occlusion=False,
        area=False,
        per_image=True,
        left_out={'no keypoints': 3},
    )


def merge(people: list[Person]) -> Person:
    """All people of an image as one: of each keypoint, the last one that is labelled, flagged 2."""
    points = [(0.0, 0.0, 0)] * len(NAMES)
    for person in people:
        points = [(*new[:2], 2) if new[2] else old for old, new in zip(points, person.keypoints, strict=True)]
    return Person((0, 0, 0, 0), points)


def write_yolo(root: Path, flags: bool = True) -> Export:
    """Ultralytics YOLO, pose: shares of the image's size, a text file for each image, and data.yaml."""
    for split, pictures in (('train', TRAIN), ('val', VAL)):
        write_images(root / 'images' / split, pictures)
        (root / 'labels' / split).mkdir(parents=True, exist_ok=True)
        for picture in pictures:
            lines = [_yolo_line(person, picture.size, flags) for person in picture.people]
            (root / 'labels' / split / picture.name).with_suffix('.txt').write_text('\n'.join(lines) + '\n')
    (root / 'data.yaml').write_text(
        f'path: .\ntrain: images/train\nval: images/val\nkpt_shape: [{len(NAMES)}, {3 if flags else 2}]\n'
        f'flip_idx: [0, 2, 1, 4, 3]\nnames:\n  0: person\nkpt_names:\n  0: [{", ".join(NAMES)}]\n'
    )
    return Export(('annotations/train.json', ''), ('annotations/val.json', ''), occlusion=flags)


def write_label_studio_yolo(root: Path) -> Export:
    """Label Studio's "YOLO", without data.yaml: every labelled keypoint is flagged 2, the last line has no end."""
    for split, pictures in (('train', TRAIN), ('val', VAL)):
        write_images(root / split / 'images', pictures)
        (root / split / 'labels').mkdir(parents=True)
        for picture in pictures:
            lines = [_label_studio_line(person, picture.size) for person in picture.people]
            (root / split / 'labels' / picture.name).with_suffix('.txt').write_text('\n'.join(lines))
        (root / split / 'classes.txt').write_text('person\n')
    return Export(('annotations/train.json', ''), ('annotations/val.json', ''), occlusion=False)


def _label_studio_line(person: Person, size: tuple[int, int]) -> str:
    """As many digits as a float has, of shares that were percentages."""
    x, y, w, h = (100 * value / size[k % 2] / 100.0 for k, value in enumerate(person.bbox))
    numbers: list[float] = [0, x + w / 2.0, y + h / 2.0, w, h]
    for px, py, flag in person.keypoints:
        numbers += [100 * px / size[0] / 100.0, 100 * py / size[1] / 100.0, 2] if flag else [0.0, 0.0, 0]
    return ' '.join(map(str, numbers))


def _yolo_line(person: Person, size: tuple[int, int], flags: bool) -> str:
    (x, y, w, h), (width, height) = person.bbox, size
    numbers = [(x + w / 2) / width, (y + h / 2) / height, w / width, h / height]
    for px, py, flag in person.keypoints:
        numbers += [px / width, py / height, *([flag] if flags else [])]
    return '0 ' + ' '.join(f'{number:.6f}' for number in numbers)


def write_csv(root: Path) -> Export:
    """A table made by hand: one line for each keypoint, and the person's box in every line."""
    for split, pictures in (('train', TRAIN), ('val', VAL)):
        write_images(root / split, pictures)
        with open(root / f'{split}.csv', 'w', newline='') as file:
            table = csv.writer(file)
            table.writerow(['image', 'person', 'x', 'y', 'w', 'h', 'keypoint', 'kx', 'ky', 'flag'])
            for picture in pictures:
                for number, person in enumerate(picture.people, 1):
                    for name, point in zip(NAMES, person.keypoints, strict=True):
                        table.writerow([picture.name, number, *person.bbox, name, *point])
    return Export(('train.json', 'train/'), ('val.json', 'val/'))
