"""`mmtranspose web`: what it refuses, what it writes, and that its page computes what the exported file computes."""

import base64
import errno
import hashlib
import io
import json
import os
import re
import shutil
import stat
import tarfile
import tempfile
from pathlib import Path

import cv2
import numpy as np
import onnx
import onnxruntime
import pytest
from web_pages import DETECTED, Server, WebPage, changed, chromium, runtime_folder, without_site_data, write_detector

from mmtranspose.deployment.web_folder import npm_package
from mmtranspose.errors import InputError

SIZE = (120, 90)  # (w, h) of the image
BOX = (20.0, 10.0, 84.0, 82.0)


@pytest.fixture(scope='module')
def files(exported, made_once):
    """Folder with an exported file, the same without dependency, a detector, and an image."""

    def make(folder):
        shutil.copyfile(exported / 'image.onnx', folder / 'pose.onnx')
        changed(folder / 'pose.onnx', folder / 'alone.onnx', ('keypoints', 'scores'), dependency=False)
        write_detector(folder / 'detector.onnx')
        image = np.random.default_rng(5).integers(0, 256, (9, 12, 3), np.uint8)
        cv2.imwrite(str(folder / 'image.png'), cv2.resize(image, SIZE, interpolation=cv2.INTER_CUBIC))

    return made_once('web_files', make)


@pytest.fixture
def package(tmp_path):
    """A folder with the names of onnxruntime-web."""
    return fake_package(tmp_path / 'package')


def fake_package(folder: Path) -> Path:
    (folder / 'dist').mkdir(parents=True)
    (folder / 'package.json').write_text('{"name": "onnxruntime-web", "version": "9.9.9"}')
    for name in (*npm_package.SCRIPTS.values(), *npm_package.BINARIES.values()):
        (folder / 'dist' / name).write_text(f'content of {name}')
    return folder


class TestRefusals:
    @pytest.mark.parametrize(
        ('changes', 'message'),
        [
            (dict(graph='crops'), 'export the model again with --graph image'),
            (dict(kind='detector'), 'is a detector of people: pass it as --detector'),
            (dict(format=99, version='8.0'), 'written by mmtranspose 8.0, which is newer'),
        ],
    )
    def test_metadata(self, files, package, tmp_path, run_command, changes, message):
        given = changed(files / 'pose.onnx', tmp_path / 'given.onnx', **changes)
        with pytest.raises(InputError, match=message):
            run_command('web', given, '--output-root', tmp_path / 'site', '--runtime', package)
        assert not (tmp_path / 'site').exists()

    @pytest.mark.parametrize(
        ('name', 'content', 'message'),
        [
            ('none.onnx', None, 'none.onnx does not exist'),
            ('pose.xml', b'<net/>', r'browsers run ONNX files; export the model again with --output FILE\.onnx'),
            ('text.onnx', b'no model at all', 'is not an ONNX file, or is damaged|was not written by'),
            ('empty.onnx', b'', 'is not an ONNX file, or is damaged|was not written by `mmtranspose export`'),
        ],
    )
    def test_files(self, package, tmp_path, run_command, name, content, message):
        if content is not None:
            (tmp_path / name).write_bytes(content)
        with pytest.raises(InputError, match=message):
            run_command('web', tmp_path / name, '--output-root', tmp_path / 'site', '--runtime', package)

    @pytest.mark.parametrize('share', [0.2, 0.9])
    def test_files_cut_short(self, files, package, tmp_path, run_command, share):
        content = (files / 'pose.onnx').read_bytes()
        (tmp_path / 'cut.onnx').write_bytes(content[: int(share * len(content))])
        with pytest.raises(InputError, match='cut.onnx'):
            run_command('web', tmp_path / 'cut.onnx', '--output-root', tmp_path / 'site', '--runtime', package)

    def test_weights_in_a_second_file(self, files, package, tmp_path, run_command):
        model = onnx.load(str(files / 'pose.onnx'))
        onnx.save(model, str(tmp_path / 'two.onnx'), save_as_external_data=True, location='two.bin', size_threshold=0)
        with pytest.raises(InputError, match='keeps its weights in a second file'):
            run_command('web', tmp_path / 'two.onnx', '--output-root', tmp_path / 'site', '--runtime', package)

    def test_detectors(self, files, package, tmp_path, run_command):
        options = ('--output-root', tmp_path / 'site', '--runtime', package, '--detector')
        with pytest.raises(InputError, match='was not written by `mmtranspose export-detector`'):
            run_command('web', files / 'pose.onnx', *options, files / 'pose.onnx')
        other = changed(files / 'pose.onnx', tmp_path / 'other.onnx', kind='detector')
        with pytest.raises(InputError, match=r"has .*'inputs': \['image', 'boxes'\].* where .* are expected"):
            run_command('web', files / 'pose.onnx', *options, other)

    def test_the_runtime_is_another_folder(self, files, package, tmp_path, run_command):
        options = ('--output-root', tmp_path / 'site', '--runtime', package)
        (package / 'dist' / npm_package.BINARIES['wasm']).unlink()
        with pytest.raises(InputError, match=r'is not a copy of onnxruntime-web .*-wasm-simd-threaded\.wasm missing'):
            run_command('web', files / 'pose.onnx', *options)
        (package / 'dist' / npm_package.BINARIES['wasm']).touch()
        (package / 'package.json').write_text('{"name": "other"}')
        with pytest.raises(InputError, match='is not that of onnxruntime-web'):
            run_command('web', files / 'pose.onnx', *options)


