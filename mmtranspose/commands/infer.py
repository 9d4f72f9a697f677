"""Poses of the people in images, folders, videos and cameras: drawn, as JSON, and what they depend on."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from torch import nn

from mmtranspose.commands.command_line import (
    add_allow_partial,
    add_cfg_options,
    add_model,
    share,
    sigterm_as_interrupt,
    whole_number,
)
from mmtranspose.detection import PersonDetector
from mmtranspose.errors import InputError
from mmtranspose.files.output_paths import require_writable
from mmtranspose.inference import BoxFile, TopdownPipeline
from mmtranspose.inference.box_sources import WHOLE_IMAGE
from mmtranspose.inference.image_ids import ImageIds, ids_by_name
from mmtranspose.loading.init_model import init_model
from mmtranspose.media import Source, open_source
from mmtranspose.results import (
    PredictionFiles,
    Progress,
    ResultDrawer,
    ResultsFolder,
    Window,
    explain_options,
    explained_keypoint,
    input_files,
    put_out,
    require_no_overwriting,
    require_window,
)
from mmtranspose.visualization import PoseDrawer
from mmtranspose.visualization.pose import SKELETON_STYLES
from mmtranspose_cli.parser import command_parser

WHERE_PEOPLE_ARE = (
    'say where people are, one of: --det-config CONFIG --det-checkpoint FILE (a detector of mmdet; '
    'rtmdet_tiny_8xb32-300e_coco alone takes it from its model zoo), --bboxes FILE.json (boxes that you have), '
    f'--bboxes {WHOLE_IMAGE} (each image is one person)'
)


def add_boxes(arguments: argparse.ArgumentParser) -> None:
    """Where people are."""
    group = arguments.add_argument_group('where people are: a detector, or boxes')
    group.add_argument('--det-config', metavar='CONFIG', help="mmdet's config file, or a name from its model zoo")
    group.add_argument('--det-checkpoint', metavar='FILE', help='its checkpoint; not needed for a name from the zoo')
    group.add_argument('--det-cat-id', type=int, metavar='N', help="a person's label (default: the class 'person')")
    group.add_argument(
        '--bboxes',
        metavar=f'FILE.json|{WHOLE_IMAGE}',
        help='JSON: a list of boxes [x1, y1, x2, y2(, score)] in pixels or of {"bbox": [x, y, w, h], "score": s}, for '
        'one image or each frame of a video; {file name: such a list}; or detections as COCO has them, with '
        f'image_id. {WHOLE_IMAGE}: one box around each image',
    )
    group.add_argument(
        '--ann-file', metavar='JSON', help="COCO annotations that tell file names' image_id, of boxes and results"
    )
    group.add_argument('--bbox-thr', type=float, help='leave out boxes with a lower score (default of detectors: 0.3)')
    group.add_argument(
        '--nms-thr', type=float, help='of boxes that overlap (IoU) more keep the best (default of detectors: 0.3)'
    )


def add_outputs(arguments: argparse.ArgumentParser) -> None:
    """What is made of the results."""
    group = arguments.add_argument_group('results')
    group.add_argument('--output-root', metavar='DIR', help='where images (of their names), videos and JSON go')
    group.add_argument('--show', action='store_true', help='show them in a window; ESC or q ends')
    group.add_argument(
        '--show-interval',
        type=float,
        default=0.0,
        metavar='SECONDS',
        help='each stays (default: until a key; frames of videos 0)',
    )
    group.add_argument(
        '--save-predictions',
        action=argparse.BooleanOptionalAction,
        default=True,
        help="a JSON for each input in MMPose's form, and results_coco.json for all in COCO's (default: yes)",
    )
    group.add_argument(
        '--explain',
        metavar='JOINT|page',
        help="lay what a keypoint (name or number) depends on over the images, by the last layer's attention; or page: "
        'write all that `mmtranspose explain` shows of each image',
    )
    group.add_argument(
        '--track',
        action='store_true',
        help='number people, the same from frame to frame (images count as frames in their order)',
    )
    group.add_argument('--strict', action='store_true', help='stop at the first input that cannot be used')


def add_drawing(arguments: argparse.ArgumentParser) -> None:
    """How poses are drawn."""
    group = arguments.add_argument_group('drawing')
    group.add_argument('--kpt-thr', type=float, default=0.3, help='draw keypoints from this score on (default: 0.3)')
    group.add_argument('--draw-bbox', action='store_true', help='draw the boxes too')
    group.add_argument('--draw-heatmap', action='store_true', help='put the heatmaps below the image')
    group.add_argument('--skeleton-style', choices=SKELETON_STYLES, default='mmpose', help='default: mmpose')
    group.add_argument('--show-kpt-idx', action='store_true', help="write keypoints' numbers beside them")
    group.add_argument('--radius', type=whole_number, help='of keypoints, in pixels (default: fits the image)')
    group.add_argument('--thickness', type=whole_number, help='of limbs, in pixels (default: fits the image)')
    group.add_argument('--alpha', type=share, default=1.0, help='opacity of keypoints, 0 to 1 (default: 1)')


def parse_arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    """The command line."""
    arguments = command_parser(
        'infer',
        'Estimate poses of the people in images, folders, videos and cameras. What cannot be used is named and left '
        'out, and the exit status is 1.',
        'mmtranspose infer transpose-r-a3 released.pth --input street.jpg clip.mp4 --det-config '
        'rtmdet_tiny_8xb32-300e_coco --output-root results',
    )
    add_model(arguments)
    arguments.add_argument(
        '--input',
        required=True,
        nargs='+',
        metavar='INPUT',
        help="images, videos, folders of them, patterns ('a/*.jpg'), or a camera: webcam, webcam:1",
    )
    add_boxes(arguments)
    add_outputs(arguments)
    add_drawing(arguments)
    group = arguments.add_argument_group('computation')
    group.add_argument('--device', default='cpu', help='cpu (default), cuda:0, ...')
    group.add_argument(
        '--batch-size', type=whole_number, metavar='N', help='people that go through the network together'
    )
    group.add_argument('--det-batch-size', type=whole_number, metavar='N', help='images that are detected together')
    precision = group.add_mutually_exclusive_group()
    for dtype, where in (('fp16', 'GPUs'), ('bf16', 'newer GPUs, and CPUs with AVX512-BF16 or AMX')):
        what = f'the network in {dtype}, for {where}; elsewhere fp32, with a warning'
        precision.add_argument(f'--{dtype}', dest='dtype', action='store_const', const=dtype, default='fp32', help=what)
    add_cfg_options(arguments)
    add_allow_partial(arguments)
    return arguments.parse_args(argv)


def require_usable(args: argparse.Namespace) -> None:
    """Check all that needs no model."""
    if (args.det_config is None) == (args.bboxes is None):
        raise InputError(WHERE_PEOPLE_ARE)
    if args.det_config is None and (args.det_checkpoint or args.det_cat_id is not None):
        raise InputError('--det-checkpoint and --det-cat-id need --det-config')
    if not args.show and args.output_root is None:
        raise InputError('say where results go: --output-root DIR, --show, or both')
    if args.explain == 'page' and args.output_root is None:
        raise InputError('--explain page needs --output-root')
    if args.output_root is not None:
        require_no_overwriting(args.output_root, input_files(args.input), other_files(args))
        require_writable(args.output_root)
    if args.show:
        require_window()


def other_files(args: argparse.Namespace) -> list[Path]:
    """Files that are read, beside the inputs."""
    given = (args.bboxes, args.ann_file, args.config, args.checkpoint, args.det_config, args.det_checkpoint)
    return [Path(path) for path in given if path is not None]


def boxes_of(args: argparse.Namespace) -> PersonDetector | BoxFile | str:
    """Where people are."""
    thresholds = {name: value for name in ('bbox_thr', 'nms_thr') if (value := getattr(args, name)) is not None}
    if args.bboxes == WHOLE_IMAGE:
        return WHOLE_IMAGE
    if args.bboxes is not None:
        return BoxFile(args.bboxes, args.ann_file, **thresholds)
    return PersonDetector(args.det_config, args.det_checkpoint, args.device, args.det_cat_id, **thresholds)


def drawer_of(args: argparse.Namespace, model: nn.Module) -> ResultDrawer:
    """How results are drawn."""
    names = ('kpt_thr', 'draw_bbox', 'radius', 'thickness', 'skeleton_style', 'alpha', 'show_kpt_idx', 'draw_heatmap')
    poses = PoseDrawer(model.dataset_meta, **{name: getattr(args, name) for name in names})
    return ResultDrawer(poses, explained_keypoint(args.explain, model.dataset_meta), args.track)


def folder_of(args: argparse.Namespace, model: nn.Module) -> ResultsFolder | None:
    """Where results are written."""
    if args.output_root is None:
        return None
    predictions = None
    if args.save_predictions:
        ids = ImageIds(None if args.ann_file is None else ids_by_name(args.ann_file))
        predictions = PredictionFiles(args.output_root, model.dataset_meta, ids)
    given = (*input_files(args.input), *other_files(args))
    return ResultsFolder(args.output_root, given, predictions, args.explain == 'page')


def main(argv: Sequence[str] | None = None) -> int:
    args = parse_arguments(argv)
    require_usable(args)
    with sigterm_as_interrupt(), open_source(args.input) as source:
        if args.explain == 'page' and source.moving:
            raise InputError('--explain page is for images, and there is a video or camera; name a keypoint instead')
        return infer(args, source)


def infer(args: argparse.Namespace, source: Source) -> int:
    """Run the pipeline over what was given; returns the exit status."""
    boxes = boxes_of(args)
    model = init_model(args.config, args.checkpoint, args.device, args.cfg_options, args.allow_partial)
    draw, folder = drawer_of(args, model), folder_of(args, model)
    pipeline = TopdownPipeline(
        model,
        boxes,
        batch_size=args.batch_size,
        detector_batch_size=args.det_batch_size,
        dtype=args.dtype,
        explain=explain_options(args.explain, args.kpt_thr),
        track=args.track,
        output_heatmaps=args.draw_heatmap,
    )
    window = Window(args.show_interval) if args.show else None
    progress = Progress(source.length)
    try:
        results = pipeline(source, None if args.strict else progress.skip)
        put_out(results, draw, progress, folder, window, args.strict)
    finally:
        progress.close()
        if progress.frames:
            print(f'{progress.summary()}{"" if folder is None else f": {args.output_root}"}')
    return 1 if progress.skipped else 0
