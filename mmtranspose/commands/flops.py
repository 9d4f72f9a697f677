"""``mmtranspose flops``: count multiply-accumulates and parameters of networks."""

from __future__ import annotations

from collections.abc import Sequence

from mmtranspose.benchmark.multiply_accumulates import Count, count, deconvolutions
from mmtranspose.files.json_files import write_json
from mmtranspose.files.output_paths import require_output_file
from mmtranspose.files.text_tables import table_lines
from mmtranspose_cli.parser import command_parser
from mmtranspose_cli.terminal import printable

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
output, where 4 do. The column "deconv on output grid" counts like the paper. The other figures are close to it."""


def main(argv: Sequence[str] | None = None) -> None:
    """Run the command with ``argv``, or with this process's arguments."""
    arguments = command_parser(
        'flops',
        'Count the multiply-accumulates for one image (convolutions and matrix products, those of attention included) '
        'and the parameters of networks, with torch.utils.flop_counter. FLOPs are twice as many.',
        'mmtranspose flops transpose-h-a6 --by-module 2\n  mmtranspose flops --json flops.json',
    )
    arguments.add_argument(
        'config', nargs='*', default=list(PAPER), help="config files, or names (default: the paper's five variants)"
    )
    arguments.add_argument(
        '--shape', type=int, nargs=2, metavar=('H', 'W'), help="size of the input (default: the config's)"
    )
    arguments.add_argument('--by-module', type=int, metavar='DEPTH', help='also list modules, to this depth of names')
    arguments.add_argument('--json', metavar='FILE', help='also write the figures of every module to FILE')
    args = arguments.parse_args(argv)
    if args.json:
        require_output_file(args.json, '--json', args.config)
    counts = {config: count(config, args.shape) for config in args.config}
    print(*_summary(counts), '', WHY, sep='\n')
    for config, found in counts.items() if args.by_module else ():
        print('', printable(config), *_modules(found, args.by_module), sep='\n')
    if args.json:
        write_json(args.json, {config: _figures(found) for config, found in counts.items()})


def _summary(counts: dict[str, Count]) -> list[str]:
    rows = [('config', 'input (h, w)', 'GMAC', 'deconv on output grid', 'paper, 256x192', 'parameters')]
    for config, found in counts.items():
        paper = f'{PAPER[config]:.1f}' if config in PAPER else '-'
        as_paper = found.total + 3 * deconvolutions(found)
        shape = 'x'.join(map(str, found.shape))
        rows.append((config, shape, _giga(found.total), _giga(as_paper), paper, f'{found.parameters:,}'))
    return table_lines(rows)


def _modules(found: Count, depth: int) -> list[str]:
    names = sorted(name for name in found.macs if name and name.count('.') < depth)
    return table_lines([(name, _giga(found.macs[name]), f'{found.macs[name] / found.total:.1%}') for name in names])


def _giga(macs: int) -> str:
    return f'{macs / 1e9:.2f}'


def _figures(found: Count) -> dict:
    return dict(shape=found.shape, parameters=found.parameters, macs=found.total, modules=found.macs)
