"""Generate a whole dataset: several processes draw the images, and the folder appears only when it is complete."""

from __future__ import annotations

import json
import multiprocessing
import os
import shutil
import signal
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from tqdm import tqdm

from mmtranspose.datasets.synthetic.labels import coco_dataset, file_name, person_annotation
from mmtranspose.datasets.synthetic.placement import DIFFICULTIES
from mmtranspose.datasets.synthetic.scene import Scene, render_scene
from mmtranspose.datasets.synthetic.simulated_detections import detect
from mmtranspose.errors import InputError, require_choice
from mmtranspose.files.output_paths import errors_name, require_writable

VERSION = 3
"""Increased whenever equal parameters give other images or labels."""

SPLITS = ('train', 'val')
SIZES = (
    (320, 240),
    (384, 256),
    (360, 270),
    (384, 320),
    (352, 288),
    (240, 320),
    (256, 384),
    (288, 352),
    (300, 300),
    (320, 320),
)
MANIFEST = 'synthetic.json'
Mapper = Callable[[Callable[['Job'], dict[str, Any]], Iterable['Job']], Iterator[dict[str, Any]]]
_OWN_ENTRIES = {MANIFEST, 'annotations', 'person_detection_results', *SPLITS}


@dataclass(frozen=True)
class Job:
    """One image to draw: ``index`` counts from 0 within the split; ``folder`` is where the file goes."""

    seed: int
    split: str
    index: int
    folder: str
    difficulty: str


def scene_rng(seed: int, split: str, index: int) -> np.random.Generator:
    """The random generator of one image, which alone decides what the image shows."""
    return np.random.default_rng((seed, SPLITS.index(split), index))


def make_scene(seed: int, split: str, index: int, difficulty: str = 'full') -> tuple[Scene, np.random.Generator]:
    """Draw image ``index`` (from 0) of a split; also returns its random generator, for what is drawn afterwards."""
    rng = scene_rng(seed, split, index)
    size = SIZES[rng.integers(len(SIZES))]
    return render_scene(rng, size, DIFFICULTIES[difficulty]), rng


def _make_image(job: Job) -> dict[str, Any]:
    """Draw and write one image; returns its entries for the annotation and detection files."""
    scene, rng = make_scene(job.seed, job.split, job.index, job.difficulty)
    image_id, (height, width) = job.index + 1, scene.image.shape[:2]
    name = file_name(image_id)
    quality = [cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(72, 96))]
    encoded = cv2.imencode('.jpg', scene.image, quality)[1]
    Path(job.folder, name).write_bytes(encoded.tobytes())
    annotations = [dict(image_id=image_id, **person_annotation(person)) for person in scene.people]
    detections = detect(rng, [annotation['bbox'] for annotation in annotations], (width, height))
    return dict(
        image=dict(id=image_id, file_name=name, width=width, height=height),
        annotations=annotations,
        detections=[dict(image_id=image_id, category_id=1, **found) for found in detections],
    )


def _start_worker() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's to handle
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    cv2.setNumThreads(0)


@contextmanager
def _mapper(num_workers: int) -> Iterator[Mapper]:
    """A ``map`` over jobs that keeps their order and runs in this process or in several."""
    if num_workers == 1:
        threads = cv2.getNumThreads()
        cv2.setNumThreads(0)
        try:
            yield map
        finally:
            cv2.setNumThreads(threads)
        return
    method = 'fork' if sys.platform == 'linux' else 'spawn'
    pool = ProcessPoolExecutor(num_workers, multiprocessing.get_context(method), _start_worker)
    try:
        yield lambda function, jobs: pool.map(function, jobs, chunksize=8)
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def _dump(path: Path, content: object) -> None:
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(content, separators=(',', ':')), encoding='utf-8')


def _write_split(
    root: Path, split: str, count: int, parameters: dict[str, Any], mapped: Mapper, progress: bool
) -> None:
    """Draw all images of a split, and write its annotations and detections."""
    folder = root / split
    folder.mkdir()
    jobs = [Job(parameters['seed'], split, index, str(folder), parameters['difficulty']) for index in range(count)]
    bar = tqdm(mapped(_make_image, jobs), total=count, desc=split, unit='image', disable=not progress)
    results = list(bar)
    annotations = [annotation for result in results for annotation in result['annotations']]
    _dump(
        root / 'annotations' / f'person_keypoints_{split}.json',
        coco_dataset(split, [result['image'] for result in results], annotations, parameters),
    )
    _dump(
        root / 'person_detection_results' / f'person_detections_{split}.json',
        [found for result in results for found in result['detections']],
    )


def _read_manifest(root: Path) -> dict[str, Any] | None:
    """Read the parameters of the dataset at ``root``; ``None`` if the generator left none there."""
    try:
        return json.loads((root / MANIFEST).read_text(encoding='utf-8'))
    except (OSError, ValueError):
        return None


