"""Write a YOLO pose dataset as files in COCO's keypoint format, and its keypoints as metainfo for a config."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from PIL import Image

from mmtranspose.datasets.yolo_pose.data_yaml import PoseData, read_data_yaml
from mmtranspose.datasets.yolo_pose.label_files import LabelledPerson, label_file, read_people
from mmtranspose.files.json_files import write_json
from mmtranspose.files.output_paths import partial_file, require_writable
from mmtranspose.files.text_tables import counted
from mmtranspose.typing import PathLike

BODY_SHARE = 0.53  # of a box: what COCO's people fill on average, and MMPose's CocoMetric takes where there is no area
SIGMA = 0.05  # between COCO's 0.025 (eyes) and 0.107 (hips)
ORIENTATION, TURNED = 0x0112, (5, 6, 7, 8)  # the EXIF tag, and its values that exchange width and height
# Of middle, left and right keypoints: R, G, B
MIDDLE, LEFT, RIGHT = [51, 153, 255], [0, 255, 0], [255, 128, 0]


@dataclass
class Conversion:
    """What a conversion wrote and left out.

    Attributes:
        written (list[str]): One sentence for each file.
        problems (list[str]): One sentence for each image or line that was left out.
    """

    written: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)


def convert_yolo_pose(
    path: PathLike, output_root: PathLike | None = None, names: Sequence[str] | None = None
) -> Conversion:
    """Write ``train.json``, ``val.json`` and ``test.json``, as far as ``data.yaml`` has them, and ``metainfo.py``.

    File names of images are relative to the dataset's folder: a config needs ``data_prefix=dict(img='')``.

    Args:
        path (str | Path): The dataset's ``data.yaml``.
        output_root (str | Path | None): Folder to write to. Default: ``annotations`` in the dataset's folder.
        names (Sequence[str] | None): Names of the keypoints, in the order of the label files.

    Raises:
        InputError: ``data.yaml`` cannot be used, or the folder cannot be written to.
        OSError: A file cannot be written; the error names it.
    """
    data, result = read_data_yaml(path, names), Conversion()
    output_root = data.root / 'annotations' if output_root is None else Path(output_root)
    require_writable(output_root)
    for split, images in data.splits.items():
        content, without_labels = _to_coco(images, data, result.problems)
        file = output_root / f'{split}.json'
        write_json(file, content)
        result.written.append(f'{file}: {_counts(content, without_labels)}')
    file = output_root / 'metainfo.py'
    with partial_file(file) as partial:
        partial.write_text(metainfo(data, Path(path).name), encoding='utf-8')
    result.written.append(
        f'{file}: {counted(len(data.names), "keypoint")}' + ('' if data.mirrored else '; flip_idx is missing')
    )
    return result


def _counts(content: dict[str, list], without_labels: int) -> str:
    people = content['annotations']
    empty = sum(not one['num_keypoints'] for one in people)
    return (
        f'{counted(len(content["images"]), "image")} ({without_labels} without a label file), '
        f'{counted(len(people), "person")} ({empty} without a labelled keypoint)'
    )


def _to_coco(images: list[Path], data: PoseData, problems: list[str]) -> tuple[dict[str, list], int]:
    """The content of an annotation file, and the number of images without a label file."""
    content: dict[str, list] = dict(images=[], annotations=[], categories=_categories(data))
    without_labels = 0
    for image in images:
        try:
            size = upright_size(image)
        except (OSError, ValueError, Image.DecompressionBombError) as error:
            problems.append(f'image {image} was left out: {getattr(error, "strerror", None) or error}')
            continue
        labels = label_file(image)
        without_labels += not labels.exists()
        people, refused = read_people(labels, size, data)
        problems += refused
        number = len(content['images']) + 1
        content['images'].append(dict(id=number, file_name=_name(image, data.root), width=size[0], height=size[1]))
        content['annotations'] += [
            _annotation(person, len(content['annotations']) + k, number) for k, person in enumerate(people, 1)
        ]
    return content, without_labels


def upright_size(path: Path) -> tuple[int, int]:
    """Width and height of an image file in pixels, after EXIF rotation, as training reads it; from its header alone.

    Raises:
        OSError: The file is missing or holds no image.
    """
    with Image.open(path) as image:
        turned = image.format in ('JPEG', 'MPO', 'PNG') and image.getexif().get(ORIENTATION) in TURNED
        return (image.height, image.width) if turned else (image.width, image.height)


def _name(image: Path, root: Path) -> str:
    return image.relative_to(root).as_posix() if image.is_relative_to(root) else image.as_posix()


def _categories(data: PoseData) -> list[dict[str, Any]]:
    return [dict(id=number + 1, name=name, keypoints=data.names) for number, name in sorted(data.classes.items())]


def _annotation(person: LabelledPerson, number: int, image_id: int) -> dict[str, Any]:
    _, _, w, h = person.bbox
    return dict(
        id=number,
        image_id=image_id,
        category_id=person.number + 1,
        bbox=person.bbox,
        area=round(BODY_SHARE * w * h, 3),
        iscrowd=0,
        keypoints=person.keypoints,
        num_keypoints=sum(flag > 0 for flag in person.keypoints[2::3]),
    )


def metainfo(data: PoseData, source: str) -> str:
    """The keypoints as a config file that has ``metainfo``, to be named in ``_base_`` of another config."""
    mirrored = data.mirrored or range(len(data.names))
    lines = [
        f'        {k}: dict(name={name!r}, id={k}, swap={"" if other == k else data.names[other]!r}, '
        f"type='upper', color={MIDDLE if other == k else LEFT if k < other else RIGHT}),"
        for k, (name, other) in enumerate(zip(data.names, mirrored, strict=True))
    ]
    return '\n'.join(
        [
            f'# Keypoints of {source!r}, written by `mmtranspose yolo-to-coco`; see docs/datasets.md',
            'metainfo = dict(',
            "    dataset_name='custom',",
            '    keypoint_info={',
            *lines,
            '    },',
            '    skeleton_info={},',
            f'    joint_weights={[1.0] * len(data.names)},',
            f'    sigmas={[SIGMA] * len(data.names)},',
            ')',
            '',
        ]
    )
