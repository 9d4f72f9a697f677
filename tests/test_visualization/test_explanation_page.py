"""The explanation page: what it carries, that nothing breaks out of it, and what people can do with it in a browser."""

import base64
import hashlib
import json
import os
from html.parser import HTMLParser

import cv2
import numpy as np
import pytest
from page_waits import wait_until

from mmtranspose.app.place_maps import place_name
from mmtranspose.errors import InputError
from mmtranspose.explain.pose_explanation import PoseExplanation
from mmtranspose.visualization.explanation_page import write_page
from mmtranspose.visualization.explanation_page.packing import quantise
from mmtranspose.visualization.heat import COLOURS, heat, in_grey, laid_over

pytest_plugins = ['browser']

GRID = (8, 6)
CROP = (64, 48)  # (H, W): tokens of 8x8 pixels
LAYERS, HEADS, KEYPOINTS = 3, 2, 3
POINTS = np.array([[8.0, 10.0], [40.0, 20.0], [20.0, 55.0]])  # (x, y) in pixels of the crop
IMAGE = (120, 200)
HOSTILE = '</script><script>window.hacked=1</script><img src=x onerror="window.hacked=1">\u2028\'"&amp;.jpg'


def explanation(seed=0, names=('nose', 'left_wrist', 'left_ankle'), shift=(20, 12), heads=HEADS, **changes):
    """A person with random maps, whose crop is the image's part at ``shift``, one and a half times as large."""
    rng = np.random.default_rng(seed)
    shape = (LAYERS, heads, KEYPOINTS, *GRID) if heads else (LAYERS, KEYPOINTS, *GRID)
    dependency = rng.random(shape, np.float32) ** 4
    dependency[-1, ..., 0, :, :] **= 4  # so that the page opens on keypoint 0
    dependency /= dependency.sum((-2, -1), keepdims=True)
    fields = dict(
        keypoints=POINTS * 1.5 + shift,
        scores=np.array([0.9, 0.2, 0.7]),
        dependency=dependency,
        affect=rng.random(shape, np.float32),
        names=list(names),
        skeleton=[(0, 1), (1, 2)],
        score_thr=0.3,
        bbox=np.array([shift[0] + 6, shift[1] + 6, shift[0] + 66, shift[1] + 90], float),
        crop=rng.integers(0, 256, (*CROP, 3), dtype=np.uint8),
        token_to_crop=np.array([[8, 0, 3.5], [0, 8, 3.5]]),
        crop_to_image=np.array([[1.5, 0, shift[0]], [0, 1.5, shift[1]]]),
        cells=np.zeros((KEYPOINTS, 1, 2), int),
        cell_weights=np.ones((KEYPOINTS, 1)),
        relevance={'rollout': rng.random((KEYPOINTS, *GRID)), 'input_gradient': rng.normal(size=(KEYPOINTS, *GRID))},
    )
    return PoseExplanation(**{**fields, **changes})


@pytest.fixture
def image():
    return np.random.default_rng(9).integers(0, 256, (*IMAGE, 3), dtype=np.uint8)


@pytest.fixture
def path(tmp_path):
    return tmp_path / 'page.html'


class Elements(HTMLParser):
    """Tags with attributes and texts, as an HTML parser sees them."""

    def __init__(self, text):
        super().__init__()
        self.found, self.inside = [], False
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        self.found.append([tag, dict(attributes), ''])
        self.inside = True

    def handle_data(self, data):
        if self.inside:
            self.found[-1][2] += data

    def handle_endtag(self, tag):
        self.inside = False

    def all(self, tag):
        return [(attributes, text) for name, attributes, text in self.found if name == tag]

    def data(self):
        (text,) = [text for attributes, text in self.all('script') if attributes.get('id') == 'data']
        return json.loads(text)


def unpacked(kind, grid):
    """Maps of the page's data, by the formula that ``quantise`` documents."""
    codes = np.frombuffer(base64.b64decode(kind['codes']), np.uint8).reshape(*kind['shape'], *grid)
    low, high = (np.array(kind[name]).reshape(*kind['shape'], 1, 1) for name in ('low', 'high'))
    return low + (high - low) * (codes / 255) ** 2


class TestQuantise:
    def test_by_hand(self):
        codes, low, high = quantise(np.array([[[0, 0.04, 0.36, 1]], [[0.32, 0.5, 0.02, 0.18]]]))
        assert codes.tolist() == [[[0, 51, 153, 255]], [[204, 255, 51, 153]]]
        assert low.tolist() == [0, 0] and high.tolist() == [1, 0.5]

    def test_error_is_bounded_as_documented(self):
        maps = np.random.default_rng(0).random((4, 64, 48)) ** 6 * np.array([1e-6, 1, 30, 1e4])[:, None, None]
        codes, low, high = quantise(maps)
        error = np.abs(low[:, None, None] + (high - low)[:, None, None] * (codes / 255) ** 2 - maps)
        share = error / high[:, None, None]
        assert share.max() <= 1 / 255
        assert share[codes == 0].max() <= 1 / 260100
        assert share[codes < 26].max() <= 1 / 2550  # values up to 1 % of the map's largest

    def test_negative_and_empty_maps(self):
        codes, low, high = quantise(np.array([[[-2.0, 2.0]], [[-3.0, -1.0]], [[0.0, 0.0]]]))
        assert low.tolist() == [-2, -3, 0] and high.tolist() == [2, -1, 0]
        assert codes.tolist() == [[[0, 255]], [[0, 255]], [[0, 0]]]


