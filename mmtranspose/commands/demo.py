"""``mmtranspose demo``: train a small TransPose on synthetic people and show what its predictions depend on."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from mmtranspose.commands.command_line import from_zero, whole_number
from mmtranspose.demo.photograph_demo import pose_photograph
from mmtranspose.demo.pose_demo import Demo
from mmtranspose_cli.parser import command_parser
from mmtranspose_cli.terminal import printable

CONFIG = 'transpose-r-tiny_synthetic'


def main(argv: Sequence[str] | None = None) -> None:
    """Run the command with ``argv``, or with this process's arguments."""
    arguments = command_parser(
        'demo',
        'Draw synthetic people, train a small TransPose on them, evaluate it, and show what its predictions depend on.',
        'mmtranspose demo --photograph-only\n  mmtranspose demo --output-root demo_output',
    )
    arguments.add_argument(
        '--output-root', default='demo_output', metavar='DIR', help='output folder (default: demo_output)'
    )
    arguments.add_argument('--config', default=CONFIG, help=f'config file or model name (default: {CONFIG})')
    arguments.add_argument('--num-train', type=whole_number, default=1700, help='training images (default: 1700)')
    arguments.add_argument('--num-val', type=whole_number, default=300, help='held-out images (default: 300)')
    arguments.add_argument('--epochs', type=whole_number, help="epochs of training (default: the config's)")
    arguments.add_argument('--seed', type=from_zero, default=0, help='seed of images and training (default: 0)')
    arguments.add_argument(
        '--device', default='cpu', help='device for the images (default: cpu); training uses a GPU if there is one'
    )
    arguments.add_argument(
        '--photograph-only',
        action='store_true',
        help='train nothing: only estimate the pose in a photograph, with weights that come with the package (seconds)',
    )
    args = arguments.parse_args(argv)
    if args.photograph_only:
        files = pose_photograph(Path(args.output_root), args.device)
        print('\n'.join(printable(f'{name}: {path}') for name, path in files.items()))
        return
    counts = (args.num_train, args.num_val, args.epochs)
    demo = Demo(Path(args.output_root), args.config, args.seed, *counts, args.device)
    demo.run()
    print('\n' + demo.table())
