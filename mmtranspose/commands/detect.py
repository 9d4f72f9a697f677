"""``mmtranspose detect``: find people in the images of a dataset, and write the boxes that ``test`` evaluates with."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

import torch
from mmengine.dist import init_dist

from mmtranspose.commands.command_line import add_cfg_options, add_launcher, parse, score, share, whole_number
from mmtranspose.commands.detector_arguments import add_detector, detector_of
from mmtranspose.compat import cpu_distributed
from mmtranspose.detection import DatasetDetections, detect_dataset
from mmtranspose.errors import InputError
from mmtranspose.files.coco_format import PERSON
from mmtranspose.files.output_paths import require_output_file
from mmtranspose.files.text_tables import counted
from mmtranspose_cli.parser import command_parser
from mmtranspose_cli.terminal import printable


def parse_arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    """Parse the command line."""
    arguments = command_parser(
        'detect',
        'Find people in all images of an annotation file in COCO format with a detector of mmdet, and write their '
        'boxes to a file that the datasets of MMPose read as bbox_file, to evaluate a model with detector boxes. The '
        'boxes get the category_id that the people in the annotation file carry, or 1 if nobody is annotated. Print '
        'the AP of the boxes if the annotations have boxes. The command can be stopped at any time; when it is run '
        'again, it continues. `mmtranspose dist-detect` runs several processes.',
        'mmtranspose detect data/coco/annotations/person_keypoints_val2017.json \\\n'
        '      --img-root data/coco/val2017 --out person_detections.json\n'
        '  mmtranspose test transpose-r-a3 \\\n'
        '      --cfg-options test_dataloader.dataset.bbox_file=person_detections.json',
    )
    arguments.add_argument(
        'ann_file',
        nargs='+',
        metavar='ANN_FILE',
        help='annotation file that lists the images; its boxes are used only for the AP. (DET_CONFIG ANN_FILE and '
        'DET_CONFIG DET_CHECKPOINT ANN_FILE are understood, too.)',
    )
    add_detector(arguments)
    arguments.add_argument('--img-root', required=True, metavar='DIR', help='folder of the images')
    arguments.add_argument('--out', required=True, metavar='FILE.json', help='file for the boxes')
    arguments.add_argument(
        '--batch-size', type=whole_number, default=8, help='images that go through the detector together (default: 8)'
    )
    arguments.add_argument(
        '--bbox-thr',
        type=score,
        default=0.0,
        help='write only boxes with a score above this (default: 0.0; 0.05 makes file and evaluation much smaller)',
    )
    arguments.add_argument(
        '--nms-thr',
        type=share,
        default=1.0,
        help="keep only the best of boxes whose IoU is above this (default: 1.0, which keeps the detector's choice)",
    )
    arguments.add_argument('--device', help='cpu, cuda:0, ... (default: the GPU of this process, if there is one)')
    arguments.add_argument('--strict', action='store_true', help='stop at the first image that cannot be read')
    add_cfg_options(arguments)
    add_launcher(arguments)
    return with_detector(parse(arguments, argv))


def with_detector(args: argparse.Namespace) -> argparse.Namespace:
    """Take the detector from the words before the annotation file, as earlier releases did; 'zoo' was its checkpoint.

    Raises:
        InputError: There are more than three words, or the detector is named twice.
    """
    *detector, args.ann_file = args.ann_file
    if detector and (args.det_config or args.det_checkpoint):
        raise InputError(f'{detector[0]} and --det-config or --det-checkpoint name the detector twice')
    if len(detector) > 2:
        raise InputError(f'{len(detector) + 1} files are named; give ANN_FILE alone, and the detector by --det-config')
    if detector:
        args.det_config, checkpoint = detector[0], detector[1] if len(detector) == 2 else 'zoo'
        args.det_checkpoint = None if checkpoint == 'zoo' else checkpoint
    return args


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; returns the exit status."""
    args = parse_arguments(argv)
    if args.launcher != 'none' and not cpu_distributed.init_process_group(args.launcher):
        init_dist(args.launcher)
    given = [file for file in (args.ann_file, args.det_config, args.det_checkpoint) if file is not None]
    require_output_file(args.out, '--out', given)
    device = args.device or (f'cuda:{torch.cuda.current_device()}' if torch.cuda.is_available() else 'cpu')
    thresholds = dict(bbox_thr=args.bbox_thr, nms_thr=args.nms_thr)
    detector = detector_of(args, device, **thresholds, cfg_options=args.cfg_options)
    found = detect_dataset(detector, args.ann_file, args.img_root, args.out, args.batch_size, args.strict)
    return 0 if found is None else report(found, args.out)


def report(found: DatasetDetections, out: str) -> int:
    """Print what was found and what was left out; returns the exit status."""
    for path, reason in found.skipped.items():
        print(printable(f'{path}: {reason}'), file=sys.stderr)
    images = {one['image_id'] for one in found.detections}
    category = f' of category_id {found.category_id!r}, which the annotated people carry,'
    carried = '' if found.category_id == PERSON else category
    print(printable(f'{counted(len(found.detections), "box")}{carried} in {counted(len(images), "image")}: {out}'))
    if found.ap is not None:
        print('box ' + ', '.join(f'{name} {value:.3f}' for name, value in found.ap.items()))
    for fault in found.faults:
        print(printable(f'annotation file: {fault}; the AP leaves it out, with its image'), file=sys.stderr)
    for note in found.notes if found.ap is not None else ():
        print(printable(f'the AP leaves out what cannot be compared: {note}'), file=sys.stderr)
    if found.skipped:
        print(f'left out, as they cannot be read: {counted(len(found.skipped), "image")}', file=sys.stderr)
    return 1 if found.skipped or found.faults else 0