class TestFile:
    def test_what_it_carries(self, path, image):
        person = explanation()
        write_page(path, image, [person], 'a.jpg')
        (shown,) = page_data(path)['people']
        kinds = {kind['name']: kind for kind in shown['kinds']}
        assert list(kinds) == ['dependency', 'affect', 'rollout', 'input_gradient']
        expected = dict(dependency=person.dependency, affect=person.affect)
        expected.update({name: maps[None, None] for name, maps in person.relevance.items()})
        for name, maps in expected.items():
            extent = maps.max((-2, -1), keepdims=True) - np.minimum(maps.min((-2, -1), keepdims=True), 0)
            assert (np.abs(unpacked(kinds[name], GRID) - maps) <= extent / 255 + 1e-6).all()
        np.testing.assert_allclose(shown['keypoints'], POINTS, atol=1e-5)
        assert shown['uncertain'] == [False, True, False]

    def test_images(self, path):
        wide = np.full((300, 2000, 3), (200, 100, 50), np.uint8)
        write_page(path, wide, [explanation()], 'a.jpg')
        data = page_data(path)
        assert data['image']['size'] == [2000, 300]
        whole, crop = (decoded(one['src']) for one in (data['image'], data['people'][0]['crop']))
        assert whole.shape == (192, 1280, 3) and crop.shape == (*CROP, 3)
        np.testing.assert_allclose(whole[100, 600], (200, 100, 50), atol=3)

    def test_scores_that_are_not_numbers(self, path, image):
        write_page(path, image, [explanation(scores=np.array([0.9, np.nan, 0.7]))], 'a.jpg')
        assert page_data(path)['people'][0]['scores'] == [0.9, None, 0.7]

    def test_under_3_mb(self, path):
        rng = np.random.default_rng(0)
        maps = rng.random((6, 17, 64, 48), np.float32)
        image, crop = (rng.integers(0, 256, (*size, 3), dtype=np.uint8) for size in ((960, 1280), (256, 192)))
        person = explanation(
            **dict(dependency=maps, affect=maps[::-1], crop=cv2.blur(crop, (3, 3)), relevance={}),
            **dict(names=[f'point {k}' for k in range(17)], scores=rng.random(17), keypoints=rng.random((17, 2)) * 90),
        )
        write_page(path, cv2.blur(image, (3, 3)), [person], 'a.jpg')
        assert len(maps.tobytes()) / 2 < path.stat().st_size < 3e6

    def test_nothing_is_outside(self, path, image):
        write_page(path, image, [explanation()], 'a.jpg')
        assert '://' not in path.read_text()
        elements = Elements(path.read_text())
        targets = [value for _, given, _ in elements.found for name, value in given.items() if name in ('src', 'href')]
        assert targets == ['data:,']

    def test_only_the_pages_own_style_and_script_count(self, path, image):
        write_page(path, image, [explanation()], 'a.jpg')
        elements = Elements(path.read_text())
        policy = elements.all('meta')[1][0]['content'].split('; ')
        ((_, style),) = elements.all('style')
        (_, (_, script)) = elements.all('script')
        digests = [base64.b64encode(hashlib.sha256(text.encode()).digest()).decode() for text in (style, script)]
        assert policy[0] == "default-src 'none'"
        assert [f"style-src 'sha256-{digests[0]}'", f"script-src 'sha256-{digests[1]}'"] == policy[-2:]

    def test_hostile_texts_stay_texts(self, path, image):
        person = explanation(names=(HOSTILE, 'b', 'c'), relevance={HOSTILE: np.ones((KEYPOINTS, *GRID))})
        write_page(path, image, [person], HOSTILE)
        elements = Elements(path.read_text())
        assert [tag for tag, _, _ in elements.found if tag in ('img', 'iframe', 'svg')] == []
        assert len(elements.all('script')) == 2
        assert elements.all('h1')[0][1] == HOSTILE == elements.all('title')[0][1]
        shown = elements.data()['people'][0]
        assert shown['names'][0] == HOSTILE == shown['kinds'][-1]['name']

    def test_file_names_that_are_not_text(self, path, image):
        write_page(path, image, [explanation()], os.fsdecode(b'caf\xe9.jpg'))
        assert Elements(path.read_text()).all('h1')[0][1] == 'caf?.jpg'

    @pytest.mark.parametrize(
        ('changes', 'message'),
        [
            (dict(keypoints=np.array([[1, 2], [np.nan, 2], [3, 4]])), 'keypoint 1 has no finite place'),
            (dict(heads=None, affect=np.full((LAYERS, KEYPOINTS, *GRID), np.inf)), 'affect of keypoint 0, layer 0'),
        ],
    )
    def test_what_is_not_finite(self, path, image, changes, message):
        with pytest.raises(InputError, match=message):
            write_page(path, image, [explanation(**changes)], 'a.jpg')
        assert not path.exists()

    def test_nobody_and_no_image(self, path, image):
        with pytest.raises(InputError, match='no person'):
            write_page(path, image, [], 'a.jpg')
        with pytest.raises(InputError, match=r'must be \(h, w, 3\) uint8, not \(120, 200\)'):
            write_page(path, image[..., 0], [explanation()], 'a.jpg')

    def test_whole_or_not_there(self, path, image, monkeypatch):
        write_page(path, image, [explanation()], 'a.jpg')
        before = path.read_bytes()

        def fail(source, target):
            raise OSError(28, 'No space left on device')

        monkeypatch.setattr(os, 'replace', fail)
        with pytest.raises(OSError, match='No space left'):
            write_page(path, image, [explanation(seed=1)], 'b.jpg')
        assert path.read_bytes() == before and os.listdir(path.parent) == [path.name]


