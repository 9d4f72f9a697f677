"""``mmtranspose test``: evaluate a pose model, with the options of MMPose's tools/test.py."""

from __future__ import annotations

from collections.abc import Sequence

from mmtranspose.acceleration import DTYPES
from mmtranspose.commands.command_line import add_allow_non_finite, add_model, add_runner_arguments, parse
from mmtranspose.engine.runner_setup import build_runner, test_config
from mmtranspose_cli.parser import command_parser


def main(argv: Sequence[str] | None = None) -> None:
    """Run the command."""
    arguments = command_parser(
        'test',
        "Evaluate a pose model on its config's test or validation set, with the options of MMPose's tools/test.py.",
        'mmtranspose test transpose-r-a3 tp_r_256x192_enc3_d256_h1024_mh8.pth --out metrics.json',
    )
    add_model(arguments)
    arguments.add_argument(
        '--split',
        choices=['val', 'test'],
        default='test',
        help="evaluate on the config's test set, or on its validation set with its metrics (default: test)",
    )
    arguments.add_argument('--out', metavar='FILE', help='write the metrics to FILE (.json, .yaml or .pkl)')
    arguments.add_argument(
        '--dump', metavar='FILE', help='write the predictions to FILE (.pkl), for a later evaluation'
    )
    arguments.add_argument('--badcase', action='store_true', help='save or show all samples with the worst loss')
    arguments.add_argument(
        '--accelerate',
        nargs='?',
        const='fp32',
        choices=list(DTYPES),
        help='test the accelerated model, in fp32 (with equal results) or another precision (see docs/speed.md)',
    )
    add_runner_arguments(arguments)
    add_allow_non_finite(arguments)
    args = parse(arguments, argv)
    build_runner(test_config(args), ('test_dataloader',)).test()
