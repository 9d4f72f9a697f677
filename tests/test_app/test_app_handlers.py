"""What the page answers when its controls are used, without a browser."""

import asyncio

import numpy as np
import pytest
from app_sessions import stroke

from mmtranspose.app import Choice, Explorer, Settings
from mmtranspose.app.painting import read_strokes
from mmtranspose.app.view import enlarged
from mmtranspose.errors import InputError

pytest.importorskip('gradio', reason='gradio is not installed (requirements/app.txt)')
pytest_plugins = ['app_fixtures']

EXPLAIN, DRAW, PAINT = 'explain', 'draw a box', 'paint'


def controls(bbox_thr=0.3, kind='dependency', kpt_thr=0.0):
    """The values of kind, layer, head, thresholds, replacement and compared poses."""
    return kind, '1', 'mean', bbox_thr, kpt_thr, 0.75, 0.0, 'mean grey', 'both'


@pytest.fixture(scope='module')
def page(explorer):
    from mmtranspose.app.gradio_page import Page

    return Page(explorer, 'tiny')


def painted(session, *points):
    """The session after a stroke."""
    session.strokes += read_strokes(stroke(session, *points))[1]
    return session


class TestPeople:
    @pytest.mark.parametrize('clicks', [PAINT, EXPLAIN])
    def test_choice_ends_with_its_person(self, page, session, clicks):
        page.refresh(session, PAINT, *controls())
        session.choice = Choice(1, keypoint=3)
        page.paint(session, stroke(session, (0.8, 0.5)), PAINT, *controls())
        shown = page.refresh(session, clicks, *controls(bbox_thr=0.7))
        assert session.choice is None and [value for _, value in shown[3]['choices']] == [0]
        for undone in (page.undo, page.reset):
            session.choice = Choice(1, keypoint=3)
            undone(session, clicks, *controls(bbox_thr=0.7))
            assert session.choice is None

    def test_low_scores_are_told(self, page, session):
        told = 'This image: 34 of 34 keypoints of 2 people score below 1e+09; is the whole person, head to feet, inside'
        assert told in page.refresh(session, EXPLAIN, *controls(kpt_thr=1e9))[2]
        assert told not in page.refresh(session, PAINT, *controls(kpt_thr=1e9))[2]
        assert 'score below' not in page.refresh(session, EXPLAIN, *controls(kpt_thr=-1e9))[2]

    def test_whose_pose_is_compared_is_marked(self, page, session):
        people = page.refresh(session, EXPLAIN, *controls())[3]
        assert [value for _, value in people['choices']] == [0, 1] and people['value'] == 0
        assert page.refresh(session, PAINT, *controls())[3]['value'] is None  # nobody: the first one can be chosen
        _, _, text, people, keypoints = page.paint(session, stroke(session, (0.9, 0.5)), PAINT, *controls())
        assert '<td>person 2</td>' in text and people['value'] == 1 and keypoints['value'] is None
        scores = session.poses[1].pred_instances.keypoint_scores[0]
        assert keypoints['choices'][4][0] == f'right ear · {scores[4]:.2f}'
        _, _, text, people, keypoints = page.choose(session, 0, None, PAINT, *controls())
        assert '<td>person 1</td>' in text and people['value'] == 0
        assert keypoints['value'] == session.poses[0].pred_instances.keypoint_scores[0].argmax()

    def test_painted_person_who_is_hidden(self, page, session, monkeypatch):
        painted(session, (0.9, 0.5))
        assert 'Rings: where keypoints were' in page.refresh(session, PAINT, *controls())[2]
        for compared in ('before', 'after'):
            text = page.refresh(session, PAINT, *controls()[:-1], compared)[2]
            assert 'One of the two poses' in text and 'Rings' not in text
        assert 'Rings' not in (text := page.refresh(session, PAINT, *controls(kpt_thr=1e9))[2])
        assert 'No certain keypoint moved far enough for an arrow' in text
        for bbox_thr, people in ((0.7, '1 of 3 boxes'), (0.95, '0 of 3 boxes')):
            text = page.refresh(session, PAINT, *controls(bbox_thr))[2]
            assert 'The painted person is hidden' in text and 'Rings' not in text and f'<td>{people}</td>' in text
        monkeypatch.setattr(page.explorer, 'find_boxes', None)  # --bboxes drawn
        text = page.refresh(session, PAINT, *controls(0.95))[2]
        assert 'The paint lies in no box' in text and 'box score' not in text
        page.reset(session, PAINT, *controls())
        text = page.refresh(session, EXPLAIN, *controls(0.95))[2]
        assert 'There is no box yet: draw one.' in text and 'box score' not in text
        assert 'Paint over a place' in page.refresh(session, PAINT, *controls())[2]


