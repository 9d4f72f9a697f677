"""``mmtranspose explain-dataset``: what predictions depend on over a dataset, and how faithful explanations are."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

import torch
from mmengine.dist import init_dist, is_main_process

from mmtranspose.commands.command_line import (
    METHODS,
    add_allow_non_finite,
    add_allow_partial,
    add_cfg_options,
    add_launcher,
    add_model,
    from_zero,
    parse,
    score,
    whole_number,
)
from mmtranspose.compat import cpu_distributed
from mmtranspose.dataset_explanation import CaseOptions, DatasetExplanationSettings, explain_dataset
from mmtranspose.dataset_explanation.cases.case_summary import cases_text
from mmtranspose.dataset_explanation.report_files import summary_text
from mmtranspose.files.output_paths import require_writable
from mmtranspose.loading.config import load_config
from mmtranspose.loading.init_model import init_model
from mmtranspose_cli.optional_packages import pip_install
from mmtranspose_cli.parser import command_parser
from mmtranspose_cli.terminal import printable


def parse_arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    """Parse the command line."""
    defaults = DatasetExplanationSettings()
    arguments = command_parser(
        'explain-dataset',
        "Measure what a model's predictions depend on, over the labelled people of the config's test data, in their "
        'annotated boxes: on which body parts the attention of each keypoint lies in each layer, for visible and for '
        'occluded keypoints; how far and how evenly attention reaches; and how faithful attention and other '
        'explanation methods are, to changes of pixels and to interventions inside the network, beside two controls. '
        'It names the error of every keypoint (jitter, inversion, swap, miss), what such errors cost in AP, and where '
        'the network looks when it makes them. It writes explanation.json, tables (.csv), figures, and report.html, a '
        'page to start from, with the worst people. You can stop it at any time: the same command goes on where it '
        'was. Measurements are kept in DIR/parts by the settings that they depend on. So with more people, '
        'another method or other settings, only what is missing is measured, and former settings find theirs again. '
        'Other weights or other data need another DIR.',
        'mmtranspose explain-dataset transpose-r-a3 released.pth --max-samples 500 --output-root explained',
    )
    add_model(arguments)
    arguments.add_argument(
        '--output-root', required=True, metavar='DIR', help='folder for measurements, tables and figures'
    )
    arguments.add_argument(
        '--split',
        choices=['val', 'test'],
        default='test',
        help="people of the config's test set, or of its validation set (default: test)",
    )
    arguments.add_argument(
        '--max-samples',
        type=whole_number,
        metavar='N',
        help='number of people, drawn at random (default: all); a larger number adds people to those of a smaller one',
    )
    arguments.add_argument(
        '--faithfulness-samples',
        type=from_zero,
        default=defaults.faithfulness_samples,
        metavar='N',
        help='number of people whose explanations are tested for faithfulness, by hundreds of passes each; 0 tests '
        f'none (default: {defaults.faithfulness_samples})',
    )
    arguments.add_argument(
        '--methods',
        nargs='+',
        default=(),
        metavar='METHOD',
        help=f'explanation methods to test: {METHODS} (default: those that need neither captum nor a pass for each '
        'token)',
    )
    arguments.add_argument(
        '--cell',
        choices=['bilinear', 'nearest'],
        default=defaults.cell,
        help="tokens whose attention stands for a keypoint: the four next to its heatmap's peak, or the nearest one "
        f'(default: {defaults.cell})',
    )
    arguments.add_argument(
        '--kpt-thr',
        type=score,
        default=defaults.score_thr,
        help=f'test faithfulness for keypoints with at least this score (default: {defaults.score_thr})',
    )
    arguments.add_argument(
        '--batch-size',
        type=whole_number,
        default=defaults.batch_size,
        help=f'people that go through the network together, which does not change the results (default: '
        f'{defaults.batch_size})',
    )
    arguments.add_argument(
        '--seed',
        type=from_zero,
        default=defaults.seed,
        help=f'seed of all that is drawn at random (default: {defaults.seed})',
    )
    arguments.add_argument(
        '--pages',
        type=from_zero,
        default=CaseOptions().pages,
        metavar='N',
        help='number of people, the worst ones, who get an interactive page each, linked from the report '
        f'(default: {CaseOptions().pages})',
    )
    arguments.add_argument(
        '--parquet',
        action='store_true',
        help=f'write the tables of keypoints and of people as Parquet too (needs pyarrow: {pip_install("pyarrow")})',
    )
    arguments.add_argument('--device', help='cpu, cuda:0, ... (default: the GPU of this process if there is one)')
    add_cfg_options(arguments)
    add_allow_partial(arguments)
    add_allow_non_finite(arguments)
    add_launcher(arguments)
    return parse(arguments, argv)


def main(argv: Sequence[str] | None = None) -> None:
    """Measure, write the report, and print its tables."""
    args = parse_arguments(argv)
    settings = DatasetExplanationSettings(
        max_samples=args.max_samples,
        faithfulness_samples=args.faithfulness_samples,
        methods=tuple(args.methods),
        cell=args.cell,
        score_thr=args.kpt_thr,
        batch_size=args.batch_size,
        seed=args.seed,
    )
    case_options = CaseOptions(pages=args.pages, parquet=args.parquet)
    if args.launcher != 'none' and not cpu_distributed.init_process_group(args.launcher):
        init_dist(args.launcher)
    device = args.device or (f'cuda:{torch.cuda.current_device()}' if torch.cuda.is_available() else 'cpu')
    require_writable(args.output_root)
    cfg = load_config(args.config, args.cfg_options)
    model = init_model(
        cfg, args.checkpoint, device, allow_partial=args.allow_partial, allow_non_finite=args.allow_non_finite
    )
    try:
        summary = explain_dataset(
            model, args.output_root, settings, case_options=case_options, loader=f'{args.split}_dataloader'
        )
    except KeyboardInterrupt:
        if is_main_process():
            parts = Path(args.output_root) / 'parts'
            print(printable(f'what is measured is kept in {parts}: the same command goes on'), file=sys.stderr)
        raise
    if summary is not None:  # None on other ranks than 0
        print(summary_text(summary))
        print(f'\n{cases_text(summary["cases"])}')
        print(f'\nreport: {printable(Path(args.output_root) / "report.html")}')
        print(printable(f'tables and figures: {args.output_root}'))
