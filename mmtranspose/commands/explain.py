"""Explain the poses of the people in an image: a page to explore, figures, overlays and raw maps."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from mmtranspose.acceleration import OpenVinoEncoders
from mmtranspose.commands.command_line import (
    BBOX_CATEGORY,
    METHODS,
    RESULTS,
    add_allow_non_finite,
    add_allow_partial,
    parse,
    score,
    share,
)
from mmtranspose.commands.detector_arguments import add_detector, detector_of, require_no_detector
from mmtranspose.commands.misplaced_inputs import ONE_IMAGE
from mmtranspose.commands.model_arguments import add_estimator, load_estimator
from mmtranspose.commands.needed_weights import telling_all_missing
from mmtranspose.crops.boxes import box_problem, whole_image
from mmtranspose.errors import DONE, FAILED, InputError
from mmtranspose.explain.explainer import explain_topdown
from mmtranspose.explain.methods import Method, TokenAblation
from mmtranspose.files.exported_files import is_exported_file
from mmtranspose.files.output_paths import require_writable
from mmtranspose.files.text_tables import counted
from mmtranspose.inference import BoxFile
from mmtranspose.inference.box_sources import WHOLE_IMAGE
from mmtranspose.media import Frame, read_image
from mmtranspose.results.explanation_files import write_explanations
from mmtranspose.results.low_scores import LowScores
from mmtranspose_cli.parser import command_parser
from mmtranspose_cli.terminal import printable


def parse_arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    """Parse the command line."""
    arguments = command_parser(
        'explain',
        'Show what the poses of the people in an image depend on. Files in DIR: NAME.html, a page that opens without '
        'a network (click a keypoint, choose layer and head); NAME_personN_*.png, maps of layers x keypoints; '
        'NAME_overlays/, the map of each keypoint over the whole image; NAME.npz, the raw maps.',
        'mmtranspose explain transpose-h-a4 --input street.jpg\n'
        '  mmtranspose explain my_config.py best.pth --input street.jpg --bboxes boxes.json --output-root out',
    )
    add_image_and_bboxes(arguments)
    arguments.add_argument(
        '--output-root',
        default=RESULTS,
        metavar='DIR',
        help=f'folder for page, images and maps (default: {RESULTS})',
    )
    arguments.add_argument(
        '--heads',
        choices=['mean', 'all'],
        default='mean',
        help='average the heads of each layer (default), or keep them apart',
    )
    arguments.add_argument(
        '--cell',
        choices=['bilinear', 'nearest'],
        default='bilinear',
        help='the map of a keypoint: the mean over the four tokens around the peak of its heatmap, weighted by '
        'nearness (default), or the map of the token that holds the peak',
    )
    arguments.add_argument(
        '--animation',
        action='store_true',
        help="also write NAME_animation.gif: the poses, and the last layer's map of one keypoint after the other",
    )
    arguments.add_argument(
        '--no-affect', action='store_true', help='leave out affect, which is faster and makes a smaller page'
    )
    arguments.add_argument(
        '--methods',
        nargs='+',
        default=[],
        metavar='METHOD',
        help=f'further methods of explanation: {METHODS}',
    )
    arguments.add_argument(
        '--threshold',
        type=share,
        help='do not draw weights at or below this in figures and overlays (default: draw all; the authors suggest '
        '0.01; the page has a slider)',
    )
    arguments.add_argument(
        '--kpt-thr', type=score, default=0.3, help='mark keypoints of a lower score as uncertain (default: 0.3)'
    )
    arguments.add_argument(
        '--no-flip-test', action='store_true', help='explain one pass of the network, without the mirrored image'
    )
    arguments.add_argument('--device', default='cpu', help='cpu (default), cuda:0, ...')
    add_allow_partial(arguments)
    add_allow_non_finite(arguments)
    args = parse(arguments, argv)
    require_one_image(args.input)
    return args


def require_one_image(image: str) -> None:
    """Check that no folder is given.

    Raises:
        InputError: One is.
    """
    if Path(image).is_dir():
        raise InputError(f'--input {image} is a folder; {ONE_IMAGE}')


def _fast(name: str) -> str | Method:
    """The method of a name, by OpenVINO's encoder if that can be had and it is token ablation, which takes minutes."""
    return TokenAblation(encoder_of=OpenVinoEncoders()) if name == TokenAblation.name else name


