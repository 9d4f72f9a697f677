"""Poses over images: colours where keypoints are, and nothing elsewhere."""

import cv2
import numpy as np
import pytest
from mmengine.structures import InstanceData, PixelData
from mmpose.datasets.datasets.utils import parse_pose_metainfo
from mmpose.structures import PoseDataSample, merge_data_samples
from mmpose.visualization import PoseLocalVisualizer

from mmtranspose.apis import InputError
from mmtranspose.visualization import PoseDrawer, draw_poses

# MMPose's own visualizer, which some tests compare with
pytestmark = pytest.mark.filterwarnings('ignore:Conversion of an array with ndim:DeprecationWarning')
META = parse_pose_metainfo(dict(from_file='configs/_base_/datasets/coco.py'))
NOSE, LEFT_WRIST, RIGHT_WRIST = 0, 9, 10


@pytest.fixture
def image():
    return np.random.default_rng(0).integers(60, 90, (200, 160, 3), dtype=np.uint8)


def person(visible, score=0.9, box=(20, 20, 140, 180)):
    """A person with all keypoints at (5, 5) and score 0, but those in ``visible``: keypoint to (x, y)."""
    keypoints, scores = np.full((1, 17, 2), 5.0), np.zeros((1, 17))
    for keypoint, point in visible.items():
        keypoints[0, keypoint], scores[0, keypoint] = point, score
    return PoseDataSample(
        pred_instances=InstanceData(
            keypoints=keypoints,
            keypoint_scores=scores,
            keypoints_visible=scores,
            bboxes=np.array([box], np.float32),
            bbox_scores=np.ones(1),
        )
    )


def changed(before, after):
    """(x, y) of the pixels that differ."""
    return np.argwhere((before != after).any(-1))[:, ::-1]


def test_a_keypoint_has_its_colour(image):
    drawn = draw_poses(image, [person({LEFT_WRIST: (40, 50), RIGHT_WRIST: (100, 120)})], META, radius=4)
    for keypoint, (x, y) in ((LEFT_WRIST, (40, 50)), (RIGHT_WRIST, (100, 120))):
        assert drawn[y, x].tolist() == list(META['keypoint_colors'][keypoint])[::-1]  # BGR
    assert META['keypoint_colors'][LEFT_WRIST].tolist() != META['keypoint_colors'][RIGHT_WRIST].tolist()


def test_only_the_keypoints_are_drawn(image):
    drawn = draw_poses(image, [person({LEFT_WRIST: (40, 50)})], META, radius=4)
    assert drawn.dtype == np.uint8 and drawn.shape == image.shape and drawn.flags['C_CONTIGUOUS']
    places = changed(image, drawn)
    assert 20 < len(places) < 120
    assert np.abs(places - (40, 50)).max() <= 6


def test_a_limb_joins_its_keypoints(image):
    elbow, wrist = (40, 60), (80, 60)
    drawn = draw_poses(image, [person({7: elbow, 9: wrist})], META, radius=3, thickness=2)
    limb = META['skeleton_links'].index((7, 9))
    assert drawn[60, 60].tolist() == list(META['skeleton_link_colors'][limb])[::-1]
    assert np.ptp(changed(image, drawn)[:, 1]) < 12


def test_keypoints_below_the_threshold_are_left_out(image):
    sample = [person({LEFT_WRIST: (40, 50)}, score=0.4)]
    assert len(changed(image, draw_poses(image, sample, META, kpt_thr=0.5))) == 0
    assert len(changed(image, draw_poses(image, sample, META, kpt_thr=0.3))) > 0


def test_everybody_is_drawn(image):
    people = [person({NOSE: (40, 50)}), person({NOSE: (120, 150)})]
    drawn = draw_poses(image, people, META)
    for x, y in ((40, 50), (120, 150)):
        assert drawn[y, x].tolist() == list(META['keypoint_colors'][NOSE])[::-1]


def test_boxes_are_drawn_on_request(image):
    sample = [person({NOSE: (40, 50)}, box=(20, 30, 140, 180))]
    on_the_edge = [(20, 100), (140, 100), (80, 180)]
    plain, boxed = (draw_poses(image, sample, META, draw_bbox=wanted) for wanted in (False, True))
    assert all((plain[y, x] == image[y, x]).all() for x, y in on_the_edge)
    assert all((boxed[y, x] != image[y, x]).any() for x, y in on_the_edge)


def test_nobody_gives_a_copy(image):
    drawn = draw_poses(image, [], META)
    np.testing.assert_array_equal(drawn, image)
    drawn[:] = 0
    assert image.min() >= 60


def test_the_image_is_left_as_it_is(image):
    before = image.copy()
    draw_poses(image, [person({NOSE: (40, 50)})], META)
    np.testing.assert_array_equal(image, before)