class TestImage:
    def test_stroke_of_another_image(self, page, explorer, session):
        other = explorer.start(session.image)
        text = page.paint(session, stroke(other, (0.3, 0.3), number=4), PAINT, *controls())[2]
        assert 'role="alert">The stroke was painted on another image' in text and session.strokes == []
        assert f'<p class="answered">{session.id} 0</p>' in text
        text = page.paint(session, stroke(session, (0.3, 0.3), number=5), PAINT, *controls())[2]
        assert f'<p class="answered">{session.id} 5</p>' in text and session.id != other.id

    def test_lost_session(self, page):
        """Its lists are those of the page as it was made, but the visitor still sees entries of the former ones."""
        from gradio.state_holder import SessionState

        [choose] = [one for one in page.blocks.fns.values() if one.fn.__name__ == 'choose']
        sent = [None, 1, 3, EXPLAIN, *controls()]
        answer = asyncio.run(page.blocks.process_api(choose, sent, state=SessionState(page.blocks)))
        assert 'no longer kept on the server' in answer['data'][2]

    def test_lists_that_hold_something_take_nothing_else(self, page, session):
        for update, allows in zip(page.refresh(session, EXPLAIN, *controls())[3:], (False, False)):
            assert update['allow_custom_value'] is allows
        for update in page.refresh(None, EXPLAIN, *controls())[3:]:
            assert update['allow_custom_value'] is True and update['choices'] == []


@pytest.mark.parametrize(
    ('detects', 'clicks', 'then'), [(False, EXPLAIN, DRAW), (False, PAINT, PAINT), (True, EXPLAIN, EXPLAIN)]
)
def test_an_image_without_a_detector_asks_for_a_box(page, tiny_model, people, detects, clicks, then):
    from mmtranspose.app.gradio_page import Page

    opened = page if detects else Page(Explorer(tiny_model), 'tiny')
    answer = opened.open_upload(str(people / 'val' / '000000000001.jpg'), clicks, *controls())
    assert answer[-2:] == (then, None) and answer[1] is not None


class TestProblems:
    @pytest.mark.parametrize('clicks', [EXPLAIN, PAINT])
    def test_what_cannot_be_computed_is_said(self, page, session, monkeypatch, clicks):
        def refuse(*_):
            raise InputError('the box of <b>person 2</b> is empty')

        monkeypatch.setattr(page.explorer, 'pose', refuse)
        for answer in (
            page.refresh(session, clicks, *controls()),
            page.paint(session, stroke(session, (0.3, 0.3)), clicks, *controls()),
            page.choose(session, 0, 1, clicks, *controls()),
        ):
            assert answer[0] is session
            assert 'role="alert">the box of &lt;b&gt;person 2&lt;/b&gt; is empty.<' in answer[2]
            np.testing.assert_array_equal(answer[1], enlarged(session.image)[..., ::-1])
            assert answer[3]['choices'] == []

    def test_kind_that_is_not_there(self, page, session):
        page.explorer.pose(session, Settings())
        session.choice = Choice(0, keypoint=1)
        answer = page.refresh(session, EXPLAIN, *controls(kind='random'))
        assert 'random&#x27; is unknown; choose' in answer[2] and session.choice == Choice(0, keypoint=1)
        assert answer[0] is session and answer[4]['value'] == 1
