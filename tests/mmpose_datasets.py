"""Tiny data for MMPose's dataset classes: annotation files in each dataset's own layout, and the metrics it has.

The layouts are those of the samples in MMPose's repository (``tests/data``), rebuilt here by code. The metrics are
those of MMPose's own configs; a dataset that no config evaluates has those of its 0.x config, or of its kind.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

import numpy as np
from mmengine.config import ConfigDict
from mmengine.hub import get_config
from tiny_datasets import (
    Person,
    coco_annotation,
    image_ids,
    metainfo,
    mpii_entries,
    random_keypoints,
    whole_body,
    write_head_boxes,
    write_image,
    write_json,
)

ANN_FILE = 'annotations/people.json'
BOXES = ((1, (4, 6, 40, 60)), (1, (50, 8, 42, 64)), (2, (24, 4, 52, 70)), (3, (12, 10, 44, 60)))  # image, xywh
SQUARES = ((1, (4, 6, 44, 44)), (1, (50, 20, 42, 42)), (2, (20, 4, 70, 70)), (3, (12, 10, 60, 60)))
NUMPY_2_4 = np.lib.NumpyVersion(np.__version__) >= '2.4.0'
HEAD_SIZE = 24.0  # pixels, of Panoptic's hands

# Evaluators
AP = (dict(type='CocoMetric'),)
AP_NO_AREA = (dict(type='CocoMetric', use_area=False),)
AP_CROWD = (dict(type='CocoMetric', use_area=False, iou_type='keypoints_crowd', prefix='crowdpose'),)
AP_WHOLE_BODY = (dict(type='CocoWholeBodyMetric'),)
PCK = (dict(type='PCKAccuracy', thr=0.2), dict(type='AUC'), dict(type='EPE'))
PCK_ANIMAL_KINGDOM = (dict(type='PCKAccuracy', thr=0.05), dict(type='AUC'))
PCK_HALPE = (dict(type='PCKAccuracy', thr=0.1), dict(type='AUC'))
PCK_HORSE = (dict(type='PCKAccuracy', thr=0.3), dict(type='NME', norm_mode='keypoint_distance'))
PCK_JHMDB = (dict(type='JhmdbPCKAccuracy', thr=0.2, norm_item=['bbox', 'torso']),)
PCKH = (dict(type='MpiiPCKAccuracy'),)
PCKH_PANOPTIC = (dict(type='PCKAccuracy', thr=0.7, norm_item='head'), dict(type='AUC'), dict(type='EPE'))
NME = (dict(type='NME', norm_mode='keypoint_distance'),)
# MMPose's config of 300W-LP names no eyes, and NME knows those of other datasets alone: a KeyError after an epoch
NME_OF_EYES = (dict(type='NME', norm_mode='keypoint_distance', keypoint_indices=[36, 45]),)
NME_OF_BOX = (dict(type='NME', norm_mode='use_norm_item', norm_item='bbox_size'),)

Fields = dict[str, object]


@dataclass(frozen=True)
class MMPoseDataset:
    """A dataset class of MMPose, the layout of its files, and how it is evaluated.

    Attributes:
        type (str): The class.
        num_keypoints (int): K.
        metrics (tuple[dict, ...]): The evaluator.
        entry (Callable): Gives the fields in which an annotation differs from COCO's; None: it has no such field.
        image (Callable): The same of an image, given its id.
        category (dict): The same of a category.
        names_of (str): The class whose keypoints the categories name; empty: this one.
        num_categories (int): Categories of the file, which people have in turn.
        boxes (tuple): Of the people: image and (x, y, w, h) in pixels.
        size (tuple[int, int]): Of the images, (w, h) in pixels.
        file_name (str): Of an image, to be filled with its id.
        flag (float): Visibility of labelled keypoints.
        by_category (bool): Keypoints are named after categories, and only those of a person's own are labelled.
        all_labelled (bool): The dataset has no keypoints that are not labelled; of others, one of each person is not.
        first_id (int): Of images and people.
        write (Callable | None): Writes the annotation files and returns options of the class; None: COCO's format.
        options (dict): More options of the class.
    """

    type: str
    num_keypoints: int
    metrics: tuple[dict, ...]
    entry: Callable[[Person], Fields] = lambda person: {}
    image: Callable[[int], Fields] = lambda image_id: {}
    category: Fields = field(default_factory=dict)
    names_of: str = ''
    num_categories: int = 1
    boxes: tuple = BOXES
    size: tuple[int, int] = (96, 80)
    file_name: str = '{:012d}.jpg'
    flag: float = 2.0
    by_category: bool = False
    all_labelled: bool = False
    first_id: int = 1
    write: Callable[[MMPoseDataset, Path, list[Person]], Fields] | None = None
    options: Fields = field(default_factory=dict)

    @property
    def name(self) -> str:
        """What tests call it."""
        return '-'.join([self.type, *(value for value in self.options.values() if isinstance(value, str))])

    def people(self) -> list[Person]:
        """The ground truth."""
        return [self._person(index, picture, box) for index, (picture, box) in enumerate(self.boxes)]

    def _person(self, index: int, picture: int, box: tuple) -> Person:
        keypoints = random_keypoints(np.random.default_rng(index + 1), box, self.num_keypoints)
        labelled = np.arange(self.num_keypoints) != (self.num_keypoints - 2 - index) % self.num_keypoints
        labelled |= self.all_labelled
        category = 1 + index % self.num_categories
        if self.by_category:
            kinds = [name.rsplit('_', 1)[0] for name in keypoint_names(self.type)]
            labelled &= np.array(kinds) == list(dict.fromkeys(kinds))[category - 1]
        id, image_id = self.first_id + index, self.first_id + picture - 1
        return Person(id, image_id, category, box, keypoints, labelled, self.flag)

    def write_files(self, root: Path) -> tuple[ConfigDict, list[Person]]:
        """Write images and annotations below a folder.

        Returns:
            tuple[ConfigDict, list[Person]]: The dataset's config without a pipeline, and its people.
        """
        people = self.people()
        for image_id in image_ids(people):
            write_image(root / 'images' / self.file_name.format(image_id), image_id, self.size)
        more = (self.write or write_coco)(self, root, people)
        paths = dict(data_root=str(root), ann_file=ANN_FILE, data_prefix=dict(img='images/'))
        return ConfigDict(dict(type=self.type, **paths) | self.options | more), people


@cache
def keypoint_names(kind: str, subset: str = '') -> list[str]:
    """The names in a class's own metainfo."""
    options = dict(subset=subset) if subset else {}
    return list(metainfo(ConfigDict(type=kind, **options))['keypoint_name2id'])