class TestFolder:
    def test_it_is_complete(self, files, package, tmp_path, run_command):
        site = tmp_path / 'site'
        run_command('web', files / 'pose.onnx', '--output-root', site, '--runtime', package / 'dist')
        there = {str(path.relative_to(site)) for path in site.rglob('*') if path.is_file()}
        assert there == {*json.loads((site / 'mmtranspose_web.json').read_text()), 'mmtranspose_web.json'}
        page = (site / 'index.html').read_text()
        worker = (site / 'service_worker.js').read_text()
        constants = json.loads(worker.split('\n')[0].removeprefix('const FOLDER = ').removesuffix(';'))
        large = {'model.onnx', 'service_worker.js', 'mmtranspose_web.json', 'runtime/package.json'}
        large |= {f'runtime/{name}' for name in npm_package.BINARIES.values()}
        assert {*constants['shell']} == there - large
        for name in re.findall(r'(?:src|href)="([^"]*)"', page):
            assert name in there
        for script in site.glob('*.js'):
            assert {*re.findall(r"^import .* from '\./(.*)';", script.read_text(), re.MULTILINE)} <= there
        texts = [path.read_text() for path in site.iterdir() if path.suffix in ('.html', '.js', '.css', '.webmanifest')]
        assert not re.search(r'(?<!for )https?://(?! and)', ''.join(texts))
        assert '<b>Draw a box around a person,</b>' in page
        assert '.hint' not in (site / 'viewer.css').read_text()  # which page.css lays out in its own way

    def test_what_the_page_knows(self, files, package, tmp_path, run_command):
        site = tmp_path / 'site'
        run_command('web', files / 'pose.onnx', '--output-root', site, '--runtime', package)
        text = (site / 'index.html').read_text().split('<script id="folder" type="application/json">')[1]
        described = json.loads(text.split('</script>')[0])
        content = (files / 'pose.onnx').read_bytes()
        digest = hashlib.sha256(content).hexdigest()
        meta = described['model'].pop('meta')
        assert described['model'] == dict(name='model.onnx', bytes=len(content), sha256=digest)
        assert (site / 'model.onnx').read_bytes() == content and described['detector'] is None
        assert meta['input_size'] == [48, 64] and meta['token_grid'] == [8, 6] and meta['num_layers'] == 2
        for name, runtime in described['runtime'].items():
            assert (site / runtime['script']).read_text() == f'content of {npm_package.SCRIPTS[name]}'
            assert (site / runtime['binary']['name']).stat().st_size == runtime['binary']['bytes']

    def test_it_is_replaced_and_leaves_what_others_put_there(self, files, package, tmp_path, run_command):
        site = tmp_path / 'site'
        options = ('--output-root', site, '--runtime', package)
        run_command('web', files / 'alone.onnx', *options, '--detector', files / 'detector.onnx')
        (site / 'holiday.jpg').write_bytes(b'mine')
        version = (site / 'service_worker.js').read_text().split('\n')[0]
        assert (site / 'detector.onnx').exists() and 'exported without dependency' in (site / 'index.html').read_text()
        run_command('web', files / 'pose.onnx', *options)
        assert not (site / 'detector.onnx').exists() and (site / 'holiday.jpg').read_bytes() == b'mine'
        assert 'exported without dependency' not in (site / 'index.html').read_text()
        assert (site / 'service_worker.js').read_text().split('\n')[0] != version  # so that browsers take the new files
        assert [path.name for path in tmp_path.iterdir() if path.name.startswith('.')] == []

    def test_files_of_somebody_else_are_not_overwritten(self, files, package, tmp_path, run_command):
        site = tmp_path / 'site'
        site.mkdir()
        (site / 'index.html').write_text('mine')
        (site / 'mmtranspose_web.json').write_text('["../index.html", "runtime/../index.html", ".."]')
        with pytest.raises(InputError, match=r'holds another index\.html, .* choose another folder'):
            run_command('web', files / 'pose.onnx', '--output-root', site, '--runtime', package)
        assert (site / 'index.html').read_text() == 'mine' and len([*site.iterdir()]) == 2

    def test_it_may_be_a_disk_of_its_own(self, files, package, tmp_path, run_command, monkeypatch):
        def replace(source, target):
            if Path(source).parent != Path(target).parent:
                raise OSError(errno.EXDEV, os.strerror(errno.EXDEV))
            rename(source, target)

        rename, site = os.rename, tmp_path / 'mounted'
        site.mkdir()
        monkeypatch.setattr(os, 'replace', replace)
        os.utime(tmp_path, (0, 0))
        run_command('web', files / 'pose.onnx', '--output-root', site, '--runtime', package)
        assert tmp_path.stat().st_mtime == 0  # nothing was made in the folder above, which may not be writable
        assert {path.name for path in site.iterdir()} > {'index.html', 'model.onnx', 'runtime'}

    @pytest.mark.parametrize('had_one', [False, True])
    def test_a_full_disk_leaves_what_was_there(self, files, package, tmp_path, run_command, monkeypatch, had_one):
        def contents():
            return {path: path.read_bytes() for path in tmp_path.rglob('*') if path.is_file()}

        def write_text(path, *args, **options):
            if path.name.startswith('index.html'):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            return write(path, *args, **options)

        write, options = Path.write_text, ('--output-root', tmp_path / 'new' / 'site', '--runtime', package)
        if had_one:
            run_command('web', files / 'alone.onnx', *options)
        before = contents()
        monkeypatch.setattr(Path, 'write_text', write_text)
        with pytest.raises(OSError, match=r'No space left on device: .*index\.html'):
            run_command('web', files / 'pose.onnx', *options)
        assert contents() == before and (tmp_path / 'new').exists() == had_one

    def test_what_a_killed_run_left_is_removed(self, files, package, tmp_path, run_command):
        (tmp_path / 'site' / 'runtime').mkdir(parents=True)
        left = [tmp_path / 'site' / name for name in ('model.onnx.1.partial', 'runtime/package.json.1.partial')]
        for path in left:
            path.touch()
        run_command('web', files / 'pose.onnx', '--output-root', tmp_path / 'site', '--runtime', package)
        assert [path for path in left if path.exists()] == []

    def test_runtime_is_a_file(self, files, package, tmp_path, run_command):
        (tmp_path / 'site').mkdir()
        (tmp_path / 'site' / 'runtime').write_text('mine')
        with pytest.raises(InputError, match=r'--output-root .*runtime is a file, not a folder; choose another'):
            run_command('web', files / 'pose.onnx', '--output-root', tmp_path / 'site', '--runtime', package)

    def test_the_server_that_is_named_serves_this_machine_alone(self, files, package, tmp_path, run_command, capsys):
        run_command('web', files / 'pose.onnx', '--output-root', tmp_path / 'site', '--runtime', package)
        server = 'python -m http.server --bind 127.0.0.1 --directory '
        assert f'{server}"{tmp_path / "site"}"' in capsys.readouterr().out
        with pytest.raises(SystemExit):
            run_command('web', '--help')
        assert f'{server}site' in capsys.readouterr().out

    def test_texts_of_a_file_stay_texts(self, files, package, tmp_path, run_command):
        hostile = '</script><script>alert(1)</script>'
        given = changed(files / 'pose.onnx', tmp_path / 'given.onnx', model=hostile)
        run_command('web', given, '--output-root', tmp_path / 'site', '--runtime', package)
        page = (tmp_path / 'site' / 'index.html').read_text()
        assert hostile not in page and page.count('<script') == 2


