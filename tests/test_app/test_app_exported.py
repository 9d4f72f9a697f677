"""The page with an exported file in place of a model: it offers what the file holds, and says what it lacks."""

import dataclasses

import numpy as np
import pytest
from app_sessions import stroke

from mmtranspose.app import Choice, Explorer, Settings
from mmtranspose.app.brush import counterfactual, paint, replacements
from mmtranspose.app.counterfactual import PIXELS, TOKENS_OFF
from mmtranspose.app.view import render
from mmtranspose.deployment import load_exported
from mmtranspose.errors import InputError

EVERY_KEYPOINT, NO_KEYPOINT = Settings(kpt_thr=0.0), Settings(kpt_thr=np.inf)


@pytest.fixture(scope='module')
def estimator(exported):
    return load_exported(exported / 'image.onnx')


@pytest.fixture(scope='module')
def explorer(estimator, scene):
    return Explorer(estimator, lambda images: [np.c_[scene[1], [0.9, 0.8, 0.7]]] * len(images))


@pytest.fixture(scope='module')
def poses_only(exported, scene):
    """Of a file that holds no dependency."""
    estimator = load_exported(exported / 'image.onnx')
    estimator.meta = dataclasses.replace(estimator.meta, dependency=False)
    return Explorer(estimator, lambda images: [np.c_[scene[1], [0.9, 0.8, 0.7]]] * len(images))


@pytest.fixture
def start(scene):
    def start(explorer):
        session = explorer.start(scene[0])
        explorer.pose(session, EVERY_KEYPOINT)
        return session

    return start


class TestDependency:
    def test_poses_and_maps_are_those_of_the_file(self, explorer, estimator, scene, start):
        session, whole = start(explorer), estimator.poses(*scene)
        for person in range(3):
            found = session.poses[person].pred_instances
            np.testing.assert_allclose(found.keypoint_scores[0], whole.scores[person], atol=1e-3)
            session.choice = Choice(person, keypoint=9)
            for layer in range(2):
                weights = explorer.chosen_map(session, Settings(layer=layer))
                np.testing.assert_allclose(weights, whole.dependency[person, layer, 9], atol=1e-4)

    def test_facts(self, explorer, start):
        session = start(explorer)
        session.choice = Choice(1, keypoint=9)
        drawn, facts = render(explorer, session, Settings(layer=1))
        assert dict(facts)['keypoint'] == 'left wrist of person 2'
        assert dict(facts)['shown'] == 'dependency, layer 2 of 2, mean of the heads'
        assert np.abs(drawn.astype(int) - render(explorer, session, Settings(opacity=0))[0]).max() > 10

    def test_click(self, explorer, start):
        session = start(explorer)
        keypoint = session.poses[0].pred_instances.keypoints[0, 5]
        assert explorer.click(session, tuple(keypoint), EVERY_KEYPOINT) == '' and session.choice.keypoint is not None
        problem = explorer.click(session, (50, 60), NO_KEYPOINT)
        assert problem.startswith('There is no keypoint at this place. An exported file explains keypoints only')
        assert session.choice is None
        assert explorer.click(session, (235, 5), NO_KEYPOINT) == 'There is nobody at this place.'

    @pytest.mark.parametrize(
        ('choice', 'settings', 'words'),
        [
            (Choice(0, cell=(0, 0)), Settings(), 'explains keypoints only'),
            (Choice(0, keypoint=0), Settings('affect'), "kind='affect' is unknown; choose 'dependency'$"),
            (Choice(0, keypoint=0), Settings('rollout'), "kind='rollout' is unknown; choose 'dependency'$"),
            (Choice(0, keypoint=0), Settings(head=0), 'head=0 is unknown; choose None$'),
            (Choice(0, keypoint=0), Settings(layer=2), 'layer=2 is unknown; choose 0 or 1'),
        ],
    )
    def test_what_needs_the_model_is_refused(self, explorer, start, choice, settings, words):
        session = start(explorer)
        session.choice = choice
        with pytest.raises(InputError, match=words):
            explorer.chosen_map(session, settings)


