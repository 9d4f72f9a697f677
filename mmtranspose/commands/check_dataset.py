"""``mmtranspose check-dataset``: look for mistakes in the annotations and images that a config names."""

from __future__ import annotations

from collections.abc import Sequence

from mmtranspose.commands.command_line import add_cfg_options, from_zero, whole_number
from mmtranspose.dataset_check import check_dataset
from mmtranspose.files.json_files import write_json
from mmtranspose.files.output_paths import require_output_file
from mmtranspose.loading.config import load_config
from mmtranspose_cli.parser import command_parser


def main(argv: Sequence[str] | None = None) -> int:
    """Print the report; returns 1 if there is an error (with ``--strict``: or a warning), otherwise 0."""
    arguments = command_parser(
        'check-dataset',
        'Look for mistakes in the annotations and images that a config names, before days of training are spent on '
        'them: keypoints and their order, boxes, flags, left and right, missing or damaged images, duplicates, '
        'detector boxes. The exit status is 1 if there is an error (with --strict: or a warning), otherwise 0.',
        'mmtranspose check-dataset transpose-r-a3 --cfg-options data_root=/data/coco',
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
    add_cfg_options(arguments)
    args = arguments.parse_args(argv)
    if args.json:
        require_output_file(args.json, '--json', (args.config,))
    report = check_dataset(
        load_config(args.config, args.cfg_options),
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
    return 0 if report.ok(args.strict) else 1
