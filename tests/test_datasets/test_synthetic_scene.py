"""Images and their labels: what is drawn must be what is said."""

import numpy as np
import pytest

from mmtranspose.datasets.synthetic import render_scene
from mmtranspose.datasets.synthetic.appearance import sample_appearance
from mmtranspose.datasets.synthetic.body import paint_person
from mmtranspose.datasets.synthetic.body_parts import PART_ID
from mmtranspose.datasets.synthetic.labels import describe, encode_mask, person_annotation
from mmtranspose.datasets.synthetic.objects import paint_box
from mmtranspose.datasets.synthetic.painter import NOTHING, Layer, Light, Material
from mmtranspose.datasets.synthetic.pinhole_camera import Camera
from mmtranspose.datasets.synthetic.placement import Actor
from mmtranspose.datasets.synthetic.shapes import ellipsoid, limb
from mmtranspose.datasets.synthetic.simulated_detections import box_iou, detect
from mmtranspose.datasets.synthetic.skeleton import COCO_KEYPOINTS, forward_kinematics

CAMERA = Camera((200, 240), focal=400.0, height=1.2)
LIGHT = Light((-0.6, -0.55, -0.58))
GREY = Material((128.0, 128.0, 128.0), roughness=0.0)
INDEX = {name: number for number, name in enumerate(COCO_KEYPOINTS)}


def stand(yaw, pose=None, x=0.0, distance=4.0):
    """A plainly dressed, short-haired adult on the ground in front of ``CAMERA``."""
    look = sample_appearance(np.random.default_rng(5))
    look = type(look)(**{**vars(look), 'hair_style': 'short', 'bottom_style': 'trousers', 'backpack': False})
    skeleton = forward_kinematics(look.shape, pose or {}, yaw)
    lift = np.array((x, 0.03 - min(p[1] for p in skeleton.joints.values()), -distance))
    return Actor(look, 'standing', pose or {}, yaw, lift, skeleton.transformed(np.eye(3), lift))


def draw(actor):
    layer = Layer((0, 0, *CAMERA.size))
    skeleton = actor.skeleton.transformed(CAMERA.rotation, CAMERA.translation)
    body = paint_person(CAMERA, layer.window, skeleton, actor.look, LIGHT)
    layer.merge(body, 0)
    return layer


def flags(actor, layer):
    person = describe(actor, 0, CAMERA, layer, 1)
    return dict(zip(COCO_KEYPOINTS, person.keypoints[:, 2].astype(int)))


@pytest.fixture(scope='module')
def scenes():
    return [render_scene(np.random.default_rng(seed), (320, 240)) for seed in range(40)]


def test_equal_generators_give_equal_images(scenes):
    again = render_scene(np.random.default_rng(3), (320, 240))
    np.testing.assert_array_equal(again.image, scenes[3].image)
    assert len(again.people) == len(scenes[3].people)
    for one, other in zip(again.people, scenes[3].people):
        np.testing.assert_array_equal(one.keypoints, other.keypoints)
    assert not np.array_equal(scenes[3].image, scenes[4].image)


def test_images_have_the_size_asked_for_and_content():
    image = render_scene(np.random.default_rng(1), (250, 301)).image
    assert image.shape == (301, 250, 3) and image.dtype == np.uint8
    assert image.std() > 10


def test_facing_the_camera_everything_but_the_ears_behind_is_visible():
    actor = stand(0.0, {'left_shoulder_abduction': 25.0, 'right_shoulder_abduction': 25.0})
    assert {name for name, flag in flags(actor, draw(actor)).items() if flag == 2} >= set(COCO_KEYPOINTS) - {
        'left_ear',
        'right_ear',
    }


def test_from_behind_the_face_is_hidden_and_the_limbs_are_not():
    actor = stand(180.0, {'left_shoulder_abduction': 25.0, 'right_shoulder_abduction': 25.0})
    seen = flags(actor, draw(actor))
    assert [seen[name] for name in ('nose', 'left_eye', 'right_eye')] == [1, 1, 1]
    assert all(seen[name] == 2 for name in COCO_KEYPOINTS[5:])


def test_from_the_side_the_far_side_is_hidden():
    actor = stand(90.0, {'right_shoulder_flexion': 60.0})  # faces +x: the right side is near, its arm off the hip
    seen = flags(actor, draw(actor))
    near = ('right_ear', 'right_shoulder', 'right_hip', 'right_knee', 'right_ankle', 'nose')
    far = ('left_ear', 'left_eye', 'left_shoulder', 'left_elbow', 'left_wrist', 'left_hip')
    assert all(seen[name] == 2 for name in near)
    assert all(seen[name] == 1 for name in far)


