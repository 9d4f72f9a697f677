"""Estimate the poses in a folder of images with Ray Data: images -> exported file -> Parquet.

    pip install -r requirements.txt
    python poses_to_parquet.py pose.onnx photographs/ poses/ --detector detector.onnx --workers 2

``pose.onnx`` comes from ``mmtranspose export CONFIG CHECKPOINT --output pose.onnx``, ``detector.onnx`` from
``mmtranspose export-detector``. Needs neither PyTorch nor MMPose.
"""

from __future__ import annotations

import argparse
import io
import json
import os
import sys
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pyarrow
import pyarrow.dataset
from PIL import Image, ImageOps

SUFFIXES = ('.jpg', '.jpeg', '.png', '.bmp', '.webp', '.tif', '.tiff')
NUMBERS = pyarrow.list_(pyarrow.float32())
COLUMNS = dict(
    image=pyarrow.string(),
    person=pyarrow.int32(),
    bbox=NUMBERS,
    keypoints=NUMBERS,
    scores=NUMBERS,
    error=pyarrow.string(),
)


class PoseWorker:
    """Estimates the poses in batches of image files; each worker of Ray holds one, with the files opened once.

    Args:
        model (str): File of ``mmtranspose export``, with the graph ``image``.
        detector (str | None): File of ``mmtranspose export-detector``.
        boxes (dict[str, list] | None): Boxes x1, y1, x2, y2 in pixels by path, from :func:`read_boxes`, where there is
            no detector. With neither, one box lies around each image.
        threads (int): Threads of ONNX Runtime.
        gpu (bool): Run on the GPU that Ray gives the worker.

    Raises:
        RuntimeError: There is no GPU that ONNX Runtime can use.
    """

    def __init__(
        self,
        model: str,
        detector: str | None = None,
        boxes: dict | None = None,
        threads: int = 1,
        gpu: bool = False,
    ):
        self.poses = _opened(model, threads, gpu)
        self.detector = None if detector is None else _opened(detector, threads, gpu)
        self.boxes = boxes
        about = json.loads(self.poses.get_modelmeta().custom_metadata_map['mmtranspose'])
        names = json.dumps(about['keypoint_names'])
        self.schema = pyarrow.schema(list(COLUMNS.items()), metadata=dict(keypoint_names=names, model=about['model']))

    def __call__(self, batch: dict[str, np.ndarray]) -> pyarrow.Table:
        """Estimate the poses in files (``bytes``) with their paths (``path``); see :meth:`rows` for the columns."""
        rows = [row for path, data in zip(batch['path'], batch['bytes']) for row in self.rows(str(path), data)]
        return pyarrow.Table.from_pylist(rows, schema=self.schema)

    def rows(self, path: str, data: bytes) -> list[dict[str, Any]]:
        """A row for each person: ``image`` (path), ``person`` (from 0), ``bbox`` (4 numbers), ``keypoints`` (x and y of
        each, in pixels of the image), ``scores``. An image without people, or that cannot be used, has one row, whose
        ``person`` is -1 and whose ``error`` says why it cannot be used.
        """
        row = dict(image=path, person=-1, bbox=[], keypoints=[], scores=[], error='')
        try:
            image = _decoded(data)
            boxes = self._boxes(path, image)
            if not len(boxes):
                return [row]
            keypoints, scores = self.poses.run(['keypoints', 'scores'], dict(image=image, boxes=boxes))
        except Exception as error:  # one image must not end the work on the others
            return [row | dict(error=str(error) or type(error).__name__)]
        people = zip(boxes.tolist(), keypoints.reshape(len(boxes), -1).tolist(), scores.tolist())
        return [
            row | dict(person=number, bbox=bbox, keypoints=points, scores=score)
            for number, (bbox, points, score) in enumerate(people)
        ]

    def _boxes(self, path: str, image: np.ndarray) -> np.ndarray:
        if self.detector is not None:
            return self.detector.run(['boxes'], dict(image=image))[0]
        if self.boxes is None:
            return np.array([[0, 0, image.shape[1], image.shape[0]]], np.float32)
        if os.path.normpath(path) not in self.boxes:
            raise ValueError('is not in the file of boxes; an image without people needs an empty list')
        return checked_boxes(self.boxes[os.path.normpath(path)])


def read_boxes(file: str, folder: str) -> dict[str, Any]:
    """Boxes by the absolute path of their image, from a JSON file that names images by their path in the folder.

    Two images of one name, in two folders, have boxes of their own.

    Raises:
        ValueError: The file does not hold that.
    """
    try:
        boxes = json.loads(Path(file).read_text(encoding='utf-8'))
    except ValueError as error:
        raise ValueError(f'{file} is no JSON file: {error}') from None
    if not isinstance(boxes, dict):
        raise ValueError(f'{file} must hold {{path in the folder of images: [[x1, y1, x2, y2], ...]}}')
    return {os.path.normpath(os.path.join(os.path.abspath(folder), name)): some for name, some in boxes.items()}


