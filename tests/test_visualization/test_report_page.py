"""The report: what it carries, that nothing breaks out of it, and what people can do with it in a browser."""

import base64
import json

import numpy as np
import pytest
from page_waits import wait_until
from test_explanation_page import HOSTILE, explanation

from mmtranspose.dataset_explanation.cases.error_links import QUESTIONS
from mmtranspose.visualization import write_page
from mmtranspose.visualization.explanation_page.packing import LEVELS
from mmtranspose.visualization.report_page import PersonCard, person_cards, write_report_page

pytest_plugins = ['browser']

NAMES = ['nose', 'left_wrist', 'left_ankle']
KINDS = [['good', 'swap', 'miss'], ['inversion', 'jitter', None], ['good', 'good', 'good'], ['miss', 'miss', 'swap']]
ERRORS = [[0.1, 3.0, 5.0], [2.0, 1.0, np.nan], [0.1, 0.2, 0.3], [1.5, 9.0, 4.0]]


def card(number, file='image.jpg', page=None, **changes):
    person = explanation(seed=number, scores=np.array([0.9, 0.1 * (number + 1), 0.7]), **changes)
    truth = person.keypoints + 10.0
    truth[[kind is None for kind in KINDS[number]]] = np.nan
    whose = [7 if kind == 'swap' else None for kind in KINDS[number]]
    oks = 0.2 + 0.1 * number
    return PersonCard(person, 10 + number, file, oks, 0.5, truth, KINDS[number], np.array(ERRORS[number]), whose, page)


def summary(names=NAMES, faithful=True):
    types = [
        dict(type=name, keypoints=n, mean=n / 10, low=np.nan, high=np.nan, n=4)
        for name, n in [('good', 4), ('jitter', 1), ('inversion', 1), ('swap', 2), ('miss', 2)]
    ]
    costs = [
        dict(corrected=name, keypoints=1, AP=0.5 + gain, AP50=0.75, AP75=0.25, gain=gain)
        for name, gain in [('none', 0.0), ('miss', 0.25), ('swap', 0.125), ('inversion', 0.0), ('jitter', 0.0625)]
    ]
    counts = dict(good=2, jitter=0, inversion=0, swap=1, miss=1)
    link = dict(of_errors=0.3, of_good=0.1, mean=0.2, low=0.1, high=0.3, keypoints=12, n=12, enough=True)
    few = dict(link, keypoints=2, n=2, enough=False)
    links = [
        dict(error=error, map=name, quantity=quantity, **row)
        for error, quantity, row in [('swap', 'other part', link), ('inversion', 'counterpart', few)]
        for name in ('attention', 'rollout', 'radial average')
    ]
    links += [
        dict(few, error=error, map='attention', quantity=quantity)
        for error, quantities in QUESTIONS.items()
        for quantity in quantities
        if (error, quantity) not in [('swap', 'other part'), ('inversion', 'counterpart')]
    ]
    rows = [dict(method='attention-2', measure='deletion', mean=0.15, low=0.14, high=0.16, n=4)]
    return dict(
        people=4,
        keypoints=dict(all=11, visible=10, occluded=1),
        names=list(names),
        faithfulness=rows if faithful else [],
        cases=dict(
            oks=[0] * 4 + [1, 0] * 4 + [0] * 8,
            mean_person_oks=0.35,
            types=types,
            keypoints=[dict(keypoint=name, labelled=4, score=0.5, error_sigma=1.0, **counts) for name in names],
            costs=costs,
            links=links,
        ),
    )


@pytest.fixture
def figures():
    return dict(layers=np.full((20, 30, 3), 200, np.uint8))


def data_of(path):
    text = path.read_text()
    return json.loads(text.split('<script id="data" type="application/json">')[1].split('</script>')[0])


def test_what_a_card_carries(tmp_path):
    write_report_page(tmp_path / 'report.html', 'model', summary(), [(0, 1)], {}, [card(0), card(1)])
    data = data_of(tmp_path / 'report.html')
    found, person = data['cards'][0], explanation(seed=0)
    assert found['kinds'] == KINDS[0] and found['errors'] == ERRORS[0] and found['mistakenFor'] == [None, '7', None]
    np.testing.assert_allclose(found['predicted'], person.crop_keypoints, atol=0.06)
    np.testing.assert_allclose(found['truth'], person.to_crop(person.keypoints + 10), atol=0.06)
    assert found['mapped'] == [2, 1, 0] and data['cards'][1]['mapped'] == [0, 1]  # worst first, without the unlabelled
    assert data['cards'][1]['truth'][2] is None and data['cards'][1]['errors'][2] is None
    maps = found['maps']
    codes = np.frombuffer(base64.b64decode(maps['codes']), np.uint8).reshape(3, 8, 6)
    last = person.dependency[-1].mean(0)
    decoded = np.array(maps['low'])[:, None, None] + (
        np.subtract(maps['high'], maps['low'])[:, None, None] * (codes / LEVELS) ** 2
    )
    np.testing.assert_allclose(decoded, last[[2, 1, 0]], atol=last.max() / LEVELS)
    assert data['cases']['types'][0]['low'] is None  # JSON has no NaN


