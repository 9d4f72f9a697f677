"""``mmtranspose publish``: write a trained checkpoint as a file to share."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from mmtranspose.loading.checkpoint import Checkpoint
from mmtranspose.loading.publishing import publish
from mmtranspose_cli.parser import command_parser
from mmtranspose_cli.terminal import printable


def main(argv: Sequence[str] | None = None) -> None:
    """Run the command."""
    arguments = command_parser(
        'publish',
        'Write a trained checkpoint to a file to share: its weights, config and keypoints, without optimiser, logs and '
        'paths of this machine. Every command loads the file; run `mmtranspose test` on both to compare them.',
        'mmtranspose publish work_dirs/my_config/best_coco_AP_epoch_45.pth\n'
        '  mmtranspose publish work_dirs/my_config/best_coco_AP_epoch_45.pth my_model.safetensors',
    )
    arguments.add_argument('checkpoint', help='checkpoint of a training')
    arguments.add_argument(
        'output',
        nargs='?',
        metavar='OUTPUT',
        help='file to write, .pth or .safetensors, or a folder for NAME-HASH8_DATE.pth, as published files are named '
        "(default: the checkpoint's folder)",
    )
    arguments.add_argument(
        '--safetensors', action='store_true', help='write .safetensors if OUTPUT is a folder or left out'
    )
    precision = arguments.add_mutually_exclusive_group()
    precision.add_argument(
        '--half',
        action='store_const',
        const=True,
        help='half precision, a file half as large (default for .safetensors)',
    )
    precision.add_argument(
        '--full',
        dest='half',
        action='store_const',
        const=False,
        help='the precision of the checkpoint (default for .pth)',
    )
    args = arguments.parse_args(argv)
    written = publish(args.checkpoint, args.output, args.half, '.safetensors' if args.safetensors else None)
    meta = Checkpoint.read(written).meta
    absent = [what for name, what in (('cfg', 'its config'), ('dataset_meta', 'its keypoints')) if name not in meta]
    if absent:
        print(
            printable(f'{args.checkpoint} does not say {" and ".join(absent)}, so {written} does not'), file=sys.stderr
        )
    print(printable(f'{written}: {written.stat().st_size / 1e6:.1f} MB'))
