"""Find people in the images of a dataset: the detector boxes that `mmtranspose test` evaluates with."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

import torch
from mmengine.dist import init_dist

from mmtranspose.commands.command_line import (
    add_cfg_options,
    add_launcher,
    parse,
    whole_number,
)
from mmtranspose.compat import cpu_distributed
from mmtranspose.detection import DatasetDetections, PersonDetector, detect_dataset
from mmtranspose.files.output_paths import require_output_file
from mmtranspose_cli.parser import command_parser


def parse_arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    """The command line."""
    arguments = command_parser(
        'detect',
        'Find people in all images of a COCO-format annotation file with a detector of mmdet, and write the boxes '
        "that MMPose's datasets read as bbox_file, so that a model is evaluated with detector boxes. Prints the box "
        'AP where the annotations have boxes. Stop it any time: the same command goes on. Several processes: '
        '`mmtranspose dist-detect`.',
        'mmtranspose detect rtmdet_tiny_8xb32-300e_coco zoo data/coco/annotations/person_keypoints_val2017.json \\\n'
        '      --img-root data/coco/val2017 --out person_detections.json\n'
        '  mmtranspose test transpose-r-a3 released.pth \\\n'
        '      --cfg-options test_dataloader.dataset.bbox_file=person_detections.json',
    )
    arguments.add_argument('det_config', help="detector's config file, or a model of mmdet's zoo by name")
    arguments.add_argument('det_checkpoint', help="its checkpoint: file or URL; zoo: the weights of mmdet's zoo")
    arguments.add_argument('ann_file', help='annotation file that lists the images; its boxes are for the AP alone')
    arguments.add_argument('--img-root', required=True, metavar='DIR', help='folder of the images')
    arguments.add_argument('--out', required=True, metavar='FILE.json', help='where the boxes go')
    arguments.add_argument('--batch-size', type=whole_number, default=8, help='images at once (default: 8)')
    arguments.add_argument(
        '--bbox-thr',
        type=float,
        default=0.0,
        help='write boxes with higher scores than this (default: 0.0; 0.05 makes file and evaluation much smaller)',
    )
    arguments.add_argument(
        '--nms-thr',
        type=float,
        default=1.0,
        help="of boxes that overlap (IoU) by more, keep the best (default: 1.0, none but the detector's own)",
    )
    arguments.add_argument('--det-cat-id', type=int, metavar='N', help='label of a person (default: the class person)')
    arguments.add_argument('--device', help='cpu, cuda:0, ... (default: the GPU of this process where there is one)')
    arguments.add_argument('--strict', action='store_true', help='stop at the first image that cannot be read')
    add_cfg_options(arguments)
    add_launcher(arguments)
    return parse(arguments, argv)


def main(argv: Sequence[str] | None = None) -> int:
    args = parse_arguments(argv)
    if args.launcher != 'none' and not cpu_distributed.init_process_group(args.launcher):
        init_dist(args.launcher)
    given = (args.ann_file, args.det_config, *([] if args.det_checkpoint == 'zoo' else [args.det_checkpoint]))
    require_output_file(args.out, '--out', given)
    device = args.device or (f'cuda:{torch.cuda.current_device()}' if torch.cuda.is_available() else 'cpu')
    detector = PersonDetector(
        args.det_config,
        None if args.det_checkpoint == 'zoo' else args.det_checkpoint,
        device,
        args.det_cat_id,
        args.bbox_thr,
        args.nms_thr,
        args.cfg_options,
    )
    found = detect_dataset(detector, args.ann_file, args.img_root, args.out, args.batch_size, args.strict)
    return 0 if found is None else report(found, args.out)


def report(found: DatasetDetections, out: str) -> int:
    """Print what was found and left out; the exit status."""
    for path, reason in found.skipped.items():
        print(f'{path}: {reason}', file=sys.stderr)
    pictures = len({one['image_id'] for one in found.detections})
    print(f'{len(found.detections)} boxes in {pictures} images: {out}')
    if found.ap is not None:
        print('box ' + ', '.join(f'{name} {value:.3f}' for name, value in found.ap.items()))
    if found.skipped:
        print(f'left out, as they cannot be read: {len(found.skipped)} images', file=sys.stderr)
    return 1 if found.skipped else 0
