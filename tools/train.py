"""Train a pose model (the flags are those of MMPose's tools/train.py)."""

from mmtranspose.commands.command_line import add_runner_arguments, parse, parser, run
from mmtranspose.engine.runner_setup import build_runner, train_config


def main() -> None:
    arguments = parser(
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
    cfg = train_config(parse(arguments))
    build_runner(cfg, ('train_dataloader', 'val_dataloader')).train()


if __name__ == '__main__':
    run(main)