class TestNpm:
    @pytest.fixture
    def npm(self, tmp_path, monkeypatch):
        """Puts a program in the place of npm, given as lines of a shell."""

        def npm(text):
            folder = tmp_path / 'bin'
            folder.mkdir()
            (folder / 'npm').write_text(f'#!/bin/sh\n{text}\n')
            (folder / 'npm').chmod(stat.S_IRWXU)
            monkeypatch.setenv('PATH', f'{folder}{os.pathsep}{os.environ["PATH"]}')

        return npm

    def packed(self, path, *more):
        package = fake_package(path.parent / 'to_pack')
        with tarfile.open(path, 'w:gz') as archive:
            archive.add(package, 'package')
            for name in more:
                archive.addfile(tarfile.TarInfo(name), io.BytesIO())

    def test_it_is_not_installed(self, files, tmp_path, run_command, monkeypatch):
        monkeypatch.setenv('PATH', str(tmp_path))
        with pytest.raises(
            InputError, match='npm is not installed, .* install Node.js, or take a copy .*--runtime DIR'
        ):
            run_command('web', files / 'pose.onnx', '--output-root', tmp_path / 'site')

    def test_there_is_no_network(self, files, tmp_path, run_command, npm):
        npm('echo "npm error code ENOTFOUND" >&2; echo "npm error network request failed" >&2; exit 1')
        with pytest.raises(
            InputError, match=r'could not fetch onnxruntime-web .*\(network request failed\): try again'
        ):
            run_command('web', files / 'pose.onnx', '--output-root', tmp_path / 'site')
        assert not (tmp_path / 'site').exists()

    def test_it_fetches_the_pinned_version(self, tmp_path, npm, monkeypatch):
        self.packed(tmp_path / 'packed.tgz', 'package/../../escaped', 'package/dist/other.js')
        npm(f'echo "$@" > {tmp_path}/asked; cp {tmp_path}/packed.tgz .')
        with pytest.raises(InputError, match='its SHA-512 differs'), npm_package.runtime_package(None):
            pass
        digest = hashlib.sha512((tmp_path / 'packed.tgz').read_bytes()).digest()
        monkeypatch.setattr(npm_package, 'SHA512', base64.b64encode(digest).decode())
        with npm_package.runtime_package(None) as taken:
            name = npm_package.SCRIPTS['webgpu']
            assert taken[name].read_text() == f'content of {name}'
            assert [path.name for path in taken[name].parent.parent.parent.rglob('other.js')] == []
        assert (tmp_path / 'asked').read_text().startswith(f'pack onnxruntime-web@{npm_package.VERSION} ')
        assert not (tmp_path / 'escaped').exists()


