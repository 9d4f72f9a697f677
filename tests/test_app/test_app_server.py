"""The page's server: what it gives away, whom it listens to, and the command line that starts it."""

import http.client
import importlib
import json
import os
import socket
import sys
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote, urlparse

import numpy as np
import pytest

import mmtranspose
from mmtranspose.apis import InputError, init_model
from mmtranspose.app import Choice, Explorer, Settings
from mmtranspose.app.opened_image import open_image
from mmtranspose.app.server import require_free, serve

pytest.importorskip('gradio', reason='gradio is not installed (requirements/app.txt)')


def free_port():
    with socket.socket() as probe:
        probe.bind(('127.0.0.1', 0))
        return probe.getsockname()[1]


@pytest.fixture(scope='module')
def explorer(tiny_config, tiny_checkpoint):
    return Explorer(init_model(tiny_config, tiny_checkpoint))


@pytest.fixture(scope='module')
def address(explorer):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv('http_proxy', 'http://127.0.0.1:9')  # nobody is there: the server must not ask itself through it
        patch.setenv('GRADIO_ALLOWED_PATHS', '/')
        patch.setenv('GRADIO_SHARE', 'true')
        with serve(explorer, 'tiny', port=free_port()) as address:
            yield urlparse(address)


def ask(address, method, path, body=None, **headers):
    """Status, headers and content of an answer; the path goes out as it stands."""
    connection = http.client.HTTPConnection(address.hostname, address.port, timeout=10)
    try:
        connection.request(method, path, body, {name.replace('_', '-'): value for name, value in headers.items()})
        answer = connection.getresponse()
        return answer.status, dict(answer.getheaders()), answer.read()
    finally:
        connection.close()


def upload(address, name, content):
    """What the server says to an upload."""
    disposition = f'Content-Disposition: form-data; name="files"; filename="{name}"'
    body = b'\r\n'.join([b'--x', disposition.encode(), b'Content-Type: image/png', b'', content, b'--x--', b''])
    return ask(address, 'POST', '/gradio_api/upload', body, Content_Type='multipart/form-data; boundary=x')


class TestFiles:
    def test_page_and_upload_are_there(self, address):
        status, headers, content = ask(address, 'GET', '/')
        assert status == 200 and b'gradio' in content
        assert "default-src 'self'" in headers['content-security-policy']
        status, _, content = upload(address, 'note.png', b'something')
        (path,) = json.loads(content)
        assert status == 200 and Path(path).read_bytes() == b'something'
        assert ask(address, 'GET', f'/gradio_api/file={path}')[::2] == (200, b'something')

    @pytest.mark.parametrize(
        'name', ['/etc/passwd', quote('/etc/passwd', ''), quote(quote('/etc/passwd', ''), ''), 'setup.py', __file__]
    )
    def test_other_files_are_refused(self, address, name):
        assert Path('/etc/passwd').is_file()
        assert ask(address, 'GET', f'/gradio_api/file={name}')[0] == 404

    def test_way_out_of_the_folder_is_refused(self, address):
        (path,) = json.loads(upload(address, 'a.png', b'something')[2])
        folder = Path(path).parent
        for name in (f'{folder}/../../../etc/passwd', f'{folder}/%2e%2e/%2e%2e/%2e%2e/etc/passwd'):
            assert ask(address, 'GET', f'/gradio_api/file={name}')[0] == 404
        (folder / 'link.png').symlink_to('/etc/passwd')
        assert ask(address, 'GET', f'/gradio_api/file={folder}/link.png')[0] == 404

    @pytest.mark.parametrize(
        ('method', 'path'),
        [
            ('GET', '/gradio_api/file=http://127.0.0.1:1/'),
            ('GET', '/gradio_api/proxy=http://127.0.0.1:1/'),
            ('GET', '/gradio_api/info'),
            ('GET', '/gradio_api/openapi.json'),
            ('GET', '/monitoring'),
            ('POST', '/gradio_api/api/open_upload'),
            ('POST', '/gradio_api/call/open_upload'),
            ('PUT', '/gradio_api/upload'),
        ],
    )
    def test_what_the_page_does_not_need_is_refused(self, address, method, path):
        assert ask(address, method, path, b'{}' if method == 'POST' else None)[0] == 404

    def test_addresses_are_not_fetched(self, address):
        def event(path):
            file = dict(path=path, meta=dict(_type='gradio.FileData'))
            body = json.dumps(dict(data=[[{'a': file}]], fn_index=10**6, session_hash='x'))
            return ask(address, 'POST', '/gradio_api/queue/join', body, Content_Type='application/json')[0]

        assert event('http://127.0.0.1:1/a.png') == event('HTTPS://example.org/a.png') == 404
        assert event('/a.png') != 404  # gets through, and fails for want of such a function

    def test_too_large_uploads_are_refused(self, address, monkeypatch):
        status, _, _ = upload(address, 'large.png', bytes(33 * 2**20))
        assert status == 413

    def test_too_long_events_are_refused(self, address):
        body = json.dumps(dict(data=['x' * 2**20]))
        assert ask(address, 'POST', '/gradio_api/queue/join', body)[0] == 404


