"""What the poses in given boxes of an image depend on: a page to explore, figures, overlays and raw maps."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from mmtranspose.commands.command_line import (
    add_allow_partial,
    add_image_and_bboxes,
    read_image_and_bboxes,
    share,
)
from mmtranspose.errors import InputError
from mmtranspose.explain.explainer import explain_topdown
from mmtranspose.files.output_paths import require_writable
from mmtranspose.loading.init_model import init_model
from mmtranspose.results.explanation_files import write_explanations
from mmtranspose_cli.parser import command_parser


def main(argv: Sequence[str] | None = None) -> None:
    arguments = command_parser(
        'explain',
        'Show what the poses in given boxes of an image depend on. Into DIR: NAME.html, one page without network '
        '(click a keypoint, slide layer and head); NAME_personN_*.png, layers x keypoints; NAME_overlays/, each '
        'keypoint over the whole image; NAME.npz, the raw maps.',
        'mmtranspose explain transpose-r-a3 released.pth --input street.jpg --bboxes boxes.json --output-root out',
    )
    add_image_and_bboxes(arguments)
    arguments.add_argument('--output-root', required=True, metavar='DIR', help='where page, images and maps go')
    arguments.add_argument(
        '--heads', choices=['mean', 'all'], default='mean', help="average a layer's heads (default), or keep them apart"
    )
    arguments.add_argument(
        '--cell',
        choices=['bilinear', 'nearest'],
        default='bilinear',
        help="a keypoint's map: of the four tokens next to its heatmap's peak (default), or of the one that the "
        "authors' floor gives",
    )
    arguments.add_argument('--no-affect', action='store_true', help='dependency only: faster, and a smaller page')
    arguments.add_argument(
        '--methods',
        nargs='+',
        default=[],
        metavar='METHOD',
        help='methods beside attention: rollout, gradient-attention, input-gradient, integrated-gradients; and the '
        'controls random, gaussian',
    )
    arguments.add_argument(
        '--threshold',
        type=share,
        help="do not draw weights at or below this, in figures and overlays (default: draw all; the authors' "
        'suggestion: 0.01; the page has a slider)',
    )
    arguments.add_argument('--kpt-thr', type=float, default=0.3, help='mark keypoints of a lower score (default: 0.3)')
    arguments.add_argument('--no-flip-test', action='store_true', help='explain one pass, without the mirrored image')
    arguments.add_argument('--device', default='cpu', help='cpu (default), cuda:0, ...')
    add_allow_partial(arguments)
    args = arguments.parse_args(argv)

    image, bboxes = read_image_and_bboxes(args)
    if not len(bboxes):
        raise InputError(f'box file {args.bboxes} is empty: there is nobody to explain (whole-image makes one box)')
    require_writable(args.output_root)
    model = init_model(args.config, args.checkpoint, args.device, allow_partial=args.allow_partial)
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
    print(f'{len(explanations)} people: {", ".join(files["page"] + files["maps"] + files["figures"])}')
    print(f'{len(files["overlays"])} overlays: {Path(files["overlays"][0]).parent}')
