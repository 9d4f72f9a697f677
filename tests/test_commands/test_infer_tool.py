"""``mmtranspose infer`` from end to end: images, folders, videos; boxes from arrays, files and detectors; mistakes."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
import pytest
from children import running
from conftest import ROOT
from tiny_detector import write_detector

from mmtranspose.apis import InputError, explain_topdown, inference_topdown, load_bboxes
from mmtranspose.commands import infer as command
from mmtranspose.detection import PersonDetector
from mmtranspose.explain import ExplainOptions
from mmtranspose.inference import TopdownPipeline
from mmtranspose.media import VideoWriter, read_image
from mmtranspose.visualization import draw_poses, overlay_people

BOXES = [[20, 15, 120, 290, 0.75], [100.5, 30.25, 230, 300, 0.5]]
RATE = Fraction(30000, 1001)


@pytest.fixture
def image_file(people):
    return people / 'val' / '000000000001.jpg'


@pytest.fixture
def out(tmp_path):
    return tmp_path / 'out'


@pytest.fixture
def infer(run_command, tiny_config, tiny_checkpoint, image_file, out, tmp_path):
    """Runs the tool on boxes (a list, whole-image, or None); gives its exit status."""

    def infer(boxes, *flags, inputs=None):
        if isinstance(boxes, (list, dict, int)):
            (tmp_path / 'boxes.json').write_text(json.dumps(boxes))
            boxes = tmp_path / 'boxes.json'
        where = () if boxes is None else ('--bboxes', boxes)
        files = ('--input', *(inputs or [image_file]), *where, '--output-root', out)
        return run_command('infer', tiny_config, tiny_checkpoint, *files, *flags)

    return infer


@pytest.fixture
def clip(image_file, tmp_path):
    """A video of 12 frames, brighter and brighter."""
    image = read_image(str(image_file))
    path = tmp_path / 'clip.mp4'
    with VideoWriter(path, RATE, image.shape[1::-1]) as writer:
        for number in range(12):
            writer.write(cv2.convertScaleAbs(image, alpha=0.5 + number / 20))
    return path


def frames_of(path):
    with av.open(str(path)) as container:
        rate = container.streams.video[0].average_rate
        return [frame.to_ndarray(format='bgr24') for frame in container.decode(video=0)], rate


def read(path):
    return json.loads(path.read_text())


class TestImages:
    def test_json_has_the_apis_values(self, infer, tiny_model, image_file, out, tmp_path):
        assert infer(BOXES) == 0
        result = read(out / '000000000001.json')
        samples = inference_topdown(tiny_model, str(image_file), load_bboxes(str(tmp_path / 'boxes.json')))
        assert len(result['instance_info']) == 2
        for person, sample, box in zip(result['instance_info'], samples, BOXES):
            np.testing.assert_allclose(person['keypoints'], sample.pred_instances.keypoints[0], atol=0.05)
            np.testing.assert_allclose(person['keypoint_scores'], sample.pred_instances.keypoint_scores[0], rtol=1e-3)
            assert person['bbox'] == [box[:4]] and person['bbox_score'] == box[4]
        assert result['meta_info']['image'] == str(image_file)
        assert result['meta_info']['keypoint_names'][10] == 'right_wrist'

    def test_image_shows_the_poses(self, infer, tiny_model, image_file, out):
        infer(BOXES, '--kpt-thr', '0', '--draw-bbox')
        samples = inference_topdown(tiny_model, str(image_file), BOXES)
        expected = draw_poses(cv2.imread(str(image_file)), samples, tiny_model.dataset_meta, kpt_thr=0, draw_bbox=True)
        cv2.imwrite(str(out / 'expected.jpg'), expected)
        drawn = cv2.imread(str(out / '000000000001.jpg'))
        assert (drawn != cv2.imread(str(out / 'expected.jpg'))).any(-1).mean() < 0.01  # a keypoint on a pixel's edge
        assert np.abs(drawn.astype(int) - cv2.imread(str(image_file))).max() > 100

    def test_flags_of_drawing(self, infer, tiny_model, image_file, out, tmp_path):
        shutil.copy(image_file, tmp_path / 'x.jpg')
        cv2.imwrite(str(tmp_path / 'x.png'), cv2.imread(str(image_file)))
        flags = ('--radius', '5', '--thickness', '3', '--alpha', '0.4', '--show-kpt-idx', '--kpt-thr', '0')
        style = ('--skeleton-style', 'openpose')
        infer(BOXES, *flags, *style, inputs=[tmp_path / 'x.png'])
        samples = inference_topdown(tiny_model, str(tmp_path / 'x.png'), BOXES)
        options = dict(radius=5, thickness=3, alpha=0.4, show_kpt_idx=True, skeleton_style='openpose')
        image = read_image(str(tmp_path / 'x.png'))
        expected = draw_poses(image, samples, tiny_model.dataset_meta, kpt_thr=0, **options)
        drawn = cv2.imread(str(out / 'x.png'))
        assert (drawn != expected).any(-1).mean() < 0.01 < (drawn != image).any(-1).mean()

    def test_heatmaps_are_below(self, infer, image_file, out):
        infer(BOXES, '--draw-heatmap')
        drawn, image = cv2.imread(str(out / image_file.name)), cv2.imread(str(image_file))
        assert drawn.shape == (2 * image.shape[0], image.shape[1], 3)
        below = drawn[len(image) :]
        assert np.abs(below.astype(int) - image).mean() > 20

    def test_whole_image(self, infer, image_file, out):
        infer('whole-image')
        h, w = cv2.imread(str(image_file)).shape[:2]
        assert [person['bbox'] for person in read(out / '000000000001.json')['instance_info']] == [[[0, 0, w, h]]]

    def test_nobody(self, infer, image_file, out, capsys):
        assert infer([]) == 0
        assert read(out / '000000000001.json')['instance_info'] == [] == read(out / 'results_coco.json')
        difference = np.abs(cv2.imread(str(out / image_file.name)).astype(int) - cv2.imread(str(image_file)))
        assert difference.mean() < 3  # encoded once more
        assert '1 image, 0 poses, 0 skipped' in capsys.readouterr().out

    def test_coco_results_are_those_of_the_evaluation(self, infer, people, tested, out):
        """In the same detections: what ``tools/test.py`` wrote, whose scores are those of ``CocoMetric``."""
        annotations = people / 'annotations' / 'person_keypoints_val.json'
        boxes = people / 'person_detection_results' / 'person_detections_val.json'
        assert infer(boxes, '--ann-file', annotations, inputs=[people / 'val']) == 0
        ours, theirs = read(out / 'results_coco.json'), read(tested.predictions)
        assert len(theirs) >= 4
        for expected in theirs:
            point = np.reshape(expected['keypoints'], (17, 3))  # some hundreds of pixels off: it has hardly learnt
            same = [one for one in ours if one['image_id'] == expected['image_id']]
            gaps = [np.abs(np.reshape(one['keypoints'], (17, 3)) - point).max() for one in same]
            nearest = same[int(np.argmin(gaps))]
            assert min(gaps) < 0.2 and nearest['score'] == pytest.approx(expected['score'], abs=1e-3)
            assert Path(nearest['file_name']).stem == f'{expected["image_id"]:012d}'

    def test_without_predictions(self, infer, image_file, out):
        infer(BOXES, '--no-save-predictions')
        assert os.listdir(out) == [image_file.name]

    def test_equal_names_are_numbered(self, infer, people, image_file, out, tmp_path):
        (tmp_path / 'other').mkdir()
        shutil.copy(people / 'val' / '000000000002.jpg', tmp_path / 'other' / image_file.name)
        infer('whole-image', inputs=[image_file, tmp_path / 'other'])
        assert sorted(path.name for path in out.glob('*.jpg')) == ['000000000001.jpg', '000000000001_2.jpg']
        other = read(out / '000000000001_2.json')['meta_info']['image']
        assert other == str(tmp_path / 'other' / image_file.name)

    def test_a_detector(self, infer, image_file, out, tmp_path):
        config, checkpoint = write_detector(tmp_path)
        found = PersonDetector(config, checkpoint, bbox_thr=0.2, nms_thr=0.5)([read_image(str(image_file))])[0]
        assert len(found) > 1
        thresholds = ('--bbox-thr', '0.2', '--nms-thr', '0.5', '--det-cat-id', '0')
        assert infer(None, '--det-config', config, '--det-checkpoint', checkpoint, *thresholds) == 0
        people = read(out / '000000000001.json')['instance_info']
        np.testing.assert_allclose([one['bbox'][0] for one in people], found[:, :4], rtol=1e-5)

    def test_thresholds_hold_for_boxes_from_files(self, infer, out):
        boxes = [dict(image_id=1, category_id=1, bbox=[20, 15, 100, 250], score=score) for score in (0.9, 0.8, 0.1)]
        infer(boxes, '--bbox-thr', '0.5')
        assert len(read(out / '000000000001.json')['instance_info']) == 2
        infer(boxes, '--bbox-thr', '0.5', '--nms-thr', '0.7')
        assert len(read(out / '000000000001.json')['instance_info']) == 1


class TestVideos:
    def test_rate_size_and_frames(self, infer, clip, image_file, out):
        assert infer(BOXES, '--kpt-thr', '0', inputs=[clip]) == 0
        (given, _), (made, rate) = frames_of(clip), frames_of(out / 'clip.mp4')
        assert rate == RATE and len(made) == 12 and made[0].shape == given[0].shape == read_image(str(image_file)).shape
        unchanged = np.abs(np.float32(made) - np.float32(given)).max(-1) < 40
        assert 0.85 < unchanged.mean() < 0.999  # elsewhere poses are
        content = read(out / 'clip.json')
        assert [frame['frame_id'] for frame in content['instance_info']] == list(range(1, 13))
        assert all(len(frame['instances']) == 2 for frame in content['instance_info'])
        coco = read(out / 'results_coco.json')
        assert [one['image_id'] for one in coco] == [number // 2 for number in range(24)]

    def test_tracks(self, infer, clip, out):
        infer(BOXES, '--track', inputs=[clip])
        numbers = [
            [one['track_id'] for one in frame['instances']] for frame in read(out / 'clip.json')['instance_info']
        ]
        assert numbers == [[0, 1]] * 12
        assert [one['track_id'] for one in read(out / 'results_coco.json')] == [0, 1] * 12

    def test_a_truncated_video(self, infer, clip, out, capsys):
        clip.write_bytes(clip.read_bytes()[:2000])
        assert infer(BOXES, inputs=[clip]) == 1
        assert f'{clip}' in capsys.readouterr().err
        assert not out.exists()

    def test_interrupted(self, clip, tiny_config, tiny_checkpoint, out):
        """Ctrl-C: exit status 130, the video can be played, the JSON read."""
        with VideoWriter(clip, RATE, (64, 48)) as writer:
            for number in range(300):
                writer.write(np.full((48, 64, 3), number % 256, np.uint8))
        (out.parent / 'boxes.json').write_text(json.dumps([[0, 0, 64, 48]] * 20))  # many, so that it takes a while
        arguments = [sys.executable, ROOT / 'tools' / 'infer.py', tiny_config, tiny_checkpoint, '--input', clip]
        arguments += ['--bboxes', out.parent / 'boxes.json', '--output-root', out]
        environment = {**os.environ, 'PYTHONPATH': str(ROOT), 'OMP_NUM_THREADS': '1'}
        pipes = dict(stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        with running(arguments, **pipes, env=environment) as process:
            while process.poll() is None and not any(path.stat().st_size for path in out.glob('clip.json.*')):
                time.sleep(0.05)
            process.send_signal(signal.SIGINT)
            printed, errors = process.communicate(timeout=60)
        assert process.returncode == 130 and 'interrupted' in errors and 'Traceback' not in errors
        assert sorted(os.listdir(out)) == ['clip.json', 'clip.mp4', 'results_coco.json']
        count = len(read(out / 'clip.json')['instance_info'])
        assert 0 < count < 300 and len(frames_of(out / 'clip.mp4')[0]) == count
        assert len(read(out / 'results_coco.json')) == 20 * count
        assert 'poses, 0 skipped' in printed


class TestExplain:
    def test_a_keypoint(self, infer, tiny_model, image_file, out, tmp_path):
        cv2.imwrite(str(tmp_path / 'x.png'), cv2.imread(str(image_file)))
        infer(BOXES, '--explain', 'left_hip', inputs=[tmp_path / 'x.png'])
        image = read_image(str(tmp_path / 'x.png'))
        explained = overlay_people(image, explain_topdown(tiny_model, image, BOXES), 'left_hip', 1)
        samples = inference_topdown(tiny_model, image, BOXES)
        expected = draw_poses(explained, samples, tiny_model.dataset_meta)
        drawn = cv2.imread(str(out / 'x.png'))
        assert (np.abs(drawn.astype(int) - expected) > 2).any(-1).mean() < 0.01
        assert (np.abs(drawn.astype(int) - draw_poses(image, samples, tiny_model.dataset_meta)) > 2).mean() > 0.05
        assert len(read(out / 'x.json')['instance_info']) == 2

    @pytest.mark.parametrize(
        ('choice', 'expected'),
        [
            ((), None),
            (('--explain', 'page', '--kpt-thr', '0.4'), ExplainOptions(affect=True, score_thr=0.4)),
            (('--explain', 'nose', '--kpt-thr', '0.4'), ExplainOptions(affect=False, score_thr=0.4)),
        ],
    )
    def test_options_of_the_pipeline(self, monkeypatch, choice, expected):
        """A page shows both directions of attention; over an image dependency alone is drawn."""
        monkeypatch.setattr(command, 'TopdownPipeline', lambda model, boxes, **options: options)
        args = command.parse_arguments(['config.py', 'file.pth', '--input', 'x.jpg', *choice])
        assert command.pipeline_of(args, None, 'whole-image')['explain'] == expected

    @pytest.mark.parametrize(
        ('choice', 'keypoint'), [('left_wrist', 9), ('0', 0), ('16', 16), ('page', None), (None, None)]
    )
    def test_keypoint_that_is_drawn(self, tiny_model, choice, keypoint):
        flags = () if choice is None else ('--explain', choice)
        args = command.parse_arguments(['config.py', 'file.pth', '--input', 'x.jpg', *flags])
        assert command.drawer_of(args, tiny_model.dataset_meta).keypoint == keypoint

    def test_a_page(self, infer, out):
        assert infer(BOXES[:1], '--explain', 'page') == 0
        names = {path.name for path in out.iterdir()}
        assert {'000000000001.html', '000000000001.npz', '000000000001.jpg', '000000000001.json'} <= names
        keypoints = [one['keypoints'] for one in read(out / '000000000001.json')['instance_info']]
        with np.load(out / '000000000001.npz') as maps:
            assert maps['dependency'].shape == maps['affect'].shape == (1, 2, 17, 8, 6)
            np.testing.assert_allclose(maps['keypoints'], keypoints, atol=1e-3)


class TestTroubles:
    def test_what_cannot_be_used_is_named_and_left_out(self, infer, image_file, out, tmp_path, capsys):
        folder = tmp_path / 'folder'
        folder.mkdir()
        shutil.copy(image_file, folder / '3.jpg')
        (folder / '1.jpg').write_bytes(b'')
        (folder / '2.jpg').write_bytes(image_file.read_bytes()[:3000])
        (folder / '4.png').write_text('no image')
        assert infer('whole-image', inputs=[folder]) == 1
        printed = capsys.readouterr()
        for name, words in (('1.jpg', 'empty'), ('2.jpg', 'truncated'), ('4.png', 'not an image')):
            assert [line for line in printed.err.splitlines() if f'{folder / name}: ' in line and words in line]
        assert '1 image, 1 pose, 3 skipped' in printed.out
        assert sorted(os.listdir(out)) == ['3.jpg', '3.json', 'results_coco.json']

    def test_strict_stops_at_once(self, infer, image_file, out, tmp_path):
        (tmp_path / 'a.jpg').write_bytes(b'')
        with pytest.raises(InputError, match=f'{tmp_path / "a.jpg"}: is empty'):
            infer('whole-image', '--strict', inputs=[tmp_path / 'a.jpg', image_file])
        assert not out.exists()

    @pytest.mark.parametrize(
        ('box', 'words'),
        [
            ([500, 5, 600, 60], '[500.0, 5.0, 600.0, 60.0, 1.0] lies outside the image of 240 x 320'),
            ([5, 2, 5, 9], '[5.0, 2.0, 5.0, 9.0, 1.0] is not finite or has no positive width and height'),
            ([1, 2, float('nan'), 9], '[1.0, 2.0, nan, 9.0, 1.0] is not finite'),
        ],
    )
    def test_boxes_without_a_person(self, infer, out, capsys, box, words):
        assert infer([BOXES[0], box]) == 1
        assert f'box 1 {words}' in capsys.readouterr().err
        assert len(read(out / '000000000001.json')['instance_info']) == 1

    def test_hard_boxes(self, infer, out):
        """A box of one pixel, one that is half outside, and a crowd."""
        boxes = [[50, 60, 51, 61], [-60, 200, 80, 400], *([20, 15, 120, 290, 0.9] for _ in range(500))]
        assert infer(boxes) == 0
        people = read(out / '000000000001.json')['instance_info']
        assert len(people) == 502 and np.isfinite([person['keypoints'] for person in people]).all()

    @pytest.mark.parametrize(
        ('boxes', 'words'),
        [
            ([[1, 2, 3]], 'boxes.json, entry 0: .* is not a box'),
            (['a box'], 'boxes.json, entry 0: .* is not a box'),
            (7, 'must hold a list or a dict'),
        ],
    )
    def test_bad_box_files(self, infer, out, boxes, words):
        with pytest.raises(InputError, match=words):
            infer(boxes)
        assert not out.exists()

    def test_boxes_and_a_detector_exclude_each_other(self, infer, out):
        for name, value in (('--det-config', 'rtmdet-t'), ('--det-checkpoint', 'x.pth'), ('--det-cat-id', 0)):
            with pytest.raises(InputError, match=f'--bboxes and {name} exclude each other'):
                infer('whole-image', name, value)
        assert not out.exists()

    @pytest.mark.parametrize(
        ('flags', 'words'),
        [
            (
                ('--explain', 'elbow'),
                '--explain elbow: choose a keypoint from nose, left_eye, .*, a number from 0 to 16, or page',
            ),
            (('--explain', '17'), '--explain 17: choose a keypoint from nose'),
            (('--explain', 'nose', '--draw-heatmap'), 'explanations come in fp32 and without heatmaps'),
            (('--ann-file', 'none.json'), 'none.json'),
        ],
    )
    def test_bad_flags(self, infer, out, flags, words):
        with pytest.raises(InputError, match=words):
            infer('whole-image', *flags)
        assert not out.exists()

    @pytest.mark.parametrize(
        ('flag', 'value', 'words'),
        [
            ('--batch-size', '0', '0 is not a whole number from 1 on'),
            ('--radius', '-3', '-3 is not a whole number from 1 on'),
            ('--thickness', '0', '0 is not a whole number from 1 on'),
            ('--alpha', '2', '2 is not a number from 0 to 1'),
            ('--alpha', 'x', 'x is not a number from 0 to 1'),
        ],
    )
    def test_bad_numbers(self, infer, out, capsys, flag, value, words):
        with pytest.raises(SystemExit):
            infer('whole-image', f'{flag}={value}')
        assert f'argument {flag}: {words}' in capsys.readouterr().err
        assert not out.exists()

    def test_page_of_a_video(self, infer, image_file, out, tmp_path):
        with VideoWriter(tmp_path / 'v.mp4', 25, (32, 24)) as writer:
            writer.write(np.zeros((24, 32, 3), np.uint8))
        with pytest.raises(InputError, match='--explain page is for images, and there is a video'):
            infer('whole-image', '--explain', 'page', inputs=[image_file, tmp_path / 'v.mp4'])
        assert not out.exists()

    def test_no_display(self, infer, out, monkeypatch):
        """On a machine without one; Qt would end the process."""
        for name in ('DISPLAY', 'WAYLAND_DISPLAY'):
            monkeypatch.delenv(name, raising=False)
        monkeypatch.setenv('QT_QPA_PLATFORM', 'xcb')
        with pytest.raises(InputError, match='--show: '):
            infer('whole-image', '--show')
        assert not out.exists()

    def test_inputs_are_not_overwritten(self, run_command, tiny_config, tiny_checkpoint, image_file, tmp_path):
        shutil.copy(image_file, tmp_path / 'street.png')
        (tmp_path / 'street.json').write_text(json.dumps(BOXES))
        before = (tmp_path / 'street.png').read_bytes(), (tmp_path / 'street.json').read_bytes()
        files = ('--input', tmp_path / 'street.png', '--bboxes', tmp_path / 'street.json', '--output-root', tmp_path)
        with pytest.raises(InputError, match='street'):
            run_command('infer', tiny_config, tiny_checkpoint, *files)
        assert ((tmp_path / 'street.png').read_bytes(), (tmp_path / 'street.json').read_bytes()) == before

    def test_openpose_style_of_another_dataset(self, infer, tiny_checkpoint, tmp_path, out, run_command, tiny_config):
        import torch

        content = torch.load(tiny_checkpoint, weights_only=False)
        content['meta']['dataset_meta']['dataset_name'] = 'mine'
        torch.save(content, tmp_path / 'mine.pth')
        cv2.imwrite(str(tmp_path / 'x.png'), np.zeros((8, 8, 3), np.uint8))
        files = ('--input', tmp_path, '--bboxes', 'whole-image', '--output-root', out)
        with pytest.raises(InputError, match='openpose is for .* not of mine'):
            run_command('infer', tiny_config, tmp_path / 'mine.pth', *files, '--skeleton-style', 'openpose')


class TestPrecision:
    @pytest.mark.filterwarnings('ignore:this cpu has no native:UserWarning')
    @pytest.mark.parametrize(('flags', 'dtype'), [([], 'fp32'), (['--fp16'], 'fp16'), (['--bf16'], 'bf16')])
    def test_reaches_the_pipeline(
        self, run_command, tiny_config, tiny_checkpoint, people, tmp_path, monkeypatch, flags, dtype
    ):
        given = []

        class Recorded(TopdownPipeline):
            def __init__(self, *args, **options):
                given.append(options['dtype'])
                super().__init__(*args, **options)

        monkeypatch.setattr('mmtranspose.commands.infer.TopdownPipeline', Recorded)
        image_file = sorted((people / 'val').glob('*.jpg'))[0]
        arguments = ('--input', image_file, '--bboxes', 'whole-image', '--output-root', tmp_path / 'out', *flags)
        assert run_command('infer', tiny_config, tiny_checkpoint, *arguments) == 0
        assert given == [dtype]


class TestFormats:
    def test_what_takes_no_colour_becomes_png(self, run_command, tiny_config, tiny_checkpoint, tmp_path):
        (tmp_path / 'in').mkdir()
        for name in ('a.pgm', 'b.png'):
            cv2.imwrite(str(tmp_path / 'in' / name), np.full((60, 50), 128, np.uint8))
        arguments = ('--input', tmp_path / 'in', '--bboxes', 'whole-image', '--output-root', tmp_path / 'out')
        assert run_command('infer', tiny_config, tiny_checkpoint, *arguments) == 0
        assert sorted(path.name for path in (tmp_path / 'out').glob('*.p*')) == ['a.png', 'b.png']

    def test_a_result_that_cannot_be_written_costs_itself_alone(
        self, run_command, tiny_config, tiny_checkpoint, tmp_path, capsys
    ):
        names = ['n' * 240 + '.png', 'z.png']  # the first is too long with what stands behind it while it is written
        (tmp_path / 'in').mkdir()
        for name in names:
            cv2.imwrite(str(tmp_path / 'in' / name), np.full((60, 50, 3), 128, np.uint8))
        arguments = ('--input', tmp_path / 'in', '--bboxes', 'whole-image', '--output-root', tmp_path / 'out')
        assert run_command('infer', tiny_config, tiny_checkpoint, *arguments) == 1
        assert (tmp_path / 'out' / 'z.png').is_file()
        assert 'its result cannot be written' in capsys.readouterr().err
        with pytest.raises(OSError, match='too long'):
            run_command('infer', tiny_config, tiny_checkpoint, *arguments, '--strict')
