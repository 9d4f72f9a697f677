"""``mmtranspose reproduce``: measure a released model by the paper's protocol, beside the reported results."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from mmtranspose.acceleration import DTYPES
from mmtranspose.commands.command_line import sigterm_as_interrupt, whole_number
from mmtranspose.errors import DONE, FAILED, InputError
from mmtranspose.files.json_files import write_json
from mmtranspose.files.output_paths import partial_file, require_output_file
from mmtranspose.reproduction import PROTOCOLS, ReproductionSettings, beyond, markdown_lines, reproduce, text_lines
from mmtranspose_cli.parser import command_parser
from mmtranspose_cli.terminal import print_error, printable

OUTPUT_ROOT = 'work_dirs/reproduction'


def parse_arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    """Parse the command line."""
    arguments = command_parser(
        'reproduce',
        "Check the paper's numbers: fetch the weights that the authors released, evaluate them on COCO val2017 by the "
        "paper's protocol, and print measured beside reported AP, AP50, AP75, AP(M), AP(L) and AR, with the "
        'differences.\n\n'
        'The dataset must be there already. If a file is missing, the command names it, prints the commands that fetch '
        'it, and computes nothing. You can stop the command at any time (Ctrl-C, SIGTERM): it says what is kept, and '
        'the same command goes on with the protocols that are not finished. docs/tutorials/reproduce_the_paper.md '
        'leads through it.',
        'mmtranspose reproduce transpose-r-a3 --data-root data/coco --out r-a3.json',
        'protocols:\n' + '\n'.join(f'  {one.name:12}  {one.words}' for one in PROTOCOLS.values()),
    )
    arguments.add_argument(
        'name', help='model of the zoo with weights and reported results, as transpose-r-a3 or transpose-h-a6'
    )
    arguments.add_argument(
        '--data-root',
        required=True,
        metavar='DIR',
        help='folder of COCO: val2017/, annotations/person_keypoints_val2017.json and '
        'person_detection_results/COCO_val2017_detections_AP_H_56_person.json',
    )
    arguments.add_argument(
        '--protocols',
        nargs='+',
        choices=list(PROTOCOLS),
        default=list(PROTOCOLS),
        metavar='PROTOCOL',
        help=f'which to measure, of {", ".join(PROTOCOLS)} (default: all)',
    )
    arguments.add_argument(
        '--checkpoint', metavar='FILE', help="take these weights, a file or URL, in place of the model's released ones"
    )
    arguments.add_argument(
        '--output-root',
        default=OUTPUT_ROOT,
        metavar='DIR',
        help=f'folder for finished protocols, which are not measured again, and logs (default: {OUTPUT_ROOT})',
    )
    arguments.add_argument('--out', metavar='FILE', help='write all numbers, and what they depend on, as JSON')
    arguments.add_argument(
        '--markdown', metavar='FILE', help='write the lines of a Markdown table to FILE (default: print them)'
    )
    arguments.add_argument(
        '--tolerance',
        type=float,
        metavar='POINTS',
        help='exit with status 1 if a measured AP differs from the reported one by more, as 0.3 (default: any '
        'difference is accepted)',
    )
    arguments.add_argument(
        '--max-images',
        type=whole_number,
        metavar='N',
        help='try the command on the first N images of the dataset; its numbers are then no reproduction, and say so',
    )
    arguments.add_argument(
        '--batch-size', type=whole_number, metavar='N', help="people in a batch (default: the config's, 64)"
    )
    arguments.add_argument('--device', help='cpu, cuda:0, ... (default: a GPU if there is one)')
    arguments.add_argument(
        '--accelerate',
        nargs='?',
        const='fp32',
        choices=list(DTYPES),
        help='measure the accelerated model, in fp32 (with equal results) or another precision (see docs/speed.md)',
    )
    arguments.add_argument(
        '--no-data-check',
        action='store_true',
        help='do not check annotations, boxes and images first; whether the files are there is always checked',
    )
    return arguments.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> int:
    """Measure, print the comparison and write it; returns the exit status."""
    args = parse_arguments(argv)
    settings = ReproductionSettings(
        data_root=args.data_root,
        output_root=args.output_root,
        protocols=tuple(args.protocols),
        checkpoint=args.checkpoint,
        max_images=args.max_images,
        batch_size=args.batch_size,
        accelerate=args.accelerate,
        device=args.device,
        data_check=not args.no_data_check,
    )
    _check_tolerance(args)
    given = [args.checkpoint] if args.checkpoint else []
    for option, path in (('--out', args.out), ('--markdown', args.markdown)):
        if path is not None:
            require_output_file(path, option, given)
    with sigterm_as_interrupt():
        summary = reproduce(args.name, settings, lambda line: print(printable(line), flush=True))
    print('', *map(printable, text_lines(summary)), sep='\n')
    if args.out is not None:
        write_json(args.out, summary)
        print(printable(f'\nwritten: {args.out}', lines=True))
    lines = markdown_lines(summary)
    if args.markdown is None:
        print('', *map(printable, lines), sep='\n')
    else:
        with partial_file(args.markdown) as partial:
            Path(partial).write_text('\n'.join(lines) + '\n', encoding='utf-8')
        print(printable(f'written: {args.markdown}', lines=True))
    missed = [] if args.tolerance is None else beyond(summary, args.tolerance)
    for sentence in missed:
        print_error(sentence)
    return FAILED if missed else DONE


def _check_tolerance(args: argparse.Namespace) -> None:
    """Check that a tolerance is a number, and that there is a reported AP to compare with.

    Raises:
        InputError: It is not, or there is none.
    """
    if args.tolerance is None:
        return
    if not args.tolerance >= 0:
        raise InputError(f'--tolerance {args.tolerance} must be a number of AP points from 0 on')
    if args.max_images is not None:
        raise InputError(
            '--tolerance compares with reported results, and --max-images measures something else: leave out one'
        )
    if all(PROTOCOLS[name].dataset is None for name in args.protocols):
        raise InputError(f'--tolerance: nothing is reported for {", ".join(args.protocols)}; add detector')
