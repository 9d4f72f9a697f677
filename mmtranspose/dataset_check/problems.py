"""The kinds of problems that a dataset can have: how bad each is, what it means and what to do about it."""

from __future__ import annotations

from typing import NamedTuple


class Kind(NamedTuple):
    """A kind of problem.

    Attributes:
        level (str): ``'error'`` or ``'warning'``.
        unit (str): What is counted, in the singular; empty where nothing is.
        meaning (str): What it means and what to do about it.
    """

    level: str
    unit: str
    meaning: str


class Problem(NamedTuple):
    """One problem.

    Attributes:
        kind (str): A key of :data:`KINDS`.
        where (str): The id, field or value that is wrong.
    """

    kind: str
    where: str


KINDS = {
    # the definition of the keypoints
    'keypoint-definition': Kind('error', '', "the dataset's metainfo contradicts itself; correct it"),
    'keypoint-weights': Kind('warning', '', 'joint_weights are not as many as keypoints; no step uses them here'),
    'skeleton-links': Kind('warning', '', 'a line of the skeleton joins two keypoints; it cannot be drawn'),
    'keypoint-swap': Kind('error', '', 'a keypoint is not paired with its mirror image; correct swap in metainfo'),
    'keypoint-pairing': Kind('warning', '', 'a left or right keypoint has no partner; flipped images mislabel it'),
    'half-body': Kind('warning', '', 'RandomHalfBody does nothing without upper and lower keypoints; set their type'),
    'sigmas': Kind('error', '', 'CocoMetric weighs errors by sigmas; give one positive number below 1 a keypoint'),
    'keypoint-count': Kind('error', '', 'the numbers of keypoints differ; use the config of this dataset'),
    'keypoint-converter': Kind('error', '', 'the pipeline stops there; correct its KeypointConverter'),
    'keypoints-of-another': Kind(
        'error', '', "the config describes other keypoints than the file has; number the file's in keypoint_info"
    ),
    'keypoint-order': Kind('error', '', 'the file has its keypoints in another order than metainfo; reorder metainfo'),
    'keypoint-names': Kind('warning', '', 'the file calls keypoints by other names than metainfo; compare their order'),
    'keypoint-names-number': Kind('warning', '', 'the file names more keypoints than metainfo has; compare them'),
    'keypoint-names-missing': Kind('warning', '', 'the file does not name its keypoints; their order was not compared'),
    # what the file holds
    'entry-malformed': Kind('error', 'entry', 'MMPose stops at such an entry; add or correct the field'),
    'iscrowd': Kind('error', 'person', 'iscrowd is 0 or 1; MMPose drops the person for any other value'),
    'duplicate-id': Kind('error', 'entry', 'MMPose keeps only the last entry of an id; number the entries anew'),
    'duplicate-file': Kind('warning', 'image', 'several images of the annotation file name one file; merge them'),
    'image-unknown': Kind('error', 'person', 'the file has no image of this image_id, so the person is never used'),
    'same-file': Kind('warning', '', 'the figures of this split are those of training images'),
    'duplicate-person': Kind(
        'warning', 'person', 'the same person is there again; an evaluation counts the copy as missed'
    ),
    'leak': Kind('error', 'image', 'the same image is in train and in another split; remove it from one'),
    'leak-copy': Kind('error', 'image', 'a copy of the image, byte for byte, is in train and in another split'),
    # people
    'keypoints-length': Kind('error', 'person', 'each keypoint of metainfo needs three numbers: x, y and flag'),
    'keypoints-empty': Kind('warning', 'annotation', 'keypoints is an empty list; the annotation is left out'),
    'keypoints-missing': Kind('warning', 'annotation', 'the annotation has no keypoints; it is left out'),
    'keypoints-not-finite': Kind('error', 'person', 'a coordinate is not finite, or absurdly large'),
    'visibility': Kind('error', 'person', 'flags are 0 (not labelled), 1 (occluded) or 2 (visible), never negative'),
    'visibility-unusual': Kind('warning', 'person', 'flags are 0, 1 or 2; MMPose takes any other as labelled'),
    'num-keypoints': Kind('warning', 'person', 'num_keypoints is not the number of flags above 0'),
    'labelled-but-dropped': Kind('error', 'person', 'MMPose drops the person although keypoints are labelled'),
    'keypoint-outside': Kind('warning', 'person', 'a labelled keypoint lies outside the image'),
    'keypoint-far': Kind('warning', 'person', "a visible keypoint lies far outside the person's box"),
    'keypoint-at-origin': Kind('warning', 'person', 'a keypoint at (0, 0) is flagged as labelled; flag it 0'),
    'coordinates': Kind('error', '', 'the coordinates are not pixels of these images; rescale them'),
    'box-missing': Kind('error', 'person', 'MMPose drops a person without a box silently'),
    'box-malformed': Kind('error', 'person', 'a box is four finite numbers x, y, width, height in pixels'),
    'box-empty': Kind('error', 'person', 'MMPose drops a person whose box has no positive width and height'),
    'box-outside': Kind('error', 'person', 'the box lies outside the image; MMPose drops the person'),
    'box-half-outside': Kind('warning', 'person', 'half the box or more lies outside the image; MMPose clips it'),
    'box-corners': Kind('error', '', 'boxes seem to be x1, y1, x2, y2; convert them to x, y, width, height'),
    'box-loose': Kind('warning', 'person', "the box is far larger than the person's keypoints"),
    'box-misses': Kind('warning', 'person', "many of the person's visible keypoints lie outside the box"),
    'left-right-contradict': Kind(
        'warning', 'person', 'shoulders and hips face opposite directions; left and right may be mixed up'
    ),
    'left-right-swapped': Kind(
        'error', '', 'left and right are swapped throughout; exchange them in the file or in metainfo'
    ),
    'left-right-suspect': Kind('warning', '', 'left and right may be swapped throughout; look at a few images'),
    'seen-from-behind': Kind(
        'warning', '', 'most people seem to be seen from behind; left and right may be swapped throughout'
    ),
    # what CocoMetric reads
    'evaluation-file': Kind('error', '', 'CocoMetric stops without it; add it, or choose another metric'),
    'evaluation-image': Kind(
        'error', '', "the evaluator's annotation file is not the dataset's; correct one of the two"
    ),
    'evaluation-converter': Kind('error', '', 'predictions and labels must be the same keypoints; correct it'),
    'evaluation-labels': Kind(
        'warning', 'person', "the evaluator's annotation file has other labels than the dataset's, and AP is by those"
    ),
    'evaluation-missed': Kind('warning', '', 'people who are not evaluated count as missed, so AP is too low'),
    'evaluation-fields': Kind(
        'error', 'person', 'CocoMetric stops at such an annotation, crowds included; correct or remove it'
    ),
    'category-unlisted': Kind('error', 'person', 'categories lacks this id, and CocoMetric the person; add it'),
    'evaluation-id': Kind('error', 'person', 'CocoMetric matches people by id, a whole number from 0 on; number them'),
    'area-missing': Kind(
        'error', 'person', 'CocoMetric stops without a number as area; add it, or set use_area=False in the evaluator'
    ),
    'area': Kind(
        'error',
        'person',
        'AP divides by the area (square pixels, about half of the box); correct it, or set '
        'use_area=False in the evaluator',
    ),
    'area-small': Kind('warning', 'person', 'AP divides by the area, which is a very small part of the box'),
    'areas-of-boxes': Kind(
        'warning', '', "the areas are those of the boxes; AP is higher than with COCO's, about half as large"
    ),
    'areas': Kind('error', '', 'AP divides by areas; correct them all, or set use_area=False in the evaluator'),
    # images
    'image-missing': Kind('error', 'image', 'the file does not exist; the run stops there'),
    'unused-image': Kind('warning', 'image', 'the file is missing, damaged or of another size; nobody in it is used'),
    'image-damaged': Kind('error', 'image', 'the file cannot be decoded; the run stops there'),
    'image-size': Kind('error', 'image', 'the file has another size than the annotation file says'),
    'duplicate-image': Kind('warning', 'image', 'two files hold the same image, byte for byte'),
    # detector boxes
    'detections': Kind('error', '', 'the file of detector boxes cannot be used'),
    'detection-score': Kind('error', 'detector box', 'a score is a finite number'),
    'detection-score-range': Kind('warning', 'detector box', 'scores are from 0 to 1; others change the results'),
    'detection-empty': Kind('warning', 'detector box', 'a box without width or height shows no person; remove it'),
    'detection-category': Kind('warning', '', 'boxes and people differ in their categories: some are left out'),
    'detection-overlap': Kind(
        'warning', '', 'so few people overlap with a detector box by IoU 0.5: are these x, y, width, height in pixels?'
    ),
    'detection-corners': Kind('error', '', 'the boxes are corners, and must be x, y, width, height: convert them'),
    'image-without-box': Kind('warning', 'image', 'labelled people have no detector box; they cannot be found'),
    # whatever led to it stands above
    'no-people': Kind('error', '', 'nobody is left to train on or evaluate; see which people MMPose drops'),
}