@pytest.fixture(scope='module')
def browser():
    with chromium() as found:
        yield found


@pytest.fixture(scope='module')
def site(files, run_command):
    """Writes a folder from some of the files, and serves it. All is deleted with the module: WebAssembly is large."""
    servers = []
    with tempfile.TemporaryDirectory(prefix='mmtranspose-web-tests-') as folder:
        package = runtime_folder(Path(folder))

        def serve(pose, *options):
            root = Path(folder, f'site{len(servers)}')
            run_command('web', files / pose, '--output-root', root, '--runtime', package, *options)
            servers.append(Server(root))
            return servers[-1]

        yield serve
        for server in servers:
            server.stop()


@pytest.fixture(scope='module')
def with_maps(browser, site):
    """The page of the file with dependency, and its server."""
    server = site('pose.onnx')
    return WebPage(browser, server.url), server


@pytest.fixture(scope='module')
def alone(browser, site, files):
    """The page of the file without dependency, with a detector."""
    return WebPage(browser, site('alone.onnx', '--detector', files / 'detector.onnx').url)


@pytest.fixture(scope='module')
def computed(files):
    """Runs the exported file in this process, for boxes (N, 4) of the image."""
    session = onnxruntime.InferenceSession(str(files / 'pose.onnx'))
    image = cv2.imread(str(files / 'image.png'))[..., ::-1]

    def run(boxes):
        outputs = session.run(None, dict(image=np.ascontiguousarray(image), boxes=np.asarray(boxes, np.float32)))
        return dict(zip([output.name for output in session.get_outputs()], outputs))

    return run