def test_maps_that_are_carried(monkeypatch):
    """Two maps: of the largest errors, but the wrong keypoint of the highest score has one in any case."""
    monkeypatch.setattr(person_cards, 'MAPS', 2)
    one = card(0)
    for scores, errors, expected in (
        ([0.9, 0.8, 0.7], [0.1, 3, 5], [2, 1]),
        ([0.9, 0.8, 0.7], [4, 3, 5], [2, 1]),  # the first keypoint is good
        ([0.9, 0.7, 0.8], [4, 3, 5], [2, 0]),
    ):
        one.explanation.scores[:], one.errors = scores, np.array(errors)
        assert one.mapped() == expected


def test_no_text_breaks_out(open_page, tmp_path, figures):
    hostile = card(0, file=HOSTILE, page='people/10.html')
    hostile.annotation, hostile.mistaken_for = HOSTILE, [None, HOSTILE, None]
    path = tmp_path / 'report.html'
    write_report_page(path, HOSTILE, summary([HOSTILE, *NAMES[1:]]), [(0, 1)], figures, [hostile])
    page = open_page(path)
    assert page.evaluate('window.hacked') is None
    assert page.locator('h1').evaluate('(element) => element.textContent') == HOSTILE
    assert page.locator('.card h3').evaluate('(element) => element.textContent') == HOSTILE
    assert page.locator('img').count() == 1  # the figure; the hostile one is text


@pytest.fixture
def shown(open_page, tmp_path, figures):
    """Opens the report of four people, of whom the first two have a page."""
    image = np.random.default_rng(9).integers(0, 256, (120, 200, 3), dtype=np.uint8)
    for number in (0, 1):
        write_page(tmp_path / 'people' / f'{10 + number}.html', image, [explanation(seed=number)], f'person {number}')

    def show(scores=None, **options):
        cards = [card(n, page=f'people/{10 + n}.html' if n < 2 else None) for n in range(4)]
        for one, values in zip(cards, scores or []):
            one.explanation.scores[:] = values
        write_report_page(tmp_path / 'report.html', 'model', summary(), [(0, 1), (1, 2)], figures, cards)
        return open_page(tmp_path / 'report.html', **options)

    return show


def annotations(page):
    return [text.split()[1] for text in page.locator('.card > p:nth-of-type(1)').all_inner_texts()]


def worst(page):
    return [text.split(',')[0] for text in page.locator('.worst').all_inner_texts()]


def test_filters_and_order(shown):
    page = shown()
    assert annotations(page) == ['10', '11', '13']  # the third has no error
    assert worst(page) == ['left ankle: miss', 'nose: inversion', 'left wrist: miss']
    assert page.locator('#count').inner_text() == '3 of 4 people with a wrong keypoint'
    page.locator('#kinds label', has_text='swap').click()
    assert annotations(page) == ['10', '13'] and worst(page) == ['left wrist: swap with 7', 'left ankle: swap with 7']
    page.select_option('#keypoint', label='left wrist')
    assert (
        annotations(page) == ['10'] and page.locator('#count').inner_text() == '1 of 4 people with a swap of left wrist'
    )
    page.locator('#kinds label', has_text='any').click()
    assert annotations(page) == ['10', '11', '13']
    page.select_option('#order', 'error')
    assert annotations(page) == ['13', '10', '11']  # errors of the left wrist: 9, 3, 1
    page.select_option('#order', 'sure')
    assert annotations(page) == ['13', '11', '10']  # its scores: 0.4, 0.2, 0.1


def test_surest_of_all_keypoints(shown):
    """Without a keypoint to ask for: the one of the highest score among a person's wrong ones, not the furthest."""
    page = shown(scores=[[0.9, 0.8, 0.1], [0.3, 0.95, 0.7], [1, 1, 1], [0.2, 0.5, 0.6]])
    assert worst(page) == ['left ankle: miss', 'nose: inversion', 'left wrist: miss']
    page.select_option('#order', 'sure')
    assert annotations(page) == ['11', '10', '13']
    assert worst(page) == ['left wrist: jitter', 'left wrist: swap with 7', 'left ankle: swap with 7']


