"""Frames to poses: the same poses as one by one, in order, in full batches, at any place to stop."""

import itertools
import threading

import numpy as np
import pytest
import torch
from mmengine.config import Config

from mmtranspose.apis import InputError, TopdownPipeline, explain_topdown, inference_topdown, init_model
from mmtranspose.explain import ExplainOptions
from mmtranspose.inference import stages
from mmtranspose.media import Frame, VideoWriter, read_image

BOX = [20, 15, 120, 290]
PEOPLE = {0: [], 1: [BOX], 2: [BOX, [100, 30, 230, 300], [-30, -20, 90, 200]], 3: [[60, 60, 161, 150]] * 2}


@pytest.fixture(scope='module')
def images(people):
    return [read_image(str(path)) for path in sorted((people / 'val').glob('*.jpg'))]


@pytest.fixture(scope='module')
def model(tiny_config, tiny_checkpoint):
    return init_model(tiny_config, tiny_checkpoint)


def boxes_of(frames: list[Frame]):
    return [np.array(PEOPLE[frame.index % 4], np.float32).reshape(-1, 4) for frame in frames]


def with_scores(frames: list[Frame]):
    return [np.column_stack([boxes, np.full(len(boxes), 0.9)]) for boxes in boxes_of(frames)]


def poses(samples):
    return [np.dstack([one.pred_instances.keypoints, one.pred_instances.keypoint_scores]) for one in samples]


@pytest.mark.parametrize(('batch_size', 'detector_batch_size'), [(None, None), (1, 1), (4, 3)])
def test_same_poses_as_one_by_one(model, images, batch_size, detector_batch_size):
    pipeline = TopdownPipeline(model, with_scores, batch_size, detector_batch_size)
    results = list(pipeline(images * 3))
    assert [result.frame.index for result in results] == list(range(12))
    for result in results:
        index = result.frame.index
        assert result.frame.image is images[index % 4]
        expected = inference_topdown(model, images[index % 4], PEOPLE[index % 4])
        assert len(result.samples) == len(PEOPLE[index % 4])
        for ours, theirs in zip(poses(result.samples), poses(expected)):
            np.testing.assert_allclose(ours, theirs, atol=0.05)
        for sample, box in zip(result.samples, PEOPLE[index % 4]):
            assert sample.pred_instances.bboxes.tolist() == [box]
            assert sample.pred_instances.bbox_scores == pytest.approx([0.9])


def test_batches_are_full(model, images, monkeypatch):
    pipeline = TopdownPipeline(model, with_scores, 4)
    seen, estimate = [], pipeline.estimate
    pipeline.estimate = lambda crops: seen.append(len(crops)) or estimate(crops)
    list(pipeline(images * 3))
    assert seen == [4, 4, 4, 4, 2]


def test_detector_gets_batches_of_frames(model, images):
    sizes = []

    def boxes(frames):
        sizes.append(len(frames))
        return with_scores(frames)

    list(TopdownPipeline(model, boxes, detector_batch_size=5)(images * 3))
    assert sizes == [5, 5, 2]


def test_first_result_before_the_last_frame_and_bounded_reading(model, images):
    read = []

    def endless():
        for number in itertools.count():
            read.append(number)
            yield images[number % 4]

    results = TopdownPipeline(model, with_scores, 2, 2)(endless())
    for index in range(30):
        assert next(results).frame.index == index
        assert len(read) < index + 30  # queues between the stages, and a batch that fills
    results.close()
    assert not [thread for thread in threading.enumerate() if thread.daemon and thread.name.startswith('Thread')]


def test_nobody_for_a_long_time_holds_nothing_back(model, images):
    """One person, then nobody: the first frame must not wait for a batch to fill."""

    def boxes(frames):
        return [np.array([BOX] if frame.index == 0 else np.zeros((0, 4))) for frame in frames]

    results = TopdownPipeline(model, boxes, 16)(itertools.repeat(images[0]))
    assert len(next(results).samples) == 1
    assert next(results).samples == []
    results.close()


def test_many_people_in_one_frame(model, images):
    rng = np.random.default_rng(0)
    corners = rng.uniform(0, 150, (500, 2))
    boxes = np.concatenate([corners, corners + rng.uniform(20, 100, (500, 2))], 1)
    (result,) = TopdownPipeline(model, boxes, 64)(images[0])
    assert [sample.pred_instances.bboxes[0].tolist() for sample in result.samples] == boxes.astype('f4').tolist()


def test_boxes_that_cannot_be_used_are_left_out_alone(model, images):
    w = images[0].shape[1]
    one_pixel, half_outside = [10, 10, 11, 11], [-50, -50, 60, 60]
    bad = [[w + 1, 0, w + 9, 9], [5, 5, 5, 9], [float('nan'), 0, 9, 9]]
    skipped = []
    pipeline = TopdownPipeline(model, [bad[0], one_pixel, bad[1], half_outside, bad[2]])
    (result,) = pipeline(images[0], on_skip=lambda *what: skipped.append(what))
    assert [sample.pred_instances.bboxes[0].tolist() for sample in result.samples] == [one_pixel, half_outside]
    assert all(np.isfinite(pose).all() for pose in poses(result.samples))
    assert [reason.split()[1] for _, reason in skipped] == ['0', '2', '4']
    assert all(name == 'array 0' for name, _ in skipped)
    assert 'outside the image' in skipped[0][1] and 'no positive' in skipped[1][1]
    with pytest.raises(InputError, match='array 0: box 0.*outside'):
        list(pipeline(images[0]))


