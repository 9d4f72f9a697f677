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
        boxes (dict[str, list] | None): Boxes x1, y1, x2, y2 in pixels by file name, where there is no detector. With
            neither, one box lies around each image.
        threads (int): Threads of ONNX Runtime.
    """

    def __init__(self, model: str, detector: str | None = None, boxes: dict | None = None, threads: int = 1):
        self.poses = _opened(model, threads)
        self.detector = None if detector is None else _opened(detector, threads)
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
        name = os.path.basename(path)
        if name not in self.boxes:
            raise ValueError(f'{name} is not in the file of boxes; an image without people needs an empty list')
        return np.array(self.boxes[name], np.float32).reshape(-1, 4)


def _opened(path: str, threads: int) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    return onnxruntime.InferenceSession(path, options, providers=onnxruntime.get_available_providers())


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
    where.add_argument('--boxes', metavar='FILE.json', help='{file name: [[x1, y1, x2, y2], ...]} in place of it')
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
    boxes = None if args.boxes is None else json.loads(Path(args.boxes).read_text(encoding='utf-8'))
    files = [one.lstrip('.') for one in SUFFIXES]
    images = ray.data.read_binary_files(args.images, include_paths=True, file_extensions=files)
    poses = images.map_batches(
        PoseWorker,
        fn_constructor_kwargs=dict(
            model=os.path.abspath(args.model),
            detector=args.detector and os.path.abspath(args.detector),
            boxes=boxes,
            threads=args.threads,
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