class TestListening:
    def test_this_machine_alone(self, address):
        assert address.hostname == '127.0.0.1'
        with socket.socket() as other, pytest.raises(ConnectionRefusedError):
            other.connect(('127.0.0.2', address.port))  # answered, were it 0.0.0.0

    def test_other_names_are_refused(self, address):
        assert ask(address, 'GET', '/', Host='evil.example')[0] == 400
        assert ask(address, 'GET', '/', Host=f'localhost:{address.port}')[0] == 200

    def test_port_taken(self, explorer, address, run_command, monkeypatch):
        words = f'^port {address.port} of 127.0.0.1 is in use: choose another by --port$'
        with pytest.raises(InputError, match=words), serve(explorer, 'tiny', port=address.port):
            pass
        monkeypatch.setattr('mmtranspose.commands.app.load_estimator', lambda args: pytest.fail('a model was loaded'))
        with pytest.raises(InputError, match=words):
            run_command('app', 'transpose-r-small_photographs', '--bboxes', 'drawn', '--port', address.port)

    @pytest.mark.parametrize(
        ('host', 'words'),
        [
            ('192.0.2.1', '192.0.2.1 is no address of this machine .*: choose another by --host'),
            ('no such host', 'no such host is no address of this machine .*: choose another by --host'),
        ],
    )
    def test_what_cannot_be_listened_on(self, host, words):
        with pytest.raises(InputError, match=words):
            require_free(host, free_port())

    def test_nothing_stays_behind(self, explorer, monkeypatch):
        monkeypatch.delenv('GRADIO_TEMP_DIR', raising=False)
        with serve(explorer, 'tiny', port=free_port()) as address:
            (path,) = json.loads(upload(urlparse(address), 'a.png', b'something')[2])
            assert Path(path).is_file() and Path(path).is_relative_to(os.environ['GRADIO_TEMP_DIR'])
        assert not Path(path).parent.parent.exists()
        assert 'GRADIO_TEMP_DIR' not in os.environ

    @pytest.fixture
    def without_gradio(self, monkeypatch):
        """The app's modules are imported again, where there is no gradio; afterwards the former ones come back."""
        command = importlib.import_module('mmtranspose.commands.app')
        monkeypatch.setattr(mmtranspose, 'app', mmtranspose.app)
        monkeypatch.setattr(mmtranspose.commands, 'app', command)
        for name in [name for name in sys.modules if name.startswith(('mmtranspose.app', 'mmtranspose.commands.app'))]:
            monkeypatch.delitem(sys.modules, name)
        monkeypatch.setitem(sys.modules, 'gradio', None)

    def test_without_gradio(self, without_gradio, run_command, tiny_config, tiny_checkpoint):
        with pytest.raises(InputError, match='the page needs gradio: pip install "gradio<[0-9]+" '):
            run_command('app', tiny_config, tiny_checkpoint)
        with pytest.raises(SystemExit) as stop:
            run_command('app', '--help')
        assert stop.value.code == 0