def test_image_that_cannot_be_read(model, people, tmp_path):
    files = sorted((people / 'val').glob('*.jpg'))[:3]
    (tmp_path / 'bad.jpg').write_bytes(b'')
    inputs = [str(files[0]), str(tmp_path / 'bad.jpg'), str(files[1])]
    skipped = []
    pipeline = TopdownPipeline(model, 'whole-image')
    results = list(pipeline(inputs, on_skip=lambda *what: skipped.append(what)))
    assert [result.frame.path for result in results] == [inputs[0], inputs[2]]
    assert [name for name, _ in skipped] == [inputs[1]] and '0 bytes' in skipped[0][1]
    strict = pipeline(inputs)
    assert next(strict).frame.path == inputs[0]
    with pytest.raises(InputError, match='bad.jpg.*0 bytes'):
        next(strict)


def test_boxes_that_are_not_known_for_one_frame(model, images):
    def boxes(frames):
        if any(frame.index == 1 for frame in frames):
            raise InputError('no boxes known')
        return with_scores(frames)

    skipped = []
    results = TopdownPipeline(model, boxes)(images, on_skip=lambda *what: skipped.append(what))
    assert [result.frame.index for result in results] == [0, 2, 3]
    assert skipped == [('array 1', 'no boxes known')]


def test_an_error_of_the_program_comes_up(model, images):
    def boxes(frames):
        raise RuntimeError('broken detector')

    with pytest.raises(RuntimeError, match='broken detector'):
        list(TopdownPipeline(model, boxes)(images))


def test_input_that_is_not_there_is_told_at_once(model):
    with pytest.raises(InputError, match='missing.jpg'):
        TopdownPipeline(model, 'whole-image')('missing.jpg')


def test_used_again_and_the_model_is_left_as_it_was(model, images):
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    settings = dict(model.test_cfg)
    pipeline = TopdownPipeline(model, with_scores, output_heatmaps=True)
    first, second = (list(pipeline(images)) for _ in range(2))
    for one, other in zip(first, second):
        np.testing.assert_array_equal(poses(one.samples), poses(other.samples))
    for sample in first[2].samples:
        assert sample.pred_fields.heatmaps.shape == (17, 16, 12)
    assert dict(model.test_cfg) == settings
    assert all((before[name] == tensor).all() for name, tensor in model.state_dict().items())


def test_explained(model, images):
    pipeline = TopdownPipeline(model, with_scores, 2, explain=ExplainOptions(affect=True))
    results = list(pipeline(images))
    assert results[0].explanations == []
    expected = explain_topdown(model, images[2], PEOPLE[2], affect=True)
    for ours, theirs, sample in zip(results[2].explanations, expected, results[2].samples, strict=True):
        for name in ('dependency', 'affect', 'keypoints', 'scores'):
            np.testing.assert_allclose(getattr(ours, name), getattr(theirs, name), atol=1e-3)
        np.testing.assert_allclose(sample.pred_instances.keypoints[0], ours.keypoints, atol=1e-4)
        np.testing.assert_allclose(sample.pred_instances.keypoint_scores[0], ours.scores, atol=1e-6)


def test_tracked(model, images):
    pipeline = TopdownPipeline(model, [BOX, [100, 30, 230, 300]], track=True)
    results = list(pipeline([images[0]] * 3))
    assert [[sample.track_id for sample in result.samples] for result in results] == [[0, 1]] * 3


class Camera:
    """Stands for ``cv2.VideoCapture``: four images, then unplugged."""

    def __init__(self, image):
        self.left, self.image = 4, image

    def __call__(self, *_):
        return self

    def isOpened(self):
        return True

    def read(self):
        self.left -= 1
        return (True, self.image.copy()) if self.left >= 0 else (False, None)

    def get(self, _):
        return 0.0

    def release(self):
        self.left = -99


def test_camera_is_finished_frame_by_frame(model, images, monkeypatch):
    camera = Camera(images[0])
    monkeypatch.setattr('cv2.VideoCapture', camera)
    skipped, sizes = [], []
    pipeline = TopdownPipeline(model, [BOX], 16)
    estimate = pipeline.estimate
    pipeline.estimate = lambda crops: sizes.append(len(crops)) or estimate(crops)
    results = list(pipeline(0, on_skip=lambda *what: skipped.append(what)))
    assert 1 <= len(results) <= 4 and results[0].frame.video.live
    assert sizes == [1] * len(results)
    assert [name for name, _ in skipped] == ['camera 0']
    assert camera.left == -99


