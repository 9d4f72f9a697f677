"""The arguments of command lines that look at the people in one picture."""

from __future__ import annotations

import argparse

import numpy as np

from mmtranspose.apis.boxes import load_bboxes, whole_image
from mmtranspose.apis.command_line import add_model
from mmtranspose.media import read_image


def add_image_and_bboxes(arguments: argparse.ArgumentParser) -> None:
    """Model, picture and boxes."""
    add_model(arguments)
    arguments.add_argument('--input', required=True, metavar='IMAGE', help='picture')
    arguments.add_argument(
        '--bboxes',
        required=True,
        metavar='BOXES.json|whole-image',
        help='JSON list of boxes [x1, y1, x2, y2(, score)] in pixels, or of {"bbox": [x, y, w, h], "score": s}; or '
        '"whole-image" for one box around the picture',
    )


def read_image_and_bboxes(args: argparse.Namespace) -> tuple[np.ndarray, np.ndarray]:
    """The picture (h, w, 3) and the boxes (N, 5) that :func:`add_image_and_bboxes`'s arguments name.

    Raises:
        InputError: The picture or the box file cannot be read.
    """
    image = read_image(args.input)
    return image, whole_image(image) if args.bboxes == 'whole-image' else load_bboxes(args.bboxes)
