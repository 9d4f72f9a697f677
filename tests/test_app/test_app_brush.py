"""The brush without the page: strokes, what takes the place of what is painted, and the poses before and after."""

import copy
from types import SimpleNamespace

import cv2
import numpy as np
import pytest
import torch
from app_sessions import BOXES, stroke, strokes
from mmpose.models.data_preprocessors import PoseDataPreprocessor
from mmpose.structures import PoseDataSample

from mmtranspose.apis import InputError, inference_topdown
from mmtranspose.app import Choice, Explorer, Settings
from mmtranspose.app.brush import NOBODY, counterfactual, paint, reset, undo
from mmtranspose.app.counterfactual import (
    BLUR,
    GREY,
    IMAGENET_GREY,
    NEIGHBOURS,
    TOKENS_OFF,
    mean_grey,
    painted_shares,
    replace_pixels,
    replaced_image,
    switch_tokens_off,
)
from mmtranspose.app.offer import ablation_stride
from mmtranspose.app.painted_view import LARGEST, render_painted
from mmtranspose.app.painting import LONGEST_TEXT, MOST_POINTS, MOST_STROKES, painted, read_strokes
from mmtranspose.app.place_maps import cell_corners
from mmtranspose.app.session import AFTER, BEFORE
from mmtranspose.crops.crop_maker import prepare_crops
from mmtranspose.explain import token_ablation
from mmtranspose.explain.interventions import heatmaps_without_tokens, poses_without_tokens
from mmtranspose.explain.methods import TokenAblation
from mmtranspose.explain.target import heatmap_peaks
from mmtranspose.models.data_preprocessors import TransPoseDataPreprocessor

pytest_plugins = ['app_fixtures']

EVERY = Settings(kpt_thr=0.0)


def told(**changes):
    """The description of a stroke, with other or further fields."""
    return strokes(None, dict(number=1, radius=0.1, points=[[0, 0]]) | changes)


def one_of(text):
    """The stroke in a description."""
    [found] = read_strokes(text)[1]
    return found


def same(one, other):
    for name in ('keypoints', 'keypoint_scores'):
        np.testing.assert_array_equal(getattr(one.pred_instances, name), getattr(other.pred_instances, name))


class TestStrokes:
    def test_pixels_by_hand(self):
        one = one_of(stroke(None, (0.25, 0.5), (0.75, 0.5), radius=0.05))
        mask = painted([one], (60, 100))  # radius 5; from pixel (24.5, 29.5) to (74.5, 29.5)
        rows, columns = np.nonzero(mask)
        assert abs(rows.min() - 24.5) <= 1 and abs(rows.max() - 34.5) <= 1
        assert abs(columns.min() - 19.5) <= 1 and abs(columns.max() - 79.5) <= 1
        assert abs(mask.sum() - (50 * 11 + np.pi * 5.5**2)) < 60
        dot = painted([one_of(stroke(None, (0, 1), radius=0.0001))], (60, 100))
        assert np.argwhere(dot).tolist() == [[59, 0]]

    def test_masks_are_joined(self):
        strokes = [one_of(stroke(None, (x, 0.5))) for x in (0.2, 0.8)]
        one, other = (painted([single], (40, 80)) for single in strokes)
        np.testing.assert_array_equal(painted(strokes, (40, 80)), one | other)
        assert not painted([], (40, 80)).any()

    @pytest.mark.parametrize(
        ('text', 'words'),
        [
            (None, 'must be a text'),
            ('x' * (LONGEST_TEXT + 1), 'must be a text of at most'),
            ('{', 'not JSON'),
            ('[' * 50_000, 'not JSON'),
            ('[]', 'must name their image'),
            ('{"image": 1, "strokes": []}', 'must name their image'),
            (strokes(None, *[{}] * 9), 'at most 8 strokes'),
            (strokes(None, 1), 'must have number, radius and points'),
            (told(more=1), 'must have number, radius and points'),
            (told(number='1'), 'must count from 1'),
            (told(number=0), 'must count from 1'),
            (told(radius=0), 'radius of the brush must be above 0'),
            (told(radius=True), 'radius of the brush'),
            (told(radius=np.nan), 'radius of the brush'),
            (told(radius=0.6), 'at most 0.5'),
            (told(points=[]), f'from 1 to {MOST_POINTS} points'),
            (told(points=[[0, 0]] * (MOST_POINTS + 1)), f'from 1 to {MOST_POINTS} points'),
            (told(points=[[0, 1.01]]), 'two numbers from 0 to 1'),
            (told(points=[[0, '1']]), 'two numbers from 0 to 1'),
            (told(points=[[0, 1, 1]]), 'two numbers from 0 to 1'),
            (told(points=['ab']), 'two numbers from 0 to 1'),
        ],
    )
    def test_wrong_ones(self, explorer, session, text, words):
        with pytest.raises(InputError, match=words):
            read_strokes(text)
        assert words in paint(explorer, session, text, EVERY) and session.strokes == []

    @pytest.mark.parametrize(
        ('mask', 'words'),
        [
            (np.ones((5, 5), bool), 'must have the size'),
            (np.ones((320, 240), np.uint8), 'an array of bool, not uint8'),
            ([[True]], 'not list'),
        ],
    )
    def test_masks_that_are_none(self, model, image, mask, words):
        with pytest.raises(InputError, match=words):
            replace_pixels(model, image, BOXES[0], mask, GREY)


