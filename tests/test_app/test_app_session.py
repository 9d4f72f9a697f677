"""The page's logic without the page: clicks, and maps that are those of explain_topdown and attention_maps."""

import struct
import zlib
from itertools import combinations

import cv2
import numpy as np
import pytest
import torch
from app_sessions import BOXES

from mmtranspose.apis import InputError, explain_topdown, inference_topdown
from mmtranspose.app import Choice, Explorer, Settings
from mmtranspose.app.opened_image import folder_images, open_image
from mmtranspose.app.place_maps import cell_at, cell_corners
from mmtranspose.app.session import MAX_PEOPLE, box_between, find_keypoint, find_person
from mmtranspose.app.view import render
from mmtranspose.crops.crop_maker import prepare_crops
from mmtranspose.explain import attention_maps

pytest_plugins = ['app_fixtures']

EVERY_KEYPOINT = Settings(kpt_thr=0.0)


@pytest.fixture
def session(session, explorer):
    explorer.pose(session, EVERY_KEYPOINT)
    return session


@pytest.fixture(scope='module')
def explanations(model, image):
    return explain_topdown(model, image, BOXES[:2], affect=True, heads='all', methods=('rollout',))


def maps_of_cell(model, image, box, cell, kind, flip):
    """(L, heads, h, w) by attention_maps, averaged with the mirrored crop's."""
    inputs = model.data_preprocessor(prepare_crops(model, image, box[None]), training=False)['inputs']
    maps = attention_maps(model, inputs, torch.tensor([[cell]]), kind, 'all')[:, 0, :, 0]
    if flip:
        mirrored = torch.tensor([[(cell[0], maps.shape[-1] - 1 - cell[1])]])
        other = attention_maps(model, inputs.flip(-1), mirrored, kind, 'all')[:, 0, :, 0]
        maps = (maps + other.flip(-1)) / 2
    return maps.numpy()


class TestPeople:
    def test_poses_are_those_of_inference(self, model, image, session):
        assert sorted(session.poses) == [0, 1]
        for found, expected in zip(session.poses.values(), inference_topdown(model, image, BOXES[:2]), strict=True):
            np.testing.assert_allclose(found.pred_instances.keypoints, expected.pred_instances.keypoints, atol=1e-3)

    def test_threshold_of_boxes(self, explorer, session):
        assert explorer.pose(session, Settings(bbox_thr=0.2)) == [0, 1, 2] and sorted(session.poses) == [0, 1, 2]
        assert explorer.pose(session, Settings(bbox_thr=0.7)) == [0] and sorted(session.poses) == [0]

    def test_only_the_best_are_shown(self, explorer, image):
        session = explorer.start(image)
        session.boxes = np.tile(BOXES[:1], (MAX_PEOPLE + 5, 1))
        session.boxes[3, 4] = 1.0
        shown = session.shown(0.0)
        assert len(shown) == MAX_PEOPLE and shown[0] == 3
        assert shown[1] == MAX_PEOPLE + 4  # of equal ones the newest: a box just drawn is among them

    def test_without_a_detector_nobody_is_found(self, model, image):
        session = Explorer(model).start(image)
        assert session.boxes.shape == (0, 5)
        drawn, facts = render(Explorer(model), session, Settings())
        np.testing.assert_array_equal(drawn, image)
        assert facts == [('people', '0')]

    def test_model_without_attention_is_refused(self):
        with pytest.raises(InputError, match='must be a pose estimator|cannot be explained'):
            Explorer(torch.nn.Linear(1, 1))


