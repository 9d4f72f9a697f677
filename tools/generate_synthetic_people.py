"""Draw a data set of synthetic people in COCO's key-point format. Nothing is downloaded."""

import argparse
import signal
import sys
from pathlib import Path

import cv2

from mmtranspose.datasets.synthetic import DIFFICULTIES, contact_sheet, generate_dataset, make_scene
from mmtranspose.errors import InputError

EXAMPLE = """example:
  mmtranspose generate-people data/synthetic --num-train 4000 --num-val 500 --preview data/preview.png

writes data/synthetic/{annotations,person_detection_results,train,val} and synthetic.json. The same seed and counts
always give the same files. In the preview a filled disc is a visible key point, a ring an occluded one; green is the
person's left, orange the right.
"""


def _at_least(low: int):

    def parse(text: str) -> int:
        try:
            value = int(text)
        except ValueError:
            raise argparse.ArgumentTypeError(f'{text!r} is not a whole number') from None
        if value < low:
            raise argparse.ArgumentTypeError(f'{value} is too small: give at least {low}')
        return value

    return parse


def parse_args(argv=None) -> argparse.Namespace:
    """The command line's arguments."""
    parser = argparse.ArgumentParser(
        description=__doc__, epilog=EXAMPLE, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('output_root', type=Path, help='folder to make')
    parser.add_argument('--num-train', type=_at_least(0), default=4000, help='training pictures (default %(default)s)')
    parser.add_argument('--num-val', type=_at_least(0), default=500, help='validation pictures (default %(default)s)')
    parser.add_argument('--seed', type=_at_least(0), default=0, help='whole number from 0 (default %(default)s)')
    parser.add_argument(
        '--difficulty',
        choices=sorted(DIFFICULTIES),
        default='full',
        help='full (default): any pose, view, crowd and obstacle; easy: upright people who face the camera',
    )
    parser.add_argument('--num-workers', type=_at_least(1), help='processes (default: one for each core)')
    parser.add_argument('--overwrite', action='store_true', help='replace a data set that this tool made earlier')
    parser.add_argument(
        '--preview', type=Path, metavar='FILE.png', help='also write a sheet of labelled pictures to look at'
    )
    args = parser.parse_args(argv)
    if args.num_train + args.num_val == 0:
        parser.error('--num-train and --num-val are both 0: ask for at least one picture')
    if args.preview and args.preview.suffix.lower() not in ('.png', '.jpg', '.jpeg'):
        parser.error(f'--preview {args.preview}: the name must end in .png or .jpg')
    return args


def write_preview(path: Path, args: argparse.Namespace, count: int = 16) -> None:
    """Write a sheet of the first pictures of the larger split."""
    split, number = ('train', args.num_train) if args.num_train >= args.num_val else ('val', args.num_val)
    scenes = [make_scene(args.seed, split, index, args.difficulty)[0] for index in range(min(count, number))]
    path.parent.mkdir(parents=True, exist_ok=True)
    if not cv2.imwrite(str(path), contact_sheet(scenes)):
        raise OSError(f'--preview {path}: the picture could not be written')


def main(argv=None) -> int:
    """Run the tool; returns the exit status."""
    args = parse_args(argv)
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # cleaned up after, as Ctrl-C is
    try:
        written = generate_dataset(
            args.output_root,
            args.num_train,
            args.num_val,
            args.seed,
            args.num_workers,
            args.overwrite,
            difficulty=args.difficulty,
        )
        if args.preview:
            write_preview(args.preview, args)
    except (InputError, OSError) as error:
        print(f'error: {error}', file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print('interrupted: nothing was left behind', file=sys.stderr)
        return 130
    print(f'{args.output_root}: ' + ('written' if written else 'already complete with these parameters'))
    return 0


if __name__ == '__main__':
    sys.exit(main())
