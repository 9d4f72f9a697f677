"""``mmtranspose yolo-to-coco``: convert a pose dataset of Ultralytics YOLO to COCO's keypoint format."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from mmtranspose.commands.command_line import sigterm_as_interrupt
from mmtranspose.datasets.yolo_pose import convert_yolo_pose
from mmtranspose.errors import DONE, FAILED
from mmtranspose_cli.parser import command_parser
from mmtranspose_cli.terminal import printable

SHOWN = 20  # problems that are printed one by one


def main(argv: Sequence[str] | None = None) -> int:
    """Convert, and print what was written; returns 1 if something was left out, otherwise 0."""
    arguments = command_parser(
        'yolo-to-coco',
        "Convert a pose dataset of Ultralytics YOLO (data.yaml, images, labels) to COCO's keypoint format. Images stay "
        'where they are. The exit status is 1 if lines or images cannot be used; they are named, and left out.',
        'mmtranspose yolo-to-coco data/dogs/data.yaml --keypoint-names nose left_ear right_ear tail',
        'Writes {train,val,test}.json, as far as data.yaml has these splits, and metainfo.py, which\n'
        'has the keypoints for a config. docs/datasets.md shows the rest of the config.',
    )
    arguments.add_argument('data', metavar='data.yaml', help='the file that describes the dataset')
    arguments.add_argument(
        '--output-root', metavar='DIR', help="folder to write to (default: annotations in the dataset's folder)"
    )
    arguments.add_argument(
        '--keypoint-names',
        nargs='+',
        metavar='NAME',
        help='names of the keypoints, in the order of the label files (default: kpt_names of data.yaml)',
    )
    args = arguments.parse_args(argv)
    with sigterm_as_interrupt():
        result = convert_yolo_pose(args.data, args.output_root, args.keypoint_names)
    print(printable('\n'.join(result.written), lines=True))
    for problem in result.problems[:SHOWN]:
        print(printable(problem), file=sys.stderr)
    if len(result.problems) > SHOWN:
        print(f'... and {len(result.problems) - SHOWN} more', file=sys.stderr)
    return FAILED if result.problems else DONE