def test_without_dependency_a_keypoint_has_name_and_score_alone(poses_only, start):
    session = start(poses_only)
    plain = render(poses_only, session, EVERY_KEYPOINT)[0]
    session.choice = Choice(2, keypoint=0)
    drawn, facts = render(poses_only, session, EVERY_KEYPOINT)
    np.testing.assert_array_equal(drawn, plain)
    score = session.poses[2].pred_instances.keypoint_scores[0, 0]
    assert facts == [('people', '3'), ('keypoint', 'nose of person 3'), ('score', f'{score:.2f}')]
    assert '`mmtranspose export --dependency`' in poses_only.click(session, (50, 60), NO_KEYPOINT)
    session.choice = Choice(2, keypoint=0)
    with pytest.raises(InputError, match='mmtranspose export --dependency'):
        poses_only.chosen_map(session, Settings())


def test_file_that_does_not_say_how_crops_are_cut_is_refused_at_once(exported):
    estimator = load_exported(exported / 'crops.onnx')
    assert Explorer(estimator).offer.kinds == ('dependency',)
    estimator.cfg.pop('test_dataloader')
    with pytest.raises(InputError, match='nothing says how crops are cut'):
        Explorer(estimator)


class TestBrush:
    def test_pixels_are_replaced_and_tokens_are_not_switched_off(self, explorer, estimator, scene, start):
        session = start(explorer)
        assert paint(explorer, session, stroke(session, (0.3, 0.3), (0.3, 0.6), radius=0.1), EVERY_KEYPOINT) == ''
        assert replacements(explorer) == PIXELS
        person, pair = counterfactual(explorer, session, EVERY_KEYPOINT)
        whole = estimator.poses(pair.image, scene[1])
        np.testing.assert_allclose(pair.scores[1], whole.scores[person], atol=1e-3)
        assert pair.movement.max() > 0
        with pytest.raises(InputError, match="replacement='tokens off' is unknown"):
            counterfactual(explorer, session, Settings(replacement=TOKENS_OFF))


class TestPage:
    """The controls that are shown; by the page's own description of itself, which the browser follows."""

    @pytest.fixture(autouse=True)
    def needs_gradio(self):
        pytest.importorskip('gradio', reason='gradio is not installed (requirements/app.txt)')

    def page(self, explorer):
        from mmtranspose.app.gradio_page import Page

        return Page(explorer, 'tiny.onnx')

    def shown(self, page):
        parts = {part['props'].get('elem_id'): part['props'] for part in page.blocks.get_config_file()['components']}
        names = ('clicks', 'kind', 'layer', 'attention-head', 'bbox-thr', 'kpt-thr', 'opacity', 'threshold')
        return parts, {name for name in names if parts[name]['visible']}

    def test_with_dependency(self, explorer):
        parts, shown = self.shown(self.page(explorer))
        assert shown == {'clicks', 'layer', 'bbox-thr', 'kpt-thr', 'opacity', 'threshold'}
        assert [label for label, _ in parts['layer']['choices']] == ['1', '2'] and parts['layer']['value'] == '2'
        assert 'What a pose depends on' in parts['head']['value']

    def test_without_dependency(self, poses_only):
        parts, shown = self.shown(self.page(poses_only))
        assert shown == {'clicks', 'bbox-thr', 'kpt-thr'}
        assert 'depends' not in parts['head']['value']

    def test_of_a_model_all(self, tiny_model):
        _, shown = self.shown(self.page(Explorer(tiny_model, lambda images: [np.zeros((0, 5))] * len(images))))
        assert len(shown) == 8

    def test_why_tokens_are_not_switched_off(self, explorer, poses_only, tiny_model):
        model = Explorer(tiny_model, lambda images: [np.zeros((0, 5))] * len(images))
        for one, offered in ((explorer, False), (poses_only, False), (model, True)):
            parts, _ = self.shown(self.page(one))
            labels = [label for label, _ in parts['replacement']['choices']]
            assert labels[:3] == ['mean grey', 'blur', "neighbours' colours"]
            assert (labels[3:] == ['tokens off']) == offered == ('tokens-stay' not in parts)
        assert 'cannot be switched off here' in self.shown(self.page(explorer))[0]['tokens-stay']['value']

    def test_hints(self, explorer, poses_only, start):
        controls = ('dependency', '2', 'mean', 0.3, 0.0, 0.75, 0.0)
        assert self.page(explorer).refresh(start(explorer), 'explain', *controls)[2].count('Click a keypoint.<') == 1
        text = self.page(poses_only).refresh(start(poses_only), 'explain', *controls)[2]
        assert 'Click a keypoint for its name and score' in text and 'export --dependency' in text