def write_coco(dataset: MMPoseDataset, root: Path, people: list[Person]) -> Fields:
    """Write a file in COCO's format, but for what the dataset has more or less."""
    names = keypoint_names(dataset.names_of or dataset.type, dataset.options.get('subset', ''))
    categories = [
        _changed(dict(supercategory='kind', id=1 + i, name=f'kind {i}', keypoints=names, skeleton=[]), dataset.category)
        for i in range(dataset.num_categories)
    ]
    annotations = [_changed(coco_annotation(person), dataset.entry(person)) for person in people]
    content = dict(images=_images(dataset, people), annotations=annotations, categories=categories)
    write_json(root / ANN_FILE, content)
    return {}


def _images(dataset: MMPoseDataset, people: list[Person]) -> list[Fields]:
    width, height = dataset.size
    return [
        _changed(dict(id=i, file_name=dataset.file_name.format(i), width=width, height=height), dataset.image(i))
        for i in image_ids(people)
    ]


def _changed(fields: Fields, changes: Fields) -> Fields:
    return {key: value for key, value in {**fields, **changes}.items() if value is not None}


def without(*names: str) -> Callable[[Person], Fields]:
    """Annotations lack these fields."""
    return lambda person: dict.fromkeys(names)


def unlabelled_at_minus_one(person: Person) -> Fields:
    """Animal Kingdom has -1, -1, 0 where COCO has 0, 0, 0."""
    triples = np.array(person.triples).reshape(-1, 3)
    triples[~person.labelled] = -1, -1, 0
    return dict(keypoints=triples.ravel().tolist(), segmentation=None)


def centred(person: Person) -> Fields:
    """Faces have square boxes, given by their middle and their side / 200."""
    x, y, side, _ = person.bbox
    return dict(center=[x + side / 2, y + side / 2], scale=side / 200)


def centred_only(person: Person) -> Fields:
    """300-VW has no other boxes."""
    return dict(centred(person), bbox=None, segmentation=[])


def aflw(person: Person) -> Fields:
    """AFLW has the side of the box in pixels, too."""
    return dict(centred(person), box_size=float(person.bbox[2]))