def page_data(path):
    return Elements(path.read_text()).data()


def decoded(source):
    return cv2.imdecode(np.frombuffer(base64.b64decode(source.split(',')[1]), np.uint8), cv2.IMREAD_COLOR)


class Shown:
    """The page in a browser."""

    def __init__(self, page):
        self.page = page
        wait_until(page, 'window.explanation')
        self.canvas = page.locator('#map')

    @property
    def state(self):
        return dict(self.canvas.evaluate('canvas => ({...canvas.dataset})'))

    def follow(self, fragment):
        """Follow a link on the open page."""
        self.page.evaluate(
            """(to) => new Promise((done) => {
                addEventListener('hashchange', () => setTimeout(done), {once: true}); location.hash = to; })""",
            fragment,
        )

    def beside(self):
        """The map (h, w) that is drawn beside the chosen layer's, None where there is none."""
        values = self.page.evaluate('window.explanation.beside()')
        assert self.page.locator('#beside').is_visible() == (values is not None)
        return values and np.array(values).reshape(GRID)

    def expect(self, maps, **state):
        """The map now drawn is ``maps`` (h, w), to the page's precision, and the canvas says ``state``."""
        shown = self.state
        assert {name: shown[name] for name in state} == {name: str(value) for name, value in state.items()}
        drawn = np.array(self.page.evaluate('window.explanation.map()')).reshape(GRID)
        extent = maps.max() - min(maps.min(), 0)
        np.testing.assert_allclose(drawn, np.maximum(maps, 0), atol=extent / 255 + 1e-6)

    def place(self, xy, size):
        """Where (x, y) of an image of (h, w) pixels, shown on the canvas, lies on the canvas."""
        self.canvas.scroll_into_view_if_needed()
        box = self.canvas.bounding_box()
        return {'x': (xy[0] + 0.5) / size[1] * box['width'], 'y': (xy[1] + 0.5) / size[0] * box['height']}

    def click(self, xy, size=CROP):
        self.canvas.click(position=self.place(xy, size))

    def radio(self, group, value):
        self.page.locator(f'label:has(input[name={group}][value="{value}"])').click()
        self.page.mouse.move(1, 1)

    def slide(self, name, value):
        self.page.locator(f'#{name}').fill(str(value))

    def pixel(self, xy, size=CROP, canvas=None):
        """The colour (R, G, B) that is drawn there, once it is."""
        spot = self.place(xy, size)
        script = """(canvas, {x, y}) => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(() => {
            const ratio = canvas.width / canvas.clientWidth;
            const copy = document.createElement('canvas').getContext('2d', {willReadFrequently: true});
            copy.drawImage(canvas, -Math.floor(x * ratio), -Math.floor(y * ratio));
            done(Array.from(copy.getImageData(0, 0, 1, 1).data).slice(0, 3));
        })))"""
        return np.array((canvas or self.canvas).evaluate(script, spot))


@pytest.fixture
def show(open_page, path, image):
    """Opens a page of some people."""

    def open_people(*people, title='a.jpg', **options):
        write_page(path, image, people, title)
        return Shown(open_page(path, **options))

    return open_people