class TestClick:
    def test_nearest_keypoint(self, explorer, session):
        for person, keypoint in ((0, 3), (1, 11)):
            point = session.poses[person].pred_instances.keypoints[0, keypoint]
            assert explorer.click(session, tuple(point + 0.01), EVERY_KEYPOINT) == ''
            chosen = session.poses[session.choice.person].pred_instances.keypoints[0, session.choice.keypoint]
            np.testing.assert_allclose(chosen, point, atol=0.02)  # or another keypoint at the very same place

    def test_of_two_people_the_nearer_keypoint(self, session):
        first, second = (session.poses[person].pred_instances for person in (0, 1))
        first.keypoints[0], second.keypoints[0] = 1000, 2000
        first.keypoints[0, 2], second.keypoints[0, 5] = (50, 50), (54, 50)
        assert find_keypoint(session, (51.9, 50), EVERY_KEYPOINT) == Choice(0, keypoint=2)
        assert find_keypoint(session, (52.1, 50), EVERY_KEYPOINT) == Choice(1, keypoint=5)
        assert find_keypoint(session, (50, 59), EVERY_KEYPOINT) is None  # reach: 8 pixels in an image this small
        second.keypoint_scores[0, 5] = 0.4
        assert find_keypoint(session, (54, 50), Settings(kpt_thr=0.41)) != Choice(1, keypoint=5)

    def test_place_of_the_smallest_box(self, session):
        session.poses = dict.fromkeys(range(3), session.poses[0])
        assert find_person(session, (50, 60), Settings()) == 0
        assert find_person(session, (50, 60), Settings(bbox_thr=0.1)) == 2
        assert find_person(session, (110, 60), Settings()) == 0  # 27 500 square pixels; the other has 34 900
        assert find_person(session, (229, 299), Settings()) == 1
        assert find_person(session, (5, 5), Settings()) is None

    def test_place(self, explorer, session, explanations):
        settings = Settings(kpt_thr=np.inf)  # no keypoint in the way
        assert explorer.click(session, (200, 250), settings) == ''
        assert session.choice == Choice(1, cell=cell_at(explanations[1], (200, 250)))

    def test_nobody_there(self, explorer, session):
        session.choice = Choice(0, keypoint=0)
        assert explorer.click(session, (3, 3), Settings(kpt_thr=np.inf)) == 'There is nobody at this place.'
        assert session.choice is None

    def test_cells_against_the_geometry(self, explanations):
        explanation = explanations[1]
        h, w = explanation.grid
        for cell in ((0, 0), (h - 1, w - 1), (3, 2)):
            corners = cell_corners(explanation, cell)
            assert cell_at(explanation, corners.mean(0)) == cell
            inside = corners + 0.02 * (corners.mean(0) - corners)
            assert {cell_at(explanation, corner) for corner in inside} == {cell}
        crop = explanation.to_crop(cell_corners(explanation, (0, 0)))
        side = (48 - 1) / (12 - 1) * 2  # two heatmap cells of the unbiased codec a token
        np.testing.assert_allclose(crop[2] - crop[0], [side, (64 - 1) / (16 - 1) * 2])
        assert cell_at(explanation, (-500, 900)) == (h - 1, 0)


class TestBox:
    def test_two_corners(self, explorer, session):
        session.choice = Choice(0, keypoint=0)
        assert not explorer.add_corner(session, (90, 200))
        assert session.corner == (90, 200) and len(session.boxes) == 3
        assert explorer.add_corner(session, (40, 100))
        assert session.corner is None and session.choice is None
        assert session.boxes[3].tolist() == [40, 100, 90, 200, 1]
        assert explorer.pose(session, Settings())[0] == 3

    def test_kept_within_the_image(self):
        assert box_between((-5, 20), (50, 400), (320, 240)).tolist() == [[0, 20, 50, 320, 1]]

    def test_without_room(self, explorer, session):
        for corner in ((90, 200), (90.5, 260)):
            assert not explorer.add_corner(session, corner)
        assert session.corner is None and len(session.boxes) == 3