def test_an_arm_in_front_of_the_chest_hides_the_other_elbow_not_itself():
    pose = {'left_shoulder_flexion': 60.0, 'left_shoulder_twist': -80.0, 'left_elbow_flexion': 100.0}
    actor = stand(0.0, pose)
    layer = draw(actor)
    wrist = describe(actor, 0, CAMERA, layer, 1).keypoints[INDEX['left_wrist']]
    assert wrist[2] == 2
    x, y = np.round(wrist[:2]).astype(int)
    assert layer.part[y, x] in (PART_ID['left_forearm'], PART_ID['left_hand'])


@pytest.mark.parametrize(('depth', 'flag'), [(-3.2, 1), (-5.5, 2)])
def test_a_box_hides_what_is_behind_it_only(depth, flag):
    actor = stand(0.0)
    layer = draw(actor)
    before = flags(actor, layer)
    knee = actor.skeleton.joints['left_knee']
    centre = CAMERA_POINT + (knee - CAMERA_POINT) * (depth / knee[2])  # on the ray through the knee
    paint_box(layer, CAMERA, centre, 0.0, np.array((0.12, 0.12, 0.12)), GREY, LIGHT, 3000)
    after = flags(actor, layer)
    assert before['left_knee'] == 2 and after['left_knee'] == flag
    assert {name for name in before if before[name] != after[name]} == ({'left_knee'} if flag == 1 else set())


CAMERA_POINT = np.array((0, CAMERA.height, 0))


def test_a_person_in_front_hides_the_one_behind():
    near, far = stand(0.0, distance=3.0), stand(0.0, distance=4.0)
    layer = draw(near)
    skeleton = far.skeleton.transformed(CAMERA.rotation, CAMERA.translation)
    layer.merge(paint_person(CAMERA, layer.window, skeleton, far.look, LIGHT), 100)
    assert flags(near, layer)['left_hip'] == 2
    hidden = describe(far, 100, CAMERA, layer, 1)
    assert hidden is None or hidden.keypoints[INDEX['left_hip'], 2] == 1


def test_outside_the_image_is_unlabelled_with_zero_coordinates():
    actor = stand(0.0, x=0.97)  # half beyond the right edge
    person = describe(actor, 0, CAMERA, draw(actor), 1)
    points = CAMERA.project(CAMERA.to_camera(np.stack([actor.skeleton.joints[f'{s}_hip'] for s in ('left', 'right')])))
    assert points[0, 0] > 199.5 > points[1, 0]
    assert person.keypoints[INDEX['left_hip']].tolist() == [0, 0, 0]
    assert person.keypoints[INDEX['right_hip'], 2] > 0


def test_zero_exactly_outside_in_every_image(scenes):
    total = 0
    for scene in scenes:
        for person in scene.people:
            x, y, flag = person.keypoints.T
            inside = (np.round(x) >= 0) & (np.round(x) < 320) & (np.round(y) >= 0) & (np.round(y) < 240)
            assert inside[flag > 0].all() and (x[flag == 0] == 0).all() and (y[flag == 0] == 0).all()
            total += (flag == 0).sum()
    assert total > 10  # truncation happens


def test_visible_points_of_people_lie_on_their_mask(scenes):
    for scene in scenes:
        for person in scene.people:
            x, y, flag = person.keypoints.T
            columns, rows = np.round(x[flag == 2]).astype(int), np.round(y[flag == 2]).astype(int)
            assert person.mask[rows, columns].all()


def test_scenes_vary(scenes):
    people = [person for scene in scenes for person in scene.people]
    all_flags = np.concatenate([person.keypoints[:, 2] for person in people])
    assert {len(scene.people) for scene in scenes} >= {1, 2, 3}
    assert {scene.place for scene in scenes} == {'room', 'outdoors', 'blurred'}
    assert len({person.family for person in people}) >= 7
    assert 0.45 < (all_flags == 2).mean() < 0.85 and 0.1 < (all_flags == 1).mean() < 0.45
    assert any(person.area < 0.7 * person.amodal_area for person in people)
    assert all(person.area >= 300 for person in people)


def test_masks_of_a_image_do_not_overlap(scenes):
    for scene in scenes:
        if scene.people:
            assert np.sum([person.mask for person in scene.people], axis=0).max() == 1


def test_a_sphere_is_a_disc_with_its_nearest_point_in_the_middle():
    patch = ellipsoid(CAMERA, (0, 0, 200, 240), np.array((0, 0, 4.0)), np.eye(3), np.full(3, 0.4))
    radius = 400 * 0.4 / 4
    assert patch.mask.sum() == pytest.approx(np.pi * radius**2, rel=0.02)
    row, column = np.unravel_index(np.where(patch.mask, patch.depth, np.inf).argmin(), patch.mask.shape)
    assert (column + patch.window[0], row + patch.window[1]) == (
        pytest.approx(99.5, abs=1),
        pytest.approx(119.5, abs=1),
    )
    assert patch.depth[row, column] == pytest.approx(3.6, abs=1e-3)
    assert patch.normal[2][row, column] == pytest.approx(-1, abs=1e-2)