class TestBrowser:
    def test_it_opens_with_the_last_layer(self, show):
        person = explanation()
        shown = show(person)
        shown.expect(person.dependency[-1, :, 0].mean(0), person=0, keypoint=0, layer=LAYERS - 1, head='mean')
        assert shown.page.title() == shown.page.text_content('h1') == 'a.jpg'

    def test_clicks_choose_keypoints(self, show):
        person = explanation()
        shown = show(person)
        for keypoint in (1, 2, 0):
            shown.click(POINTS[keypoint])
            shown.page.mouse.move(1, 1)
            maps = person.dependency[-1, :, keypoint].mean(0)
            shown.expect(maps, keypoint=keypoint, direction='dependency', view='crop')

    def test_hovering_shows_and_leaving_returns(self, show):
        person = explanation()
        shown = show(person)
        shown.canvas.hover(position=shown.place(POINTS[2], CROP))
        shown.expect(person.dependency[-1, :, 2].mean(0), keypoint=2)
        shown.page.mouse.move(1, 1)
        shown.expect(person.dependency[-1, :, 0].mean(0), keypoint=0)
        shown.page.locator('#keypoints label').nth(1).hover()
        shown.expect(person.dependency[-1, :, 1].mean(0), keypoint=1)

    def test_layers_heads_and_kinds(self, show):
        person = explanation()
        shown = show(person)
        shown.radio('keypoint', 1)
        shown.slide('layer', 2)
        shown.expect(person.dependency[1, :, 1].mean(0), layer=1, head='mean')
        shown.slide('head', 2)
        shown.expect(person.dependency[1, 1, 1], layer=1, head=1)
        shown.radio('kind', 'affect')
        shown.expect(person.affect[1, 1, 1], direction='affect', head=1)
        shown.radio('kind', 'rollout')
        shown.expect(person.relevance['rollout'][1], direction='rollout', head='mean')
        assert shown.page.locator('#layer').is_disabled() and shown.page.locator('#head').is_disabled()
        shown.radio('kind', 'input_gradient')
        shown.expect(person.relevance['input_gradient'][1], direction='input_gradient')
        shown.radio('kind', 'dependency')
        shown.expect(person.dependency[1, 1, 1], layer=1, head=1)
        shown.page.locator('#strip button').nth(0).click()
        shown.expect(person.dependency[0, 1, 1], layer=0)

    def test_one_head_has_no_slider(self, show):
        shown = show(explanation(heads=None, affect=None))
        assert not shown.page.locator('#head-row').is_visible()
        assert shown.page.locator('input[name=kind]').evaluate_all('all => all.map((one) => one.value)') == [
            *('dependency', 'rollout', 'input_gradient')
        ]

    def test_values_at_the_threshold_are_not_drawn(self, show):
        maps = np.zeros((LAYERS, KEYPOINTS, *GRID), np.float32)
        maps[..., 2, 1], maps[..., 5, 4] = 0.25, 1
        shown = show(explanation(dependency=maps, affect=None))
        kept = np.array(shown.page.evaluate('window.explanation.map()')).reshape(GRID)
        assert np.argwhere(kept).tolist() == [[2, 1], [5, 4]]
        shown.page.locator('#threshold-value').fill(str(kept[2, 1]))
        kept = np.array(shown.page.evaluate('window.explanation.map()')).reshape(GRID)
        assert np.argwhere(kept).tolist() == [[5, 4]]
        shown.slide('threshold', 1000)
        assert not any(shown.page.evaluate('window.explanation.map()'))
        shown.slide('threshold', 0)
        assert np.count_nonzero(shown.page.evaluate('window.explanation.map()')) == 2

    def test_the_threshold_that_it_opens_with(self, open_page, path, image):
        person = explanation()
        write_page(path, image, [person], 'a.jpg', threshold=0.02)
        shown = Shown(open_page(path))
        maps = person.dependency[-1, :, 0].mean(0)
        assert 0 < (maps <= 0.02).mean() < 1
        drawn = np.array(shown.page.evaluate('window.explanation.map()')).reshape(GRID)
        unsure = np.abs(maps - 0.02) < maps.max() / 255
        np.testing.assert_array_equal((drawn > 0)[~unsure], (maps > 0.02)[~unsure])
        assert shown.page.locator('#threshold-value').input_value() == '0.02'
        shown.radio('kind', 'rollout')
        assert shown.page.locator('#threshold-value').input_value() == '0'

    def test_colour_where_the_map_weighs(self, show):
        maps = np.zeros((LAYERS, KEYPOINTS, *GRID), np.float32)
        maps[:, :, 6, 4] = 1
        maps[:, 1, 6, 4], maps[:, 1, 1, 4] = 0.4, 0.6
        crop = np.full((*CROP, 3), (160, 120, 60), np.uint8)
        shown = show(explanation(dependency=maps, affect=None, crop=crop))
        middle, elsewhere = (4 * 8 + 3.5, 6 * 8 + 3.5), (4 * 8 + 3.5, 4 * 8 + 3.5)
        shown.slide('opacity', 100)
        shown.page.locator('#smooth').uncheck()
        brightest = COLOURS[-1, ::-1]
        np.testing.assert_allclose(shown.pixel(middle), brightest, atol=8)
        np.testing.assert_allclose(shown.pixel(elsewhere), in_grey(crop)[0, 0], atol=3)
        shown.radio('scale', 'layer')
        shown.radio('keypoint', 1)  # on the layer's scale, 0.4 of keypoint 0's largest
        assert np.abs(shown.pixel(middle) - brightest).max() > 60
        shown.radio('scale', 'map')
        other = shown.pixel((4 * 8 + 3.5, 8 + 3.5))
        np.testing.assert_allclose(other, brightest, atol=8)
        shown.radio('scale', 'layer')
        shown.slide('opacity', 50)
        mixed = laid_over(in_grey(crop)[:1, :1], *heat(np.array([[0.4]]), 1, opacity=0.5))[0, 0, ::-1]
        np.testing.assert_allclose(shown.pixel(middle), mixed, atol=4)
        shown.slide('opacity', 0)
        assert np.ptp(shown.pixel(middle)) <= 2

    def test_cells_and_smooth(self, show):
        maps = np.zeros((LAYERS, KEYPOINTS, *GRID), np.float32)
        maps[:, :, 6, 4] = 1
        crop = np.full((*CROP, 3), 128, np.uint8)
        shown = show(explanation(dependency=maps, affect=None, crop=crop))
        beside = (5 * 8 + 1, 6 * 8 + 3.5)  # in the next column, near the edge
        assert np.ptp(shown.pixel(beside)) > 20
        shown.page.locator('#smooth').uncheck()
        assert np.ptp(shown.pixel(beside)) <= 2
        assert np.ptp(shown.pixel((5 * 8 - 2, 6 * 8 + 6))) > 20  # the cell's corner is as bright as its middle

    def test_the_border_goes_on_to_the_crops_edge(self, show):
        maps = np.zeros((LAYERS, KEYPOINTS, *GRID), np.float32)
        maps[..., 5] = 1
        short = np.array([[8, 0, 2], [0, 8, 2]])  # cells end at pixel 46, the crop at 47.5
        shown = show(
            explanation(dependency=maps, affect=None, token_to_crop=short, crop=np.full((*CROP, 3), 128, np.uint8))
        )
        shown.page.locator('#smooth').uncheck()
        assert np.ptp(shown.pixel((47, 40))) > 60
        shown.canvas.hover(position=shown.place((47, 63), CROP))
        assert 'row 7, column 5: 1' in shown.page.text_content('#readout')

    def test_value_under_the_pointer(self, show):
        person = explanation()
        shown = show(person)
        shown.canvas.hover(position=shown.place((4 * 8 + 4, 5 * 8 + 2), CROP))
        text = shown.page.text_content('#readout')
        assert text.startswith('nose · row 5, column 4: ')
        value = float(text.split(': ')[1].split(',')[0])
        maps = person.dependency[-1, :, 0].mean(0)
        assert value == pytest.approx(maps[5, 4], abs=float(person.dependency[-1, :, 0].max()) / 255)
        shown.page.mouse.move(1, 1)
        cell = np.unravel_index(maps.argmax(), GRID)  # counted, and spelt, as the app does
        assert f'largest weight at {place_name(cell)}' in shown.page.text_content('#readout')

    def test_the_image_stays_where_it_is_while_texts_change(self, show):
        shown = show(explanation(), viewport=dict(width=960, height=720))
        shown.radio('view', 'image')
        end = "document.querySelector('main').getBoundingClientRect().bottom"
        shown.page.evaluate(f'scrollBy(0, {end} - 450)')  # where the stage sticks to the end of its column
        before = shown.canvas.bounding_box()
        lines = "document.getElementById('readout').clientHeight"
        height = shown.page.evaluate(lines)
        shown.page.mouse.move(before['x'] + 120, before['y'] + before['height'] * 0.75)
        assert shown.page.evaluate(lines) > height
        assert shown.canvas.bounding_box() == before

    def test_people(self, show):
        people = [explanation(), explanation(seed=1, shift=(110, 20))]
        shown = show(*people)
        shown.radio('person', 1)
        shown.expect(people[1].dependency[-1, :, 0].mean(0), person=1)
        shown.radio('view', 'image')
        shown.expect(people[1].dependency[-1, :, 0].mean(0), person=1, view='image')
        shown.click(people[0].bbox[:2] + 3, IMAGE)  # the other one's box
        shown.page.mouse.move(1, 1)
        shown.expect(people[0].dependency[-1, :, 0].mean(0), person=0)
        shown.click(people[0].keypoints[2], IMAGE)
        shown.page.mouse.move(1, 1)
        shown.expect(people[0].dependency[-1, :, 2].mean(0), person=0, keypoint=2)
        box = shown.page.locator('#overview').bounding_box()
        scale = box['width'] / IMAGE[1]
        shown.page.locator('#overview').click(position=dict(x=140 * scale, y=60 * scale))
        shown.expect(people[1].dependency[-1, :, 2].mean(0), person=1, keypoint=2)

    def test_the_map_lies_in_its_place_in_the_image(self, show, image, path):
        maps = np.zeros((LAYERS, KEYPOINTS, *GRID), np.float32)
        maps[:, :, 6, 4] = 1
        image[:] = 128
        person = explanation(dependency=maps, affect=None)
        shown = show(person)
        shown.radio('view', 'image')
        x, y = person.crop_to_image @ [4 * 8 + 3.5, 6 * 8 + 3.5, 1]
        assert np.ptp(shown.pixel((x, y), IMAGE)) > 60
        assert np.ptp(shown.pixel((x, y - 24), IMAGE)) <= 2 and np.ptp(shown.pixel((x - 26, y), IMAGE)) <= 2
        shown.canvas.hover(position=shown.place((x + 3, y - 3), IMAGE))
        assert 'row 6, column 4: 1' in shown.page.text_content('#readout')

    def test_keys(self, show):
        person = explanation()
        shown = show(person)
        shown.canvas.focus()
        shown.page.keyboard.press('ArrowRight')
        shown.expect(person.dependency[-1, :, 1].mean(0), keypoint=1)
        shown.page.keyboard.press('ArrowLeft')
        shown.page.keyboard.press('ArrowLeft')
        shown.expect(person.dependency[-1, :, 2].mean(0), keypoint=2)
        shown.page.keyboard.press('ArrowDown')
        shown.expect(person.dependency[-2, :, 2].mean(0), layer=LAYERS - 2)
        shown.page.keyboard.press('ArrowUp')
        shown.page.keyboard.press('[')
        shown.page.keyboard.press('[')
        shown.expect(person.dependency[0, :, 2].mean(0), layer=0)
        row, col = np.unravel_index(person.dependency[0, :, 2].mean(0).argmax(), GRID)
        shown.page.keyboard.press('Shift+ArrowUp')
        assert f'row {max(row - 1, 0)}, column {col}: ' in shown.page.text_content('#readout')

    def test_every_control_is_reached_with_tab_and_shows_it(self, show):
        shown = show(explanation(), explanation(seed=1))
        focus = 'document.activeElement.id || document.activeElement.name || document.activeElement.ariaLabel'
        ring = """getComputedStyle(document.activeElement.type === 'radio' ? document.activeElement.parentNode
            : document.activeElement).outlineStyle"""
        reached = []
        for _ in range(30):
            shown.page.keyboard.press('Tab')
            reached.append(shown.page.evaluate(focus))
            if shown.page.evaluate('document.activeElement === document.body'):
                break
            assert shown.page.evaluate(ring) == 'solid' or reached[-1] is None  # the summary's own ring
        for name in (
            'theme',
            'map',
            'person',
            'kind',
            'layer',
            'head',
            'keypoint',
            'threshold',
            'opacity',
            'view',
            'smooth',
        ):
            assert name in reached

    def test_keypoints_by_radio_keys(self, show):
        person = explanation()
        shown = show(person)
        shown.page.locator('input[name=keypoint]').first.focus()
        shown.page.keyboard.press('ArrowDown')
        shown.expect(person.dependency[-1, :, 1].mean(0), keypoint=1)
        assert shown.page.locator('input[name=keypoint]').nth(1).is_checked()

    def test_taps_and_phone_width(self, show):
        person = explanation()
        phone = dict(viewport=dict(width=360, height=740), has_touch=True, is_mobile=True, device_scale_factor=2)
        shown = show(person, explanation(seed=1), title='a_very_long_name_of_an_image_' * 5, **phone)
        shown.canvas.tap(position=shown.place(POINTS[2], CROP))
        shown.expect(person.dependency[-1, :, 2].mean(0), keypoint=2)
        shown.canvas.tap(position=shown.place((3.5, 7 * 8 + 3.5), CROP))
        assert 'row 7, column 0: ' in shown.page.text_content('#readout')
        assert shown.page.evaluate('document.documentElement.scrollWidth') == 360

    def test_uncertain_keypoints_are_marked_and_can_be_chosen(self, show):
        person = explanation()
        shown = show(person)
        assert shown.page.locator('#keypoints .uncertain').all_text_contents() == ['left wrist0.20']
        shown.click(POINTS[1])
        shown.expect(person.dependency[-1, :, 1].mean(0), keypoint=1)
        assert 'uncertain' in shown.canvas.get_attribute('aria-label')
        assert 'below 0.3' in shown.page.text_content('#uncertain-note')

    def test_hostile_texts_run_nothing_and_are_shown(self, show):
        person = explanation(names=(HOSTILE, 'b', 'c'), relevance={HOSTILE: np.ones((KEYPOINTS, *GRID))})
        shown = show(person, title=HOSTILE)
        shown.page.locator('input[name=kind]').last.check(force=True)
        shown.expect(np.ones(GRID), direction=HOSTILE)
        assert shown.page.evaluate('window.hacked') is None
        assert shown.page.locator('img, script').count() == 2
        assert shown.page.text_content('h1') == HOSTILE
        assert shown.page.locator('#keypoints .name').first.text_content() == HOSTILE
        assert HOSTILE in shown.page.text_content('#readout')

    def test_light_and_dark(self, show):
        background = 'getComputedStyle(document.body).backgroundColor'
        pages = [show(explanation(), color_scheme=scheme).page for scheme in ('light', 'dark')]
        light, dark = (page.evaluate(background) for page in pages)
        assert light == 'rgb(246, 246, 243)' and dark == 'rgb(16, 18, 22)'
        pages[0].locator('#theme').click()
        assert pages[0].evaluate(background) == dark
        assert pages[0].text_content('#theme') == 'Light theme'


