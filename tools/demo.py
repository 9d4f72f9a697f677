"""Draw synthetic people, train a small TransPose on them, evaluate it and show what its predictions rest on."""

from pathlib import Path

from mmtranspose.commands.command_line import parser, run
from mmtranspose.demo.pose_demo import Demo

CONFIGS = Path(__file__).parents[1] / 'configs'
CONFIG = CONFIGS / 'body_2d_keypoint/topdown_heatmap/synthetic/td-hm_transpose-r-tiny_1xb16-10e_synthetic-128x96.py'


def main() -> None:
    arguments = parser(
        'Draw synthetic people, train a small TransPose on them, evaluate it, show what its predictions rest on.',
        'mmtranspose demo --output-root demo_output',
    )
    arguments.add_argument('--output-root', default='demo_output', metavar='DIR', help='default: demo_output')
    arguments.add_argument('--config', default=str(CONFIG), help='config file (default: the small one for a CPU)')
    arguments.add_argument('--num-train', type=int, default=1700, help='training pictures (default: 1700)')
    arguments.add_argument('--num-val', type=int, default=300, help='held-out pictures (default: 300)')
    arguments.add_argument('--epochs', type=int, help="default: the config's")
    arguments.add_argument('--seed', type=int, default=0)
    arguments.add_argument('--device', default='cpu', help='for the pictures (default: cpu)')
    args = arguments.parse_args()
    counts = (args.num_train, args.num_val, args.epochs)
    demo = Demo(Path(args.output_root), args.config, args.seed, *counts, args.device)
    demo.run()
    print('\n' + demo.table())


if __name__ == '__main__':
    run(main)
