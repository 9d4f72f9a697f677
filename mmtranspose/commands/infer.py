"""Estimate the poses of people in images, folders, videos and cameras; draw, write and explain them."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from mmtranspose.acceleration.options import BACKENDS as ACCELERATORS
from mmtranspose.commands.command_line import (
    BBOX_CATEGORY,
    RESULTS,
    add_allow_non_finite,
    add_allow_partial,
    add_cfg_options,
    parse,
    score,
    seconds,
    share,
    sigterm_as_interrupt,
    whole_number,
)
from mmtranspose.commands.detector_arguments import add_detector, detector_of, require_no_detector
from mmtranspose.commands.model_arguments import add_estimator, load_estimator
from mmtranspose.commands.needed_weights import telling_all_missing
from mmtranspose.commands.shard_arguments import add_sharding, device_of, require_shareable, shard_of
from mmtranspose.commands.shared_run import SharedRun
from mmtranspose.detection import PersonDetector
from mmtranspose.detection.people_category import category_of_people
from mmtranspose.errors import DONE, FAILED, InputError
from mmtranspose.explain import ExplainOptions
from mmtranspose.files.coco_format import PERSON
from mmtranspose.files.exported_files import is_exported_file
from mmtranspose.files.json_files import read_json
from mmtranspose.files.output_paths import require_writable
from mmtranspose.files.text_tables import counted
from mmtranspose.inference import BoxFile, TopdownPipeline
from mmtranspose.inference.box_sources import WHOLE_IMAGE
from mmtranspose.inference.image_ids import ImageIds, PathSuffixMap, ids_by_name
from mmtranspose.inference.pipeline import OnSkip
from mmtranspose.inference.work_units import in_units
from mmtranspose.keypoint_names import keypoint_index, keypoint_names
from mmtranspose.media import Source, open_source
from mmtranspose.results import (
    LowScores,
    PredictionFiles,
    Progress,
    ResultDrawer,
    ResultsFolder,
    Window,
    input_files,
    require_no_overwriting,
    require_window,
    without_results,
    write_and_show,
)
from mmtranspose.typing import DatasetMeta, PoseEstimator
from mmtranspose.visualization import PoseDrawer
from mmtranspose.visualization.pose import SKELETON_STYLES
from mmtranspose_cli.parser import command_parser
from mmtranspose_cli.terminal import print_error, printable

PAGE = 'page'
INSTEAD = f', --bboxes FILE.json takes boxes that you have, --bboxes {WHOLE_IMAGE} one around each image'


def add_boxes(arguments: argparse.ArgumentParser) -> None:
    """Add the options that say where people are."""
    group = arguments.add_argument_group('people (a detector finds them, or --bboxes gives their boxes)')
    add_detector(group)
    group.add_argument(
        '--bboxes',
        metavar=f'FILE.json|{WHOLE_IMAGE}',
        help='boxes of people instead of a detector. A JSON file holds one of: a list of boxes, [x1, y1, x2, y2(, '
        'score)] in pixels or {"bbox": [x, y, w, h], "score": s}, for one image or for every frame of a video; {file '
        'name: such a list}; detections or a whole annotation file in COCO format, with image_id. '
        f'{WHOLE_IMAGE}: one box around each image',
    )
    group.add_argument('--bbox-category', metavar='ID', help=BBOX_CATEGORY)
    group.add_argument(
        '--ann-file',
        metavar='JSON',
        help='COCO annotations that list file names with their image_id, for the boxes and for the results; these get '
        'the category_id of the people in the annotations',
    )
    group.add_argument(
        '--bbox-thr', type=score, metavar='SCORE', help='leave out boxes of lower score (default for detectors: 0.3)'
    )
    group.add_argument(
        '--nms-thr',
        type=share,
        metavar='IOU',
        help='of boxes that overlap by more than this IoU, keep the best (default for detectors: 0.3)',
    )


def add_outputs(arguments: argparse.ArgumentParser) -> None:
    """Add the options that say what is made of the results."""
    group = arguments.add_argument_group('results')
    group.add_argument(
        '--output-root',
        metavar='DIR',
        help='folder for images and videos, named after the inputs, and for JSON files '
        f'(default: {RESULTS}; none with --show)',
    )
    group.add_argument('--show', action='store_true', help='show the results in a window; ESC or q ends the run')
    group.add_argument(
        '--show-interval',
        type=seconds,
        default=0.0,
        metavar='SECONDS',
        help='time that each image stays in the window (default: until a key is pressed; no wait for frames of videos)',
    )
    group.add_argument(
        '--save-predictions',
        action=argparse.BooleanOptionalAction,
        default=True,
        help="write a JSON file in MMPose's form for each input, and results_coco.json for all inputs (default: yes)",
    )
    group.add_argument(
        '--explain',
        metavar=f'KEYPOINT|{PAGE}',
        help="explain the poses. KEYPOINT, a name or number: draw the last layer's attention of this keypoint over the "
        f'images, which shows what the keypoint depends on. {PAGE}: write all files of `mmtranspose explain` for each '
        'image',
    )
    group.add_argument(
        '--track',
        action='store_true',
        help='number people, with the same number for the same person from frame to frame (images count as the frames '
        'of one video)',
    )
    group.add_argument(
        '--strict',
        action='store_true',
        help='stop at the first input or box that cannot be used, instead of leaving it out',
    )


def add_drawing(arguments: argparse.ArgumentParser) -> None:
    """Add the options of :class:`PoseDrawer`."""
    group = arguments.add_argument_group('drawing')
    group.add_argument(
        '--kpt-thr', type=score, default=0.3, metavar='SCORE', help='draw keypoints from this score on (default: 0.3)'
    )
    group.add_argument('--draw-bbox', action='store_true', help='also draw the boxes')
    group.add_argument('--draw-heatmap', action='store_true', help='append the heatmaps below the image')
    group.add_argument(
        '--skeleton-style', choices=SKELETON_STYLES, default='mmpose', help='colours and limbs (default: mmpose)'
    )
    group.add_argument('--show-kpt-idx', action='store_true', help='write the number of each keypoint beside it')
    group.add_argument(
        '--radius', type=whole_number, metavar='PIXELS', help='radius of keypoints (default: fits the image)'
    )
    group.add_argument(
        '--thickness', type=whole_number, metavar='PIXELS', help='thickness of limbs (default: fits the image)'
    )
    group.add_argument('--alpha', type=share, default=1.0, help='opacity of keypoints, 0 to 1 (default: 1)')


def add_computation(arguments: argparse.ArgumentParser) -> None:
    """Add the options that say how to compute."""
    group = arguments.add_argument_group('computation')
    group.add_argument(
        '--device', help='cpu, cuda:0, ... (default: cpu; with a launcher the GPU of each process, if there is one)'
    )
    group.add_argument(
        '--batch-size',
        type=whole_number,
        metavar='N',
        help='people that go through the network together (default: 16 on a CPU, 64 on a GPU, 8 with --explain)',
    )
    group.add_argument(
        '--det-batch-size',
        type=whole_number,
        metavar='N',
        help='images that go through the detector together (default: 4 on a CPU, 8 on a GPU)',
    )
    precision = group.add_mutually_exclusive_group()
    for dtype, devices in (('fp16', 'GPUs'), ('bf16', 'newer GPUs, and for CPUs with AVX512-BF16 or AMX')):
        precision.add_argument(
            f'--{dtype}',
            dest='dtype',
            action='store_const',
            const=dtype,
            default='fp32',
            help=f'compute the network in {dtype}, for {devices}; other devices compute in fp32, with a warning',
        )


def parse_arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    """Parse the command line."""
    arguments = command_parser(
        'infer',
        'Estimate the poses of the people in images, folders, videos and cameras; draw them and write them as JSON. '
        'Inputs and boxes that cannot be used are named on the standard error and left out; the exit status is then 1.',
        'mmtranspose infer transpose-h-a4 --input street.jpg clip.mp4\n'
        '  mmtranspose infer my_config.py best.pth --input street.jpg --det-config rtmdet_tiny_8xb32-300e_coco '
        '--output-root out',
    )
    add_estimator(arguments)
    arguments.add_argument(
        '--input',
        required=True,
        nargs='+',
        metavar='INPUT',
        help="images, videos, folders of them, patterns ('a/*.jpg'), or cameras: webcam, webcam:1",
    )
    add_boxes(arguments)
    add_outputs(arguments)
    add_drawing(arguments)
    add_computation(arguments)
    add_sharding(arguments)
    add_cfg_options(arguments)
    add_allow_partial(arguments)
    add_allow_non_finite(arguments)
    args = parse(arguments, argv)
    if not args.show and args.output_root is None:
        args.output_root = RESULTS
    args.shard, args.device = shard_of(args), device_of(args)
    args.shared = args.merge or args.shard is not None
    return args


def require_usable(args: argparse.Namespace) -> None:
    """Check everything that can be checked without the model.

    Raises:
        InputError: Options contradict each other, or results would overwrite an input.
    """
    if args.bboxes is not None:
        require_no_detector(args)
    if args.bbox_category is not None and args.bboxes in (None, WHOLE_IMAGE):
        raise InputError('--bbox-category is the category of boxes in a file, and needs --bboxes FILE.json')
    if args.explain == PAGE and args.output_root is None:
        raise InputError(f'--explain {PAGE} needs --output-root')
    if args.output_root is not None:
        require_no_overwriting(args.output_root, input_files(args.input), other_files(args))
        require_writable(args.output_root)
    if args.show:
        require_window()


def leave_out_results(args: argparse.Namespace) -> None:
    """Take what earlier calls wrote out of the inputs, and say so: patterns may reach into --output-root."""
    if args.output_root is None:
        return
    args.input, count = without_results(args.input, args.output_root)
    if count and (args.launcher == 'none' or args.shard.number == 1):
        words = f'left out, as they are results: {counted(count, "file")} in --output-root {args.output_root}'
        print(printable(words), file=sys.stderr)


def other_files(args: argparse.Namespace) -> list[Path]:
    """The files that are read besides the inputs."""
    given = (args.bboxes, args.ann_file, args.config, args.checkpoint, args.det_config, args.det_checkpoint)
    return [Path(path) for path in given if path is not None]


def boxes_of(args: argparse.Namespace, on_skip: OnSkip | None) -> PersonDetector | BoxFile | str:
    """The source of boxes that the options name; ``on_skip`` takes entries of a box file that are no box."""
    thresholds = {name: value for name in ('bbox_thr', 'nms_thr') if (value := getattr(args, name)) is not None}
    if args.bboxes == WHOLE_IMAGE:
        return WHOLE_IMAGE
    if args.bboxes is not None:
        return BoxFile(args.bboxes, args.ann_file, **thresholds, category_id=args.bbox_category, on_skip=on_skip)
    return detector_of(args, args.device, INSTEAD, **thresholds)


def drawer_of(args: argparse.Namespace, dataset_meta: DatasetMeta) -> ResultDrawer:
    """The drawer of results that the options describe."""
    names = ('kpt_thr', 'draw_bbox', 'radius', 'thickness', 'skeleton_style', 'alpha', 'show_kpt_idx', 'draw_heatmap')
    poses = PoseDrawer(dataset_meta, **{name: getattr(args, name) for name in names})
    keypoint = None
    if args.explain is not None and args.explain != PAGE:
        known = keypoint_names(dataset_meta)
        if args.explain not in {*known, *map(str, range(len(known)))}:
            raise InputError(
                f'--explain {args.explain}: choose a keypoint from {", ".join(known)}, a number from 0 to '
                f'{len(known) - 1}, or {PAGE}'
            )
        keypoint = keypoint_index(known, args.explain)
    return ResultDrawer(poses, keypoint, args.track)


def ids_and_category(
    args: argparse.Namespace, boxes: PersonDetector | BoxFile | str
) -> tuple[PathSuffixMap[int | str] | None, int | str]:
    """The ``image_id`` of images by file name, where annotations tell it, and the ``category_id`` of results."""
    if isinstance(boxes, BoxFile):
        return boxes.ids, boxes.category_id
    if args.ann_file is None:
        return None, PERSON
    content = read_json(Path(args.ann_file), 'annotation file')
    ids = ids_by_name(args.ann_file)
    assert isinstance(content, dict)  # else ids_by_name raises
    return ids, category_of_people(content, args.ann_file)


def folder_of(
    args: argparse.Namespace, dataset_meta: DatasetMeta, boxes: PersonDetector | BoxFile | str
) -> ResultsFolder | None:
    """The folder that results are written to, if any."""
    if args.output_root is None:
        return None
    predictions = None
    if args.save_predictions:
        ids, category = ids_and_category(args, boxes)
        predictions = PredictionFiles(args.output_root, dataset_meta, ImageIds(ids), category)
    given = (*input_files(args.input), *other_files(args))
    return ResultsFolder(args.output_root, given, predictions, args.explain == PAGE)


def pipeline_of(
    args: argparse.Namespace, model: PoseEstimator, boxes: PersonDetector | BoxFile | str
) -> TopdownPipeline:
    """The pipeline that the options describe. A page shows both directions of a model's attention."""
    affect = args.explain == PAGE and not is_exported_file(args.config)
    explain = None if args.explain is None else ExplainOptions(affect=affect, score_thr=args.kpt_thr)
    return TopdownPipeline(
        model,
        boxes,
        batch_size=args.batch_size,
        detector_batch_size=args.det_batch_size,
        dtype=args.dtype,
        explain=explain,
        track=args.track,
        output_heatmaps=args.draw_heatmap,
        backend=args.backend if args.backend in ACCELERATORS else 'torch',
    )