class TestPixels:
    @pytest.fixture
    def mask(self, image):
        mask = np.zeros(image.shape[:2], bool)
        mask[100:140, 40:90] = True
        return mask

    @pytest.mark.parametrize('how', [GREY, BLUR, NEIGHBOURS])
    def test_no_paint_changes_nothing(self, model, image, how):
        pair = replace_pixels(model, image, BOXES[0], np.zeros(image.shape[:2], bool), how)
        np.testing.assert_array_equal(pair.image, image)
        same(pair.before, pair.after)
        assert (pair.movement == 0).all() and pair.furthest(0) is None

    @pytest.mark.parametrize('how', [GREY, NEIGHBOURS])
    def test_all_painted_is_a_uniform_image(self, model, image, how):
        pair = replace_pixels(model, image, BOXES[0], np.ones(image.shape[:2], bool), how)
        uniform = np.full_like(image, IMAGENET_GREY)
        same(pair.after, inference_topdown(model, uniform, BOXES[:1])[0])
        same(pair.before, inference_topdown(model, image, BOXES[:1])[0])
        assert pair.movement.max() > 1

    @pytest.mark.parametrize('how', [GREY, BLUR, NEIGHBOURS])
    def test_paint_alone_is_replaced(self, image, mask, how):
        changed = replaced_image(image, mask, how, 5.0)
        np.testing.assert_array_equal(changed[~mask], image[~mask])
        assert np.abs(changed[mask].astype(int) - image[mask]).max() > 5

    def test_neighbours_read_no_painted_pixel(self, image, mask):
        other = image.copy()
        other[mask] = np.random.default_rng(0).integers(0, 256, (mask.sum(), 3))
        np.testing.assert_array_equal(*(replaced_image(one, mask, NEIGHBOURS, 1) for one in (image, other)))

    def test_neighbours_of_a_ramp(self):
        """A linear image solves the equations, wherever the hole."""
        ramp = np.repeat(np.tile(np.arange(0, 200, 2, dtype=np.uint8), (50, 1))[..., None], 3, -1)
        hole = np.zeros(ramp.shape[:2], bool)
        hole[20:30, 40:60] = True
        assert np.abs(replaced_image(ramp, hole, NEIGHBOURS, 1).astype(int) - ramp).max() <= 1

    def test_blur_is_a_gaussian(self):
        edge = np.zeros((40, 60, 3), np.uint8)
        edge[:, 30:] = 200
        blurred = replaced_image(edge, np.ones(edge.shape[:2], bool), BLUR, 4.0)[20, :, 0]
        assert blurred[25] == pytest.approx(200 * 0.1303, abs=2)  # Phi(-4.5 / 4): the edge lies at 29.5
        assert blurred[34] == pytest.approx(200 * 0.8697, abs=2)

    @pytest.mark.parametrize('sigma', [0.2, 1.4, 5.0, 21.3])
    @pytest.mark.parametrize('part', [np.s_[100:140, 40:90], np.s_[:3, :4], np.s_[300:, 60:70]])
    def test_blur_is_that_of_the_whole_image(self, image, sigma, part):
        mask = np.zeros(image.shape[:2], bool)
        mask[part] = True
        whole = cv2.GaussianBlur(image, (0, 0), max(sigma, 1))
        np.testing.assert_array_equal(replaced_image(image, mask, BLUR, sigma)[mask], whole[mask])

    def test_little_is_blurred_for_a_little_paint(self, image, mask, monkeypatch):
        sizes, blur = [], cv2.GaussianBlur
        monkeypatch.setattr(cv2, 'GaussianBlur', lambda part, *rest: sizes.append(part.shape) or blur(part, *rest))
        replaced_image(image, mask, BLUR, 5.0)
        assert sizes == [(40 + 2 * 16, 50 + 2 * 16, 3)]

    @pytest.mark.parametrize('preprocessor', [PoseDataPreprocessor, TransPoseDataPreprocessor])
    @pytest.mark.parametrize('reverses', [False, True])
    def test_grey_is_the_mean_of_the_model(self, preprocessor, reverses):
        """Normalised, it is 0 in every channel but for rounding, whatever the order of the channels."""
        prepare = preprocessor(mean=[10.2, 120, 200], std=[50, 60, 70], bgr_to_rgb=reverses)
        grey = mean_grey(SimpleNamespace(data_preprocessor=prepare))
        assert grey == ((200, 120, 10) if reverses else (10, 120, 200))
        image = torch.tensor(grey, dtype=torch.uint8)[:, None, None].expand(3, 4, 4)
        inputs = prepare(dict(inputs=[image], data_samples=[PoseDataSample()]))['inputs']
        assert inputs.abs().max() < 0.5 / 50

    def test_grey_where_no_mean_is_known(self, model):
        assert mean_grey(SimpleNamespace(data_preprocessor=PoseDataPreprocessor())) == IMAGENET_GREY
        assert mean_grey(model) == IMAGENET_GREY  # (123.675, 116.28, 103.53) in RGB

    def test_unknown_replacement(self, image, mask):
        with pytest.raises(InputError, match="replacement='noise' is unknown"):
            replaced_image(image, mask, 'noise', 1)


