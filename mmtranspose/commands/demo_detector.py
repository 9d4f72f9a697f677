"""``mmtranspose demo-detector``: train a person detector on the demo's people, and measure its boxes."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from mmtranspose.commands.command_line import from_zero, whole_number
from mmtranspose.demo.detector_demo import train_detector
from mmtranspose.errors import InputError
from mmtranspose_cli.parser import command_parser
from mmtranspose_cli.terminal import printable

CONFIG = 'rtmdet_tiny_1xb8-4e_synthetic-128x128'


def main(argv: Sequence[str] | None = None) -> None:
    """Run the command with ``argv``, or with this process's arguments."""
    arguments = command_parser(
        'demo-detector',
        "Train mmdet's RTMDet-tiny from scratch on the people that `mmtranspose demo` drew, and measure its boxes on "
        'the held-out images: a detector for trying `mmtranspose infer`, `detect` and `app`.',
        'mmtranspose demo-detector --output-root demo_output',
    )
    arguments.add_argument(
        '--output-root', default='demo_output', metavar='DIR', help="the demo's folder (default: demo_output)"
    )
    arguments.add_argument('--config', default=CONFIG, help=f'config file or its name (default: {CONFIG})')
    arguments.add_argument(
        '--epochs', type=whole_number, metavar='N', help="epochs of training (default: the config's)"
    )
    arguments.add_argument('--seed', type=from_zero, default=0, help='seed of training (default: 0)')
    arguments.add_argument(
        '--device', default='cpu', help='device for measuring (default: cpu); training uses a GPU if there is one'
    )
    args = arguments.parse_args(argv)
    root = Path(args.output_root)
    if not (root / 'data' / 'annotations').is_dir():
        raise InputError(f'{root} has no drawn people: run `mmtranspose demo --output-root {root}` (make demo) first')
    found = train_detector(root / 'data', root / 'detector', args.config, args.seed, args.epochs, args.device)
    print('box ' + ', '.join(f'{name} {value:.3f}' for name, value in found.ap.items()))
    print(printable(f'boxes of the held-out images: {found.detections}'))
    print(printable(f'for infer, detect and app: --det-config {found.config} --det-checkpoint {found.checkpoint}'))