def infer(args: argparse.Namespace, source: Source) -> int:
    """Run the pipeline over the inputs; returns the exit status."""
    faults: list[tuple[str, str]] = []
    boxes = boxes_of(args, None if args.strict else lambda where, reason: faults.append((where, reason)))
    model = load_estimator(args)
    draw, folder = drawer_of(args, model.dataset_meta), folder_of(args, model.dataset_meta, boxes)
    pipeline = pipeline_of(args, model, boxes)
    if args.shared:
        ids, category = ids_and_category(args, boxes)
        given = (*input_files(args.input), *other_files(args))
        return SharedRun(args, args.shard, source, pipeline, boxes, draw, model, ids, category, faults, given)()
    source = in_units(source, pipeline.unit_size)
    window = Window(args.show_interval) if args.show else None
    progress = Progress(source.length, low_scores=LowScores(args.kpt_thr))
    try:
        for where, reason in faults:
            progress.skip(where, reason)
        if isinstance(boxes, BoxFile):
            progress.note(boxes.left_out)
        results = pipeline(source, None if args.strict else progress.skip)
        write_and_show(results, draw, progress, folder, window, args.strict)
        if isinstance(boxes, BoxFile):
            progress.note(boxes.of_other_images())
    finally:
        progress.close()
        if progress.frames:
            print(printable(f'{progress.summary()}{"" if folder is None else f": {args.output_root}"}'))
    if isinstance(boxes, BoxFile) and (unmatched := boxes.unmatched()):
        print_error(unmatched)
        return FAILED
    return FAILED if progress.skipped else DONE


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; returns the exit status."""
    args = parse_arguments(argv)
    leave_out_results(args)
    require_usable(args)
    with sigterm_as_interrupt(), open_source(args.input) as source:
        if args.explain == PAGE and source.moving:
            raise InputError(f'--explain {PAGE} is for images, and there is a video or camera; name a keypoint instead')
        if args.shared:
            require_shareable(args, source, args.explain == PAGE)
        with telling_all_missing(args):
            return infer(args, source)