class TestTokens:
    @pytest.mark.parametrize('flip', [False, True])
    def test_no_paint_changes_nothing(self, model, explorer, session, image, flip, monkeypatch):
        monkeypatch.setitem(model.test_cfg, 'flip_test', flip)
        explanation = explorer.explained(session, 0)
        pair = switch_tokens_off(model, explanation, image, BOXES[0], np.zeros(image.shape[:2], bool))
        same(pair.before, pair.after)
        [pose] = inference_topdown(model, image, BOXES[:1])
        np.testing.assert_allclose(pair.before.pred_instances.keypoints, pose.pred_instances.keypoints, atol=1e-3)
        assert not pair.off.any()

    def test_one_token_is_token_ablation(self, model, image):
        inputs = model.data_preprocessor(prepare_crops(model, image, BOXES[:2]), training=False)['inputs']
        whole = heatmaps_without_tokens(model, inputs, torch.zeros(2, 8, 6, dtype=torch.bool))
        peaks = heatmap_peaks(whole)
        drops = token_ablation(model, inputs, peaks)
        for row, col in ((3, 2), (7, 5)):
            off = torch.zeros(2, 8, 6, dtype=torch.bool)
            off[:, row, col] = True
            without = heatmaps_without_tokens(model, inputs, off)
            at = peaks[..., 0] * 12 + peaks[..., 1]
            drop = (whole - without).flatten(2).gather(2, at[..., None])[..., 0]
            np.testing.assert_allclose(drop, drops[:, :, row, col], atol=1e-5)
            assert drop.abs().max() > 1e-3

    def test_mirrored_tokens_in_the_mirrored_image(self, model, image):
        """With the flip test, a prediction and its mirror image stay mirrored when tokens are off."""
        inputs = model.data_preprocessor(prepare_crops(model, image, BOXES[:1]), training=False)['inputs']
        off = torch.zeros(1, 8, 6, dtype=torch.bool)
        off[0, 2:5, :2] = True
        flip = model.dataset_meta['flip_indices']
        plain = heatmaps_without_tokens(model, inputs, off, flip)
        mirrored = heatmaps_without_tokens(model, inputs.flip(-1), off.flip(-1), flip)
        np.testing.assert_allclose(mirrored.flip(-1)[:, flip], plain, atol=1e-4)
        assert (heatmaps_without_tokens(model, inputs, off.flip(-1), flip) - plain).abs().max() > 1e-3

    def test_tokens_under_the_paint(self, explorer, session, image):
        """One token's area painted, by its outline in the image: that token is covered and no other by half."""
        explanation = explorer.explained(session, 1)
        mask = np.zeros(image.shape[:2], np.uint8)
        cv2.fillConvexPoly(mask, np.rint(cell_corners(explanation, (4, 3))).astype(np.int32), 1)
        shares = painted_shares(explanation, mask.astype(bool))
        assert shares[4, 3] > 0.9 and np.delete(shares.ravel(), 4 * 6 + 3).max() < 0.3
        assert (painted_shares(explanation, np.zeros(image.shape[:2], bool)) == 0).all()

    @pytest.mark.parametrize('off', [torch.zeros(1, 8, 6), torch.zeros(2, 8, 6, dtype=torch.bool)])
    def test_tokens_that_cannot_be(self, model, image, off):
        inputs = model.data_preprocessor(prepare_crops(model, image, BOXES[:1]), training=False)['inputs']
        with pytest.raises(InputError, match='tokens to switch off must be bool'):
            heatmaps_without_tokens(model, inputs, off)
        with pytest.raises(InputError, match='the images have 48 tokens, not 47'):
            heatmaps_without_tokens(model, inputs, torch.zeros(1, 1, 47, dtype=torch.bool))
        with pytest.raises(InputError, match=r'token grid of the images is \(8, 6\), \(h, w\), not \(6, 8\)'):
            heatmaps_without_tokens(model, inputs, torch.zeros(1, 6, 8, dtype=torch.bool))
        assert not model.neck.encoder._forward_pre_hooks

    def test_models_that_cannot_be(self, model, image, monkeypatch):
        crops, off = prepare_crops(model, image, BOXES[:1]), torch.zeros(1, 8, 6, dtype=torch.bool)
        monkeypatch.setitem(model.test_cfg, 'flip_mode', 'offset')
        monkeypatch.setitem(model.test_cfg, 'flip_test', False)
        poses_without_tokens(model, crops, off)
        monkeypatch.setitem(model.test_cfg, 'flip_test', True)
        with pytest.raises(InputError, match="flip_mode='offset': only 'heatmap' can be explained"):
            poses_without_tokens(model, crops, off)
        half = copy.deepcopy(model).bfloat16()
        with pytest.raises(InputError, match="the model's weights are torch.bfloat16"):
            heatmaps_without_tokens(half, torch.zeros(1, 3, 64, 48, dtype=torch.bfloat16), off)