class TestBrowser:
    """Tests share the pages, since starting WebAssembly takes seconds; each begins with an image of its own."""

    def test_it_starts(self, with_maps):
        shown, _ = with_maps
        assert re.match(r'Ready: runs on this device \(WebAssembly, \d+ threads?\)', shown.text('engine-text'))
        assert shown.page.evaluate('crossOriginIsolated')  # by the service worker, for threads

    def test_what_is_no_image(self, with_maps, files):
        shown, _ = with_maps
        shown.page.set_input_files('#file', str(files / 'pose.onnx'))
        shown.hears('pose.onnx is no image that this browser can read')

    def test_a_drawn_box_gives_the_pose_and_the_strongest_map(self, with_maps, files, computed):
        shown, _ = with_maps
        shown.choose(files / 'image.png')
        assert 'Draw a box around a person' in shown.text('hint')
        boxes = posed(shown, files)
        np.testing.assert_allclose(boxes, [BOX], atol=0.6)
        expected = computed(boxes)
        np.testing.assert_allclose(shown.keypoints(), expected['keypoints'][0], atol=0.5)
        maps = expected['dependency'][0]
        sure = expected['scores'][0] >= 0.3
        candidates = np.where(sure | ~sure.any(), maps[-1].max((1, 2)), 0)
        assert shown.shown() == (candidates.argmax(), len(maps) - 1)
        np.testing.assert_allclose(shown.drawn(), maps[-1, candidates.argmax()].ravel(), atol=1e-3)
        assert 'Click a keypoint' in shown.text('hint')

    def test_clicks_and_keys_change_the_map(self, with_maps, files, computed):
        shown, _ = with_maps
        maps = computed(posed(shown, files))['dependency'][0]
        alone = apart(shown.keypoints())
        first, second = alone[:2]
        for keypoint in (first, second):
            shown.click_keypoint(keypoint, SIZE)
            assert shown.shown() == (keypoint, len(maps) - 1)
            np.testing.assert_allclose(shown.drawn(), maps[-1, keypoint].ravel(), atol=1e-3 * maps[-1].max())
        assert np.abs(maps[-1, first] - maps[-1, second]).max() > 0.01 * maps[-1].max()
        shown.page.locator('#map').press('ArrowDown')
        assert shown.shown() == (second, len(maps) - 2)
        np.testing.assert_allclose(shown.drawn(), maps[-2, second].ravel(), atol=1e-3 * maps[-2].max())
        shown.page.locator('#map').press('ArrowRight')
        assert shown.shown() == ((second + 1) % len(maps[0]), len(maps) - 2)
        np.testing.assert_allclose(shown.drawn(), maps[-2, shown.shown()[0]].ravel(), atol=1e-3 * maps[-2].max())

    def test_boxes_by_keys_and_several_people(self, with_maps, files, computed):
        shown, _ = with_maps
        posed(shown, files)
        shown.page.locator('#add').click()
        canvas = shown.page.locator('#box-canvas')
        for key in ('ArrowLeft', 'ArrowLeft', 'Shift+ArrowDown', 'Enter'):  # the first one makes a box
            canvas.press(key)
        shown.wait('#people label:nth-child(2)')
        assert shown.boxes()[1].tolist() == [0.25 * 120 - 2, 9, 0.75 * 120 - 2, 81 + 2]
        np.testing.assert_allclose(shown.keypoints(1), computed(shown.boxes()[1:])['keypoints'][0], atol=0.5)
        shown.page.locator('#change').click()
        canvas.press('Shift+ArrowUp')
        canvas.press('Enter')
        shown.wait('body[data-screen=poses]')
        assert shown.boxes()[1].tolist() == [28, 9, 88, 81]
        shown.page.locator('#remove').click()
        shown.wait('body.one-person')
        np.testing.assert_allclose(shown.boxes(), [BOX], atol=0.6)

    def test_a_second_click_or_key_adds_nobody(self, with_maps, files):
        shown, _ = with_maps
        shown.choose(files / 'image.png')
        with shown.held('web.app.estimator', 'pose') as poses:
            shown.page.locator('#whole').dblclick()
            assert poses.count() == 1
            poses.let_go()
            assert shown.boxes().tolist() == [[0, 0, *SIZE]]
            shown.page.locator('#change').focus()
            for _ in range(3):
                shown.page.keyboard.down('Enter')  # the first one presses the button, and the box gets the focus
            shown.page.keyboard.up('Enter')
            assert poses.count() == 0
            canvas = shown.page.locator('#box-canvas')
            for key in ('Shift+ArrowLeft', 'Enter', 'Enter'):
                canvas.press(key)
            assert poses.count() == 1
            poses.let_go()
            assert shown.boxes().tolist() == [[0, 0, SIZE[0] - 2, SIZE[1]]]

    @pytest.mark.parametrize('leave', ['Escape', 'Camera'])
    def test_a_pose_that_is_no_longer_wanted(self, with_maps, files, leave):
        shown, _ = with_maps
        before = posed(shown, files).tolist()
        with shown.held('web.app.estimator', 'pose') as poses:
            shown.page.locator('#change').click()
            shown.page.locator('#box-canvas').press('Shift+ArrowDown')
            shown.page.locator('#estimate').click()
            assert poses.count() == 1
            if leave == 'Escape':
                shown.page.keyboard.press('Escape')
            else:
                shown.page.get_by_role('button', name='Camera', exact=True).click()
            poses.let_go()
            if leave == 'Camera':
                assert shown.page.evaluate('document.body.dataset.screen') == 'camera'
                shown.page.locator('#close-camera').click()
            assert shown.boxes().tolist() == before
            shown.page.locator('#change').click()
            assert shown.page.locator('#estimate').is_enabled() and not shown.page.locator('#working').is_visible()

    def test_a_small_image_after_a_large_one(self, with_maps, files, tmp_path):
        shown, _ = with_maps
        cv2.imwrite(str(tmp_path / 'large.png'), np.full((20, 5000, 3), 90, np.uint8))
        shown.choose(files / 'image.png')
        with shown.held('window', 'createImageBitmap') as images:
            shown.page.set_input_files('#file', str(tmp_path / 'large.png'))
            images.let_go()
            shown.page.evaluate('web.read = web.results[0]')
            assert images.count() == 1  # which shrinks it
            shown.page.evaluate('web.unhold()')
            boxes = posed(shown, files)
            images.let_go()
        assert shown.boxes().tolist() == boxes.tolist() and shown.page.evaluate('web.app.bitmap.width') == SIZE[0]
        assert shown.page.evaluate('[web.read.width, web.results[0].width]') == [0, 0]  # their memory is free again

    def test_the_estimator_gets_the_last_image(self, with_maps, files, computed, tmp_path):
        shown, _ = with_maps
        cv2.imwrite(str(tmp_path / 'other.png'), np.full((60, 80, 3), 90, np.uint8))
        with shown.held('web.app.estimator', 'look') as images:
            shown.choose(tmp_path / 'other.png')
            shown.page.evaluate('web.unhold()')
            shown.choose(files / 'image.png')
            images.let_go()
        shown.draw(BOX, SIZE)
        np.testing.assert_allclose(shown.keypoints(), computed(shown.boxes())['keypoints'][0], atol=0.5)

    def test_another_device_is_chosen_meanwhile(self, with_maps, files):
        shown, _ = with_maps
        posed(shown, files)
        answers, state = shown.page.evaluate(CHANGE_DEVICE)
        assert answers == 3 * ['the device was changed'] and state == 'loading'
        shown.wait('#engine[data-state=ready]')
        assert shown.page.evaluate("localStorage.getItem('backend')") == 'wasm'
        shown.page.locator('#add').click()
        shown.page.locator('#whole').click()
        shown.wait('#people label:nth-child(2)')

    def test_colours_and_a_phone(self, with_maps, files):
        shown, _ = with_maps
        posed(shown, files)
        background = 'getComputedStyle(document.body).backgroundColor'
        found = {}
        for scheme in ('light', 'dark'):
            shown.page.emulate_media(color_scheme=scheme)
            found[scheme] = np.mean([int(part) for part in re.findall(r'\d+', shown.page.evaluate(background))[:3]])
        assert found['light'] > 230 and found['dark'] < 30
        shown.page.set_viewport_size(dict(width=360, height=740))
        drawn_again = '() => new Promise((go) => requestAnimationFrame(() => requestAnimationFrame(go)))'
        shown.page.evaluate(drawn_again)
        assert shown.page.evaluate('document.documentElement.scrollWidth') == 360
        assert shown.page.locator('#map').bounding_box()['width'] <= 360
        shown.page.set_viewport_size(dict(width=1280, height=900))

    def test_everything_has_a_name(self, with_maps, files):
        shown, _ = with_maps
        posed(shown, files)
        controls = shown.page.locator('button:visible, input:visible, select:visible')
        names = [control.aria_snapshot() for control in controls.all()]
        assert len(names) > 25 and all(re.search(r'"[^"]+"', name) for name in names)

    def test_site_data_is_blocked(self, browser, with_maps, files, computed, tmp_path):
        _, server = with_maps
        with without_site_data(browser, tmp_path / 'profile') as context:
            shown = WebPage(browser, server.url, context)
            for storage in ('localStorage', 'sessionStorage', 'caches.keys()'):
                with pytest.raises(Exception, match='SecurityError'):
                    shown.page.evaluate(storage)
            assert re.fullmatch(r'Ready: runs on this device \(WebAssembly, 1 thread\)\.', shown.text('engine-text'))
            boxes = posed(shown, files)
            np.testing.assert_allclose(shown.keypoints(), computed(boxes)['keypoints'][0], atol=0.5)
            said = shown.page.locator('#backend').evaluate(
                """select => { // read at once: the download's progress comes next
                    select.dispatchEvent(new Event('change'));
                    return document.getElementById('engine-text').textContent;
                }"""
            )
            assert said == 'Loading the model …' and shown.complaints == []

    def test_it_works_without_its_server(self, with_maps, files, computed):
        shown, server = with_maps
        assert 'Works without a network from now on.' in shown.text('engine-text')
        server.stop()
        server.stop = lambda: None
        shown.page.reload()
        shown.wait('#engine[data-state=ready]')
        shown.choose(files / 'image.png')
        shown.page.locator('#whole').click()
        assert shown.boxes().tolist() == [[0, 0, *SIZE]]
        np.testing.assert_allclose(shown.keypoints(), computed([[0, 0, *SIZE]])['keypoints'][0], atol=0.5)
        assert {url for url in shown.requests if not url.startswith((shown.url, 'blob:', 'data:'))} == set()
        assert [text for text in shown.complaints if 'ERR_CONNECTION_REFUSED' not in text] == []

    def test_a_file_that_comes_damaged(self, browser, files, package, tmp_path, run_command):
        run_command('web', files / 'pose.onnx', '--output-root', tmp_path / 'site', '--runtime', package)
        server = Server(tmp_path / 'site')
        content = (files / 'pose.onnx').read_bytes()
        for damaged, message in ((content[:-9], 'incomplete'), (content[:-9] + bytes(9), 'damaged')):
            (tmp_path / 'site' / 'model.onnx').write_bytes(damaged)
            shown = WebPage(browser, server.url)
            assert f'The model cannot be run: model.onnx came {message}' in shown.text('engine-text')
        server.stop()

    def test_people_are_found_and_poses_shown_alone(self, alone, files, computed):
        alone.choose(files / 'image.png')
        expected = DETECTED[[0, 2]]  # the one whose score is 0.2 is none
        np.testing.assert_allclose(alone.boxes(), expected, atol=1e-4)
        outputs = computed(expected)
        for person in (0, 1):
            np.testing.assert_allclose(alone.keypoints(person), outputs['keypoints'][person], atol=0.5)
        assert 'exported without --dependency' in alone.text('about')
        assert not alone.page.locator('#strip').is_visible() and not alone.page.locator('#layer').is_visible()

    def test_nobody_is_found(self, alone, tmp_path):
        cv2.imwrite(str(tmp_path / 'black.png'), np.zeros((40, 40, 3), np.uint8))
        alone.choose(tmp_path / 'black.png')
        alone.hears('No people were found: draw a box')

    def test_a_box_is_drawn_while_people_are_looked_for(self, alone, files):
        with alone.held('web.app.estimator', 'detect') as people:
            alone.choose(files / 'image.png')
            alone.wait('#working:not([hidden])')
            alone.draw(BOX, SIZE)
            drawn = alone.boxes()
            alone.page.locator('#change').click()
            assert people.count() == 1
            people.let_go()
            alone.page.locator('#box-canvas').press('Enter')
        np.testing.assert_allclose(drawn, [BOX], atol=0.6)
        assert alone.boxes().tolist() == drawn.tolist()

    def test_the_camera_is_closed_before_it_is_there(self, alone, files):
        alone.choose(files / 'image.png')
        alone.boxes()
        alone.page.locator('.camera:visible').click()
        with alone.held('navigator.mediaDevices', 'getUserMedia') as cameras:
            alone.page.locator('#turn').click()
            alone.page.locator('#take').click()
            alone.hears('The camera shows no image yet')
            alone.page.locator('#turn').click()
            assert cameras.count() == 2
            cameras.let_go()
            assert alone.page.evaluate(TRACKS) == ['ended', 'live']
            assert alone.page.evaluate("document.querySelector('#video').srcObject === web.results[1]")
            alone.page.locator('#turn').click()
            alone.page.locator('#close-camera').click()
            cameras.let_go()
            assert alone.page.evaluate(TRACKS) == ['ended'] and len(alone.boxes()) == 2
            assert alone.page.evaluate("document.querySelector('#video').srcObject") is None
        refuse = "() => Promise.reject(new DOMException('', 'NotAllowedError'))"
        alone.page.evaluate(f'() => {{ navigator.mediaDevices.getUserMedia = {refuse}; }}')
        with alone.held('navigator.mediaDevices', 'getUserMedia') as cameras:
            alone.page.locator('.camera:visible').click()
            alone.page.locator('#back').click()
            alone.page.locator('#add').click()
            cameras.let_go()
        alone.page.evaluate('() => { delete navigator.mediaDevices.getUserMedia; }')
        assert alone.page.evaluate('document.body.dataset.screen') == 'box' and alone.text('alert') == ''

    def test_the_camera(self, alone):
        alone.page.locator('.camera:visible').click()
        alone.page.locator('#video').evaluate('video => new Promise((go) => video.requestVideoFrameCallback(go))')
        alone.page.locator('#take').click()
        assert len(alone.boxes()) == 2
        assert alone.page.evaluate('web.app.bitmap.width') > 100
        assert alone.page.evaluate("document.querySelector('#video').srcObject") is None  # the camera is off again
        assert alone.complaints == []


