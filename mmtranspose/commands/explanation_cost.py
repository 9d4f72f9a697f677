"""Time and memory that explaining adds to a forward pass, and what whole matrices of attention would cost."""

from __future__ import annotations

from collections.abc import Sequence

from mmtranspose.benchmark import compare_explanations
from mmtranspose.files.json_files import write_json
from mmtranspose_cli.parser import command_parser


def main(argv: Sequence[str] | None = None) -> None:
    arguments = command_parser(
        'explanation-cost',
        'Compare a plain forward pass, one that also gives the maps of every keypoint in every layer, and one by '
        'attention that returns its matrices.',
        'mmtranspose explanation-cost transpose-h-s --batch-size 16',
    )
    arguments.add_argument('config', help='config file, or a name from `mmtranspose list`')
    arguments.add_argument('--batch-size', type=int, default=16, help='default: 16')
    arguments.add_argument('--direction', choices=['dependency', 'affect'], default='dependency', help='of the maps')
    arguments.add_argument('--repeats', type=int, default=5, help='rounds; medians count (default: 5)')
    arguments.add_argument('--device', default='cpu', help='cpu (default) or cuda:0')
    arguments.add_argument('--json', metavar='FILE', help='write the figures to FILE too')
    args = arguments.parse_args(argv)
    results = compare_explanations(args.config, args.batch_size, args.device, args.repeats, args.direction)
    print(f'{"":16}{"seconds":>9}{"(range)":>16}{"ratio":>8}{"peak MiB":>11}{"ratio":>8}')
    for way, row in results.items():
        spread = f'{row["fastest"]:.2f}-{row["slowest"]:.2f}'
        times = f'{row["seconds"]:>9.2f}{spread:>16}{row["time_ratio"]:>8.2f}'
        print(f'{way:16}{times}{row["peak_mib"]:>11.0f}{row["memory_ratio"]:>8.2f}')
    if args.json:
        write_json(args.json, results)