def test_a_capsule_covers_its_rectangle_and_caps():
    ends = np.array(((-0.3, 0, 4.0), (0.3, 0, 4.0)))
    patch = limb(CAMERA, (0, 0, 200, 240), ends, (0.1, 0.1))
    radius, length = 10.0, 60.0
    assert patch.mask.sum() == pytest.approx(2 * radius * length + np.pi * radius**2, rel=0.02)
    assert limb(CAMERA, (0, 0, 200, 240), ends - (0, 0, 5), (0.1, 0.1)) is None
    assert limb(CAMERA, (0, 0, 200, 240), ends + np.array((9, 0, 0)), (0.1, 0.1)) is None


def test_nearer_solids_win_whatever_the_order():
    near, far = (
        ellipsoid(CAMERA, (0, 0, 200, 240), np.array((0, 0, z)), np.eye(3), np.full(3, 0.2)) for z in (3.0, 4.0)
    )
    for order in ((near, far), (far, near)):
        layer = Layer((0, 0, 200, 240))
        for patch in order:
            layer.paint(patch, GREY, LIGHT, 1 if patch is near else 2)
        assert layer.part[120, 100] == 1 and layer.part[0, 0] == NOTHING


@pytest.mark.parametrize('rows', [['0110', '0100'], ['1111', '1111'], ['0000', '0001'], ['1000', '0000']])
def test_encoded_mask_decodes_to_the_mask(rows):
    from pycocotools import mask as coco_mask

    mask = np.array([[c == '1' for c in row] for row in rows])
    encoded = encode_mask(mask)
    assert isinstance(encoded['counts'], str)
    assert encoded['size'] == [2, 4]
    np.testing.assert_array_equal(coco_mask.decode(encoded), mask)


def test_annotation_is_plain_json(scenes):
    import json

    person = scenes[0].people[0]
    annotation = json.loads(json.dumps(person_annotation(person)))
    assert len(annotation['keypoints']) == 51
    assert annotation['num_keypoints'] == (person.keypoints[:, 2] > 0).sum()
    np.testing.assert_allclose(np.reshape(annotation['keypoints'], (17, 3)), person.keypoints, atol=0.0051)


def test_box_iou():
    assert box_iou((0, 0, 10, 10), (5, 0, 10, 10)) == pytest.approx(50 / 150)
    assert box_iou((0, 0, 10, 10), (20, 0, 10, 10)) == 0


def test_detections_find_nearly_everybody_and_their_scores_tell_quality():
    rng, truths, found, ious, scores, false = np.random.default_rng(0), 0, 0, [], [], 0
    for _ in range(400):
        boxes = [(20, 30, 60, 150), (180, 20, 90, 200)][: rng.integers(1, 3)]
        results = detect(rng, boxes, (320, 240))
        best = [max(box_iou(result['bbox'], box) for box in boxes) for result in results]
        found += sum(any(box_iou(result['bbox'], box) > 0.5 for result in results) for box in boxes)
        truths += len(boxes)
        false += sum(iou < 0.3 for iou in best)
        ious += best
        scores += [result['score'] for result in results]
        for x, y, width, height in (result['bbox'] for result in results):
            assert x >= 0 and y >= 0 and width > 0 and height > 0 and x + width <= 320.01 and y + height <= 240.01
    assert 0.93 < found / truths < 0.995
    assert 0.05 < false / len(ious) < 0.4
    assert np.corrcoef(ious, scores)[0, 1] > 0.75
    assert 0 < min(scores) <= max(scores) < 1


def test_easy_images_are_easy():
    """Nobody turns away, nothing stands in front, at most two people; the full set has all of that."""
    from mmtranspose.datasets.synthetic import DIFFICULTIES
    from mmtranspose.datasets.synthetic.placement import place_actor

    def actors(difficulty):
        rng = np.random.default_rng(0)
        return [place_actor(rng, np.zeros(3), DIFFICULTIES[difficulty]) for _ in range(60)]

    easy, full = actors('easy'), actors('full')
    assert {actor.family for actor in easy} == {'standing', 'walking', 'arms_up'}
    assert len({actor.family for actor in full}) == 9
    assert max(abs(actor.yaw) for actor in easy) <= 25 < 150 < max(abs(actor.yaw) for actor in full)
    counts = [len(render_scene(np.random.default_rng(i), (320, 240), DIFFICULTIES['easy']).people) for i in range(12)]
    assert set(counts) <= {1, 2}
