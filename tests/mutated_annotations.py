"""Faults for annotation files and box files in COCO's formats, one at a time, as people have them and worse."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

MISSING = object()
HUGE = 10**400  # JSON's numbers have no end, a float's do
VALUES: dict[str, Any] = {
    'missing': MISSING,
    'null': None,
    'text': 'person',
    'empty': '',
    'huge': HUGE,
    '1e30': 1e30,
    '10**30': 10**30,
    'negative': -7,
    'zero': 0,
    'nan': math.nan,
    'infinite': math.inf,
    'list': [],
    'nested': [[1, 2], [3, 4]],
    'dict': {'a': 1},
    'true': True,
    'fraction': 2.5,
}
ENTRY = 2  # the annotation that is spoilt; its id is 3
FIELDS = ('id', 'image_id', 'category_id', 'bbox', 'keypoints', 'num_keypoints', 'area', 'iscrowd', 'segmentation')


class Mutant(NamedTuple):
    """A fault.

    Attributes:
        name (str): Its name.
        change (Callable): Puts it into the content of a file, in place.
    """

    name: str
    change: Callable[[Any], Any]


def mutants() -> Iterator[Mutant]:
    """All faults of annotation files."""
    yield from _of_fields(['annotations', ENTRY], FIELDS)
    yield from _of_fields(['images', 1], ('id', 'file_name', 'width', 'height'))
    yield from _of_fields(['categories', 0], ('id', 'name', 'keypoints', 'skeleton'))
    yield from _of_numbers(['annotations', ENTRY, 'bbox'], range(4))
    yield from _of_numbers(['annotations', ENTRY, 'keypoints'], (15, 16, 17))
    for key in ('images', 'annotations', 'categories'):
        for name in ('missing', 'null', 'list', 'text', 'dict'):
            yield Mutant(f'{key}={name}', _set([], key, VALUES[name]))
        yield Mutant(f'{key}[1]=null', lambda content, key=key: content[key].insert(1, None))
    for name, change in EACH.items():
        yield Mutant(f'one {name}', lambda content, change=change: change(content['annotations'][ENTRY]))
        yield Mutant(f'all {name}', lambda content, change=change: [change(one) for one in content['annotations']])
    yield from (Mutant(name, change) for name, change in WHOLE.items())


def box_mutants() -> Iterator[Mutant]:
    """All faults of files of detector boxes."""
    yield from _of_fields([ENTRY], ('image_id', 'category_id', 'bbox', 'score'))
    yield from _of_numbers([ENTRY, 'bbox'], range(4))
    for name, change in BOX_EACH.items():
        yield Mutant(f'one {name}', lambda content, change=change: change(content[ENTRY]))
        yield Mutant(f'all {name}', lambda content, change=change: [change(one) for one in content])
    for name in ('null', 'text', 'list', 'fraction', 'nested'):
        yield Mutant(f'entry={name}', lambda content, name=name: content.__setitem__(ENTRY, VALUES[name]))
    yield Mutant('no boxes', list.clear)
    yield Mutant('boxes in reverse', list.reverse)
    yield Mutant('every box twice', lambda content: content.extend([dict(one) for one in content]))


def _of_fields(where: list, fields: tuple[str, ...]) -> Iterator[Mutant]:
    place = ''.join(f'[{one}]' if isinstance(one, int) else one for one in where)
    for field in fields:
        for name, value in VALUES.items():
            yield Mutant(f'{place}.{field}={name}', _set(where, field, value))
        yield Mutant(f'{place}.{field}=as text', _as_text(where, field))


def _of_numbers(where: list, places: Any) -> Iterator[Mutant]:
    for place in places:
        for name in ('null', 'text', 'huge', '1e30', 'negative', 'zero', 'nan', 'infinite', 'list', 'true', 'fraction'):
            yield Mutant(f'{where[-1]}[{place}]={name}', _set(where, place, VALUES[name]))


def _part(content: Any, where: list) -> Any:
    for one in where:
        content = content[one]
    return content


def _set(where: list, key: Any, value: Any) -> Callable[[Any], None]:
    def change(content: Any) -> None:
        part = _part(content, where)
        if value is MISSING:
            part.pop(key, None)
        else:
            part[key] = value

    return change


def _as_text(where: list, field: str) -> Callable[[Any], None]:
    def change(content: Any) -> None:
        entry = _part(content, where)
        value = entry.get(field)
        entry[field] = [str(one) for one in value] if isinstance(value, list) else str(value)

    return change


def _corners(one: dict) -> None:
    x, y, w, h = one['bbox']
    one['bbox'] = [x, y, x + w, y + h]


def _scaled(field: str, factor: float) -> Callable[[dict], None]:
    def change(one: dict) -> None:
        if isinstance(one[field], list):
            step = 3 if field == 'keypoints' else 5
            one[field] = [v if k % step == 2 and step == 3 else v * factor for k, v in enumerate(one[field])]
        else:
            one[field] *= factor

    return change


def _flags(change: Callable[[float], Any]) -> Callable[[dict], None]:
    def flags(one: dict) -> None:
        one['keypoints'][2::3] = [change(flag) for flag in one['keypoints'][2::3]]

    return flags


EACH: dict[str, Callable[[dict], Any]] = {
    'box of corners': _corners,
    'box of centre and size': lambda one: one.update(
        bbox=[one['bbox'][0] + one['bbox'][2] / 2, one['bbox'][1] + one['bbox'][3] / 2, *one['bbox'][2:]]
    ),
    'box as dict': lambda one: one.update(bbox=dict(zip('xywh', one['bbox']))),
    'box of five': lambda one: one['bbox'].append(0.9),
    'box of zeros': lambda one: one.update(bbox=[0, 0, 0, 0]),
    'box of zero width': lambda one: one['bbox'].__setitem__(2, 0),
    'box of negative size': lambda one: one.update(bbox=[*one['bbox'][:2], -one['bbox'][2], -one['bbox'][3]]),
    'box of fractions': _scaled('bbox', 1 / 640),
    'box ten times as large': _scaled('bbox', 10),
    'box a tenth as large': lambda one: one.update(bbox=[*one['bbox'][:2], one['bbox'][2] / 10, one['bbox'][3] / 10]),
    'box outside': lambda one: one.update(bbox=[5000, 5000, 50, 50]),
    'keypoints of fractions': _scaled('keypoints', 1 / 640),
    'keypoints twice as large': _scaled('keypoints', 2),
    'keypoints nested': lambda one: one.update(
        keypoints=[one['keypoints'][k : k + 3] for k in range(0, len(one['keypoints']), 3)]
    ),
    'keypoints without flags': lambda one: one.update(
        keypoints=[v for k, v in enumerate(one['keypoints']) if k % 3 != 2]
    ),
    'keypoints too few': lambda one: one.update(keypoints=one['keypoints'][:-3]),
    'keypoints too many': lambda one: one.update(keypoints=one['keypoints'] + [10, 10, 2]),
    'keypoints short of a number': lambda one: one.update(keypoints=one['keypoints'][:-1]),
    'keypoints empty, none counted': lambda one: one.update(keypoints=[], num_keypoints=0),
    'keypoints and box empty': lambda one: one.update(keypoints=[], num_keypoints=0, bbox=[0, 0, 0, 0], area=0),
    'keypoints unlabelled': lambda one: one.update(keypoints=[0] * len(one['keypoints']), num_keypoints=0),
    'keypoints of zeros, counted': lambda one: one.update(keypoints=[0] * len(one['keypoints'])),
    'keypoints without num_keypoints': lambda one: one.pop('num_keypoints'),
    'no keypoints counted': lambda one: one.update(num_keypoints=0),
    'flags of 1': _flags(lambda flag: min(flag, 1)),
    'flags of 3': _flags(lambda flag: 3 if flag else 0),
    'flags of -1': _flags(lambda _: -1),
    'flags of 0': _flags(lambda _: 0),
    'flags of a half': _flags(lambda flag: 0.5 if flag else 0),
    'flags of true': _flags(bool),
    'flags null': _flags(lambda _: None),
    'flags nan': _flags(lambda _: math.nan),
    'area times 100': _scaled('area', 100),
    'area divided by 100': _scaled('area', 0.01),
    'area of the box': lambda one: one.update(area=one['bbox'][2] * one['bbox'][3]),
    'area of 5': lambda one: one.update(area=5),
    'area of 1e30': lambda one: one.update(area=1e30),
    'area negative': lambda one: one.update(area=-one['area']),
    'area zero': lambda one: one.update(area=0),
    'area missing': lambda one: one.pop('area'),
    'crowd': lambda one: one.update(iscrowd=1),
    'crowd of text': lambda one: one.update(iscrowd='0'),
    'crowd missing': lambda one: one.pop('iscrowd'),
    'category 9': lambda one: one.update(category_id=9),
    'category of text': lambda one: one.update(category_id=str(one['category_id'])),
    'box only': lambda one: [one.pop('keypoints'), one.pop('num_keypoints')],
    'crowd without keypoints': lambda one: [one.pop('keypoints'), one.pop('num_keypoints'), one.update(iscrowd=1)],
}


BOX_EACH: dict[str, Callable[[dict], Any]] = {
    name: EACH[name]
    for name in (
        *(
            'box of corners',
            'box of centre and size',
            'box as dict',
            'box of five',
            'box of zeros',
            'box of zero width',
        ),
        *('box of negative size', 'box of fractions', 'box ten times as large', 'box a tenth as large', 'box outside'),
        *('category 9', 'category of text'),
    )
} | {
    'score in percent': lambda one: one.update(score=100 * one['score']),
    'score as logit': lambda one: one.update(score=-1.5),
    'image of text': lambda one: one.update(image_id=str(one['image_id'])),
    'image unknown': lambda one: one.update(image_id=999),
}


def _move(content: dict, category: Any) -> None:
    for one in content['annotations']:
        one['category_id'] = category
    content['categories'][0]['id'] = category


WHOLE: dict[str, Callable[[dict], Any]] = {
    'people in category 9': lambda content: _move(content, 9),
    'people in category 0': lambda content: _move(content, 0),
    'people in a category of text': lambda content: _move(content, 'person'),
    'an unused second skeleton': lambda content: content['categories'].append(
        dict(id=2, name='hand', keypoints=['a', 'b', 'c'], skeleton=[])
    ),
    'people in the second category': lambda content: [
        _move(content, 2),
        content['categories'].insert(0, dict(id=1, name='dog', keypoints=[], skeleton=[])),
    ],
    'categories of numbers and text': lambda content: content['categories'].append(dict(id='dog', name='dog')),
    'the same id twice': lambda content: content['annotations'][1].update(id=content['annotations'][2]['id']),
    'the same image twice': lambda content: content['images'].append(dict(content['images'][0])),
    'an image without a file': lambda content: content['images'].append(
        dict(id=999, file_name='none.jpg', width=64, height=64)
    ),
    'no file': lambda content: content['images'][0].update(file_name='none.jpg'),
    'backslashes': lambda content: [one.update(file_name='.\\' + one['file_name']) for one in content['images']],
    'sizes exchanged': lambda content: [
        one.update(width=one['height'], height=one['width']) for one in content['images']
    ],
    'sizes of fractions': lambda content: [one.update(width=1, height=1) for one in content['images']],
    'names exchanged': lambda content: content['categories'][0]['keypoints'].reverse(),
    'annotations in reverse': lambda content: content['annotations'].reverse(),
    'images in reverse': lambda content: content['images'].reverse(),
    'text ids': lambda content: [one.update(id=str(one['id'])) for one in content['annotations']],
    'an unknown field': lambda content: [one.update(attributes={'a': 1}) for one in content['annotations']],
}