class TestBrush:
    @pytest.mark.parametrize('how', [GREY, TOKENS_OFF])
    def test_undo_restores_exactly(self, explorer, session, how):
        settings, found = Settings(kpt_thr=0.0, replacement=how), []
        for point in ((0.3, 0.3), (0.35, 0.6)):
            assert paint(explorer, session, stroke(session, (0.2, 0.4), point, radius=0.15), settings) == ''
            found.append(counterfactual(explorer, session, settings)[1].after)
        assert np.abs(found[0].pred_instances.keypoints - found[1].pred_instances.keypoints).max() > 0
        undo(session)
        same(counterfactual(explorer, session, settings)[1].after, found[0])
        undo(session)
        undo(session)
        assert session.strokes == [] and counterfactual(explorer, session, settings) is None
        paint(explorer, session, stroke(session, (0.3, 0.3)), settings)
        reset(session)
        plain, facts, moves, whose = render_painted(explorer, session, settings)
        np.testing.assert_array_equal(plain, render_painted(explorer, explorer.start(session.image), settings)[0])
        assert facts == [('people', '2 of 3 boxes')] and moves == [] and whose is None

    def test_whose_pose(self, explorer, session):
        outside = stroke(session, (0.99, 0.01), radius=0.005)
        assert paint(explorer, session, outside, EVERY) == NOBODY and not session.strokes
        paint(explorer, session, stroke(session, (0.9, 0.5)), EVERY)
        assert counterfactual(explorer, session, EVERY)[0] == 1
        session.choice = Choice(0, keypoint=0)
        assert counterfactual(explorer, session, EVERY)[0] == 0

    def test_grey_of_the_model(self, explorer, session, monkeypatch):
        prepare = PoseDataPreprocessor(mean=[10, 20, 30], std=[1, 1, 1], bgr_to_rgb=True)
        monkeypatch.setattr(explorer, 'model', SimpleNamespace(data_preprocessor=prepare))
        paint(explorer, session, stroke(session, (0.5, 0.5)), EVERY)
        assert counterfactual(explorer, session, EVERY)[1].image[160, 120].tolist() == [30, 20, 10]  # BGR

    def test_last_comparison_is_kept(self, explorer, session):
        paint(explorer, session, stroke(session, (0.3, 0.5)), EVERY)
        first = counterfactual(explorer, session, EVERY)[1]
        assert counterfactual(explorer, session, Settings(kpt_thr=0.5))[1] is first
        assert counterfactual(explorer, session, Settings(replacement=BLUR))[1] is not first

    def test_strokes_of_other_images_and_repeated_ones(self, explorer, session):
        other = explorer.start(session.image)
        assert 'on another image' in paint(explorer, session, stroke(other, (0.3, 0.3), number=5), EVERY)
        assert session.strokes == [] and session.answered == 0
        for number, point in ((6, (0.3, 0.3)), (7, (0.3, 0.3)), (8, (0.3, 0.31)), (9, (0.3, 0.3))):
            assert paint(explorer, session, stroke(session, point, number=number), EVERY) == ''
            assert session.answered == number
        assert [one.number for one in session.strokes] == [6, 8, 9]
        places = {9: (0.3, 0.3), 10: (0.99, 0.01), 11: (0.4, 0.3), 12: (0.5, 0.3)}  # at the second there is nobody
        further = [dict(number=number, radius=0.005, points=[place]) for number, place in places.items()]
        session.strokes.clear()
        assert paint(explorer, session, strokes(session, *further), EVERY) == NOBODY
        assert [one.number for one in session.strokes] == [11, 12] and session.answered == 12

    def test_strokes_are_bounded(self, explorer, session):
        session.strokes = [one_of(stroke(None, (0.3, 0.3)))] * MOST_STROKES
        assert 'undo some' in paint(explorer, session, stroke(session, (0.3, 0.4), number=201), EVERY)
        assert len(session.strokes) == MOST_STROKES and session.answered == 201

    def test_table_and_pictures(self, explorer, session):
        settings = Settings(kpt_thr=0.0)
        paint(explorer, session, stroke(session, (0.2, 0.2), (0.3, 0.8), radius=0.1), settings)
        _, pair = counterfactual(explorer, session, settings)
        drawn, facts, moves, whose = render_painted(explorer, session, settings)
        moved = np.linalg.norm(
            pair.after.pred_instances.keypoints[0] - pair.before.pred_instances.keypoints[0], axis=-1
        )
        assert [move.pixels for move in moves] == sorted(moved.tolist(), reverse=True)
        assert whose == 0
        furthest = explorer.names[int(moved.argmax())].replace('_', ' ')
        assert [move.name for move in moves if move.furthest] == [furthest] == [moves[0].name]
        assert moves[0].before == pair.before.pred_instances.keypoint_scores[0][moved.argmax()]
        assert dict(facts)['furthest certain'] == f'{furthest}, {moved.max():.1f} pixels'
        views = [drawn] + [
            render_painted(explorer, session, Settings(kpt_thr=0.0, compared=one))[0] for one in (BEFORE, AFTER)
        ]
        assert len({view.tobytes() for view in views}) == 3

    def test_the_furthest_is_certain_and_has_the_red_arrow(self, explorer, session):
        """Poses by hand: an uncertain keypoint moves furthest of all; of the certain ones the third does."""
        paint(explorer, session, stroke(session, (0.2, 0.2)), EVERY)
        _, pair = counterfactual(explorer, session, EVERY)
        before, after = pair.before.pred_instances, pair.after.pred_instances
        before.keypoint_scores[0] = 0.9
        before.keypoint_scores[0, 1] = 0.2
        before.keypoints[0] = after.keypoints[0] = np.stack([np.full(17, 150), 20 + 15 * np.arange(17)], -1)
        after.keypoints[0, 1] += (60, 0)
        after.keypoints[0, 3] += (40, 0)
        after.keypoints[0, 5] += (2.6, 0)  # 1/120 of 320 pixels are 2.67
        settings = Settings(kpt_thr=0.5)
        both, facts, moves, _ = render_painted(explorer, session, settings)
        assert [(move.name, move.certain) for move in moves if move.furthest] == [('left ear', True)] != moves[0].name
        assert moves[0].name == 'left eye' and not moves[0].certain
        assert dict(facts)['furthest certain'] == 'left ear, 40.0 pixels'
        drawn = (both != render_painted(explorer, session, Settings(kpt_thr=0.5, compared=AFTER))[0]).any(-1)
        assert drawn[60:71, 140:200].any() and (np.abs(both[65, 165:180].astype(int) - LARGEST) < 40).all()
        drawn[57:74, 140:200] = False
        assert not drawn.any()
        # All that is certain moves too little to be drawn: the table marks nothing either.
        after.keypoints[0, 3] = before.keypoints[0, 3]
        both, facts, moves, _ = render_painted(explorer, session, settings)
        np.testing.assert_array_equal(both, render_painted(explorer, session, Settings(kpt_thr=0.5, compared=AFTER))[0])
        assert not any(move.furthest for move in moves)
        assert dict(facts)['furthest certain'] == 'none moved by 2.7 pixels or more'


