"""Results written as they come: JSON in two forms, images and videos, after errors too."""

import errno
import json
import os
import resource
import signal
from fractions import Fraction

import av
import cv2
import numpy as np
import pytest
from mmengine.structures import InstanceData
from mmpose.datasets.datasets.utils import parse_pose_metainfo
from mmpose.evaluation.metrics import CocoMetric
from mmpose.structures import PoseDataSample

from mmtranspose.apis import InputError
from mmtranspose.files.json_files import JsonListFile
from mmtranspose.inference import TopdownResult
from mmtranspose.inference.image_ids import ImageIds
from mmtranspose.media import Frame, Video
from mmtranspose.results import PredictionFiles, ResultsFolder
from mmtranspose.results.prediction_files import coco_results, instances_of

META = parse_pose_metainfo(dict(from_file='configs/_base_/datasets/coco.py'))
RATE = Fraction(30000, 1001)


def person(seed, track_id=None):
    random = np.random.default_rng(seed)
    keypoints = random.uniform(0, 60, (1, 17, 2)).astype(np.float32)
    scores = random.uniform(0, 1, (1, 17)).astype(np.float32)
    box = np.array([[3, 5, 40, 45.5]], np.float32) + seed
    people = InstanceData(keypoints=keypoints, keypoint_scores=scores, bboxes=box, bbox_scores=np.float32([0.75]))
    sample = PoseDataSample(pred_instances=people)
    if track_id is not None:
        sample.track_id = track_id
    return sample


def result(frame, *seeds, tracks=False):
    return TopdownResult(frame, [person(seed, 10 + seed if tracks else None) for seed in seeds])


def still(path, index=0, size=(48, 64)):
    return Frame(np.full((*size, 3), 90, np.uint8), str(path), index, str(path), None)


def frames(name, indices, size=(64, 48), live=False):
    video = Video(name, RATE, size, None, live)
    return [
        Frame(np.full((size[1], size[0], 3), 20 * index, np.uint8), f'{name}, frame {index}', index, name, video)
        for index in indices
    ]


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


class TestForms:
    def test_mmpose_s(self):
        people = instances_of([person(0), person(1, track_id=7)])
        assert [sorted(each) for each in people] == [
            ['bbox', 'bbox_score', 'keypoint_scores', 'keypoints'],
            ['bbox', 'bbox_score', 'keypoint_scores', 'keypoints', 'track_id'],
        ]
        assert people[1]['track_id'] == 7 and people[1]['bbox'] == ([4, 6, 41, 46.5],)
        np.testing.assert_array_equal(people[0]['keypoints'], person(0).pred_instances.keypoints[0])

    def test_coco_s_is_what_mmpose_s_metric_writes(self, people, tmp_path):
        """The same keypoints and scores as ``CocoMetric`` with its defaults writes into its file."""
        samples = [person(seed) for seed in range(3)]
        samples[2].pred_instances.keypoint_scores[:] = 0.1  # none is sure
        annotations = str(people / 'annotations' / 'person_keypoints_val.json')
        metric = CocoMetric(annotations, nms_mode='none', format_only=True, outfile_prefix=str(tmp_path / 'coco'))
        metric.dataset_meta = META
        for number, sample in enumerate(samples):
            gt = dict(bbox_scores=np.ones(1), bbox_scales=np.ones((1, 2)))
            of_metric = dict(id=number, img_id=1, pred_instances=dict(sample.pred_instances.items()))
            metric.process([], [of_metric | dict(gt_instances=gt, category_id=1)])
        metric.evaluate(3)
        theirs = json.loads((tmp_path / 'coco.keypoints.json').read_text())
        ours = coco_results(samples, image_id=1)
        assert len(ours) == len(theirs) == 3 and ours[2]['score'] == 0 < ours[1]['score']
        for one in ours:
            match = next(each for each in theirs if np.allclose(each['keypoints'], one['keypoints'], atol=1e-4))
            assert match['score'] == pytest.approx(one['score'], abs=1e-5)
            assert (match['image_id'], match['category_id']) == (one['image_id'], one['category_id'])
        assert ours[1]['bbox'] == [4, 6, 37, 40.5]


class TestJsonListFile:
    @pytest.mark.parametrize('entries', [[], [{'a': 1}], [[1, 2], 'b', {'c': np.float32(0.5)}]])
    def test_is_json(self, tmp_path, entries):
        file = JsonListFile(tmp_path / 'deep' / 'a.json', '{"x": 1, "list": [', ']}')
        for entry in entries:
            file.write(entry)
        assert not (tmp_path / 'deep' / 'a.json').exists()
        file.close()
        file.close()
        assert json.loads((tmp_path / 'deep' / 'a.json').read_text()) == {'x': 1, 'list': entries}
        assert os.listdir(tmp_path / 'deep') == ['a.json']

    def test_entries_are_not_kept(self, tmp_path):
        file = JsonListFile(tmp_path / 'a.json')
        for _ in range(2000):
            file.write('x' * 100)
        partial = next(tmp_path.iterdir())
        assert partial.name == f'a.json.{os.getpid()}.partial' and partial.stat().st_size > 180_000
        file.close()

    def test_a_file_that_cannot_be_made_is_named(self, tmp_path):
        (tmp_path / 'out').write_text('')
        with pytest.raises(OSError, match='a.json') as error:
            JsonListFile(tmp_path / 'out' / 'a.json')
        assert error.value.filename == str(tmp_path / 'out' / 'a.json')


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