def peaked(heights, names=None, **changes):
    """A person whose keypoints' maps have these heights in the last layer, 0.1 in others, each at its own cell."""
    maps = np.full((LAYERS, len(heights), *GRID), 0.01, np.float32)
    for keypoint, height in enumerate(heights):
        maps[:, keypoint, keypoint % 8, 3] = 0.1
        maps[-1, keypoint, keypoint % 8, 3] = height
    count = len(heights)
    fields = dict(names=names or [f'point_{each}' for each in range(count)], scores=np.full(count, 0.9), skeleton=[])
    fields.update(dependency=maps, affect=None, relevance={}, keypoints=np.resize(POINTS, (count, 2)) * 1.5 + 20)
    return explanation(**{**fields, **changes})


class TestFirstSight:
    @pytest.mark.parametrize(
        ('scores', 'person', 'keypoint'),
        [
            ([[0.9, 0.2, 0.7, 0.9]], 0, 2),  # the highest map, of keypoint 1, is uncertain
            ([[0.1, 0.2, 0.1, 0.1]], 0, 1),  # all are
            ([[0.1, 0.2, np.nan, 0.1], [0.9, 0.1, 0.1, 0.1]], 1, 0),
        ],
    )
    def test_it_opens_on_the_highest_map_of_a_certain_keypoint(self, show, scores, person, keypoint):
        heights = [0.3, 0.9, 0.6, 0.5]
        shown = show(*(peaked(heights, scores=np.array(each)) for each in scores))
        maps = peaked(heights).dependency[-1, keypoint]
        shown.expect(maps, person=person, keypoint=keypoint, layer=LAYERS - 1)

    def test_both_layers_glow(self, show):
        shown = show(peaked([0.3, 0.9, 0.6], scores=np.array([0.9, 0.2, 0.9])), viewport=dict(width=1440, height=900))
        shown.slide('opacity', 100)
        shown.page.locator('#smooth').uncheck()
        for canvas in (shown.canvas, shown.page.locator('#beside')):
            np.testing.assert_allclose(shown.pixel((3 * 8 + 6, 2 * 8 + 6), canvas=canvas), COLOURS[-1, ::-1], atol=8)
        assert shown.page.locator('input[name=scale][value=map]').is_checked()
        ticks = shown.page.locator('.ticks span:last-child').all_text_contents()
        assert ticks == ['0.6', '0.1']  # each layer's own scale

    def test_two_layers_follow_the_keypoint(self, show):
        person = explanation(heads=None)
        shown = show(person, viewport=dict(width=1100, height=800))
        box, beside = shown.canvas.bounding_box(), shown.page.locator('#beside')
        assert np.abs(shown.beside() - person.dependency[0, 0]).max() < 1e-3
        assert shown.page.locator('#stage span').all_text_contents() == ['Layer 3', 'Layer 1']
        assert beside.bounding_box()['x'] < box['x']
        beside.click(position=shown.place(POINTS[2], CROP))
        shown.page.keyboard.press('ArrowLeft')  # the image has the focus
        shown.page.keyboard.press('ArrowRight')
        shown.page.mouse.move(1, 1)
        shown.expect(person.dependency[-1, 2], keypoint=2)
        assert np.abs(shown.beside() - person.dependency[0, 2]).max() < 1e-3
        beside.hover(position=shown.place((4 * 8 + 4, 5 * 8 + 2), CROP))
        values = shown.page.text_content('#readout').split('; in layer 1: ')
        assert float(values[1]) == pytest.approx(person.dependency[0, 2, 5, 4], abs=1e-3)
        assert 'row 5, column 4: ' in values[0]
        shown.slide('layer', 1)
        shown.expect(person.dependency[0, 2], layer=0)
        assert np.abs(shown.beside() - person.dependency[-1, 2]).max() < 1e-3
        shown.pixel(POINTS[0])  # once it is drawn
        assert shown.canvas.bounding_box()['x'] < beside.bounding_box()['x']
        assert beside.get_attribute('aria-label') == 'dependency map of left ankle, layer 3'

    def test_where_one_layer_is_shown(self, show):
        shown = show(explanation())
        for change in (
            lambda: shown.page.locator('#two').uncheck(),
            lambda: shown.radio('view', 'image'),  # 200 x 120: each would have half the width
            lambda: shown.page.set_viewport_size(dict(width=800, height=700)),
            lambda: shown.radio('kind', 'rollout'),
        ):
            assert shown.beside() is not None
            change()
            shown.pixel(POINTS[0])
            assert shown.beside() is None and ';' not in shown.page.text_content('#readout')
            shown.radio('kind', 'dependency')
            shown.radio('view', 'crop')
            shown.page.set_viewport_size(dict(width=1280, height=720))
            shown.page.locator('#two').check()
            shown.pixel(POINTS[0])
        one = explanation(heads=None, dependency=explanation(heads=None).dependency[:1], affect=None)
        alone = show(one)
        assert alone.beside() is None and not alone.page.locator('#two').is_visible()
        assert 'layer' not in alone.page.text_content('#hint')

    def test_it_says_what_to_do(self, show):
        assert show(explanation()).page.text_content('#hint') == (
            'Click a keypoint, or hover over it, to see what it depends on. Keys: ← → for keypoints, ↑ ↓ for layers.'
        )
        phone = show(explanation(), viewport=dict(width=390, height=844), has_touch=True, is_mobile=True)
        assert phone.page.text_content('#hint') == 'Tap a keypoint to see what it depends on. Below, tap a layer.'

    def test_arrows_before_anything_has_the_focus(self, show):
        shown = show(explanation())
        shown.page.keyboard.press('ArrowRight')
        shown.page.keyboard.press('ArrowDown')
        assert (shown.state['keypoint'], shown.state['layer']) == ('1', '1')