def test_figures_are_the_data(shown):
    page = shown()
    tiles = dict(zip(page.locator('#tiles dt').all_inner_texts(), page.locator('#tiles dd').all_inner_texts()))
    expected = {
        'people': '4',
        'keypoints': '10',
        'occluded': '1',
        'person OKS': '0.350',
        'AP': '0.500',
        'AP50': '0.750',
    }
    assert tiles == expected | {'AP75': '0.250'}
    widths = page.locator('#type-table .bar > div').evaluate_all('(bars) => bars.map((bar) => bar.style.width)')
    assert widths == ['25%', '0%', '50%', '100%']  # jitter, inversion, swap, miss
    assert '+0.250' in page.locator('#type-table tr', has_text='miss').inner_text()
    assert page.locator('#histogram svg').is_visible()
    heights = page.locator('#histogram rect').evaluate_all(
        '(bars) => bars.map((bar) => Number(bar.getAttribute("height")))'
    )
    assert [n for n, height in enumerate(heights) if height] == [4, 6, 8, 10]
    links = page.locator('#link-table tbody tr').all_inner_texts()
    assert '+0.200 [+0.100, +0.300]' in links[0] and '12 in 12 people' in links[0] and 'too few (n = 2)' in links[1]
    words = page.locator('#link-table').inner_text()
    assert 'undefined' not in words and 'on the rejected place' in words
    assert '0.150 [0.140, 0.160]' in page.locator('#faithfulness-table').inner_text()


def test_a_map_is_drawn_where_it_is_high(shown):
    page = shown()
    page.select_option('#keypoint', label='left wrist')
    wait_until(page, 'document.querySelector(".card canvas").height > 64')
    small = page.locator('.card canvas').first.evaluate(
        """(canvas) => {
          const to = Object.assign(document.createElement('canvas'), { width: 12, height: 16 }).getContext('2d');
          to.imageSmoothingQuality = 'high';
          to.drawImage(canvas, 0, 0, 12, 16);
          return [...to.getImageData(0, 0, 12, 16).data];
        }"""
    )
    pixels = np.array(small, float).reshape(16, 12, 4)[..., :3]
    colour = (pixels.max(-1) - pixels.min(-1)).reshape(8, 2, 6, 2).mean((1, 3))
    weights = explanation(seed=0).dependency[-1].mean(0)[1]
    assert np.corrcoef(colour.ravel(), weights.ravel())[0, 1] > 0.7


def test_a_keypoint_of_the_table_filters(shown):
    page = shown()
    page.locator('#keypoint-table button', has_text='left ankle').press('Enter')
    assert page.locator('#keypoint').input_value() == '2' and annotations(page) == ['10', '13']
    assert page.evaluate('document.activeElement.id') == 'keypoint'


def test_click_through_to_the_wrong_keypoint(open_page, shown, tmp_path):
    page = shown()
    page.locator('#kinds label', has_text='swap').click()
    link = page.locator('.card a').first
    assert link.get_attribute('href') == f'people/10.html#keypoint={NAMES[1]}'
    link.click()
    wait_until(page, 'window.explanation')
    assert page.evaluate('window.explanation.state.keypoint') == 1
    assert page.locator('h1').inner_text() == 'person 0'
    open_page(tmp_path / 'people' / '10.html')  # what the click asked for is a page of ours


@pytest.mark.parametrize('scheme', ['light', 'dark'])
def test_fits_a_phone(shown, scheme):
    page = shown(viewport=dict(width=360, height=740), color_scheme=scheme)
    assert page.evaluate('document.documentElement.scrollWidth') == 360
    dark = page.evaluate('getComputedStyle(document.body).backgroundColor') == 'rgb(16, 18, 22)'
    assert dark == (scheme == 'dark')


@pytest.mark.parametrize('focused', ['a', 'article'])
def test_many_people_are_drawn_step_by_step(open_page, tmp_path, focused):
    cards = []
    for number in range(30):
        one = card(number % 2, page='people/10.html' if focused == 'a' else None)
        one.annotation, one.oks = number, number / 100
        cards.append(one)
    write_report_page(tmp_path / 'report.html', 'model', summary(faithful=False), [], {}, cards)
    page = open_page(tmp_path / 'report.html')
    assert page.locator('.card').count() == 24 and page.locator('#more').inner_text() == 'Show 6 more'
    page.evaluate('document.querySelector(".card").kept = true')
    page.locator('#more').press('Enter')
    assert page.evaluate('document.querySelector(".card").kept')  # not drawn anew
    assert (
        page.locator('.card')
        .nth(24)
        .evaluate(
            '(card) => [card, ...card.querySelectorAll("a")].find((one) => one === document.activeElement)?.localName',
        )
        == focused
    )
    assert annotations(page) == [str(number) for number in range(30)] and page.locator('#more').is_hidden()
    assert page.locator('#faithfulness').is_hidden() and page.locator('#figures').is_hidden()
