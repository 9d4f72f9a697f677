"""Draw the poses of people into a photograph, and what a keypoint depends on: without PyTorch and MMPose.

python poses.py pose.onnx photo.jpg poses.png --detector detector.onnx --keypoint left_wrist"""

import argparse
import itertools
import json
import re
import sys

import numpy as np
import onnxruntime
from PIL import Image, ImageDraw, ImageOps

SURE = 0.3  # keypoints of lower scores are not drawn
COLOURS = ['#00c8ff', '#ff5a3c', '#5ad25a', '#ffc800', '#be78ff', '#ff78b4']


def read_image(path):
    """The photograph as people see it: upright, RGB, 8 bits, without transparency."""
    image = ImageOps.exif_transpose(Image.open(path))
    if image.mode.startswith('I'):  # 16 bits
        image = Image.fromarray((np.asarray(image) / 256).astype(np.uint8))
    return image.convert('RGB')


def open_file(path, kind):
    """A session of ONNX Runtime, and what the file says about itself."""
    session = onnxruntime.InferenceSession(path, providers=['CPUExecutionProvider'])
    meta = json.loads(session.get_modelmeta().custom_metadata_map.get('mmtranspose', '{}'))
    if kind not in (meta.get('kind'), meta.get('graph')):
        sys.exit(f'{path} is no file with kind or graph {kind!r} that mmtranspose has exported')
    return session, meta


def find_boxes(arguments, image):
    """Boxes (N, 4) of people, xyxy in pixels: given, detected, or the whole image."""
    if arguments.boxes:
        if wrong := [one for one in arguments.boxes if not re.fullmatch(r'-?\d+(\.\d*)?(,-?\d+(\.\d*)?){3}', one)]:
            sys.exit(f'--boxes {wrong[0]} is no box: four numbers are wanted, X1,Y1,X2,Y2')
        return np.array([box.split(',') for box in arguments.boxes], np.float32)
    if arguments.detector:
        return open_file(arguments.detector, 'detector')[0].run(['boxes'], {'image': np.asarray(image)})[0]
    return np.array([[0, 0, *image.size]], np.float32)


def lay_over(image, found, meta, name):
    """The image under a heatmap of what the keypoint `name` of every person depends on, in the last layer."""
    if name not in meta['keypoint_names'] or 'dependency' not in found:
        sys.exit(f'no map of {name}: export with --dependency, and choose from {", ".join(meta["keypoint_names"])}')
    heat = np.zeros(image.size[::-1], np.float32)
    token_to_crop = np.vstack([meta['token_to_crop'], [0, 0, 1]])
    for rows, affine in zip(found['dependency'], found['crop_to_image']):
        one = rows[-1, meta['keypoint_names'].index(name)]
        image_to_token = np.linalg.inv(np.vstack([affine, [0, 0, 1]]) @ token_to_crop)
        image_to_token[:2, 2] += 0.5 - image_to_token[:2, :2] @ [0.5, 0.5]  # Pillow counts from a pixel's corner
        data = image_to_token[:2].ravel().tolist()
        spread = Image.fromarray(one / one.max()).transform(image.size, Image.AFFINE, data, Image.BILINEAR)
        heat = np.maximum(heat, np.asarray(spread))
    colours = 255 * np.stack([heat**0, heat, 0 * heat], axis=-1)  # from red to yellow
    share = 0.8 * heat[..., None] ** 0.7
    return Image.fromarray((image * (1 - share) + colours * share).round().astype(np.uint8))


def draw(image, found, meta):
    """Draw limbs and keypoints."""
    pen, size = ImageDraw.Draw(image), max(image.size) / 200
    for points, scores, colour in zip(found['keypoints'], found['scores'], itertools.cycle(COLOURS)):
        for limb in meta['skeleton']:
            if scores[limb].min() >= SURE:
                pen.line([tuple(point) for point in points[limb].tolist()], colour, max(1, round(size / 1.5)))
        for x, y in points[scores >= SURE].tolist():
            pen.ellipse([x - size, y - size, x + size, y + size], 'white', colour)


def main():
    """Run the program."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('pose', help='from `mmtranspose export`, with --dependency for --keypoint')
    parser.add_argument('photo')
    parser.add_argument('output', help='image to write')
    parser.add_argument('--detector', metavar='FILE', help='from `mmtranspose export-detector`; finds the people')
    parser.add_argument('--boxes', nargs='+', metavar='X1,Y1,X2,Y2', help='of people, in pixels; else the whole image')
    parser.add_argument('--keypoint', metavar='NAME', help='lay over the image what this keypoint depends on')
    arguments = parser.parse_args()
    (session, meta), image = open_file(arguments.pose, 'image'), read_image(arguments.photo)
    boxes = find_boxes(arguments, image)
    somebody = boxes if len(boxes) else np.float32([[0, 0, 8, 8]])  # not every runtime can run on nobody
    values = session.run(None, {'image': np.asarray(image), 'boxes': somebody})
    found = {output.name: value[: len(boxes)] for output, value in zip(session.get_outputs(), values)}
    image = lay_over(image, found, meta, arguments.keypoint) if arguments.keypoint else image
    draw(image, found, meta)
    image.save(arguments.output)
    people = zip(*(values.tolist() for values in (boxes, found['keypoints'], found['scores'])))
    print(json.dumps([dict(zip(('bbox', 'keypoints', 'scores'), person)) for person in people]))


if __name__ == '__main__':
    main()