def _is_done(root: Path, parameters: dict[str, Any], overwrite: bool) -> bool:
    """Whether ``root`` already holds the dataset that is asked for.

    Raises:
        InputError: It holds something else, which may not be replaced.
    """
    if not root.exists() or (root.is_dir() and not any(root.iterdir())):
        return False
    found = _read_manifest(root)
    if found is None:
        raise InputError(
            f'{root} exists and was not made by this generator (it has no {MANIFEST}): choose '
            'another output folder; --overwrite does not replace it either'
        )
    if found == parameters and not overwrite:
        return True
    if not overwrite:
        raise InputError(
            f'{root} holds synthetic people made with {found}, not {parameters}: choose another '
            'output folder, or pass --overwrite (overwrite=True) to replace it'
        )
    foreign = sorted(entry.name for entry in root.iterdir() if entry.name not in _OWN_ENTRIES)
    if foreign:
        raise InputError(
            f'{root} also holds {foreign[:3]}, which this generator did not make: move them away '
            'before --overwrite replaces the folder'
        )
    return False


def _swap(fresh: Path, root: Path, aside: Path) -> None:
    """Move ``fresh`` to ``root``; what was there is moved ``aside``, and back if that fails."""
    if root.exists():
        os.replace(root, aside)
    try:
        os.replace(fresh, root)
    except BaseException:
        if aside.exists():
            os.replace(aside, root)
        raise


@contextmanager
def _beside(root: Path) -> Iterator[Path]:
    """A temporary folder beside ``root`` that is moved to ``root`` at the end, or removed after an error."""
    with errors_name(root):
        root.parent.mkdir(parents=True, exist_ok=True)
        work = Path(tempfile.mkdtemp(prefix=f'.{root.name}.', suffix='.tmp', dir=root.parent))
        try:
            fresh = work / 'new'
            fresh.mkdir()
            yield fresh
            _swap(fresh, root, work / 'old')
        finally:
            shutil.rmtree(work, ignore_errors=True)


def _check(num_train: int, num_val: int, seed: int, num_workers: int | None, difficulty: str) -> None:
    require_choice('difficulty', difficulty, sorted(DIFFICULTIES))
    for name, value, low in (
        ('num_train', num_train, 0),
        ('num_val', num_val, 0),
        ('seed', seed, 0),
        ('num_workers', 1 if num_workers is None else num_workers, 1),
    ):
        if value != int(value) or value < low:
            raise InputError(f'{name} must be a whole number of at least {low}, not {value!r}')
    if num_train + num_val == 0:
        raise InputError('num_train and num_val are both 0: ask for at least one image')


def generate_dataset(
    output_root: str | Path,
    num_train: int = 4000,
    num_val: int = 500,
    seed: int = 0,
    num_workers: int | None = None,
    overwrite: bool = False,
    progress: bool = True,
    difficulty: str = 'full',
) -> bool:
    """Draw a dataset of synthetic people in COCO's format.

    Files below ``output_root``: ``annotations/person_keypoints_{train,val}.json``,
    ``person_detection_results/person_detections_{train,val}.json``, ``{train,val}/000000000001.jpg`` and so on, and
    ``synthetic.json`` with the parameters. The files depend on ``seed``, ``difficulty`` and the counts, never on the
    number of processes; a larger dataset begins with the images of a smaller one.

    Args:
        output_root: Folder to make. It appears when it is complete, and not at all after an error or Ctrl-C.
        num_train: Number of images in the training split.
        num_val: Number of images in the validation split.
        seed: Any whole number from 0.
        num_workers: Number of processes; ``None``: one for each core.
        overwrite: Replace a dataset that this generator made with other parameters.
        progress: Show a progress bar.
        difficulty: ``'full'`` or ``'easy'``, see :data:`DIFFICULTIES`.

    Returns:
        Whether anything was written; ``False`` if the folder already holds exactly this dataset.

    Raises:
        InputError: A number is out of range, the difficulty is unknown, the folder holds anything else (with
            ``overwrite``: anything that this generator did not make), or it cannot be written to.
        OSError: A file cannot be written (the disk is full); names ``output_root``.
    """
    _check(num_train, num_val, seed, num_workers, difficulty)
    root = Path(output_root).resolve()
    counts = dict(train=int(num_train), val=int(num_val))
    parameters = dict(
        version=VERSION, difficulty=difficulty, seed=int(seed), num_train=counts['train'], num_val=counts['val']
    )
    if _is_done(root, parameters, overwrite):
        return False
    require_writable(root.parent, 'output_root')
    workers = min(num_workers or os.cpu_count() or 1, max(1, sum(counts.values()) // 8))
    with _beside(root) as fresh:
        with _mapper(workers) as mapped:
            for split in SPLITS:
                _write_split(fresh, split, counts[split], parameters, mapped, progress)
        _dump(fresh / MANIFEST, parameters)
    return True
