"""``mmtranspose publish``: write the weights of a trained checkpoint as a small file to share."""

from __future__ import annotations

from collections.abc import Sequence

from mmtranspose.loading.publishing import publish
from mmtranspose_cli.parser import command_parser
from mmtranspose_cli.terminal import printable


def main(argv: Sequence[str] | None = None) -> None:
    """Run the command."""
    arguments = command_parser(
        'publish',
        'Write the weights of a trained checkpoint to a .safetensors file that every command loads: in half precision, '
        'and without optimiser, logs and paths of this machine. Compare both by `mmtranspose test`.',
        'mmtranspose publish work_dirs/my_config/best_coco_AP_epoch_45.pth my_model.safetensors',
    )
    arguments.add_argument('checkpoint', help='checkpoint of a training')
    arguments.add_argument('output', metavar='OUTPUT.safetensors', help='file to write')
    arguments.add_argument('--full', action='store_true', help='keep single precision: a file twice as large')
    args = arguments.parse_args(argv)
    written = publish(args.checkpoint, args.output, half=not args.full)
    print(printable(f'{written}: {written.stat().st_size / 1e6:.1f} MB'))
