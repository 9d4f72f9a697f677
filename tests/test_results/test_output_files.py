"""Which files hold the results of which frame, and which must not be overwritten."""

import os
from pathlib import Path

import pytest
from made_up_frames import IMAGE, still, video_frames

from mmtranspose.apis import InputError
from mmtranspose.media import Frame
from mmtranspose.results import input_files, require_no_overwriting, without_results
from mmtranspose.results.output_files import OutputNames


class TestOutputNames:
    @pytest.mark.parametrize(
        ('inputs', 'images', 'predictions'),
        [
            (['a/street.jpg'], ['street.jpg'], ['street.json']),
            (['a/x.jpg', 'b/x.jpg', 'b/x.png'], ['x.jpg', 'x_2.jpg', 'x_3.png'], ['x.json', 'x_2.json', 'x_3.json']),
            (['x.jpg', 'x_2.jpg', 'b/x.jpg'], ['x.jpg', 'x_2.jpg', 'x_3.jpg'], ['x.json', 'x_2.json', 'x_3.json']),
            (
                ['b/x.jpg', 'a/x.jpg', 'x_2.jpg'],
                ['x.jpg', 'x_2.jpg', 'x_2_2.jpg'],
                ['x.json', 'x_2.json', 'x_2_2.json'],
            ),
            (['a.pcx', 'b.JPG'], ['a.png', 'b.JPG'], ['a.json', 'b.json']),
            (['results_coco.jpg'], ['results_coco_2.jpg'], ['results_coco_2.json']),
        ],
    )
    def test_images(self, inputs, images, predictions):
        names = OutputNames('out')
        files = [names(still(path, index)) for index, path in enumerate(inputs)]
        assert [str(one.drawing) for one in files] == [f'out/{name}' for name in images]
        assert [str(one.predictions) for one in files] == [f'out/{name}' for name in predictions]

    def test_a_video_has_one_name_and_another_run_of_it_another(self):
        names = OutputNames('out')
        first = [names(frame) for frame in video_frames('a/clip.avi', [0, 1, 3])]
        again = [names(frame) for frame in video_frames('a/clip.avi', [0, 1])]
        other = names(video_frames('b/clip.mov', [0])[0])
        assert first[0] is first[1] is first[2] and again[0] is again[1]
        assert [str(one.drawing) for one in (first[0], again[0], other)] == [
            'out/clip.mp4',
            'out/clip_2.mp4',
            'out/clip_3.mp4',
        ]

    def test_cameras_and_arrays(self):
        names = OutputNames('out')
        camera = names(video_frames('camera 0', [0], live=True)[0])
        array = names(Frame(IMAGE, 'array 7', 7, None, None))
        assert (str(camera.drawing), str(camera.predictions)) == ('out/webcam.mp4', 'out/webcam.json')
        assert (str(array.drawing), str(array.predictions)) == ('out/array_7.png', 'out/array_7.json')

    def test_given_files_are_passed_over(self, tmp_path):
        for name in ('x_2.jpg', 'x_3.json'):
            (tmp_path / name).write_text('given')
        (tmp_path / 'link').symlink_to(tmp_path)
        names = OutputNames(tmp_path / 'link', [tmp_path / 'x_2.jpg', tmp_path / 'x_3.json'])
        assert [names(still(f'{folder}/x.jpg')).drawing.name for folder in 'ab'] == ['x.jpg', 'x_4.jpg']


class TestOverwriting:
    @pytest.fixture
    def given(self, tmp_path):
        for name in ('a.jpg', 'a.json', 'clip.avi', 'clip.mp4', 'results_coco.json', 'unrelated.json'):
            (tmp_path / name).write_text('')
        return tmp_path

    @pytest.mark.parametrize(
        ('inputs', 'others', 'threatened'),
        [
            (['a.jpg'], [], 'a.jpg'),
            (['../elsewhere/a.jpg'], ['a.json'], 'a.json'),
            (['../elsewhere/b.jpg'], ['results_coco.json'], 'results_coco.json'),
            (['../elsewhere/b.jpg'], ['a.json', 'unrelated.json'], None),
            (['clip.avi'], [], None),
            (['clip.mp4'], [], 'clip.mp4'),
            (['../elsewhere/a.jpg'], [], None),
        ],
    )
    def test_refused(self, given, inputs, others, threatened):
        paths = [[given / name for name in names] for names in (inputs, others)]
        if threatened is None:
            require_no_overwriting(given, *paths)
            return
        with pytest.raises(InputError, match=f'would overwrite {given / threatened}; choose another folder'):
            require_no_overwriting(given, *paths)

    def test_through_a_link(self, given, tmp_path_factory):
        link = tmp_path_factory.mktemp('links') / 'link'
        link.symlink_to(given)
        with pytest.raises(InputError, match='would overwrite'):
            require_no_overwriting(link, [given / 'a.jpg'], [])

    def test_files_that_inputs_name(self, given, tmp_path):
        (tmp_path / 'folder').mkdir()
        (tmp_path / 'folder' / 'b.jpg').write_text('')
        inputs = [str(given / 'a.jpg'), str(tmp_path / 'folder'), str(given / 'clip.*'), 'webcam']
        names = sorted(os.path.relpath(path, tmp_path) for path in input_files(inputs))
        assert names == ['a.jpg', 'clip.avi', 'clip.mp4', 'folder/b.jpg']


class TestResultsAmongInputs:
    @pytest.fixture
    def photos(self, tmp_path, monkeypatch):
        monkeypatch.chdir(tmp_path)
        results = ('poses/x.jpg', 'poses/parts/000001/y.jpg', 'poses/x_overlays/000_nose.jpg')
        for name in ('a/x.jpg', 'b/y.jpg', 'poses/given/z.jpg', *results):
            (tmp_path / 'photos' / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / 'photos' / name).write_text('')
        return tmp_path / 'photos'

    @pytest.mark.parametrize(
        ('pattern', 'root', 'kept', 'count'),
        [
            ('photos/**/*.jpg', 'photos/poses', ['a/x.jpg', 'b/y.jpg', 'poses/given/z.jpg'], 3),
            ('photos/*/x.jpg', 'photos/../photos/poses', ['a/x.jpg'], 1),
            ('photos/**/*.jpg', 'poses', None, 0),
            ('photos/a/*.jpg', 'photos', None, 0),  # the pattern does not start above the results
            ('photos/poses/*.jpg', 'photos/poses', None, 0),
            ('photos/a/x.jpg', 'photos/poses', None, 0),
            ('photos', 'photos/poses', None, 0),
            ('webcam', 'photos/poses', None, 0),
        ],
    )
    def test_are_left_out(self, photos, pattern, root, kept, count):
        wanted = [pattern] if kept is None else [f'photos/{name}' for name in kept]
        assert without_results(['c.jpg', pattern], root) == (['c.jpg', *wanted], count)
        absolute = [str(photos.parent / name) for name in wanted]
        assert without_results([str(photos.parent / pattern)], root) == (absolute, count)

    def test_nothing_else(self, photos):
        with pytest.raises(
            InputError, match=r'input photos/\*/x_o\*/\*.jpg matches only results in --output-root .*/poses'
        ):
            without_results(['photos/*/x_o*/*.jpg'], photos / 'poses')


def test_paths_may_be_given_as_paths(tmp_path):
    (tmp_path / 'a.jpg').write_text('')
    assert list(input_files([tmp_path / 'a.jpg'])) == [Path(tmp_path / 'a.jpg')]
