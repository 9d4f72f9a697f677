"""Folders of `mmtranspose web` in headless Chromium, and the files that they are made of."""

from __future__ import annotations

import functools
import json
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from mmtranspose.deployment.file_meta import KEY
from mmtranspose.deployment.web_folder import npm_package
from mmtranspose.errors import InputError

CAMERA = ('--use-fake-device-for-media-stream', '--use-fake-ui-for-media-stream')
PATIENCE = 30_000  # milliseconds, for a machine with much else to do
DETECTED = np.array([[4, 6, 40, 60], [0, 0, 9, 9], [50, 8, 90, 70]], np.float32)


def runtime_folder(folder: Path) -> Path:
    """onnxruntime-web: what MMTRANSPOSE_ONNXRUNTIME_WEB names, else the copy that npm keeps, put into a folder.

    Skips the test where there is neither.
    """
    named = os.environ.get('MMTRANSPOSE_ONNXRUNTIME_WEB')
    if named:
        return Path(named)
    try:
        return npm_package.fetched(folder, '--offline')
    except InputError:
        pytest.skip(
            'onnxruntime-web is not there: name a copy in MMTRANSPOSE_ONNXRUNTIME_WEB, or let npm keep one by '
            f'`npm pack {npm_package.PACKAGE}@{npm_package.VERSION}`'
        )


def changed(source: Path, target: Path, outputs: tuple[str, ...] = (), **changes: object) -> Path:
    """Write an exported file with other metadata, and with some of its outputs only."""
    model = onnx.load(str(source))
    meta = json.loads({entry.key: entry.value for entry in model.metadata_props}[KEY])
    del model.metadata_props[:]
    helper.set_model_props(model, {KEY: json.dumps({**meta, **changes})})
    if outputs:
        kept = [output for output in model.graph.output if output.name in outputs]
        del model.graph.output[:]
        model.graph.output.extend(kept)
    onnx.save(model, str(target))
    return target


def write_detector(path: Path) -> Path:
    """Write a detector that finds the boxes :data:`DETECTED` with scores 0.9, 0.2, 0.7; in a black image, nobody."""
    constants = dict(found=DETECTED, sure=np.array([0.9, 0.2, 0.7], np.float32), limit=np.array(1, np.float32))
    nodes = [
        helper.make_node('Cast', ['image'], ['numbers'], to=TensorProto.FLOAT),
        helper.make_node('ReduceMax', ['numbers'], ['brightest'], keepdims=0),
        helper.make_node('Min', ['brightest', 'limit'], ['lit']),
        helper.make_node('Mul', ['found', 'lit'], ['boxes']),
        helper.make_node('Mul', ['sure', 'lit'], ['scores']),
    ]
    inputs = [helper.make_tensor_value_info('image', TensorProto.UINT8, ['h', 'w', 3])]
    outputs = [helper.make_tensor_value_info(n, TensorProto.FLOAT, s) for n, s in (('boxes', [3, 4]), ('scores', [3]))]
    tensors = [numpy_helper.from_array(value, name) for name, value in constants.items()]
    graph = helper.make_graph(nodes, 'detector', inputs, outputs, tensors)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid('', 18)], ir_version=10)
    helper.set_model_props(model, {KEY: json.dumps({'kind': 'detector'})})
    onnx.save(model, str(path))
    return path


class Server:
    """`python -m http.server` over a folder, until it is stopped."""

    def __init__(self, folder: Path):
        handler = functools.partial(QuietHandler, directory=str(folder))
        self._server = ThreadingHTTPServer(('127.0.0.1', 0), handler)
        self.url = f'http://127.0.0.1:{self._server.server_port}/'
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()


class QuietHandler(SimpleHTTPRequestHandler):
    """Logs nothing."""

    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def chromium() -> Iterator:
    """A browser with a camera that shows a test image."""
    from browser import (
        OPTIONS,
        find_chromium,
    )  # here: other modules have it as a plugin, which must be imported by pytest

    api = pytest.importorskip('playwright.sync_api', reason='playwright is not installed (requirements/dev.txt)')
    executable = find_chromium()
    if executable is None:
        pytest.skip('there is no Chromium: install it, or name its executable in MMTRANSPOSE_CHROMIUM')
    with api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=executable, args=[*OPTIONS, *CAMERA])
        yield browser
        browser.close()


@contextmanager
def without_site_data(browser, folder: Path) -> Iterator:
    """A context of the same program with a profile of its own, whose user has blocked cookies and site data."""
    from browser import OPTIONS, find_chromium  # here, as above

    settings = {'profile': {'default_content_setting_values': {'cookies': 2}}}
    (folder / 'Default').mkdir(parents=True)
    (folder / 'Default' / 'Preferences').write_text(json.dumps(settings))
    context = browser.browser_type.launch_persistent_context(
        folder, executable_path=find_chromium(), args=list(OPTIONS)
    )
    yield context
    context.close()


