"""Train a pose model (the flags are those of MMPose's tools/train.py)."""

from __future__ import annotations

from collections.abc import Sequence

from mmtranspose.commands.command_line import add_runner_arguments, parse
from mmtranspose.engine.runner_setup import build_runner, train_config
from mmtranspose_cli.parser import command_parser


def main(argv: Sequence[str] | None = None) -> None:
    arguments = command_parser(
        'train',
        'Train a pose model.',
        'mmtranspose train transpose-r-a3 --amp --cfg-options data_root=/data/coco',
    )
    arguments.add_argument('config', help='config file, or a name from `mmtranspose list`')
    arguments.add_argument(
        '--resume',
        nargs='?',
        const='auto',
        metavar='CHECKPOINT',
        help='go on from CHECKPOINT; without one, from the newest readable checkpoint of the work directory',
    )
    arguments.add_argument('--amp', action='store_true', help='automatic mixed precision (on a GPU)')
    arguments.add_argument('--no-validate', action='store_true', help='do not evaluate while training')
    arguments.add_argument(
        '--auto-scale-lr', action='store_true', help="scale the learning rate by batch size / the config's base size"
    )
    add_runner_arguments(arguments)
    cfg = train_config(parse(arguments, argv))
    build_runner(cfg, ('train_dataloader', 'val_dataloader')).train()
