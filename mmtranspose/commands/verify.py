"""``mmtranspose verify``: compare an exported file with the model that it was exported from."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from mmtranspose.commands.command_line import add_allow_partial, add_cfg_options
from mmtranspose.crops.boxes import whole_image
from mmtranspose.deployment import load_exported
from mmtranspose.deployment.evaluating import before_and_after
from mmtranspose.deployment.verifying import compare, drawn_people
from mmtranspose.errors import DONE, FAILED, InputError
from mmtranspose.files.exported_files import ENDINGS
from mmtranspose.files.text_tables import counted, table_lines
from mmtranspose.inference import BoxFile
from mmtranspose.inference.box_file import UnlistedImage
from mmtranspose.inference.box_sources import WHOLE_IMAGE
from mmtranspose.loading.config import load_config
from mmtranspose.loading.init_model import init_model
from mmtranspose.loading.zoo import default_weights
from mmtranspose.media import Frame, open_source
from mmtranspose_cli.parser import command_parser
from mmtranspose_cli.terminal import printable


def parse_arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    """Parse the command line."""
    arguments = command_parser(
        'verify',
        'Compare an exported file with PyTorch on images: keypoints in pixels, scores, and dependency where the file '
        'has it. The exit status is 1 if they differ by more than rounding. Keypoints that PyTorch gives a score under '
        '0.3 are left out: they come from flat heatmaps, where any rounding moves the maximum.',
        'mmtranspose verify pose.onnx --config transpose-h-a4\n'
        '  mmtranspose verify pose.xml --config my_config.py --checkpoint best.pth --input photos --bboxes boxes.json',
    )
    arguments.add_argument('file', metavar='FILE', help='exported file: .onnx or .xml')
    arguments.add_argument('--config', required=True, help='config or name of the model')
    arguments.add_argument(
        '--checkpoint', help='checkpoint of the model (default: the released weights, where it has some)'
    )
    arguments.add_argument(
        '--input', nargs='+', metavar='IMAGES', help='images or folders (default: an image of drawn people)'
    )
    arguments.add_argument(
        '--bboxes',
        default=WHOLE_IMAGE,
        metavar=f'BOXES.json|{WHOLE_IMAGE}',
        help=f'boxes of the people in the images (default: {WHOLE_IMAGE})',
    )
    arguments.add_argument('--ann-file', metavar='JSON', help='COCO annotations with the image_id of the boxes')
    arguments.add_argument(
        '--evaluate', metavar='CONFIG', help="also evaluate both on a config's test data, in annotated boxes"
    )
    arguments.add_argument('--backend', choices=list(ENDINGS), help='runtime of the file (default: by its ending)')
    arguments.add_argument('--device', default='cpu', help='where the file runs: cpu (default), cuda:0, ...')
    add_cfg_options(arguments)
    add_allow_partial(arguments)
    return arguments.parse_args(argv)


def people_of(args: argparse.Namespace) -> list[tuple[np.ndarray, np.ndarray]]:
    """The images and boxes that the arguments name.

    Raises:
        InputError: An input cannot be used, or there is nobody.
    """
    if args.input is None:
        return drawn_people()
    boxes = None if args.bboxes == WHOLE_IMAGE else BoxFile(args.bboxes, args.ann_file)
    people: list[tuple[np.ndarray, np.ndarray]] = []
    unlisted: list[UnlistedImage] = []
    with open_source(args.input) as source:
        for frame in source:
            if not isinstance(frame, Frame):
                raise InputError(f'{frame.name}: {frame.reason}')
            try:
                found = whole_image(frame.image) if boxes is None else boxes([frame])[0]
            except UnlistedImage as error:  # of another split, in the same folder
                unlisted.append(error)
                continue
            people.append((frame.image, found[:, :4]))
    if unlisted and not people:
        raise unlisted[0]
    if unlisted:
        print(printable(f'{counted(len(unlisted), "image")} left out, such as: {unlisted[0]}'), file=sys.stderr)
    return people


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; returns the exit status."""
    args = parse_arguments(argv)
    exported = load_exported(args.file, args.backend, args.device)
    people = people_of(args)
    checkpoint = args.checkpoint or default_weights(args.config, 'name a checkpoint (--checkpoint)')
    model = init_model(args.config, checkpoint, cfg_options=args.cfg_options, allow_partial=args.allow_partial)
    print(f'{Path(args.file).name}: {exported.runtime.description}')
    agreement = compare(exported, model, people)
    print(*agreement.lines(), sep='\n')
    if args.evaluate:
        data = model.cfg if args.evaluate == args.config else load_config(args.evaluate)
        print(*table_lines(before_and_after(model, exported, data)), sep='\n')
    if agreement.problem:
        print(agreement.problem, file=sys.stderr)
        return FAILED
    return DONE
