"""The files of COCO val2017 that a reproduction reads: are they there, how to get them, the first images of them."""

from __future__ import annotations

import os.path as osp
import shlex
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mmengine.config import Config

from mmtranspose.dataset_check.before_run import look_at_data, require_usable
from mmtranspose.dataset_check.detection_file import check_detections
from mmtranspose.dataset_check.findings import Report
from mmtranspose.errors import InputError
from mmtranspose.files.coco_format import image_entries
from mmtranspose.files.json_files import read_json, write_json
from mmtranspose.loading.conversion import sha256
from mmtranspose.reproduction.protocols import LOADER

IMAGES, BOXES = 5000, 104_125  # of COCO val2017, and of the paper's detector in them
NAMED_AT_MOST = 10  # missing images
# What each kind of file is, and how to get it into its {folder} or the folder {above}: from COCO, and the boxes from
# where MMPose's page on COCO says
DOWNLOADS = {
    'annotations': (
        'annotations of COCO val2017 (an archive of 241 MB)',
        (
            'curl -L -O http://images.cocodataset.org/annotations/annotations_trainval2017.zip',
            'unzip annotations_trainval2017.zip -d {above}',
        ),
    ),
    'images': (
        'images of COCO val2017 (an archive of 1 GB)',
        (
            'curl -L -O http://images.cocodataset.org/zips/val2017.zip',
            'unzip -q val2017.zip -d {above}',
        ),
    ),
    'boxes': (
        "boxes of the paper's detector, human AP 56.4 (by hand: open one of the two pages in a browser)",
        (
            'https://drive.google.com/drive/folders/1fRUDNUDxe9fjqcRZ2bnF_TKMlO0nB_dk',
            'https://1drv.ms/f/s!AhIXJn_J-blWzzDXoz5BeFl8sWM-',
            'mkdir -p {folder}  # then put {name} there',
        ),
    ),
}


