"""``mmtranspose benchmark``: measure speed and memory beside the baseline."""

from __future__ import annotations

import argparse
import shlex
import sys
from collections.abc import Sequence

from mmtranspose.acceleration.options import DTYPES
from mmtranspose.benchmark.benchmark_settings import CANDIDATES, BenchmarkSettings
from mmtranspose.benchmark.figures import benchmark_lines
from mmtranspose.benchmark.report import MINUTES, write_report
from mmtranspose.benchmark.run import run_benchmark
from mmtranspose.commands.command_line import add_allow_non_finite, minutes
from mmtranspose.explain.attention import DIRECTIONS
from mmtranspose.files.json_files import write_json
from mmtranspose.files.output_paths import require_output_file
from mmtranspose.loading.init_model import require_device
from mmtranspose_cli.parser import command_parser
from mmtranspose_cli.terminal import printable

FILES = ('onnxruntime', 'openvino')  # what runs exported files
DESCRIPTION = """\
Measure the baseline and our candidates in one run: each in a process of its own, in turn (A B C A B C ...).

The baseline is what people use today: attention by nn.MultiheadAttention(need_weights=True), which holds its matrices,
NCHW, fp32, uncompiled, MMPose's preprocessor, decoding person by person, two passes for the flip test. All candidates
share the weights. Outputs are compared before anything is timed; where they differ nothing is timed.
Our commands keep freed memory in the process (mmtranspose/compat/keep_memory.py). In a comparison that is part of ours
and not of the baseline; --baseline-keeps-memory gives it to the baseline too.

`mmtranspose benchmark report` measures what the documentation claims and writes one page of tables."""
EXAMPLE = """\
mmtranspose benchmark transpose-h-a6 forward --batch-size 1 8 --dtype fp32 --compile
  mmtranspose benchmark transpose-h-a6 forward --batch-size 64 --dtype fp32 bf16 --device cuda:0 --json forward.json
  mmtranspose benchmark transpose-r-a3 forward --candidates torch openvino onnxruntime openvino-int8 --dtype fp32 bf16
  mmtranspose benchmark transpose-r-a3 exported
  mmtranspose benchmark report --output report.md
  mmtranspose benchmark transpose-h-a6 train-step --batch-size 4 --checkpointing
  mmtranspose benchmark transpose-h-a6 encoder
  mmtranspose benchmark transpose-h-s explanation --direction affect
  mmtranspose benchmark transpose-r-a3 decode --batch-size 64
  mmtranspose benchmark transpose-r-a3 end-to-end --num-images 8 --people 8
  mmtranspose benchmark transpose-r-a3 workers --workers 2 4 --device cuda:0
  mmtranspose benchmark transpose-r-a3 resume --batch-size 8 --steps 4 --epoch-samples 149813

columns: median time of a call in milliseconds; speed-up = baseline / candidate (of the medians, and quartiles of the
rounds' ratios); peak MiB = growth of the process's peak memory since before its first call, ratio = candidate /
baseline; difference of the outputs from the baseline's (heatmaps, loss, gradient and norm relative to their magnitude,
keypoints in pixels). GFLOP are those of the plain network, 2 x multiply-accumulates; "of matmul" compares GFLOP/s with
the fastest matrix product of that dtype."""


def main(argv: Sequence[str] | None = None) -> None:
    """Run the command with ``argv``, or with this process's arguments."""
    given = sys.argv[1:] if argv is None else list(argv)
    if given[:1] == ['report']:
        report(given[1:])
        return
    parser = command_parser('benchmark', DESCRIPTION, EXAMPLE)
    parser.add_argument('config', metavar='CONFIG', help='config file, or a name from `mmtranspose list`')
    _add_modes(parser)
    args = vars(parser.parse_args(given))
    mode, batch_sizes, file = (args.pop(name) for name in ('mode', 'batch_size', 'json'))
    if file:
        require_output_file(file, '--json', (args['config'],))
    result = run_benchmark(mode, BenchmarkSettings(**args), batch_sizes)
    result['command'] = f'mmtranspose benchmark {shlex.join(given)}'
    print(*benchmark_lines(result), printable(f'command: {result["command"]}'), sep='\n')
    if file:
        write_json(file, result)


def report(argv: Sequence[str]) -> None:
    """Run `mmtranspose benchmark report`."""
    parser = command_parser(
        'benchmark report',
        'Measure what the documentation claims on this machine, and write one page of Markdown tables with the device, '
        'versions and commands.',
        'mmtranspose benchmark report --output report.md\n'
        '  mmtranspose benchmark report --output gpu.md --device cuda:0',
    )
    parser.add_argument('--output', default='report.md', metavar='FILE', help='the page (default: report.md)')
    parser.add_argument('--device', default='cpu', help='cpu (default), cuda:0, ...')
    parser.add_argument(
        '--minutes', type=minutes, default=MINUTES, help=f'begin no run later than this (default: {MINUTES})'
    )
    args = parser.parse_args(argv)
    require_output_file(args.output, '--output', ())
    require_device(args.device)
    print(*write_report(args.output, args.device, args.minutes), sep='\n')


