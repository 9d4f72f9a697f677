"""Evaluate a pose model (the flags are those of MMPose's tools/test.py)."""

from mmtranspose.apis.command_line import add_runner_arguments, parse, parser, run
from mmtranspose.apis.runner import build_runner, test_config


def main() -> None:
    arguments = parser(
        'Test and evaluate a pose model.',
        'python tools/test.py configs/body_2d_keypoint/topdown_heatmap/coco/'
        'td-hm_transpose-r-a3_1xb28-230e_coco-256x192.py work_dirs/r-a3/epoch_230.pth --out metrics.json',
    )
    arguments.add_argument('config', help='config file')
    arguments.add_argument('checkpoint', help="checkpoint: ours or the authors' released one, file or URL")
    arguments.add_argument('--out', metavar='FILE', help='write the metrics to FILE (.json, .yaml or .pkl)')
    arguments.add_argument('--dump', metavar='FILE', help='write the predictions to FILE (.pkl) for offline evaluation')
    arguments.add_argument('--badcase', action='store_true', help='save or show the samples with the worst loss')
    add_runner_arguments(arguments)
    args = parse(arguments)
    build_runner(test_config(args), ('test_dataloader',)).test()


if __name__ == '__main__':
    run(main)
