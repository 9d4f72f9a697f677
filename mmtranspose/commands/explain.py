"""Explain the poses in given boxes of an image: a page to explore, figures, overlays and raw maps."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from mmtranspose.commands.command_line import (
    add_allow_non_finite,
    add_allow_partial,
    add_image_and_bboxes,
    parse,
    read_image_and_bboxes,
    share,
)
from mmtranspose.errors import InputError
from mmtranspose.explain.explainer import explain_topdown
from mmtranspose.files.output_paths import require_writable
from mmtranspose.loading.init_model import init_model
from mmtranspose.results.explanation_files import write_explanations
from mmtranspose_cli.parser import command_parser
from mmtranspose_cli.terminal import printable


def parse_arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    """Parse the command line."""
    arguments = command_parser(
        'explain',
        'Show what the poses in given boxes of an image depend on. Files in DIR: NAME.html, a page that opens without '
        'a network (click a keypoint, slide layer and head); NAME_personN_*.png, maps of layers x keypoints; '
        'NAME_overlays/, the map of each keypoint over the whole image; NAME.npz, the raw maps.',
        'mmtranspose explain transpose-r-a3 released.pth --input street.jpg --bboxes boxes.json --output-root out',
    )
    add_image_and_bboxes(arguments)
    arguments.add_argument('--output-root', required=True, metavar='DIR', help='folder for page, images and maps')
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
        help='the map of a keypoint: the mean over the four tokens around the peak of its heatmap, weighted by their '
        "nearness (default), or the map of one token, by the floor of the authors' code",
    )
    arguments.add_argument('--no-affect', action='store_true', help='only dependency: faster, and a smaller page')
    arguments.add_argument(
        '--methods',
        nargs='+',
        default=[],
        metavar='METHOD',
        help='further methods of explanation: rollout, gradient-attention, input-gradient, integrated-gradients; and '
        'the controls random, gaussian',
    )
    arguments.add_argument(
        '--threshold',
        type=share,
        help='do not draw weights at or below this in figures and overlays (default: draw all; the authors suggest '
        '0.01; the page has a slider)',
    )
    arguments.add_argument(
        '--kpt-thr', type=float, default=0.3, help='mark keypoints of a lower score as uncertain (default: 0.3)'
    )
    arguments.add_argument(
        '--no-flip-test', action='store_true', help='explain one pass of the network, without the mirrored image'
    )
    arguments.add_argument('--device', default='cpu', help='cpu (default), cuda:0, ...')
    add_allow_partial(arguments)
    add_allow_non_finite(arguments)
    return parse(arguments, argv)


def main(argv: Sequence[str] | None = None) -> None:
    """Run the command."""
    args = parse_arguments(argv)
    image, bboxes = read_image_and_bboxes(args)
    if not len(bboxes):
        raise InputError(f'box file {args.bboxes} is empty: there is nobody to explain (whole-image makes one box)')
    require_writable(args.output_root)
    model = init_model(
        args.config,
        args.checkpoint,
        args.device,
        allow_partial=args.allow_partial,
        allow_non_finite=args.allow_non_finite,
    )
    explanations = explain_topdown(
        model,
        image,
        bboxes,
        affect=not args.no_affect,
        heads=args.heads,
        cell=args.cell,
        methods=args.methods,
        score_thr=args.kpt_thr,
        flip_test=False if args.no_flip_test else None,
    )
    files = write_explanations(args.output_root, Path(args.input).name, image, explanations, args.threshold)
    print(printable(f'{len(explanations)} people: {", ".join(files["page"] + files["maps"] + files["figures"])}'))
    print(printable(f'{len(files["overlays"])} overlays: {Path(files["overlays"][0]).parent}'))