def trb(person: Person) -> Fields:
    """MPII-TRB counts joints."""
    count = int(person.labelled.sum())
    return dict(centred_only(person), num_joints=count, num_keypoints=None, area=None, segmentation=None)


def jhmdb(person: Person) -> Fields:
    """JHMDB counts pixels from 1."""
    x, y, w, h = person.bbox
    triples = np.array(person.triples).reshape(-1, 3) + np.array([1, 1, 0])
    absent = dict.fromkeys(('num_keypoints', 'iscrowd', 'area', 'segmentation'))
    return dict(absent, bbox=[x + 1, y + 1, w, h], keypoints=triples.ravel().tolist(), track_id=0, scores=[])


def posetrack(person: Person) -> Fields:
    """PoseTrack18 has tracks, and boxes of heads."""
    x, y, _, _ = person.bbox
    more = dict(track_id=person.id, bbox_head=[x, y, 12, 12], scores=[], iscrowd=False)
    return dict(more, area=None, segmentation=None)


def video_frame(image_id: int) -> Fields:
    """An image of JHMDB or PoseTrack18."""
    return dict(is_labeled=True, nframes=3, frame_id=image_id, vid_id='000001')


def humanart(person: Person) -> Fields:
    """Human-Art has 21 keypoints, of which the first 17 are COCO's."""
    x, y, _, _ = person.bbox
    more = [*person.triples, *([x + 7, y + 7, 2] * 4)][: 3 * 21]
    return dict(keypoints=more[: 3 * 17], keypoints_21=more, num_keypoints=int(person.labelled[:17].sum()))


def panoptic(person: Person) -> Fields:
    """Panoptic's hands have the size of the head, and no number of keypoints.

    The size is a list of one number here. MMPose 1.3.2 stops at the number that the dataset has: its ``PackPoseInputs``
    takes only what has a length.
    """
    return dict(centred(person), num_keypoints=None, head_size=[HEAD_SIZE], dataset='mpii')


def _body(person: Person) -> Fields:
    """The body of someone whose face or hand is used; the first one's is not labelled."""
    x, y, _, _ = person.bbox
    labelled = 0 if person.image_id == 1 else 17
    return dict(keypoints=[x + 9, y + 9, 2] * labelled or [0] * 51, num_keypoints=labelled)


def face_of_whole_body(person: Person) -> Fields:
    """COCO-WholeBody's face, with the body's keypoints in their usual place."""
    return dict(_body(person), face_kpts=person.triples, face_box=list(person.bbox), face_valid=True)


def write_hands(dataset: MMPoseDataset, root: Path, people: list[Person]) -> Fields:
    """Write COCO-WholeBody's hands: a left one has an even number, and a person in each image has one hand or both."""
    annotations = []
    for image_id in image_ids(people):
        hands = [one for one in people if one.image_id == image_id]
        entry = dict(coco_annotation(hands[0]), **_body(hands[0]), id=100 + image_id)
        for number, side in enumerate(('lefthand', 'righthand')):
            entry.update({f'{side}_valid': False, f'{side}_kpts': [0] * 63, f'{side}_box': [0, 0, 0, 0]})
            for hand in hands:
                if hand.id % 2 == number:
                    fields = dict(valid=True, kpts=hand.triples, box=list(hand.bbox))
                    entry.update({f'{side}_{key}': value for key, value in fields.items()})
        annotations.append(entry)
    categories = [dict(id=1, name='person', keypoints=keypoint_names('CocoDataset'))]
    content = dict(images=_images(dataset, people), annotations=annotations, categories=categories)
    write_json(root / ANN_FILE, content)
    return {}


def write_mpii(dataset: MMPoseDataset, root: Path, people: list[Person]) -> Fields:
    """Write MPII's list of people, and its head boxes, which only the test set has."""
    write_json(root / ANN_FILE, mpii_entries(people))
    write_head_boxes(root / 'heads.mat', people)
    return dict(headbox_file=str(root / 'heads.mat'))