def test_keypoints_grow_with_the_image():
    def size(side):
        image = np.zeros((side, side, 3), np.uint8)
        return len(changed(image, draw_poses(image, [person({NOSE: (side // 2, side // 2)})], META)))

    assert 15 < size(1600) / size(320) < 30  # the radius is 5 times as large


def crowd(count=4, beyond=30):
    """People with keypoints anywhere in the image (w 160, h 200) and up to ``beyond`` pixels outside it."""
    random = np.random.default_rng(1)
    people = []
    for _ in range(count):
        points = random.uniform(-beyond, (160 + beyond, 200 + beyond), (17, 2))
        people.append(person(dict(enumerate(points)), box=(-10, 20, 90, 230)))
        people[-1].pred_instances.keypoint_scores[0] = random.uniform(0, 1, 17)
    return people


def by_mmpose(image, samples, style='mmpose', alpha=1.0, **options):
    visualizer = PoseLocalVisualizer(radius=4, line_width=2, alpha=alpha)
    visualizer.set_dataset_meta(META, skeleton_style=style)
    merged = merge_data_samples(samples)
    merged.pred_instances.keypoints_visible = merged.pred_instances.keypoint_scores
    options = dict(draw_gt=False, skeleton_style=style, **options)
    return visualizer.add_datasample('poses', image[..., ::-1].copy(), merged, **options)[..., ::-1]


@pytest.mark.parametrize('style', ['mmpose', 'openpose'])
@pytest.mark.parametrize('alpha', [1.0, 0.4])
def test_the_same_as_mmposes_visualizer(image, style, alpha):
    """Though transparent shapes are blended into their surroundings alone."""
    options = dict(show_kpt_idx=style == 'mmpose', draw_bbox=True, kpt_thr=0.2)
    drawn = draw_poses(image, crowd(), META, radius=4, thickness=2, alpha=alpha, skeleton_style=style, **options)
    np.testing.assert_array_equal(drawn, by_mmpose(image, crowd(), style, alpha, **options))
    assert len(changed(image, drawn)) > 1000


def test_the_options_change_something(image):
    plain = draw_poses(image, crowd(), META)
    for options in (dict(alpha=0.5), dict(skeleton_style='openpose'), dict(show_kpt_idx=True), dict(radius=9)):
        assert len(changed(plain, draw_poses(image, crowd(), META, **options))) > 50


def test_openpose_style_is_for_coco():
    with pytest.raises(InputError, match='openpose is for the keypoints of coco and coco_wholebody, not of mine'):
        PoseDrawer({**META, 'dataset_name': 'mine'}, skeleton_style='openpose')
    with pytest.raises(InputError, match="skeleton_style='cubist' is unknown; choose 'mmpose' or 'openpose'"):
        PoseDrawer(META, skeleton_style='cubist')


def test_unknown_options(image):
    with pytest.raises(InputError, match="option 'color' is unknown; choose from kpt_thr, draw_bbox, radius"):
        draw_poses(image, [], META, color='red')


def test_one_drawer_for_many_images(image):
    """Of any size, with and without people."""
    draw, large = PoseDrawer(META, draw_bbox=True), np.zeros((600, 900, 3), np.uint8)
    for one, people in ((image, crowd()), (large, crowd(2)), (image, []), (image, crowd())):
        np.testing.assert_array_equal(draw(one, people), draw_poses(one, people, META, draw_bbox=True))


def test_scores_count_where_visibility_is_missing(image):
    sample = person({NOSE: (40, 50)}, score=0.1)
    del sample.pred_instances.keypoints_visible
    np.testing.assert_array_equal(draw_poses(image, [sample], META, kpt_thr=0.3), image)


class TestHeatmaps:
    @pytest.fixture
    def with_heatmaps(self):
        random, people = np.random.default_rng(2), crowd(3, beyond=0)
        for number, sample in enumerate(people):
            sample.pred_fields = PixelData(heatmaps=random.uniform(0, 1, (17, 16, 12)).astype(np.float32))
            sample.set_metainfo(
                dict(
                    input_center=np.array([50.0 + 30 * number, 90.0]),
                    input_scale=np.array([60.0, 80.0]),
                    ori_shape=(200, 160),
                )
            )
        return people

    def test_are_below_as_mmpose_has_them(self, image, with_heatmaps):
        drawn = draw_poses(image, with_heatmaps, META, radius=4, thickness=2, draw_heatmap=True)
        assert drawn.shape == (400, 160, 3)
        difference = np.abs(drawn.astype(int) - by_mmpose(image, with_heatmaps, draw_heatmap=True))
        # OpenCV 5 warps 17 heatmaps together, as MMPose does, otherwise than one by one
        assert difference.max() <= (0 if cv2.__version__ < '5' else 15) and difference.mean() < 0.2

    def test_size_is_the_same_where_nobody_is(self, image):
        drawn = draw_poses(image, [], META, draw_heatmap=True)
        assert drawn.shape == (400, 160, 3)
        np.testing.assert_array_equal(drawn[:200], image)
