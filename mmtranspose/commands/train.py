"""``mmtranspose train``: train a pose model, with the options of MMPose's tools/train.py."""

from __future__ import annotations

from collections.abc import Sequence

from mmtranspose.commands.command_line import add_runner_arguments, minutes, parse
from mmtranspose.engine.preemption import preempted_by_signals
from mmtranspose.engine.runner_setup import build_runner, checkpoint_folder, train_config
from mmtranspose.loading.resuming import tell_of_finished, tell_of_newest
from mmtranspose_cli.parser import command_parser


def main(argv: Sequence[str] | None = None) -> None:
    """Run the command."""
    arguments = command_parser(
        'train',
        "Train a pose model, with the options of MMPose's tools/train.py.",
        'mmtranspose train transpose-r-a3 --amp --cfg-options data_root=/data/coco',
        epilog='SIGTERM and SIGUSR1 finish the step, write a checkpoint and exit with status 75. Ctrl-C ends at once '
        'and writes nothing. Go on with --resume.',
    )
    arguments.add_argument('config', help='config file, or a name from `mmtranspose list`')
    arguments.add_argument(
        '--resume',
        nargs='?',
        const='auto',
        metavar='CHECKPOINT',
        help='continue a run from CHECKPOINT, or else from the newest readable checkpoint in the work directory',
    )
    arguments.add_argument(
        '--save-every',
        type=minutes,
        metavar='MINUTES',
        help='also save in the middle of an epoch, whenever nothing was saved for MINUTES (to mid_epoch.pth)',
    )
    arguments.add_argument('--amp', action='store_true', help='use automatic mixed precision (needs a GPU)')
    arguments.add_argument('--no-validate', action='store_true', help='do not evaluate while training')
    arguments.add_argument(
        '--auto-scale-lr',
        action='store_true',
        help="scale the learning rate by the batch size, relative to the config's base batch size",
    )
    add_runner_arguments(arguments)
    args = parse(arguments, argv)
    with preempted_by_signals():
        cfg = train_config(args)
        runner = build_runner(cfg, ('train_dataloader', 'val_dataloader'))
        tell_of_finished(cfg, runner.train_loop.max_iters)
        try:
            runner.train()
        except KeyboardInterrupt:
            tell_of_newest(checkpoint_folder(cfg))
            raise
