"""What people use today and our ways, side by side in one run."""

from __future__ import annotations

import argparse
import shlex
import sys
from collections.abc import Sequence

from mmtranspose.acceleration.options import DTYPES
from mmtranspose.benchmark import Settings, run_benchmark
from mmtranspose.benchmark.figures import benchmark_lines
from mmtranspose.files.json_files import write_json
from mmtranspose_cli.parser import command_parser

DESCRIPTION = """\
Measure the plain baseline and our ways in processes of their own, in turn (A B C A B C ...), in one run.

The baseline is what people use today: attention by nn.MultiheadAttention(need_weights=True), which holds its matrices,
NCHW, fp32, uncompiled, MMPose's preprocessor, decoding person by person, two passes for the flip test. It shares the
weights. Outputs are compared before anything is timed; where they disagree nothing is timed.
Our command lines let freed memory stay in the process (mmtranspose/compat/keep_memory.py). That is part of our ways and
not of the baseline; --baseline-keeps-memory gives it to the baseline too."""
EXAMPLE = """\
mmtranspose benchmark transpose-h-a6 forward --batch-size 1 8 --dtype fp32 --compile
  mmtranspose benchmark transpose-h-a6 forward --batch-size 64 --dtype fp32 bf16 --device cuda:0 --json forward.json
  mmtranspose benchmark transpose-h-a6 train-step --batch-size 4 --checkpointing
  mmtranspose benchmark transpose-r-a3 decode --batch-size 64
  mmtranspose benchmark transpose-r-a3 end-to-end --pictures 8 --people 8

columns: times of one call in milliseconds; speed-up = baseline / way (medians; quartiles of the rounds' ratios);
peak MiB = growth of the process's peak memory since before its first call, ratio = way / baseline; difference = of
the outputs from the baseline's (heatmaps, loss, gradient relative to their magnitude; keypoints in pixels). GFLOP are
of the plain network, 2 x multiply-accumulates; "of matmul" is beside the fastest product of matrices of that dtype."""


def main(argv: Sequence[str] | None = None) -> None:
    arguments = command_parser('benchmark', DESCRIPTION, EXAMPLE)
    arguments.add_argument('config', help='config file, or a name from `mmtranspose list`')
    modes = arguments.add_subparsers(dest='mode', required=True, metavar='MODE')
    _forward(modes)
    _train_step(modes)
    modes.add_parser('decode', help='heatmaps to keypoints', parents=[_common(64)])
    _end_to_end(modes)
    _evaluation(modes)
    args = vars(arguments.parse_args(argv))
    mode, batch_sizes, file = (args.pop(name) for name in ('mode', 'batch_size', 'json'))
    result = run_benchmark(mode, Settings(**args), batch_sizes)
    result['command'] = f'mmtranspose benchmark {shlex.join(sys.argv[1:] if argv is None else argv)}'
    print(*benchmark_lines(result), f'command: {result["command"]}', sep='\n')
    if file:
        write_json(file, result)


def _common(batch_size: int) -> argparse.ArgumentParser:
    """The options of every sub-mode."""
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument(
        '--batch-size',
        type=int,
        nargs='+',
        default=[batch_size],
        metavar='N',
        help=f'one or several (default: {batch_size})',
    )
    common.add_argument('--device', default='cpu', help='cpu (default), cuda:0, ...')
    common.add_argument('--repeats', type=int, default=10, help='rounds that count (default: 10)')
    common.add_argument('--warmup', type=int, default=2, help='rounds before them that do not (default: 2)')
    common.add_argument('--threads', type=int, help="of PyTorch and OpenCV in each process (default: PyTorch's choice)")
    common.add_argument('--checkpoint', help='weights (default: random ones whose heatmaps have peaks)')
    common.add_argument(
        '--baseline-keeps-memory', action='store_true', help='let the baseline keep freed memory as our ways do'
    )
    common.add_argument('--json', metavar='FILE', help='write all figures to FILE too')
    return common


def _network(common: argparse.ArgumentParser) -> argparse.ArgumentParser:
    """The options of sub-modes that run the network."""
    common.add_argument(
        '--dtype',
        nargs='+',
        default=['fp32'],
        choices=list(DTYPES),
        dest='dtypes',
        help='of our ways, one way each (default: fp32)',
    )
    common.add_argument('--compile', action='store_true', help='add our ways with torch.compile')
    return common


def _forward(modes) -> None:
    modes.add_parser(
        'forward', help='images to heatmaps; FLOP/s beside the fastest matrix product', parents=[_network(_common(1))]
    )


def _train_step(modes) -> None:
    mode = modes.add_parser(
        'train-step', help='forward, loss, backward and optimiser step, without dropout', parents=[_network(_common(4))]
    )
    mode.add_argument(
        '--checkpointing', action='store_true', help="our ways compute the encoder's activations again (neck.with_cp)"
    )


def _end_to_end(modes) -> None:
    modes.add_parser(
        'end-to-end',
        help='image files to keypoints in JSON files, flip test on; --batch-size is of crops',
        parents=[_network(_common(64)), _images()],
    )


def _evaluation(modes) -> None:
    for name, what in (
        ('loading', "an evaluation's loader process: image files to crops (--people boxes follow each other)"),
        ('evaluating', "an evaluation's main process but for the network: normalising, decoding, packing"),
    ):
        modes.add_parser(name, help=what, parents=[_common(64), _images()])


def _images() -> argparse.ArgumentParser:
    mode = argparse.ArgumentParser(add_help=False)
    mode.add_argument('--images', metavar='FOLDER', help='images (default: synthetic people are drawn, 640x480)')
    mode.add_argument('--bboxes', metavar='FOLDER', help='NAME.json for each image NAME.*, as of `mmtranspose infer`')
    mode.add_argument('--pictures', type=int, default=8, help='how many are drawn (default: 8)')
    mode.add_argument('--people', type=int, default=8, help='boxes in each drawn image (default: 8)')
    return mode
