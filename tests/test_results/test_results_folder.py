"""Results written as they come: JSON, images and videos, after errors too."""

import errno
import json
import os
import resource
import signal

import av
import cv2
import numpy as np
import pytest
from made_results import META, RATE, frames, person, result, still

from mmtranspose.apis import InputError
from mmtranspose.inference import TopdownResult
from mmtranspose.inference.image_ids import ImageIds
from mmtranspose.media import Frame
from mmtranspose.results import PredictionFiles, ResultsFolder


@pytest.fixture
def folder(tmp_path):
    root = tmp_path / 'out'
    return ResultsFolder(root, (), PredictionFiles(root, META, ImageIds()))


def written(folder, results):
    with folder:
        for one in results:
            folder.write(one, one.frame.image)
    return folder.root


def decoded(path):
    with av.open(str(path)) as container:
        rate = container.streams.video[0].average_rate
        return [frame.to_ndarray(format='bgr24') for frame in container.decode(video=0)], rate


class TestResultsFolder:
    def test_images(self, folder, tmp_path):
        root = written(folder, [result(still('a/x.jpg'), 0, 1), result(still('b/x.jpg', 1)), result(still('7.png'), 2)])
        names = ['7.json', '7.png', 'results_coco.json', 'x.jpg', 'x.json', 'x_2.jpg', 'x_2.json']
        assert sorted(path.name for path in root.iterdir()) == names
        first, second = (json.loads((root / name).read_text()) for name in ('x.json', 'x_2.json'))
        assert first['meta_info']['image'] == 'a/x.jpg' and len(first['instance_info']) == 2
        assert second['meta_info']['image'] == 'b/x.jpg' and second['instance_info'] == []
        coco = json.loads((root / 'results_coco.json').read_text())
        assert [(one['image_id'], one['file_name']) for one in coco] == [(0, 'a/x.jpg'), (0, 'a/x.jpg'), (7, '7.png')]
        assert all('frame_id' not in one for one in coco)
        np.testing.assert_allclose(
            np.reshape(coco[2]['keypoints'], (17, 3))[:, :2], person(2).pred_instances.keypoints[0], rtol=1e-6
        )
        assert (cv2.imread(str(root / '7.png')) == 90).all()

    def test_a_video(self, folder):
        results = [result(frame, index, tracks=True) for index, frame in enumerate(frames('in/clip.avi', [0, 1, 3, 4]))]
        root = written(folder, [*results, result(still('x.png'), 0)])
        assert sorted(path.name for path in root.iterdir()) == [
            'clip.json',
            'clip.mp4',
            'results_coco.json',
            'x.json',
            'x.png',
        ]
        content = json.loads((root / 'clip.json').read_text())
        assert content['meta_info']['video'] == 'in/clip.avi' and content['meta_info']['size'] == [64, 48]
        assert content['meta_info']['fps'] == pytest.approx(29.97, abs=0.01)
        assert [one['frame_id'] for one in content['instance_info']] == [1, 2, 4, 5]
        assert [one['instances'][0]['track_id'] for one in content['instance_info']] == [10, 11, 12, 13]
        coco = json.loads((root / 'results_coco.json').read_text())
        assert [one.get('frame_id') for one in coco] == [1, 2, 4, 5, None]
        assert [one['image_id'] for one in coco] == [0, 1, 3, 4, 5]
        images, rate = decoded(root / 'clip.mp4')
        assert rate == RATE and len(images) == 4 and images[0].shape == (48, 64, 3)
        assert [round(image.mean() / 20) for image in images] == [0, 1, 3, 4]

    def test_two_videos_and_a_camera(self, folder):
        clips = [
            frames('a/clip.mp4', [0, 1]),
            frames('b/clip.mp4', [0, 1, 2], (50, 30)),
            frames('camera 0', [0], live=True),
        ]
        clips[2] = [Frame(one.image, one.name, one.index, None, one.video) for one in clips[2]]
        root = written(folder, [result(frame, 0) for clip in clips for frame in clip])
        for name, count, shape in (('clip', 2, (48, 64, 3)), ('clip_2', 3, (30, 50, 3)), ('webcam', 1, (48, 64, 3))):
            images, _ = decoded(root / f'{name}.mp4')
            assert len(images) == count and images[0].shape == shape
            assert len(json.loads((root / f'{name}.json').read_text())['instance_info']) == count

    def test_without_predictions(self, tmp_path):
        root = written(ResultsFolder(tmp_path / 'out'), [result(still('x.png'), 0)])
        assert os.listdir(root) == ['x.png']

    def test_no_result_no_folder(self, folder):
        assert not written(folder, []).exists()

    def test_a_video_has_no_page(self, tmp_path):
        folder = ResultsFolder(tmp_path / 'out', pages=True)
        with pytest.raises(InputError, match='--explain page is for images, not clip.mp4'):
            written(folder, [result(frame, 0) for frame in frames('clip.mp4', [0])])
        assert not folder.root.exists()

    @pytest.mark.parametrize('error', [KeyboardInterrupt, RuntimeError])
    def test_files_are_completed_after_an_error(self, folder, error):
        def stopped():
            yield from (result(frame, 0) for frame in frames('clip.mp4', range(5)))
            raise error

        with pytest.raises(error):
            written(folder, stopped())
        assert len(decoded(folder.root / 'clip.mp4')[0]) == 5
        assert len(json.loads((folder.root / 'clip.json').read_text())['instance_info']) == 5
        assert len(json.loads((folder.root / 'results_coco.json').read_text())) == 5


@pytest.fixture
def small_disk():
    """Files cannot grow beyond 64 KiB."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    ignored = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (2**16, before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, before)
    signal.signal(signal.SIGXFSZ, ignored)


def noisy(number):
    return np.random.default_rng(number).integers(0, 256, (96, 128, 3), dtype=np.uint8)


class TestFullDisk:
    """The file is named, nothing of it is left, and what was written before is whole."""

    def test_json(self, folder, small_disk):
        with pytest.raises(OSError, match='results_coco.json') as error:
            written(folder, (result(still('x.png'), *range(10)) for _ in range(100)))
        assert (error.value.errno, error.value.filename) == (errno.EFBIG, str(folder.root / 'results_coco.json'))
        assert not list(folder.root.glob('*results_coco*')) and not list(folder.root.glob('*.partial'))
        for path in folder.root.glob('*.json'):
            assert len(json.loads(path.read_text())['instance_info']) == 10

    def test_video(self, folder, small_disk):
        def results():
            for frame in frames('clip.mp4', range(200), (128, 96)):
                yield TopdownResult(Frame(noisy(frame.index), frame.name, frame.index, frame.path, frame.video), [])

        with pytest.raises(OSError, match='clip.mp4') as error:
            written(folder, results())
        assert (error.value.errno, error.value.filename) == (errno.EFBIG, str(folder.root / 'clip.mp4'))
        assert sorted(path.name for path in folder.root.iterdir()) == ['clip.json', 'results_coco.json']
        assert len(json.loads((folder.root / 'clip.json').read_text())['instance_info']) > 0

    def test_image(self, folder, small_disk):
        big = Frame(np.random.default_rng(0).integers(0, 256, (200, 200, 3), dtype=np.uint8), 'x', 0, 'x.png', None)
        with pytest.raises(OSError, match='x.png') as error:
            written(folder, [result(still('a.png'), 0), TopdownResult(big, [])])
        assert (error.value.errno, error.value.filename) == (errno.EFBIG, str(folder.root / 'x.png'))
        assert sorted(path.name for path in folder.root.iterdir()) == ['a.json', 'a.png', 'results_coco.json']
