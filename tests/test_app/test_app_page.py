"""The page in Chromium, with a trained model: upload, poses, click, map."""

import base64
import io
import socket
import threading
from contextlib import ExitStack, suppress
from urllib.request import ProxyHandler, build_opener

import cv2
import numpy as np
import pytest
from page_waits import wait_until
from PIL import Image

from mmtranspose.apis import init_model
from mmtranspose.app import Explorer, Settings
from mmtranspose.app.counterfactual import IMAGENET_GREY, replace_pixels
from mmtranspose.app.server import serve
from mmtranspose.app.view import enlarged, render

pytest.importorskip('gradio', reason='gradio is not installed (requirements/app.txt)')
expect = pytest.importorskip('playwright.sync_api', reason='playwright is not installed').expect
pytest_plugins = ['browser']

BOXES = np.array([[20, 15, 120, 290, 0.9], [130, 30, 230, 300, 0.6]], np.float32)
BOXES_OF_EXAMPLE = np.array([[60, 40, 180, 300, 0.8]], np.float32)


@pytest.fixture(scope='module')
def image_files(people):
    return [people / 'val' / f'{number:012}.jpg' for number in (1, 2)]


@pytest.fixture(scope='module')
def make_explorer(tiny_config, tiny_checkpoint, image_files):
    known = cv2.imread(str(image_files[0])).tobytes()

    def find_boxes(images):
        return [BOXES if image.tobytes() == known else BOXES_OF_EXAMPLE for image in images]

    return lambda: Explorer(init_model(tiny_config, tiny_checkpoint), find_boxes)


@pytest.fixture(scope='module')
def explorer(make_explorer):
    """Not the served one: its network would run in two threads at once."""
    return make_explorer()


@pytest.fixture(scope='module')
def served(make_explorer):
    return make_explorer()


@pytest.fixture(scope='module')
def address(served, image_files):
    with socket.socket() as probe:
        probe.bind(('127.0.0.1', 0))
        port = probe.getsockname()[1]
    with serve(served, 'tiny', port=port, examples=image_files[1:]) as address:
        yield address


@pytest.fixture
def visit(address, browser):
    """Opens the page as a new visitor. Afterwards: it must have asked its own server alone, and had no errors."""
    requests, errors = [], []
    with ExitStack() as stack:

        def open_page(**options):
            context = browser.new_context(**options)
            stack.callback(context.close)
            page = context.new_page()
            page.set_default_timeout(15_000)
            page.on('request', lambda request: requests.append(request.url))
            page.on('pageerror', lambda error: errors.append(str(error)))
            page.on('console', lambda said: errors.append(said.text) if said.type == 'error' else None)
            page.goto(address)
            return Visitor(page)

        yield open_page
    own = (address, 'data:', f'blob:{address}')
    assert requests and [url for url in requests if not url.startswith(own)] == []
    assert errors == []


class Visitor:
    """What a person does on the page, and sees."""

    def __init__(self, page):
        self.page = page
        self.source = None
        page.wait_for_selector('#upload input[type=file]', state='attached')

    def upload(self, path):
        self.page.set_input_files('#upload input[type=file]', str(path))

    def seen(self):
        """The image after it has changed: (h, w, 3), BGR."""
        changed = (
            'source => {const i = document.querySelector("#image img"); return i && i.src != source && i.complete}'
        )
        wait_until(self.page, changed, self.source, 30_000)
        self.source = self.page.get_attribute('#image img', 'src')
        with build_opener(ProxyHandler({})).open(self.source) as answer:
            return np.asarray(Image.open(io.BytesIO(answer.read())).convert('RGB'))[..., ::-1].astype(int)

    def click(self, x, y, size):
        """Click at (x, y) of the image, which has the size (h, w)."""
        image = self.page.locator('#image img')
        image.scroll_into_view_if_needed()
        frame = image.bounding_box()
        scale = min(frame['width'] / size[1], frame['height'] / size[0])
        left = frame['x'] + (frame['width'] - scale * size[1]) / 2
        top = frame['y'] + (frame['height'] - scale * size[0]) / 2
        self.page.mouse.click(left + scale * (x + 0.5), top + scale * (y + 0.5))

    def choose(self, control, label):
        self.page.locator(control).get_by_label(label, exact=True).check()

    def show_every_keypoint(self):
        self.page.locator('#thresholds button').first.click()
        number = self.page.locator('#kpt-thr input[type=number]')
        expect(number).to_have_value('0.3')  # gradio mounts what is folded only now, and sets its value then
        for _ in range(5):  # or once more, a little later
            number.fill('0')
            number.press('Enter')
            with suppress(AssertionError):
                expect(number).to_have_value('0', timeout=2000)
                return
        expect(number).to_have_value('0')

    def facts(self):
        cells = self.page.locator('#facts :not(.moves) > table td').all_inner_texts()
        return dict(zip(self.page.locator('#facts :not(.moves) > table th').all_inner_texts(), cells, strict=True))