class TestOptions:
    @pytest.mark.parametrize(
        ('options', 'words'),
        [
            (dict(batch_size=0), 'batch_size=0'),
            (dict(detector_batch_size=-1), 'detector_batch_size=-1'),
            (dict(explain=ExplainOptions(), dtype='bf16'), 'explanations come in fp32'),
            (dict(dtype='int8'), 'int8'),
        ],
    )
    def test_refused(self, model, options, words):
        with pytest.raises(InputError, match=words):
            TopdownPipeline(model, 'whole-image', **options)

    def test_a_model_in_training_mode(self, tiny_config):
        with pytest.raises(InputError, match='the model is in training mode: call model.eval'):
            TopdownPipeline(init_model(tiny_config).train(), 'whole-image')

    def test_another_of_mmposes_models_runs_as_it_is(self, tiny_config, images):
        cfg = Config.fromfile(tiny_config)
        cfg.model.neck = None
        cfg.model.backbone = dict(type='ResNet', depth=18, strides=(1, 2, 2, 1))
        deconvolutions = dict(deconv_out_channels=(32, 32), deconv_kernel_sizes=(4, 4))
        cfg.model.head = dict(type='HeatmapHead', in_channels=512, out_channels=17, decoder=cfg.codec, **deconvolutions)
        model = init_model(cfg)
        (result,) = TopdownPipeline(model, [BOX])(images[0])
        np.testing.assert_allclose(
            poses(result.samples)[0], poses(inference_topdown(model, images[0], [BOX]))[0], atol=1e-3
        )
        settings = dict(model.test_cfg)
        (result,) = TopdownPipeline(model, [BOX], output_heatmaps=True)(images[0])
        assert result.samples[0].pred_fields.heatmaps.shape[0] == 17
        assert dict(model.test_cfg) == settings
        with pytest.raises(InputError, match='TransPoseNeck'):
            TopdownPipeline(model, [BOX], dtype='bf16')


def test_large_frames_do_not_pile_up(model, images, monkeypatch):
    """Frames that wait are bounded in bytes as well as in number."""
    monkeypatch.setattr(stages, 'MOST_BYTES', 3 * images[0].nbytes)
    sizes, pipeline = [], TopdownPipeline(model, [BOX], 16)
    estimate = pipeline.estimate
    pipeline.estimate = lambda crops: sizes.append(len(crops)) or estimate(crops)
    list(pipeline([images[0]] * 9))
    assert sizes == [3, 3, 3]


def test_what_came_before_an_error_of_the_source(model, images):
    def frames():
        yield from images[:3]
        raise OSError('network is down')

    results = TopdownPipeline(model, with_scores, 16, 8)(frames())
    assert [next(results).frame.index for _ in range(3)] == [0, 1, 2]
    with pytest.raises(OSError, match='network is down'):
        next(results)


def test_boxes_of_a_wrong_shape_cost_their_frame_alone(model, images):
    def boxes(frames):
        return [np.ones((1, 6)) if frame.index == 1 else [BOX] for frame in frames]

    skipped = []
    results = TopdownPipeline(model, boxes)(images, on_skip=lambda *what: skipped.append(what))
    assert [result.frame.index for result in results] == [0, 2, 3]
    assert [name for name, _ in skipped] == ['array 1'] and '(1, 6)' in skipped[0][1]
    with pytest.raises(InputError, match='boxes of 1 frames were returned for 4 frames'):
        list(TopdownPipeline(model, lambda frames: [[BOX]])(images))


def test_boxes_are_found_without_gradients(model, images):
    enabled = []

    def boxes(frames):
        enabled.append(torch.is_grad_enabled())
        return with_scores(frames)

    list(TopdownPipeline(model, boxes)(images))
    assert enabled == [False]


def test_never_iterated(model, images, monkeypatch):
    camera = Camera(images[0])
    monkeypatch.setattr('cv2.VideoCapture', camera)
    results = TopdownPipeline(model, [BOX])(0)
    assert camera.left == 4
    results.close()
    assert camera.left == -99


def test_images_beside_a_camera_are_not_left_out(model, images, people, tmp_path, monkeypatch):
    monkeypatch.setattr('cv2.VideoCapture', Camera(images[0]))
    files = sorted(str(path) for path in (people / 'val').glob('*.jpg'))
    (tmp_path / 'bad.jpg').write_bytes(b'')
    skipped = []
    inputs = [*files, str(tmp_path / 'bad.jpg'), *files, 'webcam']
    results = list(TopdownPipeline(model, [BOX])(inputs, on_skip=lambda *what: skipped.append(what[0])))
    assert [result.frame.path for result in results if result.frame.path] == files * 2
    assert skipped == [str(tmp_path / 'bad.jpg'), 'camera 0']


def test_the_same_video_twice_is_tracked_anew(model, images, tmp_path):
    with VideoWriter(tmp_path / 'v.mp4', 25, images[0].shape[1::-1]) as writer:
        for _ in range(2):
            writer.write(images[0])
    results = TopdownPipeline(model, [[100, 30, 230, 300]], track=True)([str(tmp_path / 'v.mp4')] * 2)
    assert [[sample.track_id for sample in result.samples] for result in results] == [[0]] * 4