class TestMaps:
    @pytest.mark.parametrize('kind', ['dependency', 'affect'])
    def test_of_a_keypoint(self, explorer, session, explanations, kind):
        session.choice = Choice(1, keypoint=9)
        found = {}
        for layer in range(2):
            for head in (None, 0, 3):
                found[layer, head] = explorer.chosen_map(session, Settings(kind, layer, head))
                expected = explanations[1].maps(kind, head)[layer, 9]
                np.testing.assert_allclose(found[layer, head], expected, rtol=1e-4, atol=1e-7)
        assert np.abs(found[0, None] - found[1, None]).max() > 1e-4
        assert np.abs(found[0, 0] - found[0, 3]).max() > 1e-4

    @pytest.mark.parametrize('flip', [False, True])
    @pytest.mark.parametrize('kind', ['dependency', 'affect'])
    def test_of_a_place(self, model, explorer, session, image, kind, flip, monkeypatch):
        monkeypatch.setitem(model.test_cfg, 'flip_test', flip)
        session.choice = Choice(1, cell=(5, 1))
        expected = maps_of_cell(model, image, BOXES[1], (5, 1), kind, flip)
        for layer in range(2):
            found = explorer.chosen_map(session, Settings(kind, layer, 2))
            np.testing.assert_allclose(found, expected[layer, 2], rtol=1e-4, atol=1e-7)
            mean = explorer.chosen_map(session, Settings(kind, layer))
            np.testing.assert_allclose(mean, expected[layer].mean(0), rtol=1e-4, atol=1e-7)
        if kind == 'dependency':
            assert mean.sum() == pytest.approx(1, abs=1e-5)

    def test_method(self, explorer, session, explanations):
        session.choice = Choice(1, keypoint=4)
        found = explorer.chosen_map(session, Settings('rollout'))
        np.testing.assert_allclose(found, explanations[1].relevance['rollout'][4], rtol=1e-4, atol=1e-7)
        explorer.chosen_map(session, Settings('input-gradient'))
        assert set(session.explanation[1].relevance) == {'rollout', 'input-gradient'}
        session.choice = Choice(1, cell=(0, 0))
        assert explorer.chosen_map(session, Settings('rollout')) is None

    @pytest.mark.parametrize('choice', [Choice(0, keypoint=0), Choice(0, cell=(0, 0))])
    @pytest.mark.parametrize(
        ('settings', 'words'),
        [
            (Settings('random'), "kind='random' is unknown; choose 'dependency' or 'affect' or 'rollout'"),
            (Settings(layer=2), 'layer=2 is unknown; choose 0 or 1'),
            (Settings(layer=-1), 'layer=-1 is unknown'),
            (Settings(head=4), 'head=4 is unknown; choose None or 0 or 1 or 2 or 3'),
        ],
    )
    def test_maps_that_are_not_there(self, explorer, session, choice, settings, words):
        session.choice = choice
        with pytest.raises(InputError, match=words):
            explorer.chosen_map(session, settings)

    def test_nothing_chosen(self, explorer, session):
        with pytest.raises(InputError, match='nothing is chosen'):
            explorer.chosen_map(session, Settings())

    def test_one_person_and_one_place_are_kept(self, explorer, session):
        first = explorer.explained(session, 0)
        assert explorer.explained(session, 0) is first
        second = explorer.explained(session, 1)
        assert session.explanation == (1, second) and second is not first
        np.testing.assert_array_equal(second.bbox, BOXES[1, :4])
        for cell in ((0, 0), (1, 1)):
            session.choice = Choice(0, cell=cell)
            explorer.chosen_map(session, Settings())
            assert session.place[0] == session.choice

    def test_sessions_are_apart(self, explorer, session, image):
        session.choice = Choice(0, keypoint=0)
        other = explorer.start(image[::-1].copy())
        explorer.pose(other, EVERY_KEYPOINT)
        assert other.choice is None
        other.choice = Choice(0, keypoint=0)
        maps = [explorer.chosen_map(one, Settings()) for one in (session, other, session)]
        np.testing.assert_array_equal(maps[0], maps[2])
        assert np.abs(maps[0] - maps[1]).max() > 1e-4


class TestView:
    def test_heat_follows_layer_head_and_opacity(self, explorer, session):
        session.choice = Choice(1, keypoint=9)
        drawn = {
            settings: render(explorer, session, settings)[0].astype(int)
            for settings in (Settings(), Settings(layer=1), Settings(head=1), Settings('affect'), Settings('rollout'))
        }
        plain = render(explorer, session, Settings(opacity=0))[0].astype(int)
        for one, other in combinations([*drawn.values(), plain], 2):
            assert np.abs(one - other).max() > 10
        x1, y1, x2, y2 = (session.explanation[1].crop_to_image @ [[-2, 50], [-2, 66], [1, 1]]).T.ravel()
        outside = np.ones(session.image.shape[:2], bool)
        outside[max(0, int(y1)) : int(y2) + 1, max(0, int(x1)) : int(x2) + 1] = False
        assert outside.sum() > 1000
        np.testing.assert_array_equal(drawn[Settings()][outside], plain[outside])

    def test_threshold_hides_small_weights(self, explorer, session):
        session.choice = Choice(1, keypoint=9)
        plain, full, half = (
            render(explorer, session, settings)[0]
            for settings in (Settings(opacity=0), Settings(), Settings(threshold=0.95))
        )
        weights = explorer.chosen_map(session, Settings())
        spread = session.explanation[1].on_image(weights, plain.shape[:2])
        high, low = spread > 0.951 * weights.max(), spread < 0.949 * weights.max()
        assert high.sum() > 100 and low.sum() > 100
        np.testing.assert_array_equal(half[high], full[high])
        np.testing.assert_array_equal(half[low], plain[low])
        assert (full[low] != plain[low]).any()

    def test_facts(self, explorer, session, explanations):
        session.choice = Choice(1, keypoint=9)
        drawn, facts = render(explorer, session, Settings(layer=1, head=2))
        top = explanations[1].maps(head=2)[1, 9].max()
        assert dict(facts) == {
            'people': '2 of 3 boxes',
            'keypoint': 'left wrist of person 2',
            'score': f'{explanations[1].scores[9]:.2f}',
            'shown': 'dependency, layer 2 of 2, head 3 of 4',
            'highest weight': f'{top:.3g}, {top * 48:.3g} times an even share',
        }
        assert drawn.shape == session.image.shape and drawn.dtype == np.uint8

    def test_place_and_method(self, explorer, session):
        session.choice = Choice(1, cell=(5, 1))
        attention, facts = render(explorer, session, Settings())
        assert dict(facts)['place'] == 'row 5, column 1 of person 2'
        nothing, facts = render(explorer, session, Settings('rollout'))
        assert dict(facts)['shown'] == 'nothing: rollout explains keypoints only, click one'
        assert np.abs(attention.astype(int) - nothing).max() > 10

    def test_choice_ends_with_its_person(self, explorer, session):
        session.choice = Choice(1, keypoint=9)
        assert [name for name, _ in render(explorer, session, Settings(bbox_thr=0.7))[1]] == ['people']
        assert session.choice is None

    def test_first_corner_is_marked(self, explorer, session):
        before = render(explorer, session, Settings())[0]
        explorer.add_corner(session, (60, 40))
        after = render(explorer, session, Settings())[0]
        changed = np.argwhere((before != after).any(-1))
        assert len(changed) and np.abs(changed.mean(0) - [40, 60]).max() < 2

    def test_session_keeps_its_image(self, explorer, session, image):
        session.choice = Choice(0, keypoint=0)
        render(explorer, session, Settings())
        np.testing.assert_array_equal(session.image, image)


