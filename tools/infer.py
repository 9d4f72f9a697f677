"""Poses in given boxes of a picture: the picture with the poses, and a JSON of them."""

from pathlib import Path

from mmtranspose.apis.command_line import add_allow_partial, parser, run
from mmtranspose.apis.image_arguments import add_image_and_bboxes, read_image_and_bboxes
from mmtranspose.apis.inference import inference_topdown, init_model
from mmtranspose.apis.results import results_dict, write_json
from mmtranspose.errors import InputError
from mmtranspose.visualization import draw_poses, write_image


def main() -> None:
    arguments = parser(
        'Estimate poses in given boxes of a picture.',
        'mmtranspose infer transpose-r-a3 released.pth --input street.jpg --bboxes boxes.json --output-root results',
    )
    add_image_and_bboxes(arguments)
    arguments.add_argument('--output-root', required=True, metavar='DIR', help='where the picture and the JSON go')
    arguments.add_argument('--device', default='cpu', help='cpu (default), cuda:0, ...')
    arguments.add_argument(
        '--kpt-thr', type=float, default=0.3, help='draw keypoints from this score on (default: 0.3)'
    )
    arguments.add_argument('--draw-bbox', action='store_true', help='draw the boxes too')
    add_allow_partial(arguments)
    args = arguments.parse_args()

    root, name = Path(args.output_root), Path(args.input).name
    results = root / name, root / f'{Path(name).stem}.json'
    for given in (args.input, args.bboxes):
        if Path(given).resolve() in [result.resolve() for result in results]:
            raise InputError(f'--output-root {root} would overwrite {given}; choose another folder')
    image, bboxes = read_image_and_bboxes(args)
    model = init_model(args.config, args.checkpoint, args.device, allow_partial=args.allow_partial)
    samples = inference_topdown(model, image, bboxes)
    picture = draw_poses(image, samples, model.dataset_meta, args.kpt_thr, args.draw_bbox)
    write_image(root / name, picture)
    write_json(root / f'{Path(name).stem}.json', results_dict(args.input, samples, model.dataset_meta))
    print(f'{len(samples)} poses: {root / name}, {root / Path(name).stem}.json')


if __name__ == '__main__':
    run(main)