HOLD = """() => {
  const owner = %(owner)s;
  const call = owner.%(method)s;
  const calls = [];
  owner.%(method)s = (...given) => new Promise((resolve, reject) => {
    calls.push(() => { const done = call.apply(owner, given); done.then(resolve, reject); return done; });
  });
  web.calls = calls;
  web.unhold = () => { owner.%(method)s = call; };
}"""
LET_GO = """async () => {
  web.results = (await Promise.allSettled(web.calls.splice(0).map((call) => call()))).map(({ value }) => value);
  await new Promise((go) => setTimeout(go)); // until the page has done what follows
}"""


class Held:
    """Calls that :meth:`WebPage.held` lets wait."""

    def __init__(self, page):
        self.page = page

    def count(self) -> int:
        """How many wait, once the estimator has the image."""
        return self.page.evaluate('web.app.looked.then(() => new Promise(setTimeout)).then(() => web.calls.length)')

    def let_go(self) -> None:
        """Make the calls, and wait until the page has their results, which ``web.results`` keeps in the page."""
        self.page.evaluate(LET_GO)


class WebPage:
    """A folder's page, loaded until the model is ready."""

    def __init__(self, browser, url: str, context=None):
        self.url, self.complaints, self.requests = url, [], []
        self.page = (context or browser.new_context(viewport=dict(width=1280, height=900))).new_page()
        self.page.set_default_timeout(PATIENCE)
        self.page.on('pageerror', lambda error: self.complaints.append(str(error)))
        self.page.on('console', lambda message: self.complaints.append(message.text))
        self.page.context.on('request', lambda request: self.requests.append(request.url))
        self.page.goto(url)
        self.wait('#engine:is([data-state=ready], [data-state=failed])')

    def wait(self, selector: str) -> None:
        self.page.locator(selector).wait_for(state='attached')

    def text(self, name: str) -> str:
        return self.page.text_content(f'#{name}')

    def choose(self, path: Path) -> None:
        before = self.page.evaluate('web.app.run')
        self.page.set_input_files('#file', str(path))
        self.page.locator(f'body[data-run="{before + 1}"]').wait_for()

    @contextmanager
    def held(self, owner: str, method: str) -> Iterator[Held]:
        """Let calls of a method of an object in the page wait until they are let go."""
        self.page.evaluate(HOLD % dict(owner=owner, method=method))
        try:
            yield Held(self.page)
        finally:
            self.page.evaluate('web.unhold()')

    def hears(self, sentence: str) -> None:
        self.page.get_by_role('alert').filter(has_text=sentence).wait_for()

    def draw(self, box, size) -> None:
        """Draw a box with the mouse, in pixels of an image of (w, h)."""
        canvas = self.page.locator('#box-canvas').bounding_box()
        scale = canvas['width'] / size[0]
        points = [(canvas['x'] + x * scale, canvas['y'] + y * scale) for x, y in (box[:2], box[2:])]
        self.page.mouse.move(*points[0])
        self.page.mouse.down()
        self.page.mouse.move(*points[1], steps=3)
        self.page.mouse.up()

    def boxes(self) -> np.ndarray:
        """(N, 4), of the people shown, in pixels of the image."""
        self.wait('body[data-screen=poses]')
        return np.array(self.page.evaluate('web.app.people.map(({bbox}) => bbox)'))

    def keypoints(self, person: int = 0) -> np.ndarray:
        """(K, 2), in pixels of the image."""
        self.wait('body[data-screen=poses]')
        return np.array(self.page.evaluate(f'web.app.people[{person}].imageKeypoints'))

    def drawn(self) -> np.ndarray:
        """Values of the map that is drawn, and which one it is: keypoint and layer, counted from 0."""
        return np.array(self.page.evaluate('web.map()'))

    def shown(self) -> tuple[int, int]:
        dataset = self.page.locator('#map').evaluate('canvas => ({...canvas.dataset})')
        return int(dataset['keypoint']), int(dataset['layer'])

    def click_keypoint(self, keypoint: int, size) -> None:
        """Click a keypoint in the whole image of (w, h) pixels."""
        canvas = self.page.locator('#map')
        box = canvas.bounding_box()
        x, y = (self.keypoints()[keypoint] + 0.5) / size * (box['width'], box['height'])
        canvas.click(position=dict(x=float(x), y=float(y)))
        self.page.mouse.move(1, 1)