def expected(explorer, image, choice=None, settings=None, boxes=BOXES):
    """What the page must show, computed without it."""
    session = explorer.start(image)
    session.boxes, session.choice = boxes, choice
    return enlarged(render(explorer, session, settings or Settings(kpt_thr=0.0))[0]).astype(int)


def assert_looks_like(seen, wanted, unlike):
    """The image is ``wanted`` up to compression, which smears colours; also where that differs from ``unlike``."""
    assert seen.shape == wanted.shape
    seen, wanted, unlike = (cv2.blur(image.astype(np.float32), (9, 9)) for image in (seen, wanted, unlike))
    different = np.abs(wanted - unlike).max(-1) > 12
    assert different.sum() > 50
    error = np.abs(seen - wanted)
    assert error.mean() < 2
    assert error[different].mean() < min(6, np.abs(wanted - unlike)[different].mean() / 2)


def test_from_upload_to_map(visit, explorer, image_files):
    image = cv2.imread(str(image_files[0]))
    size = image.shape[:2]
    visitor = visit(viewport=dict(width=1280, height=900))
    visitor.upload(image_files[0])
    visitor.seen()
    visitor.show_every_keypoint()
    poses = expected(explorer, image)
    assert_looks_like(visitor.seen(), poses, enlarged(image).astype(int))
    assert visitor.facts() == {'people': '2'}

    session = explorer.start(image)
    explorer.pose(session, Settings())
    keypoint = session.poses[1].pred_instances.keypoints[0, 0]
    assert not explorer.click(session, tuple(keypoint), Settings(kpt_thr=0.0)) and session.choice.keypoint is not None
    visitor.click(*keypoint, size)
    chosen = expected(explorer, image, session.choice, Settings(kpt_thr=0.0, layer=1))
    assert_looks_like(visitor.seen(), chosen, poses)
    assert visitor.facts()['shown'] == 'dependency, layer 2 of 2, mean of 4 heads'
    assert visitor.facts()['keypoint'].endswith('of person 2')

    visitor.choose('#layer', '1')
    layer = expected(explorer, image, session.choice, Settings(kpt_thr=0.0, layer=0))
    assert_looks_like(visitor.seen(), layer, chosen)
    visitor.choose('#attention-head', '3')
    head = expected(explorer, image, session.choice, Settings(kpt_thr=0.0, layer=0, head=2))
    assert_looks_like(visitor.seen(), head, layer)
    assert visitor.facts()['shown'] == 'dependency, layer 1 of 2, head 3 of 4'


def test_place_on_a_narrow_screen_and_another_visitor(visit, explorer, image_files):
    image, other = (cv2.imread(str(path)) for path in image_files)
    visitor = visit(viewport=dict(width=390, height=844))
    visitor.upload(image_files[0])
    visitor.seen()
    second = visit(viewport=dict(width=1280, height=900))
    second.page.locator('#examples button img').first.click()
    bare = Settings()  # the tiny model's keypoints score too low to be shown
    assert_looks_like(
        second.seen(), expected(explorer, other, None, bare, BOXES_OF_EXAMPLE), enlarged(other).astype(int)
    )

    visitor.click(185, 240, image.shape[:2])
    seen = visitor.seen()
    cell = explorer.start(image)
    assert not explorer.click(cell, (185, 240), bare) and cell.choice.cell is not None
    before = expected(explorer, image, None, bare)
    assert_looks_like(seen, expected(explorer, image, cell.choice, Settings(layer=1)), before)
    row, column = cell.choice.cell
    assert visitor.facts()['place'] == f'row {row}, column {column} of person 2'
    assert second.facts() == {'people': '1'}


