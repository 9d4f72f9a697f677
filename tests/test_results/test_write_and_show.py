"""A run over results: threads, window, progress, and every way to end."""

import json
import sys
import threading

import cv2
import numpy as np
import pytest
from made_results import META, frames, person, result, still

from mmtranspose.apis import InputError
from mmtranspose.inference import TopdownResult
from mmtranspose.inference.image_ids import ImageIds
from mmtranspose.results import (
    PredictionFiles,
    Progress,
    ResultDrawer,
    ResultsFolder,
    Window,
    require_window,
    window,
    write_and_show,
)
from mmtranspose.visualization import PoseDrawer, draw_poses
from mmtranspose.visualization.pose import draw_tracks, track_colour


@pytest.fixture
def draw():
    return ResultDrawer(PoseDrawer(META))


@pytest.fixture
def folder(tmp_path):
    return ResultsFolder(tmp_path / 'out', (), PredictionFiles(tmp_path / 'out', META, ImageIds()))


def clip(count):
    return [result(frame, 0, 1) for frame in frames('clip.mp4', range(count))]


def frame_count(folder):
    return len(json.loads((folder.root / 'clip.json').read_text())['instance_info'])


class Shown:
    """In place of OpenCV's windows."""

    def __init__(self, monkeypatch, keys=(), visible=1.0):
        self.images, self.waits, self.threads, self.open = [], [], set(), set()
        keys = iter(keys)
        monkeypatch.setattr(cv2, 'namedWindow', lambda title, flags=0: self.open.add(title))
        monkeypatch.setattr(cv2, 'imshow', self._show)
        monkeypatch.setattr(cv2, 'waitKey', lambda wait: self.waits.append(wait) or next(keys, -1))
        monkeypatch.setattr(cv2, 'getWindowProperty', lambda title, property_id: visible)
        monkeypatch.setattr(cv2, 'destroyAllWindows', self.open.clear)

    def _show(self, title, image):
        self.images.append(image)
        self.threads.add(threading.current_thread())


class TestWriteAndShow:
    def test_all_is_written_drawn(self, draw, folder):
        progress = Progress(3)
        results = [result(still(f'{name}.png', index), index) for index, name in enumerate('abc')]
        write_and_show(iter(results), draw, progress, folder)
        assert (progress.frames, progress.people, progress.skipped) == (3, 3, 0)
        for one in results:
            expected = draw_poses(one.frame.image, one.samples, META)
            np.testing.assert_array_equal(cv2.imread(str(folder.root / one.frame.path)), expected)
            assert (expected != one.frame.image).any()

    def test_results_are_made_ahead_but_not_far(self, draw, monkeypatch):
        """While one is shown the next are computed; those that wait are bounded, however many there are."""
        made, most = [], []
        Shown(monkeypatch)
        enough = threading.Event()

        def results():
            for frame in frames('clip.mp4', range(60)):
                made.append(frame.index)
                if len(made) == 6:
                    enough.set()
                yield result(frame)

        class Slow(Window):
            def show(self, image, moving):
                assert enough.wait(10)
                most.append(len(made) - len(most))
                return True

        write_and_show(results(), draw, Progress(), None, Slow())
        assert len(most) == len(made) == 60 and 3 <= max(most) <= 10

    @pytest.mark.parametrize('error', [InputError('bad'), RuntimeError('fault'), KeyboardInterrupt()])
    def test_errors_of_results_come_up_and_files_are_whole(self, draw, folder, error):
        def results():
            yield from clip(4)
            raise error

        before = threading.active_count()
        with pytest.raises(type(error)):
            write_and_show(results(), draw, Progress(), folder)
        assert frame_count(folder) == 4 and not list(folder.root.glob('*.partial'))
        assert threading.active_count() == before

    def test_errors_of_drawing_come_up(self, folder):
        def fails(one):
            raise ValueError(one.frame.name)

        with pytest.raises(ValueError, match='clip.mp4, frame 0'):
            write_and_show(iter(clip(4)), fails, Progress(), folder)

    def test_interrupted(self, draw, folder):
        """Ctrl-C comes up in the main thread: what makes results is closed, and files are completed."""
        closed = []

        def endless():
            try:
                for number in range(10**6):
                    yield clip(1)[0] if number == 0 else result(frames('clip.mp4', [number])[0], 0)
            finally:
                closed.append(threading.current_thread())

        class Interrupted(Progress):
            def advance(self, one):
                super().advance(one)
                if self.frames == 5:
                    raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            write_and_show(endless(), draw, Interrupted(), folder)
        assert len(closed) == 1 and not closed[0].is_alive()
        assert 5 <= frame_count(folder) < 20
        assert sorted(path.name for path in folder.root.iterdir()) == ['clip.json', 'clip.mp4', 'results_coco.json']