TRACKS = 'web.results.map((stream) => stream.getVideoTracks()[0].readyState)'
# Answers of a device that is left while it works, or before it has started; then the state of the engine.
CHANGE_DEVICE = """async () => {
  const select = document.querySelector('#backend');
  const late = new Promise((go) => setTimeout(go, 5000, 'none'));
  const left = (promise) => Promise.race([promise.then(() => 'done', ({ message }) => message), late]);
  const change = () => { select.value = 'wasm'; select.dispatchEvent(new Event('change')); };
  const { estimator, bitmap } = web.app;
  const pose = left(estimator.pose([0, 0, 9, 9]));
  change();
  const answers = [pose, left(estimator.look(bitmap)), left(web.app.estimator.ready)];
  change();
  return [await Promise.all(answers), document.querySelector('#engine').dataset.state];
}"""


def posed(shown, files):
    """Choose the image and draw the box; returns it as (1, 4)."""
    shown.choose(files / 'image.png')
    shown.draw(BOX, SIZE)
    return shown.boxes()


def apart(keypoints):
    """Numbers of the keypoints inside the image that have no other one within 8 pixels, the leftmost first."""
    distances = np.linalg.norm(keypoints[:, None] - keypoints[None], axis=-1) + 1e3 * np.eye(len(keypoints))
    inside = ((keypoints > 1) & (keypoints < np.array(SIZE) - 2)).all(1)
    found = np.flatnonzero((distances.min(1) > 8) & inside)
    return sorted(found.tolist(), key=lambda each: keypoints[each, 0])