@dataclass
class CocoData:
    """The data of a reproduction.

    Attributes:
        root (str): The folder of the whole dataset.
        files (dict[str, Path]): The ``annotations``, the folder of the ``images``, and the detector's ``boxes`` if they
            are used.
        contents (dict): What the JSON files hold, by the same names.
        images_of (int | None): The number of images of the whole dataset, where only the first of them are used.
    """

    root: str
    files: dict[str, Path]
    contents: dict[str, Any]
    images_of: int | None = None

    @classmethod
    def of_config(cls, cfg: Config) -> CocoData:
        """Find the data that a config's test set names, and read its JSON files.

        Raises:
            InputError: A file or the folder of images is missing: names all that are, with the commands that fetch
                them. Or a JSON file cannot be read or is of another form.
        """
        dataset = cfg[LOADER].dataset
        files = dict(
            annotations=Path(osp.join(dataset.data_root, dataset.ann_file)),
            images=Path(osp.join(dataset.data_root, dataset.data_prefix.img)),
        )
        if dataset.get('bbox_file'):
            files['boxes'] = Path(dataset.bbox_file)
        require_there(cfg.data_root, files)
        annotations = read_json(files['annotations'], 'annotation file')
        contents: dict[str, Any] = dict(annotations=annotations)
        ids = {number for number, _ in image_entries(annotations, f'annotation file {files["annotations"]}')}
        if 'boxes' in files:
            contents['boxes'] = check_detections(files['boxes'], ids)
        return cls(cfg.data_root, files, contents)

    def first_images(self, count: int, folder: Path) -> CocoData:
        """Write the annotations and boxes of the first images, in the order of the annotation file.

        The data stays as it is if it has no more images than that.

        Args:
            count (int): The number of images.
            folder (Path): For the two files.

        Raises:
            InputError: Nobody in these images has labelled keypoints, so that nothing could be measured.
        """
        whole = self.contents['annotations']
        if count >= len(whole['images']):
            return self
        images = whole['images'][:count]
        ids = {image['id'] for image in images}
        people = [one for one in whole.get('annotations') or [] if isinstance(one, dict) and one.get('image_id') in ids]
        if not any(one.get('num_keypoints') for one in people):
            raise InputError(f'--max-images {count}: nobody in these images has labelled keypoints; take more images')
        contents: dict[str, Any] = dict(annotations={**whole, 'images': images, 'annotations': people})
        if 'boxes' in self.contents:
            contents['boxes'] = [one for one in self.contents['boxes'] if one['image_id'] in ids]
        written = {name: (folder / f'{name}.json').absolute() for name in contents}
        for name, path in written.items():
            write_json(path, contents[name])
        return CocoData(self.root, {**self.files, **written}, contents, len(whole['images']))

    def options(self) -> dict[str, Any]:
        """Options of a config that read this data: dotted keys to values."""
        found = {'data_root': self.root}
        if self.images_of is not None:
            found[f'{LOADER}.dataset.ann_file'] = str(self.files['annotations'])
            if 'boxes' in self.files:
                found[f'{LOADER}.dataset.bbox_file'] = str(self.files['boxes'])
        return found

    def differences(self) -> list[str]:
        """What makes this data another than the paper's, in words; nothing where it is the paper's."""
        images, found = len(self.contents['annotations']['images']), []
        if self.images_of is not None:
            found.append(f'only the first {images} of {self.images_of} images are evaluated (--max-images)')
        whole = images if self.images_of is None else self.images_of
        if whole != IMAGES:
            found.append(f'{self.root} has {whole} images in its annotation file; COCO val2017 has {IMAGES}')
        boxes = len(self.contents.get('boxes', ()))
        if self.images_of is None and 'boxes' in self.contents and boxes != BOXES:
            found.append(f"{self.files['boxes']} has {boxes} boxes; those of the paper's detector are {BOXES}")
        return found

    def digests(self) -> dict[str, str]:
        """The SHA-256 of each JSON file, by name."""
        return {name: sha256(self.files[name]) for name in self.contents}

    def record(self, report: Report | None, digests: dict[str, str]) -> dict[str, Any]:
        """Describe the data and what its check found, as JSON can hold it; no report: it was not checked."""
        content = self.contents['annotations']
        counts = dict(annotations=len(content.get('annotations') or []), images=len(content['images']))
        counts |= dict(boxes=len(self.contents['boxes'])) if 'boxes' in self.contents else {}
        files = {
            name: dict(path=str(path), count=counts[name]) | (dict(sha256=digests[name]) if name in digests else {})
            for name, path in self.files.items()
        }
        checked = None if report is None else report.to_json()
        return dict(root=self.root, files=files, check=checked)


def require_there(root: str, files: dict[str, Path]) -> None:
    """Check that the files, and the folder of the images, exist.

    Raises:
        InputError: Names all that are missing, with the commands that fetch them.
    """
    missing = [name for name, path in files.items() if not (path.is_dir() if name == 'images' else path.is_file())]
    if missing:
        lines = [f'  missing: {files[name]}{"/" * (name == "images")}' for name in missing]
        raise InputError(
            f'{root} lacks {len(missing)} of the files that are needed, so nothing was computed:',
            details=[*lines, *_how_to_get(missing, files)],
        )


def check(cfg: Config, data: CocoData) -> Report:
    """Check annotations, boxes and images, as before every test.

    Raises:
        InputError: Images are missing, with the commands that fetch them; or the data would stop or falsify the run.
    """
    report = look_at_data(cfg, (LOADER,), num_examples=NAMED_AT_MOST)
    lacking = next((one for (_, kind), one in report.findings.items() if kind == 'image-missing'), None)
    if lacking is not None:
        lines = [f'  missing: {example}' for example in lacking.examples]
        more = lacking.count - len(lines)
        lines += [f'  ... and {more} more'] if more > 0 else []
        raise InputError(
            f'{data.root} lacks {lacking.count} of the images that are needed, so nothing was computed:',
            details=[*lines, *_how_to_get(['images'], data.files)],
        )
    require_usable(cfg, report)
    return report


def _how_to_get(names: Iterable[str], files: dict[str, Path]) -> list[str]:
    lines = []
    for name in names:
        what, commands = DOWNLOADS[name]
        path = files[name]
        folder = path if name == 'images' else path.parent
        places = dict(folder=shlex.quote(str(folder)), above=shlex.quote(str(folder.parent)), name=path.name)
        lines += ['', f'  {what}:', *(f'    {command.format(**places)}' for command in commands)]
    return lines
