"""Poses in given boxes of a picture: the picture with the poses, and a JSON of them."""

import json
import os
from pathlib import Path

from mmpose.structures import merge_data_samples, split_instances

import mmtranspose  # noqa: F401  (before mmpose: puts the work-arounds in place)
from mmtranspose.apis.command_line import parser, run
from mmtranspose.apis.inference import inference_topdown, init_model, load_bboxes, read_image, whole_image
from mmtranspose.visualization import draw_poses, write_image


def result_json(image: str, samples: list, dataset_meta: dict) -> dict:
    """Results in the form of MMPose's demo: ``meta_info`` and one entry a person in ``instance_info``."""
    names = [dataset_meta['keypoint_id2name'][k] for k in range(dataset_meta['num_keypoints'])]
    meta = dict(dataset_name=dataset_meta['dataset_name'], keypoint_names=names, image=image)
    people = split_instances(merge_data_samples(samples).pred_instances) if samples else []
    return dict(meta_info=meta, instance_info=people)


def write_json(path: Path, content: dict) -> None:
    """Write beside, then rename."""
    partial = path.with_name(f'{path.name}.{os.getpid()}.partial')
    partial.write_text(json.dumps(content, indent=1, default=float))
    os.replace(partial, path)


def main() -> None:
    arguments = parser(
        'Estimate poses in given boxes of a picture.',
        'python tools/infer.py CONFIG CHECKPOINT --input street.jpg --bboxes boxes.json --output-root results',
    )
    arguments.add_argument('config', help='config file')
    arguments.add_argument('checkpoint', help="checkpoint: ours or the authors' released one")
    arguments.add_argument('--input', required=True, metavar='IMAGE', help='picture')
    arguments.add_argument(
        '--bboxes',
        required=True,
        metavar='BOXES.json|whole-image',
        help='JSON list of boxes [x1, y1, x2, y2(, score)] in pixels, or of {"bbox": [x, y, w, h], "score": s}; or '
        '"whole-image" for one box around the picture',
    )
    arguments.add_argument('--output-root', required=True, metavar='DIR', help='where the picture and the JSON go')
    arguments.add_argument('--device', default='cpu', help='cpu (default), cuda:0, ...')
    arguments.add_argument('--kpt-thr', type=float, default=0.3, help='draw keypoints from this score on (default: 0.3)')
    arguments.add_argument('--draw-bbox', action='store_true', help='draw the boxes too')
    args = arguments.parse_args()

    image = read_image(args.input)
    bboxes = whole_image(image) if args.bboxes == 'whole-image' else load_bboxes(args.bboxes)
    model = init_model(args.config, args.checkpoint, args.device)
    samples = inference_topdown(model, image, bboxes)
    root, name = Path(args.output_root), Path(args.input).name
    picture = draw_poses(image, samples, model.dataset_meta, args.kpt_thr, args.draw_bbox)
    write_image(root / name, picture)
    write_json(root / f'{Path(name).stem}.json', result_json(args.input, samples, model.dataset_meta))
    print(f'{len(samples)} poses: {root / name}, {root / Path(name).stem}.json')


if __name__ == '__main__':
    run(main)
