"""Peak memory and time of the encoder's training step, against attention that holds its matrices."""

from pathlib import Path

from mmtranspose.benchmark import compare_encoders
from mmtranspose.commands.command_line import parser, run
from mmtranspose.files.json_files import write_json

H_A6 = (
    Path(__file__).parents[2]
    / 'configs/body_2d_keypoint/topdown_heatmap/coco/td-hm_transpose-h-a6_4xb14-240e_coco-256x192.py'
)


def main() -> None:
    arguments = parser(
        "Compare the encoder's training step (forward and backward) with nn.MultiheadAttention(need_weights=True).",
        'mmtranspose encoder-memory --batch-size 4',
    )
    arguments.add_argument('config', nargs='?', default=str(H_A6), help='config file (default: H-A6)')
    arguments.add_argument('--batch-size', type=int, default=4, help='default: 4')
    arguments.add_argument('--device', default='cpu', help='cpu (default) or cuda:0')
    arguments.add_argument('--json', metavar='FILE', help='write the figures to FILE too')
    args = arguments.parse_args()
    results = compare_encoders(args.config, args.batch_size, args.device)
    print(f'{"":14}{"peak MiB":>10}{"seconds":>10}')
    for name, row in results.items():
        digits = 3 if name == 'ratio' else 1
        print(f'{name:14}{row["peak_mib"]:>10.{digits}f}{row["seconds"]:>10.3f}')
    if args.json:
        write_json(args.json, results)


if __name__ == '__main__':
    run(main)
