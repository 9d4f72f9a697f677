"""``mmtranspose app``: a web page that shows the poses in an image and explains the keypoint or place you click."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from pathlib import Path
from threading import Event

import numpy as np

from mmtranspose.acceleration import accelerate
from mmtranspose.app import Explorer
from mmtranspose.app.opened_image import folder_images
from mmtranspose.app.server import require_free, require_gradio, serve
from mmtranspose.commands.command_line import (
    add_allow_non_finite,
    add_allow_partial,
    parse,
    share,
    sigterm_as_interrupt,
)
from mmtranspose.commands.detector_arguments import add_detector, detector_of, require_no_detector
from mmtranspose.commands.model_arguments import add_estimator, load_estimator
from mmtranspose.commands.needed_weights import telling_all_missing
from mmtranspose.crops.boxes import whole_image
from mmtranspose.errors import InputError
from mmtranspose.files.exported_files import is_exported_file
from mmtranspose.inference.box_sources import WHOLE_IMAGE
from mmtranspose.typing import PoseEstimator
from mmtranspose_cli.optional_packages import pip_install
from mmtranspose_cli.parser import command_parser

DRAWN = 'drawn'
LOWEST_BOX_SCORE = 0.05  # the page's slider begins here


def parse_arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    """Parse the command line.

    Raises:
        InputError: The port is no port, or arguments do not go together.
    """
    arguments = command_parser(
        'app',
        'Serve a web page for trying a model: choose an image, see the poses of the people in it, click a keypoint or '
        'any other place on a person, and see what it depends on. Needs gradio '
        f'({pip_install("gradio")}), and a '
        'network only to fetch weights once. A detector finds the people, and boxes can be drawn by two clicks. An '
        'exported file with dependency explains keypoints; one without shows poses.',
        'mmtranspose app transpose-h-a4\n  mmtranspose app model.onnx --bboxes drawn',
    )
    add_estimator(arguments)
    add_detector(arguments)
    arguments.add_argument(
        '--nms-thr',
        type=share,
        default=0.3,
        help='of two boxes whose IoU is above this, keep the one with the higher score (default: 0.3)',
    )
    arguments.add_argument(
        '--bboxes',
        choices=[WHOLE_IMAGE, DRAWN],
        help=f'do without a detector: one box around the whole image, or ({DRAWN}) only boxes drawn by two clicks',
    )
    arguments.add_argument('--device', default='cpu', help='where the networks run: cpu, cuda:0, ... (default: cpu)')
    arguments.add_argument(
        '--host',
        default='127.0.0.1',
        help='address to listen on (default: 127.0.0.1, for this machine only; 0.0.0.0: for all that can reach it)',
    )
    arguments.add_argument('--port', type=int, default=7860, help='port to listen on (default: 7860)')
    arguments.add_argument('--examples', metavar='DIR', help='folder with images to choose from (its first 24)')
    add_allow_partial(arguments)
    add_allow_non_finite(arguments)
    args = parse(arguments, argv)
    if not 0 <= args.port <= 65535:
        raise InputError(f'--port {args.port}: ports are numbered from 0 to 65535')
    if args.bboxes is not None:
        require_no_detector(args)
    return args


def box_finder(args: argparse.Namespace) -> Callable[[Sequence[np.ndarray]], Sequence[np.ndarray]] | None:
    """Build what finds people, as the arguments say; None if boxes are drawn by hand."""
    if args.bboxes == DRAWN:
        return None
    if args.bboxes == WHOLE_IMAGE:
        return lambda images: [whole_image(image) for image in images]
    instead = f', --bboxes {DRAWN} leaves boxes to you'
    return detector_of(args, args.device, instead, bbox_thr=LOWEST_BOX_SCORE, nms_thr=args.nms_thr)


def pose_estimator(args: argparse.Namespace, model: PoseEstimator) -> PoseEstimator:
    """What estimates the poses: OpenVINO's double of a model where it is asked for, which cannot be explained."""
    if args.backend != 'openvino' or is_exported_file(args.config):
        return model
    return accelerate(model, backend=args.backend)


def title_of(args: argparse.Namespace) -> str:
    """The model's name for the page."""
    config = Path(args.config)
    return config.name if args.checkpoint is None else f'{config.stem}, {Path(args.checkpoint).name}'


def main(argv: Sequence[str] | None = None) -> None:
    """Serve the page until Ctrl-C or SIGTERM."""
    args = parse_arguments(argv)
    require_gradio()
    require_free(args.host, args.port)  # before models are fetched and loaded
    examples = folder_images(args.examples) if args.examples else []
    with telling_all_missing(args):
        model = load_estimator(args)
        find_boxes = box_finder(args)
    explorer = Explorer(model, find_boxes, pose_estimator(args, model))
    try:
        with sigterm_as_interrupt(), serve(explorer, title_of(args), args.host, args.port, examples) as address:
            print(f'{address} (Ctrl-C ends it)', flush=True)
            Event().wait()
    except KeyboardInterrupt:
        print('ended')
