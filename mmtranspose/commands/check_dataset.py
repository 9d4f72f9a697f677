"""``mmtranspose check-dataset``: look for mistakes in the annotations and images that a config names."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from mmengine.config import Config

from mmtranspose.commands.command_line import add_cfg_options, from_zero, image_to_write, whole_number
from mmtranspose.dataset_check import check_dataset, labelled_images
from mmtranspose.files.json_files import write_json
from mmtranspose.files.output_paths import require_output_file, require_writable
from mmtranspose.loading.config import load_config
from mmtranspose.media import write_image
from mmtranspose.visualization import contact_sheet, draw_labels
from mmtranspose_cli.parser import command_parser
from mmtranspose_cli.terminal import printable

EPILOG = """\
On the sheet of --preview, a filled disc is a visible keypoint and a ring an occluded
one; a keypoint without label is not drawn. Does each lie on its joint, are left and
right those of the person, do the boxes fit?"""
CELL = (480, 400)  # of the preview: (w, h) in pixels
COLUMNS = 4


def write_preview(path: Path, cfg: Config, splits: Sequence[str] | None) -> None:
    """Write a contact sheet of a config's first split, with its labels."""
    name, meta, images = labelled_images(cfg, splits)
    drawn = [draw_labels(one.image, one.keypoints, one.visibility, one.boxes, meta, CELL) for one in images]
    write_image(path, contact_sheet(drawn, min(COLUMNS, len(drawn)), CELL))
    print(f'{printable(path)}: {len(drawn)} images of {name} with their labels')


def parse_arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    """Parse the command line."""
    arguments = command_parser(
        'check-dataset',
        'Look for mistakes in the annotations and images that a config names, before days of training are spent on '
        'them: keypoints and their order, boxes, flags, left and right, missing or damaged images, duplicates, '
        'detector boxes. The exit status is 1 if there is an error (with --strict: or a warning), otherwise 0.',
        'mmtranspose check-dataset transpose-r-a3 --cfg-options data_root=/data/coco --preview labels.png',
        EPILOG,
    )
    arguments.add_argument('config', help='config file, or a name from `mmtranspose list`')
    arguments.add_argument(
        '--split',
        nargs='+',
        choices=['train', 'val', 'test'],
        help='splits to check (default: all for which the config has a data loader)',
    )
    images = arguments.add_mutually_exclusive_group()
    images.add_argument(
        '--max-images', type=whole_number, metavar='N', help='read only N images of each split, spread evenly'
    )
    images.add_argument('--no-images', action='store_true', help='check the annotations only; read no image')
    arguments.add_argument(
        '--num-workers',
        type=whole_number,
        metavar='N',
        help='number of threads that read images (default: one for each core)',
    )
    arguments.add_argument(
        '--examples',
        type=from_zero,
        default=3,
        metavar='N',
        help='examples to show of each kind of problem (default: 3)',
    )
    arguments.add_argument('--strict', action='store_true', help='exit with 1 after a warning too')
    arguments.add_argument('--json', metavar='FILE', help='also write the findings to FILE')
    arguments.add_argument(
        '--preview',
        type=image_to_write,
        metavar='FILE.png',
        help='also write a contact sheet: at most 12 images of the first split, spread evenly over it, with the '
        "keypoints, limbs and boxes of its labels, in the dataset's colours",
    )
    add_cfg_options(arguments)
    return arguments.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> int:
    """Print the report; returns 1 if there is an error (with ``--strict``: or a warning), otherwise 0."""
    args = parse_arguments(argv)
    if args.json:
        require_output_file(args.json, '--json', (args.config,))
    if args.preview:
        require_output_file(args.preview, '--preview', (args.config,))
        require_writable(args.preview.parent, '--preview')
    cfg = load_config(args.config, args.cfg_options)
    report = check_dataset(
        cfg,
        splits=args.split,
        images=not args.no_images,
        max_images=args.max_images,
        num_workers=args.num_workers,
        num_examples=args.examples,
        progress=True,
    )
    print(report.to_text())
    if args.json:
        write_json(args.json, report.to_json())
    if args.preview:
        write_preview(args.preview, cfg, args.split)
    return 0 if report.ok(args.strict) else 1
