"""``mmtranspose generate-people``: draw a dataset of synthetic people in COCO's keypoint format."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from mmtranspose.commands.command_line import image_to_write, sigterm_as_interrupt
from mmtranspose.datasets.synthetic import DIFFICULTIES, Scene, generate_dataset, make_scene
from mmtranspose.datasets.synthetic.labels import COCO_SKELETON
from mmtranspose.datasets.synthetic.skeleton import COCO_KEYPOINTS
from mmtranspose.files.output_paths import require_output_file, require_writable
from mmtranspose.media import write_image
from mmtranspose.visualization import contact_sheet, draw_labels
from mmtranspose_cli.parser import command_parser
from mmtranspose_cli.terminal import printable

EPILOG = """\
Writes OUTPUT_ROOT/{annotations,person_detection_results,train,val} and synthetic.json.
The same seed and counts always give the same files. In the preview, a filled disc is a
visible keypoint and a ring an occluded one; keypoints of the person's left side are
green, those of the right side orange."""
CELL = (480, 400)  # of the preview: (w, h) in pixels
META = dict(keypoint_id2name=dict(enumerate(COCO_KEYPOINTS)), skeleton_links=[(a - 1, b - 1) for a, b in COCO_SKELETON])


def _at_least(low: int) -> Callable[[str], int]:
    """Make a parser of arguments that are whole numbers, ``low`` or larger."""

    def parse(text: str) -> int:
        try:
            value = int(text)
        except ValueError:
            raise argparse.ArgumentTypeError(f'{text!r} is not a whole number') from None
        if value < low:
            raise argparse.ArgumentTypeError(f'{value} is too small: give at least {low}')
        return value

    return parse


def parse_arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    """Parse the command line."""
    parser = command_parser(
        'generate-people',
        "Draw a dataset of synthetic people in COCO's keypoint format. Nothing is downloaded.",
        'mmtranspose generate-people data/synthetic --num-train 4000 --num-val 500 --preview data/preview.png',
        EPILOG,
    )
    parser.add_argument('output_root', type=Path, help='folder for the dataset')
    parser.add_argument('--num-train', type=_at_least(0), default=4000, help='training images (default %(default)s)')
    parser.add_argument('--num-val', type=_at_least(0), default=500, help='validation images (default %(default)s)')
    parser.add_argument(
        '--seed', type=_at_least(0), default=0, help='a whole number; it decides what is drawn (default %(default)s)'
    )
    parser.add_argument(
        '--difficulty',
        choices=sorted(DIFFICULTIES),
        default='full',
        help='full (default): all poses and views, crowds and obstacles; easy: upright people who face the camera',
    )
    parser.add_argument('--num-workers', type=_at_least(1), help='number of processes (default: one for each core)')
    parser.add_argument('--overwrite', action='store_true', help='replace a dataset that this tool made earlier')
    parser.add_argument(
        '--preview',
        type=image_to_write,
        metavar='FILE.png',
        help='also write a contact sheet of images with their labels',
    )
    args = parser.parse_args(argv)
    if args.num_train + args.num_val == 0:
        parser.error('--num-train and --num-val are both 0: ask for at least one image')
    return args


def write_preview(path: Path, args: argparse.Namespace, count: int = 16) -> None:
    """Write a contact sheet of the first images of the larger split, with their labels."""
    split, number = ('train', args.num_train) if args.num_train >= args.num_val else ('val', args.num_val)
    scenes = [make_scene(args.seed, split, index, args.difficulty)[0] for index in range(min(count, number))]
    write_image(path, contact_sheet([with_labels(scene) for scene in scenes], cell=CELL))


def with_labels(scene: Scene) -> np.ndarray:
    """Draw a scene's labels over its image, of the size of a cell: (h, w, 3), BGR, uint8."""
    keypoints = np.array([person.keypoints for person in scene.people]).reshape(-1, len(COCO_KEYPOINTS), 3)
    boxes = np.array([person.bbox for person in scene.people]).reshape(-1, 4)
    return draw_labels(scene.image, keypoints[..., :2], keypoints[..., 2], boxes, META, CELL)


def main(argv: Sequence[str] | None = None) -> None:
    """Run the command."""
    args = parse_arguments(argv)
    if args.preview:
        require_output_file(args.preview, '--preview', ())
        require_writable(args.preview.parent, '--preview')
    with sigterm_as_interrupt():
        written = generate_dataset(
            args.output_root,
            args.num_train,
            args.num_val,
            args.seed,
            args.num_workers,
            args.overwrite,
            difficulty=args.difficulty,
        )
        if args.preview:
            write_preview(args.preview, args)
    print(f'{printable(args.output_root)}: ' + ('written' if written else 'already complete with these parameters'))