class TestWindow:
    def test_shows_all_from_one_thread(self, draw, monkeypatch):
        shown = Shown(monkeypatch)
        write_and_show(iter(clip(3)), draw, Progress(), None, Window())
        assert len(shown.images) == 3 and shown.threads == {threading.current_thread()} and not shown.open
        np.testing.assert_array_equal(shown.images[2], draw(clip(3)[2]))
        assert shown.waits == [1, 1, 1]

    @pytest.mark.parametrize(
        ('interval', 'moving', 'wait'), [(0, False, 0), (0, True, 1), (0.5, True, 500), (2, False, 2000)]
    )
    def test_how_long_each_stays(self, monkeypatch, interval, moving, wait):
        shown = Shown(monkeypatch)
        assert Window(interval).show(still('x.png').image, moving)
        assert shown.waits == [wait]

    @pytest.mark.parametrize(
        ('keys', 'visible', 'count'), [([-1, 27], 1, 2), ([ord('q')], 1, 1), ([32, 13], 1, 6), ([], 0, 1)]
    )
    def test_ends(self, draw, folder, monkeypatch, keys, visible, count):
        shown, progress = Shown(monkeypatch, keys, visible), Progress()
        write_and_show(iter(clip(6)), draw, progress, folder, Window())
        assert len(shown.images) == progress.frames == count and not shown.open
        assert count <= frame_count(folder) <= 6

    @pytest.mark.parametrize(
        ('trial', 'patience', 'words'),
        [
            (
                'raise SystemExit("... error: (-2:Unspecified error) The function is not implemented. Rebuild")',
                60,
                'headless',
            ),
            ('import os; os.abort()', 60, 'no window can be opened here'),
            ('import time; time.sleep(60)', 0.2, 'no window can be opened here'),
        ],
    )
    def test_no_window(self, monkeypatch, trial, patience, words):
        monkeypatch.setattr(window, 'TRIAL', trial)
        monkeypatch.setattr(window, 'PATIENCE', patience)
        with pytest.raises(InputError, match=f'--show: .*{words}'):
            require_window()

    def test_a_window(self, monkeypatch):
        monkeypatch.setattr(window, 'TRIAL', 'pass')
        assert require_window() is None

    def test_the_trial_opens_what_is_there(self, tmp_path, monkeypatch):
        """The trial runs OpenCV's own functions, here of a stand-in module."""
        (tmp_path / 'cv2.py').write_text(
            f'def namedWindow(title): open({str(tmp_path / "opened")!r}, "w").write(title)\n'
            'def waitKey(wait): pass\ndef destroyAllWindows(): pass\n'
        )
        monkeypatch.setenv('PYTHONPATH', str(tmp_path))
        require_window()
        assert (tmp_path / 'opened').read_text() == window.TITLE


class TestProgress:
    def test_skipped_are_named(self, capsys):
        progress = Progress(2)
        progress.skip('a.jpg', 'is empty (0 bytes)')
        progress.advance(TopdownResult(still('b.jpg'), [person(0), person(1)]))
        progress.close()
        assert 'a.jpg: is empty (0 bytes)\n' in capsys.readouterr().err
        assert progress.summary().startswith('1 image, 2 poses, 1 skipped, ')

    def test_frames_of_videos(self):
        progress = Progress()
        for one in clip(2):
            progress.advance(one)
        assert progress.summary().startswith('2 frames, 4 poses, 0 skipped, ')
        assert progress.summary().endswith(' frames/s')


class TestDrawing:
    def test_tracks_have_their_colours_and_places(self):
        image = np.zeros((200, 300, 3), np.uint8)
        samples = [person(seed, track_id=seed) for seed in (0, 1)]
        samples[1].pred_instances.bboxes = np.array([[100, 60, 160, 150]], np.float32)
        draw_tracks(image, samples)
        assert image[100, 100].tolist() == list(track_colour(1))  # the box
        assert image[58, 101].tolist() == list(track_colour(1))  # the label's strip, above
        assert image[46, 20].tolist() == list(track_colour(0)) != list(track_colour(1))  # the lower edge of the box
        assert (image[10:40, 50:95] == 0).all()
        assert len({track_colour(number) for number in range(50)}) == 50

    def test_tracks_are_drawn_over_poses(self, draw):
        one = result(still('x.png'), 0, tracks=True)
        expected = draw(one)
        draw_tracks(expected, one.samples)
        drawn = ResultDrawer(PoseDrawer(META), tracks=True)(one)
        np.testing.assert_array_equal(drawn, expected)
        assert (drawn != draw(one)).any()


def test_tqdm_is_quiet_on_the_standard_output(capsys):
    progress = Progress(1)
    progress.advance(clip(1)[0])
    progress.close()
    printed = capsys.readouterr()
    assert printed.out == '' and 'people/s' in printed.err and sys.stderr is not sys.stdout