def add_image_and_bboxes(arguments: argparse.ArgumentParser) -> None:
    """Add the arguments of a trained model, an image and the boxes of people in it."""
    add_estimator(arguments)
    add_detector(arguments)
    arguments.add_argument('--input', required=True, metavar='IMAGE', help='image file')
    arguments.add_argument(
        '--bboxes',
        metavar=f'BOXES.json|{WHOLE_IMAGE}',
        help='boxes of people instead of a detector: JSON file with a list of boxes, [x1, y1, x2, y2(, score)] in '
        'pixels or {"bbox": [x, y, w, h], '
        '"score": s}, or any other file of boxes that `mmtranspose infer` takes; or "whole-image" for one box around '
        'the image. Boxes that cannot be used are named and left out; the exit status is then 1',
    )
    arguments.add_argument('--bbox-category', metavar='ID', help=BBOX_CATEGORY)
    arguments.add_argument(
        '--ann-file', metavar='JSON', help='COCO annotations that list file names with the image_id of the boxes'
    )


def usable_boxes(args: argparse.Namespace, image: np.ndarray) -> tuple[np.ndarray, int]:
    """The boxes (N, 5) of people in the image, at least one, and the number of those that are left out and named.

    Raises:
        InputError: The file cannot be used, or there is no box.
    """
    if args.bboxes == WHOLE_IMAGE:
        return whole_image(image), 0
    if args.bboxes is None:
        return detected_boxes(args, image), 0
    faults: list[tuple[str, str]] = []
    source = BoxFile(
        args.bboxes,
        args.ann_file,
        category_id=args.bbox_category,
        on_skip=lambda where, reason: faults.append((where, reason)),
    )
    [boxes] = source([Frame(image, args.input, 0, args.input, None)])
    if not len(boxes):
        why = source.unmatched() or source.left_out or f'box file {args.bboxes} has no box of {args.input}'
        raise InputError(f'{why}; --bboxes {WHOLE_IMAGE} makes one box')
    problems = [box_problem(box, image.shape[:2]) for box in boxes]
    named = [f'box {index} {box.tolist()} {problem}' for index, (box, problem) in enumerate(zip(boxes, problems))]
    left_out = [': '.join(fault) for fault in faults]
    left_out += [name for name, problem in zip(named, problems) if problem]
    usable = boxes[[problem is None for problem in problems]]
    if not len(usable):
        raise InputError(f'{args.input}: {left_out[-1]}; there is no person to explain')
    for line in filter(None, [*left_out, source.left_out]):
        print(printable(line), file=sys.stderr)
    return usable, len(left_out)


def detected_boxes(args: argparse.Namespace, image: np.ndarray) -> np.ndarray:
    """The boxes (N, 5) of the people that a detector finds in the image, at least one.

    Raises:
        InputError: It finds nobody, or cannot be used.
    """
    instead = f', --bboxes BOXES.json takes boxes that you have, --bboxes {WHOLE_IMAGE} one around the image'
    (boxes,) = detector_of(args, args.device, instead)([image])
    if not len(boxes):
        raise InputError(f'the detector finds nobody in {args.input}; --bboxes {WHOLE_IMAGE} makes one box')
    return boxes


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; returns the exit status."""
    args = parse_arguments(argv)
    if args.bboxes is not None:
        require_no_detector(args)
    image = read_image(args.input)
    require_writable(args.output_root)
    if args.backend is not None and not is_exported_file(args.config):
        raise InputError(f'--backend {args.backend} is for exported files here: a model is explained in PyTorch')
    with telling_all_missing(args):
        bboxes, left_out = usable_boxes(args, image)
        model = load_estimator(args)
    explanations = explain_topdown(
        model,
        image,
        bboxes,
        affect=not args.no_affect and not is_exported_file(args.config),
        heads=args.heads,
        cell=args.cell,
        methods=[_fast(name) for name in args.methods],
        score_thr=args.kpt_thr,
        flip_test=False if args.no_flip_test else None,
    )
    name, drawn = Path(args.input).name, (args.threshold, args.animation)
    files = write_explanations(args.output_root, name, image, explanations, *drawn, progress=True)
    named = [file for kind in ('page', 'animation', 'maps', 'figures') for file in files[kind]]
    print(printable(f'{counted(len(explanations), "person")}: {", ".join(named)}'))
    print(printable(f'{counted(len(files["overlays"]), "overlay")}: {Path(files["overlays"][0]).parent}'))
    low_scores = LowScores(args.kpt_thr)
    low_scores.add(args.input, [one.scores for one in explanations])
    if low_scores.sentence():
        print(printable(low_scores.sentence()), file=sys.stderr)
    return FAILED if left_out else DONE