class TestLinks:
    @pytest.mark.parametrize(
        ('fragment', 'state'),
        [
            ('keypoint=left_wrist&layer=2', dict(keypoint=1, layer=1, person=0, direction='dependency')),
            ('keypoint=left%20ankle&person=2', dict(keypoint=2, layer=2, person=1)),
            ('map=affect&layer=1', dict(keypoint=0, layer=0, direction='affect')),
            ('map=input_gradient&keypoint=left+wrist', dict(keypoint=1, direction='input_gradient')),
        ],
    )
    def test_a_link_chooses(self, show, fragment, state):
        shown = show(explanation(), explanation(seed=1), fragment=fragment)
        assert shown.state.items() >= {name: str(value) for name, value in state.items()}.items()
        assert not shown.page.locator('#missing').is_visible()

    def test_what_the_page_does_not_have(self, show):
        hostile = '<img src=x onerror="window.hacked=1">'
        shown = show(explanation(), fragment=f'keypoint={hostile}&layer=4&person=0&map=nothing')
        assert shown.state.items() >= dict(person='0', keypoint='0', layer='2', direction='dependency').items()
        assert shown.page.text_content('#missing') == (
            f'The link asks for person “0”, keypoint “{hostile}”, map “nothing”, layer “4”, '
            'which this page does not have.'
        )
        assert shown.page.evaluate('window.hacked') is None

    def test_a_link_on_the_open_page(self, show):
        shown = show(explanation())
        shown.radio('keypoint', 2)
        for fragment, state in (('layer=2', ('2', '1')), ('keypoint=left_wrist', ('1', '1')), ('', ('1', '1'))):
            shown.follow(fragment)
            assert (shown.state['keypoint'], shown.state['layer']) == state