def _add_modes(parser: argparse.ArgumentParser) -> None:
    modes = parser.add_subparsers(dest='mode', required=True, metavar='MODE')
    keeping, dtypes, images = _keeping(), _dtypes(), _images()

    def add(name: str, what: str, *options: argparse.ArgumentParser) -> argparse.ArgumentParser:
        return modes.add_parser(name, help=what, description=f'{what[0].upper()}{what[1:]}.', parents=options)

    what = 'images to heatmaps; FLOP/s beside the fastest matrix product'
    _candidates(add('forward', what, _common(1), keeping, dtypes), CANDIDATES, ['torch'])
    what = 'crops to keypoints by exported files, with and without dependency'
    _candidates(add('exported', what, _common(1), keeping), FILES, list(FILES))
    what = 'forward, loss, backward and optimiser step, without dropout'
    add('train-step', what, _common(4), keeping, dtypes).add_argument(
        '--checkpointing', action='store_true', help="ours computes the encoder's activations twice (neck.with_cp)"
    )
    what = 'forward and backward through the encoder alone; neither candidate keeps freed memory'
    add('encoder', what, _common(4, repeats=5, warmup=1))
    what = 'maps of every keypoint in every layer, by ours and by whole matrices; the baseline is a plain forward pass'
    add('explanation', what, _common(16, repeats=5, warmup=1)).add_argument(
        '--direction', choices=DIRECTIONS, default='dependency', help='direction of the maps (default: dependency)'
    )
    what = "ablation of squares of 4 x 4 tokens, by our encoder and OpenVINO's; the baseline is as many encoder passes"
    add('token-ablation', what, _common(1, repeats=5, warmup=1))
    what = "a forward pass with the knockout of every token's edges; the baseline is one without"
    add('edge-knockout', what, _common(1, repeats=5, warmup=1))
    add('decode', 'heatmaps to keypoints', _common(64), keeping)
    what = 'image files to keypoints in JSON files, with the flip test; --batch-size counts crops'
    add('end-to-end', what, _common(64), keeping, dtypes, images)
    what = (
        'images per second of infer in one process and in several that share the images (reading, estimating, drawing '
        'and writing; starting processes and merging do not count); peaks are of one process'
    )
    add('workers', what, _common(16, repeats=5, warmup=1), _dtypes(), _images(32, 2)).add_argument(
        '--workers',
        type=int,
        nargs='+',
        default=[2],
        metavar='N',
        help='numbers of processes to compare with one (default: 2); they share the cores, or --threads is for each',
    )
    what = "an evaluation's loader process: image files to crops; the boxes of an image (--people) follow each other"
    add('loading', what, _common(64), keeping, images)
    what = "an evaluation's main process without the network: normalising, decoding, packing"
    add('evaluating', what, _common(64), keeping, images)
    what = "exact resume, guard of losses and verified checkpoints in a training run, beside mmengine's own"
    resume = add('resume', what, _common(16), images)
    resume.add_argument('--steps', type=int, default=10, metavar='N', help='steps of an epoch (default: 10)')
    resume.add_argument(
        '--epoch-samples',
        type=int,
        metavar='N',
        help="samples of an epoch in the real training: also tell the checkpoints' share of its time",
    )


def _candidates(mode: argparse.ArgumentParser, known: Sequence[str], default: list[str]) -> None:
    mode.add_argument(
        '--candidates',
        nargs='+',
        choices=known,
        default=default,
        help=f'what is measured beside the baseline (default: {" ".join(default)})',
    )


def _common(batch_size: int, repeats: int = 10, warmup: int = 2) -> argparse.ArgumentParser:
    """The options of every mode, with a mode's defaults."""
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument(
        '--batch-size',
        type=int,
        nargs='+',
        default=[batch_size],
        metavar='N',
        help=f'one batch size or several (default: {batch_size})',
    )
    common.add_argument('--device', default='cpu', help='cpu (default), cuda:0, ...')
    common.add_argument('--repeats', type=int, default=repeats, help=f'rounds that count (default: {repeats})')
    common.add_argument(
        '--warmup', type=int, default=warmup, help=f'rounds before them that do not count (default: {warmup})'
    )
    common.add_argument(
        '--threads',
        type=int,
        help="threads of PyTorch, OpenCV, ONNX Runtime and OpenVINO in each process (default: PyTorch's choice)",
    )
    common.add_argument('--checkpoint', help='weights (default: random ones whose heatmaps have peaks)')
    add_allow_non_finite(common)
    common.add_argument('--json', metavar='FILE', help='also write all figures to FILE')
    return common


def _keeping() -> argparse.ArgumentParser:
    """The option of modes in which keeping freed memory is part of ours."""
    keeping = argparse.ArgumentParser(add_help=False)
    keeping.add_argument(
        '--baseline-keeps-memory', action='store_true', help='let the baseline keep freed memory as ours does'
    )
    return keeping


def _dtypes() -> argparse.ArgumentParser:
    """The options of modes in which ours computes in several dtypes, and compiled."""
    dtypes = argparse.ArgumentParser(add_help=False)
    dtypes.add_argument(
        '--dtype',
        nargs='+',
        default=['fp32'],
        choices=list(DTYPES),
        dest='dtypes',
        help='dtypes of ours, one candidate for each (default: fp32)',
    )
    dtypes.add_argument('--compile', action='store_true', help='add candidates with torch.compile')
    return dtypes


def _images(num_images: int = 8, people: int = 8) -> argparse.ArgumentParser:
    """The options of modes that read image files, with a mode's defaults."""
    images = argparse.ArgumentParser(add_help=False)
    images.add_argument('--images', metavar='FOLDER', help='images (default: synthetic people are drawn, 640x480)')
    images.add_argument(
        '--bboxes', metavar='FOLDER', help='NAME.json for each image NAME.*, as for `mmtranspose infer`'
    )
    images.add_argument(
        '--num-images', type=int, default=num_images, metavar='N', help=f'images to draw (default: {num_images})'
    )
    images.add_argument('--pictures', dest='num_images', type=int, default=argparse.SUPPRESS, help=argparse.SUPPRESS)
    what = f'boxes in each drawn image (default: {people})'
    images.add_argument('--people', type=int, default=people, metavar='N', help=what)
    return images
