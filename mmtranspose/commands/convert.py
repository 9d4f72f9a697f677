"""Write a file of the authors' release as an MMPose checkpoint."""

from __future__ import annotations

from collections.abc import Sequence

from mmtranspose.loading.conversion import conversion_error, convert_official
from mmtranspose_cli.parser import command_parser

TOLERANCE = 1e-5  # of heatmaps, whose peaks are near 1


def main(argv: Sequence[str] | None = None) -> int:
    arguments = command_parser(
        'convert',
        "Convert a file of the authors' release (a state dict or a training checkpoint) to an MMPose checkpoint with "
        'meta data, under a published name: CONFIG-HASH8_DATE.pth. (Released files load without conversion, too.)',
        'mmtranspose convert tp_r_256x192_enc3_d256_h1024_mh8.pth --output-root checkpoints --check',
    )
    arguments.add_argument('source', metavar='RELEASED.pth', help='file of the release')
    arguments.add_argument('--output-root', default='.', metavar='DIR', help='where the result goes (default: here)')
    arguments.add_argument(
        '--config', help="config file or model name (default: the zoo's model that has the file's parameters)"
    )
    arguments.add_argument(
        '--check',
        action='store_true',
        help='compute the heatmaps of a fixed input from source and result; exit code 1 where they differ',
    )
    args = arguments.parse_args(argv)
    converted = convert_official(args.source, args.output_root, args.config)
    print(converted)
    if not args.check:
        return 0
    error = conversion_error(args.source, str(converted), args.config)
    print(f'largest difference of heatmaps: {error:.3g}')
    return int(error > TOLERANCE)