def write_interhand(dataset: MMPoseDataset, root: Path, people: list[Person]) -> Fields:
    """Write InterHand2.6M's three files: hands in images, cameras, and joints in the world.

    The camera looks along z from the origin, and all joints are a metre away.
    """
    focal, middle, away = 500.0, np.array([48.0, 40.0]), 1000.0
    annotations = [
        dict(
            id=one.id,
            image_id=one.image_id,
            bbox=list(one.bbox),
            joint_valid=[[int(there)] for there in one.labelled],
            hand_type='interacting',
            hand_type_valid=1,
        )
        for one in people
    ]
    images = [dict(image, capture=7, camera='400026', frame_idx=image['id']) for image in _images(dataset, people)]
    write_json(root / ANN_FILE, dict(images=images, annotations=annotations))
    camera = dict(campos=[0, 0, 0], camrot=np.eye(3).tolist(), focal=[focal, focal], princpt=middle.tolist())
    write_json(root / 'camera.json', {'7': {key: {'400026': value} for key, value in camera.items()}})
    joints = {
        str(one.image_id): dict(
            world_coord=np.column_stack(
                [(one.keypoints - middle) * away / focal, np.full(len(one.keypoints), away)]
            ).tolist()
        )
        for one in people
    }
    write_json(root / 'joints.json', {'7': joints})
    return dict(camera_param_file='camera.json', joint_file='joints.json')


def write_h3wb(dataset: MMPoseDataset, root: Path, people: list[Person]) -> Fields:
    """Write H3WB's arrays, in which S1 trains and S7 tests, here with the same poses; and its images, by frame."""
    act, camera = 'Sitting', '54138969'
    frames = [person.image_id for person in people]
    calibration = dict(K=np.ones((1, 3, 3)), R=np.ones((1, 3, 3)), T=np.ones(3), Distortion=np.ones((1, 5)))
    boxes, actions, cameras = {}, {}, {}
    for subject in ('S1', 'S7'):
        poses = dict(
            pose_2d=np.array([person.keypoints for person in people]), camera_3d=np.ones((len(people), 133, 3))
        )
        actions[subject], cameras[subject] = {act: {'frame_id': frames, camera: poses}}, {camera: calibration}
        for person in people:
            x, y, w, h = person.bbox
            boxes[subject, act, camera, person.image_id] = dict(x_min=x, y_min=y, x_max=x + w, y_max=y + h)
            image = root / 'original' / subject / 'Images' / f'{act}.{camera}' / f'frame_{person.image_id}.jpg'
            write_image(image, person.image_id, dataset.size)
    np.savez(root / 'people.npz', train_data=actions, metadata=cameras, bbox=boxes)
    return dict(ann_file='people.npz')


def write_h36m(dataset: MMPoseDataset, root: Path, people: list[Person]) -> Fields:
    """Write Human3.6M's arrays: frames of videos, each with a pose on the image and one in the world."""
    count = len(people)
    poses = np.array([np.column_stack([person.keypoints, np.ones(dataset.num_keypoints)]) for person in people])
    world = np.ones((count, dataset.num_keypoints, 4))
    names = np.array([f'S1_Sitting.54138969_{person.image_id:06d}.jpg' for person in people])
    np.savez(root / 'people.npz', imgname=names, part=poses, S=world, center=np.ones((count, 2)), scale=np.ones(count))
    return dict(ann_file='people.npz')


def write_ubody3d(dataset: MMPoseDataset, root: Path, people: list[Person]) -> Fields:
    """Write UBody's file of 133 keypoints on the image and in the world; ``dataset`` has the 137 of the metainfo."""
    annotations = [
        dict(
            id=person.id,
            image_id=person.image_id,
            category_id=1,
            bbox=list(person.bbox),
            keypoints=person.keypoints[:133].tolist(),
            keypoints_3d=np.ones((133, 3)).tolist(),
            keypoints_valid=[1] * 133,
            camera_param=dict(focal=[500, 500], princpt=[48, 40]),
        )
        for person in people
    ]
    categories = [dict(id=1, name='person')]
    write_json(root / ANN_FILE, dict(images=_images(dataset, people), annotations=annotations, categories=categories))
    return {}


def of_keypoints(person: Person) -> Fields:
    """The box in the file is that of the keypoints; the class takes the whole image."""
    low, high = person.keypoints.min(0), person.keypoints.max(0)
    return dict(bbox=[*low.tolist(), *(high - low).tolist()], area=float((high - low).prod()), segmentation=None)


def freihand(person: Person) -> Fields:
    """FreiHand has a polygon and no number of keypoints, besides."""
    return dict(of_keypoints(person), num_keypoints=None, segmentation=coco_annotation(person)['segmentation'])


def whole_image(side: int) -> Fields:
    """The class takes the whole image as the box, whose side it knows."""
    return dict(boxes=tuple((image, (0, 0, side, side)) for image in (1, 2, 3)), size=(side, side))


