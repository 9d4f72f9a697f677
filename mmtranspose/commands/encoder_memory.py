"""Peak memory and time of the encoder's training step, against attention that holds its matrices."""

from __future__ import annotations

from collections.abc import Sequence

from mmtranspose.benchmark import compare_encoders
from mmtranspose.files.json_files import write_json
from mmtranspose_cli.parser import command_parser


def main(argv: Sequence[str] | None = None) -> None:
    arguments = command_parser(
        'encoder-memory',
        "Compare the encoder's training step (forward and backward) with nn.MultiheadAttention(need_weights=True).",
        'mmtranspose encoder-memory --batch-size 4',
    )
    arguments.add_argument('config', nargs='?', default='transpose-h-a6', help='config (default: transpose-h-a6)')
    arguments.add_argument('--batch-size', type=int, default=4, help='default: 4')
    arguments.add_argument('--device', default='cpu', help='cpu (default) or cuda:0')
    arguments.add_argument('--json', metavar='FILE', help='write the figures to FILE too')
    args = arguments.parse_args(argv)
    results = compare_encoders(args.config, args.batch_size, args.device)
    print(f'{"":14}{"peak MiB":>10}{"seconds":>10}')
    for name, row in results.items():
        digits = 3 if name == 'ratio' else 1
        print(f'{name:14}{row["peak_mib"]:>10.{digits}f}{row["seconds"]:>10.3f}')
    if args.json:
        write_json(args.json, results)