class TestManyKeypoints:
    def test_search(self, show):
        names = [f'{side}_hand_{number}' for side in ('left', 'right') for number in range(20)]
        shown = show(peaked([0.5] * 39 + [0.9], names))
        listed = shown.page.locator('#keypoints label:visible .name')
        box, last = (shown.page.locator(name).bounding_box() for name in ('#keypoints', '#keypoints label:last-child'))
        assert box['y'] <= last['y'] and last['y'] + last['height'] <= box['y'] + box['height']  # the chosen one
        shown.page.locator('#search').fill('2 RIGHT')
        assert listed.all_text_contents() == ['right hand 2', 'right hand 12']
        assert shown.page.text_content('#found') == '2 of 40 keypoints'
        shown.page.keyboard.press('Enter')
        shown.page.keyboard.press('[')  # a text, not a command
        assert (shown.state['keypoint'], shown.state['layer']) == ('22', '2')
        shown.page.keyboard.press('Enter')
        assert listed.count() == 0 and shown.state['keypoint'] == '22'
        shown.page.locator('#search').fill('')
        assert listed.count() == 40 and shown.page.text_content('#found') == ''

    def test_the_list_can_be_scrolled(self, show):
        """By the wheel, over labels that the pointer enters and leaves; it stays where it was scrolled to."""
        shown = show(peaked([0.9] + [0.5] * 132), viewport=dict(width=1000, height=900))
        page, box = shown.page, shown.page.locator('#keypoints')
        box.scroll_into_view_if_needed()
        frame = box.bounding_box()
        page.mouse.move(frame['x'] + 60, frame['y'] + 300)
        for _ in range(5):
            page.mouse.wheel(0, 60)
        page.wait_for_timeout(200)
        page.mouse.move(1, 1)
        page.wait_for_timeout(50)
        assert box.evaluate('list => list.scrollTop') > 150 and shown.state['keypoint'] == '0'
        shown.follow('layer=1')  # shows what is chosen
        assert box.evaluate('list => list.scrollTop') < 5

    def test_the_list_stays_where_the_search_hides_the_chosen_one(self, show):
        shown = show(peaked([0.9] + [0.5] * 132, [f'{"odd" if one % 2 else "even"}_{one}' for one in range(133)]))
        page, box = shown.page, shown.page.locator('#keypoints')
        page.locator('#search').fill('odd')
        box.evaluate('list => { list.scrollTop = 200; }')
        page.locator('#layer').fill('1')
        page.keyboard.press('[')
        assert box.evaluate('list => list.scrollTop') == 200
        shown.follow('keypoint=even_2')  # hidden, too
        assert shown.state['keypoint'] == '2' and box.evaluate('list => list.scrollTop') == 200
        shown.follow('keypoint=odd_131')
        assert box.evaluate('list => list.scrollTop') > 200

    def test_few_have_no_search(self, show):
        assert not show(explanation()).page.locator('#search').is_visible()