def write_deepfashion2(dataset: MMPoseDataset, root: Path, people: list[Person]) -> Fields:
    """Write DeepFashion2's file; in the metainfo, vest_kpt13 swaps with vest_kpt9, as in MMPose's it does not."""
    write_coco(dataset, root, people)
    info = get_config('mmpose::_base_/datasets/deepfashion2.py').dataset_info.to_dict()
    (thirteenth,) = (one for one in info['keypoint_info'].values() if one['name'] == 'vest_kpt13')
    thirteenth['swap'] = 'vest_kpt9'
    return dict(metainfo=info)


NAMELESS: Fields = dict(keypoints=[])
FACE = dict(category=NAMELESS, boxes=SQUARES, entry=centred)
DEEP_FASHION = dict(entry=without('segmentation'))
ANIMALS = (
    MMPoseDataset(
        'AnimalKingdomDataset',
        23,
        PCK_ANIMAL_KINGDOM,
        entry=unlabelled_at_minus_one,
        num_categories=5,
        file_name='AAOYRUDX/AAOYRUDX_f{:06d}.jpg',
        flag=1.0,
    ),
    MMPoseDataset('AnimalPoseDataset', 20, AP, entry=without('segmentation'), num_categories=3),
    MMPoseDataset('AP10KDataset', 17, AP, num_categories=2),
    MMPoseDataset('ATRWDataset', 15, AP, entry=without('segmentation')),
    MMPoseDataset('FlyDataset', 32, PCK, entry=without('segmentation')),
    MMPoseDataset('Horse10Dataset', 22, PCK_HORSE, entry=without('segmentation')),
    MMPoseDataset('LocustDataset', 35, PCK, entry=of_keypoints, **whole_image(160)),
    MMPoseDataset('MacaqueDataset', 17, AP),
    MMPoseDataset('ZebraDataset', 9, PCK, entry=of_keypoints, **whole_image(160)),
)
BODIES = (
    MMPoseDataset('AicDataset', 14, AP_NO_AREA, entry=without('area', 'iscrowd', 'segmentation')),
    MMPoseDataset('CocoDataset', 17, AP),
    MMPoseDataset('CrowdPoseDataset', 14, AP_CROWD, image=lambda i: dict(crowdIndex=0.3 * i)),
    MMPoseDataset(
        'ExlposeDataset', 14, AP_NO_AREA, entry=without('area', 'segmentation'), image=lambda i: dict(crowdIndex=0)
    ),
    MMPoseDataset('HumanArtDataset', 17, AP, entry=humanart, names_of='HumanArt21Dataset'),
    MMPoseDataset('HumanArt21Dataset', 21, PCK_HALPE, entry=humanart, names_of='HumanArtDataset'),
    MMPoseDataset(
        'JhmdbDataset', 15, PCK_JHMDB, entry=jhmdb, image=video_frame, file_name='catch/{:05d}.png', first_id=2280001
    ),
    MMPoseDataset('MhpDataset', 16, AP, entry=lambda one: dict(segmentation=[])),
    MMPoseDataset('MpiiDataset', 16, PCKH, boxes=SQUARES, first_id=0, flag=1.0, write=write_mpii),
    MMPoseDataset('MpiiTrbDataset', 40, PCK[:1], boxes=SQUARES, entry=trb),
    MMPoseDataset('OCHumanDataset', 17, AP),
    # MMPose's PoseTrack18Metric needs poseval, which comes from its repository alone
    MMPoseDataset(
        'PoseTrack18Dataset',
        17,
        AP_NO_AREA,
        entry=posetrack,
        image=video_frame,
        file_name='images/val/012834_mpii_test/{:012d}.jpg',
        flag=1.0,
        first_id=10128340000,
    ),
)
FACES = (
    MMPoseDataset('AFLWDataset', 19, NME_OF_BOX, **dict(FACE, entry=aflw, flag=1.0)),
    MMPoseDataset('CocoWholeBodyFaceDataset', 68, NME, entry=face_of_whole_body, names_of='CocoDataset'),
    MMPoseDataset('COFWDataset', 29, NME, entry=without('segmentation'), category=NAMELESS),
    MMPoseDataset(
        'Face300VWDataset',
        68,
        NME_OF_EYES,
        **dict(FACE, entry=centred_only, category=dict(keypoints=None, skeleton=None)),
        flag=1.0,
        file_name='001/imgs/{:06d}.png',
    ),
    MMPoseDataset('Face300WDataset', 68, NME, **FACE),
    MMPoseDataset('Face300WLPDataset', 68, NME_OF_EYES, entry=without('segmentation'), category=NAMELESS),
    MMPoseDataset('LapaDataset', 106, NME, entry=without('segmentation'), category=NAMELESS),
    MMPoseDataset('WFLWDataset', 98, NME, **FACE, flag=1.0),
)
CLOTHES = (
    MMPoseDataset('DeepFashionDataset', 8, PCK, **DEEP_FASHION, options=dict(subset='full')),
    MMPoseDataset('DeepFashionDataset', 6, PCK, **DEEP_FASHION, options=dict(subset='upper')),
    MMPoseDataset('DeepFashionDataset', 4, PCK, **DEEP_FASHION, options=dict(subset='lower')),
    MMPoseDataset(
        'DeepFashion2Dataset',
        294,
        PCK,
        num_categories=13,
        by_category=True,
        write=write_deepfashion2,
    ),
)
HANDS = (
    MMPoseDataset('CocoWholeBodyHandDataset', 21, PCK, flag=0.75, first_id=0, write=write_hands),
    MMPoseDataset(
        'FreiHandDataset', 21, PCK, entry=freihand, flag=1.0, file_name='training/rgb/{:08d}.jpg', **whole_image(224)
    ),
    MMPoseDataset('InterHand2DDoubleDataset', 42, PCK, boxes=BOXES[1:], write=write_interhand),
    MMPoseDataset('OneHand10KDataset', 21, PCK),
    MMPoseDataset('PanopticHand2DDataset', 21, PCKH_PANOPTIC, entry=panoptic, flag=1.0),
    MMPoseDataset('Rhd2DDataset', 21, PCK),
)
WHOLE_BODIES = (
    MMPoseDataset('CocoWholeBodyDataset', 133, AP_WHOLE_BODY, entry=whole_body, names_of='CocoDataset'),
    MMPoseDataset('HalpeDataset', 136, PCK_HALPE),
    MMPoseDataset('UBody2dDataset', 133, AP_WHOLE_BODY, entry=whole_body, names_of='CocoDataset'),
    MMPoseDataset(
        'H36MWholeBodyDataset', 133, PCK, boxes=BOXES[1:], first_id=0, flag=1.0, all_labelled=True, write=write_h3wb
    ),
)
MMPOSE_DATASETS = ANIMALS + BODIES + FACES + CLOTHES + HANDS + WHOLE_BODIES

