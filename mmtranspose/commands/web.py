"""``mmtranspose web``: write a folder whose page runs an exported file in the browser."""

from __future__ import annotations

from collections.abc import Sequence

from mmtranspose.deployment.web_folder import Viewer, write_web_folder
from mmtranspose.deployment.web_folder.npm_package import PACKAGE, VERSION
from mmtranspose.visualization.explanation_page.page import asset, heat_style, viewer_script
from mmtranspose_cli.parser import command_parser
from mmtranspose_cli.terminal import printable


def main(argv: Sequence[str] | None = None) -> None:
    """Run the command."""
    arguments = command_parser(
        'web',
        'Write a folder that any static server serves. Its page estimates poses in the browser, in images or from the '
        'camera, and shows what each keypoint depends on. No image leaves the device, and once loaded, the page works '
        f'without a network. It runs on {PACKAGE} {VERSION}, which npm fetches once (33 MB).',
        'mmtranspose web pose.onnx --output-root site\n  python -m http.server --bind 127.0.0.1 --directory site',
    )
    arguments.add_argument('file', help='ONNX file that `mmtranspose export` wrote, with --dependency for the maps')
    arguments.add_argument('--output-root', required=True, metavar='DIR', help='folder to write')
    arguments.add_argument(
        '--detector',
        metavar='FILE',
        help='ONNX file that `mmtranspose export-detector` wrote; without it, boxes are drawn by hand',
    )
    arguments.add_argument(
        '--runtime', metavar='DIR', help=f'copy of the npm package {PACKAGE}, to use in place of fetching it'
    )
    args = arguments.parse_args(argv)
    viewer = Viewer(asset('viewer.html'), asset('page.css'), viewer_script(), heat_style())
    if args.runtime is None:
        print(f'fetching {PACKAGE} {VERSION} with npm, unless npm has a copy already', flush=True)
    folder = write_web_folder(args.file, args.output_root, viewer, args.detector, args.runtime)
    size = sum(path.stat().st_size for path in folder.rglob('*') if path.is_file())
    server = f'python -m http.server --bind 127.0.0.1 --directory "{folder}"'
    print(printable(f'{folder}: {size / 1e6:.0f} MB; look at it with: {server}'))
