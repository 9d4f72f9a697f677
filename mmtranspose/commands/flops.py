"""Multiply-accumulates and parameters of networks."""

from __future__ import annotations

from collections.abc import Sequence

from mmtranspose.benchmark import count
from mmtranspose.benchmark.arithmetic import Count, deconvolutions
from mmtranspose.benchmark.figures import aligned
from mmtranspose.files.json_files import write_json
from mmtranspose_cli.parser import command_parser

PAPER = {  # GFLOPs at 256x192, as reported
    'transpose-r-a3': 8.0,
    'transpose-r-a4': 8.9,
    'transpose-h-s': 10.2,
    'transpose-h-a4': 17.5,
    'transpose-h-a6': 21.8,
}
WHY = """\
The paper's figures, 8.0 / 8.9 / 10.2 / 17.5 / 21.8 G for R-A3 / R-A4 / H-S / H-A4 / H-A6 at 256x192, are
multiply-accumulates too. Those of R count the deconvolution (4x4, stride 2) as if all 16 taps met every cell of its
output; a cell is met by 4. The column "deconv on output grid" counts it that way. The rest is close."""


def main(argv: Sequence[str] | None = None) -> None:
    arguments = command_parser(
        'flops',
        'Count multiply-accumulates of one image (convolutions and matrix products, those of attention included) and '
        'parameters, with torch.utils.flop_counter. FLOPs are twice as many.',
        'mmtranspose flops transpose-h-a6 --by-module 2\n  mmtranspose flops --json flops.json',
    )
    arguments.add_argument(
        'config', nargs='*', default=list(PAPER), help="config files, or names (default: the paper's five variants)"
    )
    arguments.add_argument('--shape', type=int, nargs=2, metavar=('H', 'W'), help="input (default: the config's)")
    arguments.add_argument('--by-module', type=int, metavar='DEPTH', help='list modules too, this many levels of names')
    arguments.add_argument('--json', metavar='FILE', help='write the figures, of every module, to FILE too')
    args = arguments.parse_args(argv)
    counts = {config: count(config, args.shape) for config in args.config}
    print(*_summary(counts), '', WHY, sep='\n')
    for config, found in counts.items() if args.by_module else ():
        print('', config, *_modules(found, args.by_module), sep='\n')
    if args.json:
        write_json(args.json, {config: _figures(found) for config, found in counts.items()})


def _summary(counts: dict[str, Count]) -> list[str]:
    rows = [('config', 'input (h, w)', 'GMAC', 'deconv on output grid', 'paper, 256x192', 'parameters')]
    for config, found in counts.items():
        paper = f'{PAPER[config]:.1f}' if config in PAPER else '-'
        as_paper = found.total + 3 * deconvolutions(found)
        shape = 'x'.join(map(str, found.shape))
        rows.append((config, shape, _giga(found.total), _giga(as_paper), paper, f'{found.parameters:,}'))
    return aligned(rows)


def _modules(found: Count, depth: int) -> list[str]:
    names = sorted(name for name in found.macs if name and name.count('.') < depth)
    return aligned([(name, _giga(found.macs[name]), f'{found.macs[name] / found.total:.1%}') for name in names])


def _giga(macs: int) -> str:
    return f'{macs / 1e9:.2f}'


def _figures(found: Count) -> dict:
    return dict(shape=found.shape, parameters=found.parameters, macs=found.total, modules=found.macs)