def checked_boxes(given: Any) -> np.ndarray:
    """Boxes (N, 4), float32, from a list of N of them.

    Raises:
        ValueError: One is not x1, y1, x2, y2 with x1 < x2 and y1 < y2; it has a score, for instance.
    """
    wrong = ValueError('has boxes that are not [[x1, y1, x2, y2], ...] in pixels, with x1 < x2 and y1 < y2')
    try:
        boxes = np.array(given, np.float32).reshape(len(given), 4)
    except (TypeError, ValueError):
        raise wrong from None
    if not np.isfinite(boxes).all() or (boxes[:, :2] >= boxes[:, 2:]).any():
        raise wrong
    return boxes


def _opened(path: str, threads: int, gpu: bool = False) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    providers = [*(['CUDAExecutionProvider'] if gpu else []), 'CPUExecutionProvider']
    session = onnxruntime.InferenceSession(path, options, providers=providers)
    if providers[0] not in session.get_providers():  # ONNX Runtime goes on without it
        raise RuntimeError('ONNX Runtime cannot use a GPU here: install onnxruntime-gpu and CUDA, or leave out --gpus')
    return session


def _decoded(data: bytes) -> np.ndarray:
    """The upright image (h, w, 3), RGB, uint8."""
    try:
        image = ImageOps.exif_transpose(Image.open(io.BytesIO(data)))
        if image.mode.startswith(('I', 'F')):
            raise ValueError('holds 16- or 32-bit values: save it with 8 bits a channel')
        return np.asarray(image.convert('RGB'))
    except (OSError, SyntaxError, Image.DecompressionBombError):
        raise ValueError('is damaged, truncated or no image') from None


def parse_arguments() -> argparse.Namespace:
    """Parse the command line; exits with 2 and a sentence where something cannot be used."""
    arguments = argparse.ArgumentParser(description='Estimate poses with Ray Data and write them as Parquet.')
    arguments.add_argument('model', help='file of `mmtranspose export`, graph image')
    arguments.add_argument('images', help='folder of images, with its subfolders')
    arguments.add_argument('output', help='folder for Parquet files, which must not be there or be empty')
    where = arguments.add_mutually_exclusive_group()
    where.add_argument('--detector', help='file of `mmtranspose export-detector` (default: a box around each image)')
    where.add_argument('--boxes', metavar='FILE.json', help='{path in the folder: [[x1, y1, x2, y2], ...]}')
    arguments.add_argument('--workers', type=int, default=2, help='processes that hold the model (default: 2)')
    arguments.add_argument('--threads', type=int, default=1, help='threads of each of them (default: 1)')
    arguments.add_argument(
        '--gpus', type=float, default=0, help='GPUs of each of them; needs onnxruntime-gpu (default: 0)'
    )
    arguments.add_argument(
        '--batch-size', type=int, default=8, help='images that a worker takes at a time (default: 8)'
    )
    arguments.add_argument('--address', help='of a Ray cluster (default: a Ray of its own on this machine)')
    args = arguments.parse_args()
    for file in (args.model, args.detector, args.boxes):
        if file is not None and not os.path.isfile(file):
            arguments.error(f'{file} does not exist')
    try:
        args.boxes = args.boxes and read_boxes(args.boxes, args.images)
    except ValueError as error:
        arguments.error(str(error))
    if 'boxes' not in [one.name for one in _opened(args.model, 1).get_inputs()]:
        arguments.error(f'{args.model} takes crops: export it with --graph image')
    if os.path.isdir(args.output) and os.listdir(args.output):
        arguments.error(f'{args.output} is not empty; name another folder')
    if not any(path.suffix.lower() in SUFFIXES for path in Path(args.images).rglob('*')):
        arguments.error(f'{args.images} holds no images ({", ".join(SUFFIXES)})')
    return args


def main() -> int:
    """Run; returns the exit status, 1 where images could not be used."""
    args = parse_arguments()
    import ray

    here = (
        {} if args.address else dict(num_cpus=args.workers + 1, include_dashboard=False, _node_ip_address='127.0.0.1')
    )
    ray.init(address=args.address, **here)
    ray.data.DataContext.get_current().enable_progress_bars = sys.stderr.isatty()
    files = [one.lstrip('.') for one in SUFFIXES]
    images = ray.data.read_binary_files(os.path.abspath(args.images), include_paths=True, file_extensions=files)
    poses = images.map_batches(
        PoseWorker,
        fn_constructor_kwargs=dict(
            model=os.path.abspath(args.model),
            detector=args.detector and os.path.abspath(args.detector),
            boxes=args.boxes,
            threads=args.threads,
            gpu=args.gpus > 0,
        ),
        batch_size=args.batch_size,
        compute=ray.data.ActorPoolStrategy(size=args.workers),
        num_gpus=args.gpus,
    )
    poses.write_parquet(os.path.abspath(args.output))
    written = pyarrow.dataset.dataset(args.output).to_table(['image', 'person', 'error']).to_pylist()
    unusable = [row for row in written if row['error']]
    for row in unusable:
        print(f'{row["image"]}: {row["error"]}', file=sys.stderr)
    people, count = sum(row['person'] >= 0 for row in written), len({row['image'] for row in written})
    print(f'{count} images, {people} poses, {len(unusable)} images could not be used: {args.output}')
    return 1 if unusable else 0


if __name__ == '__main__':
    sys.exit(main())
