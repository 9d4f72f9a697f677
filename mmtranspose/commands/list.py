"""``mmtranspose list``: list the models of the zoo."""

from __future__ import annotations

from collections.abc import Sequence

from mmtranspose.errors import InputError
from mmtranspose.files.text_tables import table_lines
from mmtranspose.loading import zoo
from mmtranspose_cli.parser import command_parser
from mmtranspose_cli.terminal import printable


def main(argv: Sequence[str] | None = None) -> None:
    """Run the command."""
    arguments = command_parser(
        'list',
        'List the models that come with mmtranspose: the short name that every command and '
        '`mmpose.apis.Pose2DInferencer` accept, the dataset, the reported AP, whether there are weights, the config.',
        'mmtranspose list crowdpose',
    )
    arguments.add_argument(
        'pattern', nargs='?', default='', help='list only models with this text in one of their names'
    )
    arguments.add_argument(
        '--path', action='store_true', help='print the path of the config of one model instead, to copy the file'
    )
    args = arguments.parse_args(argv)
    if args.path:
        print(printable(zoo.find_config(args.pattern)))
        return
    rows = [('model', 'trained on', 'AP', 'weights', 'config')]
    for model in zoo.models():
        names = zoo.names_of(model)
        if any(args.pattern.lower() in name.lower() for name in names):
            rows.append((names[-1], *zoo.summary(model), zoo.relative(model['Config'])))
    if len(rows) == 1:
        raise InputError(f'no model has {args.pattern!r} in a name')
    print(*table_lines(rows, '<'), sep='\n')