# Out of reach of a network that finds keypoints on an image, or unusable as MMPose 1.3.2 has it, and what is said of it
REFUSED = (
    # the input is not an image, but poses on the frames of a video
    (MMPoseDataset('Human36mDataset', 17, PCK, write=write_h36m), "LoadImage cannot make a sample: 'img_path'"),
    # the class reads 133 keypoints, its metainfo has 137; and it takes x, y, w, h for corners
    (
        MMPoseDataset('UBody3dDataset', 137, PCK, file_name='video/{:d}.jpg', write=write_ubody3d),
        'setting an array element with a sequence'
        if NUMPY_2_4
        else 'model.head: its shapes do not fit at head.loss_module: The size of tensor a (137) must match',
    ),
    # keypoints have a depth
    (
        MMPoseDataset('InterHand3DDataset', 42, PCK, boxes=BOXES[1:], write=write_interhand),
        'KeypointTarget needs keypoints of one person, (1, K, 2), not (1, 42, 3)',
    ),
    # an image is a list of frames, which no step of MMPose 1.x loads
    (
        MMPoseDataset(
            'PoseTrack18VideoDataset',
            17,
            PCK,
            entry=posetrack,
            image=video_frame,
            file_name='images/val/012834_mpii_test/{:06d}.jpg',
            names_of='PoseTrack18Dataset',
            options=dict(frame_sampler_mode='fixed', frame_indices=[-1, 0], frame_weights=[0.0, 1.0]),
        ),
        'occurs when loading `[',
    ),
    # MMPose's metainfo as it is
    (
        MMPoseDataset('DeepFashion2Dataset', 294, PCK, num_categories=13, by_category=True),
        'vest_kpt9 swaps with vest_kpt13, which swaps with vest_kpt13',
    ),
    # CocoMetric compares with the field keypoints, the class reads keypoints_21
    (MMPoseDataset('HumanArt21Dataset', 21, AP, entry=humanart), 'keypoints has 51 entries, not 3 x 21 numbers'),
)