def png_header(width, height):
    """A PNG that claims a size and holds nothing."""
    chunk = b'IHDR' + struct.pack('>IIBBBBB', width, height, 8, 2, 0, 0, 0)
    end = struct.pack('>I', 0) + b'IEND' + struct.pack('>I', zlib.crc32(b'IEND'))
    return b'\x89PNG\r\n\x1a\n' + struct.pack('>I', 13) + chunk + struct.pack('>I', zlib.crc32(chunk)) + end


class TestImage:
    def test_small_ones_stay(self, people):
        path = str(people / 'val' / '000000000001.jpg')
        np.testing.assert_array_equal(open_image(path), cv2.imread(path))

    def test_large_ones_shrink(self, tmp_path):
        image = np.zeros((100, 3200, 3), np.uint8)
        image[:, 1600:] = 200
        cv2.imwrite(str(tmp_path / 'wide.png'), image)
        shrunk = open_image(str(tmp_path / 'wide.png'))
        assert shrunk.shape == (50, 1600, 3)
        assert (shrunk[:, :800] == 0).all() and (shrunk[:, 800:] == 200).all()

    @pytest.mark.parametrize('side', [8001, 40_000])
    def test_too_many_pixels(self, tmp_path, side):
        (tmp_path / 'bomb.png').write_bytes(png_header(side, side))
        with pytest.raises(InputError, match='^bomb.png has more than 64 million pixels'):
            open_image(str(tmp_path / 'bomb.png'))

    def test_header_that_tells_no_size(self, tmp_path):
        """OpenCV would decode it, however large: 16 bytes of a line's runs a megapixel."""
        header = b'#?RADIANCE\nFORMAT=32-bit_rle_rgbe\n\n-Y 4 +X 8\n'
        (tmp_path / 'bomb.jpg').write_bytes(header + (b'\x02\x02\x00\x08' + b'\x88\x7f' * 4) * 4)
        with pytest.raises(InputError, match='^bomb.jpg cannot be decoded'):
            open_image(str(tmp_path / 'bomb.jpg'))

    def test_damaged(self, tmp_path):
        (tmp_path / 'note.jpg').write_text('no image')
        with pytest.raises(InputError, match='note.jpg') as error:
            open_image(str(tmp_path / 'note.jpg'))
        assert str(tmp_path) not in str(error.value)

    def test_folder(self, tmp_path):
        for name in ('b10.png', 'b9.png', 'clip.mp4', '.hidden.png'):
            (tmp_path / name).touch()
        assert [path.name for path in folder_images(str(tmp_path))] == ['b9.png', 'b10.png']
        with pytest.raises(InputError, match='does not exist'):
            folder_images(str(tmp_path / 'missing'))
        (tmp_path / 'empty').mkdir()
        with pytest.raises(InputError, match='holds no image'):
            folder_images(str(tmp_path / 'empty'))