class TestTokenAblation:
    def test_is_a_kind_and_tells_how_far_it_is(self, model, explorer, session, image, monkeypatch):
        monkeypatch.setitem(model.test_cfg, 'flip_test', True)
        shares = []
        monkeypatch.setattr(explorer, 'on_progress', shares.append)
        session.choice = Choice(0, keypoint=3)
        found = explorer.chosen_map(session, Settings('token-ablation'))
        steps = 2 * 48 / 8  # tokens of the image and of its mirror image, 8 passes at a time
        assert shares == pytest.approx([step / steps for step in range(1, 13)])
        again = Explorer(model).start(image)
        again.boxes, again.choice = BOXES, session.choice
        np.testing.assert_array_equal(found, Explorer(model).chosen_map(again, Settings('token-ablation')))
        assert np.abs(found).max() > 1e-3

    @pytest.mark.parametrize(
        ('grid', 'stride'), [((16, 12), 1), ((24, 18), 2), ((32, 24), 2), ((64, 48), 8), ((1, 1), 1)]
    )
    def test_stride(self, grid, stride):
        assert ablation_stride(grid) == stride

    def test_progress(self, model, image):
        inputs = model.data_preprocessor(prepare_crops(model, image, BOXES[:1]), training=False)['inputs']
        peaks, shares = torch.full((1, 17, 2), 5), []
        token_ablation(model, inputs, peaks, stride=2, batch_size=5, progress=shares.append)
        assert shares == pytest.approx([1 / 3, 2 / 3, 1])
        assert TokenAblation(2).progress is None