def test_box_drawn_by_hand(visit, image_files):
    size = cv2.imread(str(image_files[0])).shape[:2]
    visitor = visit(viewport=dict(width=1280, height=900))
    visitor.upload(image_files[0])
    before = visitor.seen()
    visitor.choose('#clicks', 'draw a box')
    visitor.page.get_by_text('Click two opposite corners').wait_for()
    visitor.click(40, 60, size)
    visitor.seen()
    visitor.click(200, 280, size)
    rows, columns = np.nonzero(np.abs(visitor.seen() - before).max(-1) > 48)
    edges = [columns.min() / 3, rows.min() / 3, columns.max() / 3, rows.max() / 3]  # shown at three times its size
    np.testing.assert_allclose(edges, [40, 60, 200, 280], atol=2)
    assert visitor.facts() == {'people': '3'}
    assert visitor.page.locator('#clicks').get_by_label('explain', exact=True).is_checked()


def test_bad_upload(visit, tmp_path, image_files):
    visitor = visit(viewport=dict(width=1280, height=900))
    (tmp_path / 'note <i>.jpg').write_text('no image')
    visitor.upload(tmp_path / 'note <i>.jpg')
    problem = visitor.page.wait_for_selector('#facts .problem')
    assert 'not an image' in problem.inner_text() and 'note' in problem.inner_text()
    assert '/' not in problem.inner_text() and not problem.query_selector('i')
    assert visitor.page.locator('#image img').count() == 0
    cut = image_files[0].read_bytes()
    (tmp_path / 'cut.jpg').write_bytes(cut[: len(cut) // 2])
    visitor.upload(tmp_path / 'cut.jpg')
    visitor.page.get_by_text('truncated').wait_for()
    visitor.upload(image_files[0])
    visitor.seen()
    assert visitor.page.locator('#facts .problem').count() == 0


def test_image_after_image(visit, explorer, image_files):
    """By the field, which is empty again, and by a drop on the image that is shown."""
    first, second = (cv2.imread(str(path)) for path in image_files)
    bare = [enlarged(image).astype(int) for image in (first, second)]
    shown = [
        expected(explorer, image, None, Settings(), boxes)
        for image, boxes in ((first, BOXES), (second, BOXES_OF_EXAMPLE))
    ]
    visitor = visit(viewport=dict(width=1280, height=900))
    visitor.upload(image_files[0])
    assert_looks_like(visitor.seen(), shown[0], bare[0])
    visitor.upload(image_files[1])
    assert_looks_like(visitor.seen(), shown[1], bare[1])
    content = base64.b64encode(image_files[0].read_bytes()).decode()
    left = visitor.page.locator('#image img').evaluate(
        """(image, content) => {
            const bytes = Uint8Array.from(atob(content), (letter) => letter.charCodeAt(0));
            const dropped = new DataTransfer();
            dropped.items.add(new File([bytes], 'dropped.jpg', { type: 'image/jpeg' }));
            const event = (kind) => new DragEvent(
                kind, { dataTransfer: dropped, bubbles: true, cancelable: true });
            return ['dragover', 'drop'].filter((kind) => image.dispatchEvent(event(kind)));
        }""",
        content,
    )
    assert left == []  # else the browser would show the file in place of the page
    assert_looks_like(visitor.seen(), shown[0], bare[0])


def test_brush(visit, explorer, image_files):
    """By the pointer and by the keyboard; the canvas over the image sends what is under it."""
    image = cv2.imread(str(image_files[0]))
    visitor = visit(viewport=dict(width=390, height=844), color_scheme='dark')
    page = visitor.page
    thumbnails = page.locator('#examples button img').first.bounding_box()
    assert thumbnails['y'] + thumbnails['height'] < 844  # in sight on a phone
    visitor.upload(image_files[0])
    visitor.seen()
    visitor.choose('#clicks', 'paint')
    canvas = page.locator('#brush-canvas')
    expect(canvas).to_be_visible()
    canvas.scroll_into_view_if_needed()
    frame = canvas.bounding_box()
    at = [(frame['x'] + x * frame['width'], frame['y'] + y * frame['height']) for x, y in ((0.2, 0.3), (0.3, 0.6))]
    page.mouse.move(*at[0])
    page.mouse.down()
    page.mouse.move(*at[1], steps=8)
    page.mouse.up()
    painted = visitor.seen()
    # Grey around the middle of the stroke and nowhere beside it, in the image that is shown at three times its size.
    height, width = painted.shape[:2]
    middle = painted[round(0.45 * height) - 4 :, round(0.25 * width) - 4 :][:9, :9]
    assert np.abs(middle - IMAGENET_GREY).max() < 16
    beside = painted[round(0.45 * height) - 4 :, round(0.45 * width) - 4 :][:9, :9]
    assert np.abs(beside - IMAGENET_GREY).max() > 16
    assert visitor.facts()['painted'].startswith('1 stroke, ') and visitor.facts()['replaced by'] == 'mean grey'
    moved = page.locator('#facts .moves tbody td:nth-child(2)').all_inner_texts()
    assert len(moved) == 17 and moved == sorted(moved, key=float, reverse=True) and float(moved[0]) > 0
    expect(page.locator('#facts')).to_contain_text('All 17 keypoints, by how far they moved; pale: uncertain before.')
    assert page.locator('#facts .moves').evaluate('box => getComputedStyle(box).overflowY') == 'scroll'

    canvas.focus()
    page.keyboard.press('ArrowDown')
    page.keyboard.press(' ')
    visitor.seen()
    assert visitor.facts()['painted'].startswith('2 strokes, ')
    page.locator('#undo').click()
    np.testing.assert_array_equal(visitor.seen(), painted)
    page.locator('#reset').click()
    restored = expected(explorer, image, None, Settings())
    assert_looks_like(visitor.seen(), restored, painted)
    assert page.locator('#facts .moves').count() == 0

    page.locator('#stroke textarea').evaluate(
        """field => {
            field.value = '{"radius": 9}';
            field.dispatchEvent(new Event('input', { bubbles: true }));
            field.dispatchEvent(new KeyboardEvent('keypress', { key: 'Enter', bubbles: true, cancelable: true }));
        }"""
    )
    assert 'must name their image' in page.wait_for_selector('#facts .problem').inner_text()


class Finger:
    """Fingers on a touch screen, at shares (x, y) of the canvas."""

    def __init__(self, page):
        self.session = page.context.new_cdp_session(page)
        self.frame = page.locator('#brush-canvas').bounding_box()

    def touch(self, kind, *places):
        """Send a touchStart, touchMove or touchEnd event with the places of all fingers that are down, in order."""
        frame = self.frame
        points = [
            dict(x=frame['x'] + x * frame['width'], y=frame['y'] + y * frame['height'], id=number)
            for number, (x, y) in enumerate(places)
        ]
        self.session.send('Input.dispatchTouchEvent', dict(type=kind, touchPoints=points))


RECORD = """() => {
    window.strokes = []; // that were sent
    const keep = ({ target }) => window.strokes.push(JSON.parse(target.value).strokes.at(-1));
    document.addEventListener('keypress', keep, true);
}"""
INK = """([x, y]) => {
    const canvas = document.querySelector('#brush-canvas');
    const [px, py] = [Math.round(x * canvas.width), Math.round(y * canvas.height)];
    return canvas.getContext('2d').getImageData(px, py, 1, 1).data[3] > 0;
}"""


def test_strokes_while_the_pose_is_computed(visit, served, image_files, monkeypatch):
    """By fingers: paint stays until its answer is seen, and no stroke lands on an image that it was not painted on."""
    gates = {name: threading.Semaphore(0) for name in ('pose', 'open')}

    def gated(name, function):
        def waits(*arguments):
            assert gates[name].acquire(timeout=20)
            return function(*arguments)

        return waits

    visitor = visit(viewport=dict(width=1000, height=800), has_touch=True)
    page = visitor.page
    visitor.upload(image_files[0])
    visitor.seen()
    visitor.choose('#clicks', 'paint')
    expect(page.locator('#brush-canvas')).to_be_visible()
    page.locator('#brush-canvas').scroll_into_view_if_needed()
    page.evaluate(RECORD)
    monkeypatch.setattr('mmtranspose.app.brush.replace_pixels', gated('pose', replace_pixels))
    fingers = Finger(page)
    fingers.touch('touchStart', (0.2, 0.3))
    fingers.touch('touchMove', (0.2, 0.35))
    page.locator('#brush-canvas').evaluate(
        """(canvas) => { // another finger comes, moves, and is lifted
            for (const kind of ['pointerdown', 'pointermove', 'pointerup', 'pointercancel']) {
                canvas.dispatchEvent(new PointerEvent(kind, { pointerId: 99, clientX: 9, clientY: 9 }));
            }
        }"""
    )
    fingers.touch('touchMove', (0.2, 0.4))
    fingers.touch('touchMove', (0.2, 0.5))
    fingers.touch('touchEnd')
    [first] = page.evaluate('window.strokes')
    assert first['points'][0] == pytest.approx([0.2, 0.3], abs=0.01) and len(first['points']) >= 4
    assert first['points'][-1] == pytest.approx([0.2, 0.5], abs=0.01)
    assert {round(x, 1) for x, _ in first['points']} == {0.2}
    expect(page.locator('#facts')).to_contain_text('processing')
    page.wait_for_timeout(300)
    assert page.evaluate(INK, [0.2, 0.4])
    fingers.touch('touchStart', (0.6, 0.6))
    fingers.touch('touchEnd')
    gates['pose'].release()
    visitor.seen()
    assert visitor.facts()['painted'].startswith('1 stroke, ')
    wait_until(page, f'!({INK})([0.2, 0.4])')
    assert page.evaluate(INK, [0.6, 0.6])  # is not answered yet
    gates['pose'].release()
    visitor.seen()
    wait_until(page, f'!({INK})([0.6, 0.6])')

    monkeypatch.setattr(served, 'find_boxes', gated('open', served.find_boxes))
    page.locator('#examples button img').first.click()
    expect(page.locator('#facts')).to_contain_text('processing')
    fingers.touch('touchStart', (0.4, 0.4))
    fingers.touch('touchEnd')
    assert len(page.evaluate('window.strokes')) == 3
    gates['open'].release()
    page.get_by_text('painted on another image').wait_for()
    assert visitor.facts() == {'people': '1'}
    wait_until(page, f'!({INK})([0.4, 0.4])')


def test_long_drags_and_keys_that_are_held(visit, image_files):
    visitor = visit(viewport=dict(width=1000, height=800))
    page = visitor.page
    visitor.upload(image_files[0])
    visitor.seen()
    visitor.choose('#clicks', 'paint')
    canvas = page.locator('#brush-canvas')
    expect(canvas).to_be_visible()
    canvas.scroll_into_view_if_needed()
    page.evaluate(RECORD)
    frame = canvas.bounding_box()
    left, top = frame['x'] + 20, frame['y'] + 20
    page.mouse.move(left, top)
    page.mouse.down()
    canvas.evaluate(
        """(canvas, [left, top]) => {
            for (let step = 1; step < 1600; step++) {
                const place = { clientX: left + 20 * (step % 2), clientY: top + step / 8 };
                canvas.dispatchEvent(new PointerEvent('pointermove', { pointerId: 1, isPrimary: true, ...place }));
            }
        }""",
        [left, top],
    )
    page.mouse.up()
    one, other = page.evaluate('window.strokes')
    assert (len(one['points']), len(other['points'])) == (1500, 101)  # 1600 places, one of them twice
    assert one['points'][-1] == other['points'][0] and (one['number'], other['number']) == (1, 2)
    visitor.seen()
    expect(page.locator('#facts')).to_contain_text('2 strokes')

    canvas.focus()
    for _ in range(4):
        page.keyboard.down(' ')
    page.keyboard.up(' ')
    page.keyboard.down('Enter')
    page.keyboard.down('Enter')
    page.keyboard.up('Enter')
    assert [one['number'] for one in page.evaluate('window.strokes')] == [1, 2, 3, 4]
    expect(page.locator('#facts')).to_contain_text('3 strokes')  # at the same place: one of them


def test_keypoint_by_name_and_keyboard(visit, image_files):
    visitor = visit(viewport=dict(width=1280, height=900))
    visitor.upload(image_files[0])
    visitor.seen()
    field = visitor.page.locator('#keypoint input')
    field.focus()
    visitor.page.keyboard.type('lft')
    wait_until(visitor.page, '!document.querySelector("#keypoint [role=option]")')  # the list is filtered
    visitor.page.keyboard.press('Enter')
    message = 'document.querySelector("#keypoint input").validationMessage'
    wait_until(visitor.page, f'{message} == "no keypoint of this name"')
    visitor.page.keyboard.press('Control+A')
    visitor.page.keyboard.type('left wr')
    wait_until(visitor.page, 'document.querySelectorAll("#keypoint [role=option]").length == 1')
    wait_until(visitor.page, f'{message} == ""')
    visitor.page.keyboard.press('Enter')
    visitor.seen()
    assert visitor.facts()['keypoint'].startswith('left wrist of person 1')
    bar = visitor.page.locator('#facts .scale')
    low, high = bar.locator('span:not(.bar)').all_inner_texts()
    assert low == '0' and visitor.facts()['highest weight'].startswith(f'{high}, ')
    assert 'rgb(' in bar.locator('.bar').evaluate('bar => getComputedStyle(bar).backgroundImage')