class TestTool:
    @pytest.fixture
    def started(self, monkeypatch, tiny_config, tiny_checkpoint, run_command):
        """Runs the tool up to where it would serve; returns what it would serve."""

        def start(*arguments, model=()):
            served = {}

            @contextmanager
            def stand_in(explorer, title, host, port, examples):
                served.update(explorer=explorer, title=title, host=host, port=port, examples=examples)
                raise KeyboardInterrupt
                yield

            monkeypatch.setattr('mmtranspose.commands.app.serve', stand_in)
            run_command('app', *(model or (tiny_config, tiny_checkpoint)), *arguments)
            return served

        return start

    def test_defaults(self, started):
        served = started('--bboxes', 'drawn')
        assert (served['host'], served['port'], served['examples']) == ('127.0.0.1', 7860, [])
        assert served['title'] == 'tiny, epoch_1.pth'
        assert served['explorer'].find_boxes is None and served['explorer'].offer.num_layers == 2

    def test_whole_image_and_examples(self, started, people):
        served = started('--bboxes', 'whole-image', '--examples', people / 'val', '--port', 8123, '--host', '0.0.0.0')
        (boxes,) = served['explorer'].find_boxes([np.zeros((30, 20, 3), np.uint8)])
        assert boxes.tolist() == [[0, 0, 20, 30, 1]]
        assert [path.name for path in served['examples']] == [f'{number:012}.jpg' for number in range(1, 5)]
        assert (served['host'], served['port']) == ('0.0.0.0', 8123)

    @pytest.mark.parametrize('port', [-1, 65536])
    def test_port_that_is_none(self, started, port):
        with pytest.raises(InputError, match=f'--port {port}: ports are numbered from 0 to 65535'):
            started('--port', port)

    @pytest.mark.parametrize(
        'arguments',
        [('--bboxes', 'whole-image', '--det-config', 'x.py'), ('--bboxes', 'drawn', '--det-checkpoint', 'x.pth')],
    )
    def test_arguments_that_do_not_go_together(self, started, arguments):
        with pytest.raises(InputError, match='--bboxes and --det-c.* exclude each other'):
            started(*arguments)

    @pytest.mark.parametrize('backend', [(), ('--backend', 'onnxruntime'), ('--backend', 'openvino')])
    def test_exported_file(self, started, exported, backend):
        if 'openvino' in backend:
            pytest.importorskip('openvino')
        served = started('--bboxes', 'drawn', *backend, model=(exported / 'image.onnx',))
        assert served['title'] == 'image.onnx'
        explorer = served['explorer']
        assert explorer.estimator is explorer.model and explorer.offer.kinds == ('dependency',)
        assert ('OpenVINO' in explorer.model.runtime.description) == ('openvino' in backend)

    def test_model_by_openvino(self, started, people):
        pytest.importorskip('openvino')
        plain, fast = (
            started('--bboxes', 'whole-image', *backend)['explorer'] for backend in ((), ('--backend', 'openvino'))
        )
        assert fast.estimator.uses_openvino and fast.estimator.original is fast.model
        image = open_image(people / 'val' / '000000000001.jpg')
        found = []
        for explorer in (plain, fast):
            session = explorer.start(image)
            explorer.pose(session, Settings())
            found.append(session.poses[0].pred_instances.keypoint_scores)
            session.choice = Choice(0, keypoint=0)
            assert explorer.chosen_map(session, Settings('affect', head=1)).shape == (8, 6)
        np.testing.assert_allclose(*found, atol=1e-5)

    @pytest.mark.parametrize(
        ('arguments', 'words'),
        [
            (('x.pth',), 'exported file with its own weights: leave out x.pth'),
            (('--allow-partial',), '--allow-partial is for models'),
            (('--backend', 'torch'), '--backend torch is for models'),
        ],
    )
    def test_arguments_that_an_exported_file_does_not_take(self, started, exported, arguments, words):
        with pytest.raises(InputError, match=words):
            started('--bboxes', 'drawn', model=(exported / 'image.onnx', *arguments))

    def test_backend_that_a_model_does_not_take(self, started):
        with pytest.raises(InputError, match='--backend onnxruntime is for exported files'):
            started('--bboxes', 'drawn', '--backend', 'onnxruntime')
