"""``mmtranspose export``: write a model as one file from image and boxes to keypoints, for other runtimes."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from mmtranspose.commands.command_line import add_allow_partial, add_cfg_options, add_model, parse
from mmtranspose.deployment import ExportedPoseEstimator, export_model, load_exported
from mmtranspose.deployment.evaluating import before_and_after
from mmtranspose.deployment.export_options import GRAPHS, PRECISIONS, SUFFIXES
from mmtranspose.deployment.tensorrt_file import DEVICE
from mmtranspose.deployment.verifying import compare, drawn_people
from mmtranspose.errors import DONE, FAILED, InputError
from mmtranspose.files.text_tables import table_lines
from mmtranspose.loading.config import load_config
from mmtranspose.loading.init_model import init_model
from mmtranspose.typing import PoseEstimator
from mmtranspose_cli.parser import command_parser
from mmtranspose_cli.terminal import printable


def parse_arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    """Parse the command line."""
    arguments = command_parser(
        'export',
        'Write a model as one file that runs without PyTorch and MMPose: from an image and boxes to keypoints in its '
        'pixels, with cutting, normalisation, network and decoding inside; and on request what each keypoint depends '
        'on. Any number of people, any image size.',
        'mmtranspose export transpose-h-a4 --output pose.onnx --dependency\n'
        '  mmtranspose export my_config.py best.pth --output pose.xml --precision bf16',
    )
    add_model(arguments)
    arguments.add_argument(
        '--output',
        required=True,
        metavar='FILE',
        help='file to write: .onnx; .xml for OpenVINO, which has a .bin beside it',
    )
    arguments.add_argument(
        '--graph',
        choices=GRAPHS,
        default='image',
        help='inputs of the file: image and boxes (default), or crops of the size that the network takes',
    )
    arguments.add_argument(
        '--dependency', action='store_true', help="also return every keypoint's attention row in each layer"
    )
    arguments.add_argument(
        '--flip-test', action='store_true', help='average with the mirrored image: more precise, and twice the work'
    )
    arguments.add_argument(
        '--format',
        choices=list(PRECISIONS),
        help='format of the file (default: by its ending); tensorrt, with --graph crops, compiles for this GPU',
    )
    arguments.add_argument(
        '--precision',
        choices=sorted({name for names in PRECISIONS.values() for name in names}),
        default='fp32',
        help='precision of the network (default: fp32); cutting and decoding stay fp32',
    )
    arguments.add_argument(
        '--calibration',
        metavar='CONFIG|DIR',
        help='people to calibrate int8 with: a config with their dataset, or a folder of images of one person each '
        "(default: the test data of the model's config). With a dataset, its AP before and after is printed",
    )
    arguments.add_argument(
        '--verify',
        action=argparse.BooleanOptionalAction,
        default=True,
        help='run the file on an image of drawn people and compare it with PyTorch (default); exit status 1 if they '
        'differ by more than rounding. `mmtranspose verify` does it with your images',
    )
    add_cfg_options(arguments)
    add_allow_partial(arguments)
    return parse(arguments, argv)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; returns the exit status."""
    args = parse_arguments(argv)
    model = init_model(args.config, args.checkpoint, cfg_options=args.cfg_options, allow_partial=args.allow_partial)
    written = export_model(
        model,
        args.output,
        args.checkpoint,
        args.calibration,
        graph=args.graph,
        dependency=args.dependency,
        flip_test=args.flip_test,
        format=args.format or _format(args.output),
        precision=args.precision,
    )
    weights = written.with_suffix('.bin')
    size = written.stat().st_size + (weights.stat().st_size if written.suffix == '.xml' else 0)
    print(printable(f'{written}: {size / 1e6:.1f} MB'))
    if not args.verify:
        return DONE
    runs_it = ('tensorrt', DEVICE) if args.format == 'tensorrt' else ()
    return verified(args, model, load_exported(written, *runs_it))


def verified(args: argparse.Namespace, model: PoseEstimator, exported: ExportedPoseEstimator) -> int:
    """Compare the file with its model, and for int8 their AP; returns the exit status.

    A model that sees nobody in drawn people, as one of hands, leaves nothing to compare: advice is printed, no failure.
    """
    agreement = compare(exported, model, drawn_people())
    print(*agreement.lines(), sep='\n')
    if args.precision == 'int8' and not (args.calibration and Path(args.calibration).is_dir()):
        data = load_config(args.calibration) if args.calibration else model.cfg
        print(*table_lines(before_and_after(model, exported, data)), sep='\n')
    if agreement.problem:
        print(agreement.problem, file=sys.stderr)
    return FAILED if len(agreement.scores) and agreement.problem else DONE


def _format(output: str) -> str:
    """The format of a file by its ending.

    Raises:
        InputError: The ending is of none.
    """
    for name, suffix in SUFFIXES.items():
        if Path(output).suffix == suffix:
            return name
    raise InputError(f'--output {output}: the file must end in .onnx or .xml')
