"""``mmtranspose convert``: write a file of the authors' release as an MMPose checkpoint."""

from __future__ import annotations

from collections.abc import Sequence

from mmtranspose.files.output_paths import require_writable
from mmtranspose.loading.conversion import conversion_error, convert_official
from mmtranspose_cli.parser import command_parser
from mmtranspose_cli.terminal import printable

TOLERANCE = 1e-5  # heatmaps have peaks near 1


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; returns the exit status."""
    arguments = command_parser(
        'convert',
        "Convert a file of the authors' release (a state dict or a training checkpoint) to an MMPose checkpoint with "
        'metadata, named CONFIG-HASH8_DATE.pth as published files are. (Released files can also be loaded as they '
        'are.)',
        'mmtranspose convert transpose-h-a4 --output-root checkpoints --check\n'
        '  mmtranspose convert tp_r_256x192_enc3_d256_h1024_mh8.pth --output-root checkpoints --check',
    )
    arguments.add_argument(
        'source',
        metavar='RELEASED.pth|NAME',
        help='file of the release, its URL, or the name of a model whose released weights are fetched',
    )
    arguments.add_argument(
        '--output-root', default='.', metavar='DIR', help='folder for the result (default: the current folder)'
    )
    arguments.add_argument(
        '--config', help='config file or model name (default: the model in the zoo with the same parameters)'
    )
    arguments.add_argument(
        '--check',
        action='store_true',
        help='compare the heatmaps of the source and the result for a fixed input; exit status 1 if they differ',
    )
    args = arguments.parse_args(argv)
    require_writable(args.output_root)
    converted = convert_official(args.source, args.output_root, args.config)
    print(printable(converted))
    if not args.check:
        return 0
    error = conversion_error(args.source, str(converted), args.config)
    print(f'largest difference of heatmaps: {error:.3g}')
    return int(error > TOLERANCE)
