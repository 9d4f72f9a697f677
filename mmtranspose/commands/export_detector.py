"""``mmtranspose export-detector``: write a detector of people as one file, for other runtimes."""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from mmtranspose.commands.command_line import add_cfg_options, parse, score, share
from mmtranspose.detection import PersonDetector
from mmtranspose.detection.detector_export import export_detector
from mmtranspose.detection.detector_loading import PERSON_DETECTOR, find_detector
from mmtranspose.detection.detector_verification import verify_detector
from mmtranspose.errors import DONE, FAILED, require_package
from mmtranspose.files.output_paths import require_output_file
from mmtranspose_cli.parser import command_parser
from mmtranspose_cli.terminal import printable


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; returns the exit status."""
    arguments = command_parser(
        'export-detector',
        "Write a detector of people, mmdet's RTMDet or YOLOX, as one ONNX file that runs without PyTorch and mmdet: "
        'from an image of any size to the boxes of the people in it and their scores, with resizing, network and '
        'non-maximum suppression inside. `mmtranspose export` writes the file that finds their poses.',
        'mmtranspose export-detector rtmdet_tiny_8xb32-300e_coco --output detector.onnx\n'
        '  mmtranspose export-detector my_detector.py best.pth --output detector.onnx --score-thr 0.5',
    )
    arguments.add_argument(
        'det_config',
        nargs='?',
        default=PERSON_DETECTOR,
        metavar='DET_CONFIG',
        help=f"config file, a name from mmdet's model zoo, or {PERSON_DETECTOR}, MMPose's own person detector "
        f'RTMDet-m (default: {PERSON_DETECTOR})',
    )
    arguments.add_argument(
        'det_checkpoint',
        nargs='?',
        metavar='CHECKPOINT',
        help='checkpoint, a file or URL (default: the weights that belong to the name, fetched once)',
    )
    arguments.add_argument('--output', required=True, metavar='FILE.onnx', help='file to write')
    arguments.add_argument(
        '--score-thr', type=score, default=0.3, help='keep boxes with a score above this (default: 0.3)'
    )
    arguments.add_argument(
        '--nms-thr', type=share, default=0.3, help='keep only the best of boxes whose IoU is above this (default: 0.3)'
    )
    arguments.add_argument(
        '--det-cat-id', type=int, metavar='N', help="number of the detector's class of people (default: 'person')"
    )
    arguments.add_argument(
        '--verify',
        action=argparse.BooleanOptionalAction,
        default=True,
        help='afterwards compare the file with PyTorch on an image of drawn people (default: yes); the exit status is '
        '1 if they differ by more than rounding',
    )
    add_cfg_options(arguments)
    return run(parse(arguments, argv))


def run(args: argparse.Namespace) -> int:
    """Write and compare the file that the arguments ask for; returns the exit status."""
    given = [one for one in (args.det_config, args.det_checkpoint) if one is not None]
    require_output_file(args.output, '--output', given)
    require_package('onnx', 'onnxscript', *(['onnxruntime'] if args.verify else []))
    thresholds = dict(bbox_thr=args.score_thr, nms_thr=args.nms_thr)
    detector = PersonDetector(
        args.det_config, args.det_checkpoint, category=args.det_cat_id, cfg_options=args.cfg_options, **thresholds
    )
    written = export_detector(detector, args.output, args.det_checkpoint or find_detector(args.det_config)[1])
    print(printable(f'{written}: {written.stat().st_size / 1e6:.1f} MB'))
    if not args.verify:
        return DONE
    found = verify_detector(written, detector)
    print(found if found.within else f'{found}: more than rounding, do not use the file')
    return DONE if found.within else FAILED
