"""What may be given as input, and how it is read."""

from __future__ import annotations

import itertools
import threading
from pathlib import Path

import cv2
import numpy as np
import pytest
from media_files import number_of, numbered, write_video

from mmtranspose.errors import InputError
from mmtranspose.media import Frame, Source, Unreadable, open_source


@pytest.fixture
def folder(tmp_path) -> Path:
    """Images 1, 2, 10 and 3 (below), a video of 4 frames, an empty image, and what is neither."""
    root = tmp_path / 'people'
    (root / 'below').mkdir(parents=True)
    for name, number in (('a1.png', 1), ('a2.PNG', 2), ('a10.png', 10), ('below/a3.png', 3)):
        (root / name).write_bytes(cv2.imencode('.png', numbered(number))[1])
    write_video(root / 'clip.mp4', count=4)
    (root / 'a3.jpg').touch()
    (root / 'notes.txt').write_text('no image')
    (root / '.hidden.jpg').write_text('no image')
    (root / 'folder.jpg').mkdir()
    return root


def names(inputs, root: Path) -> list[str]:
    with open_source(inputs) as source:
        return [item.name.replace(f'{root}/', '') for item in source]


CLIP = [f'clip.mp4, frame {number}' for number in range(4)]


class TestWhatIsRead:
    def test_folder(self, folder):
        with open_source(folder) as source:
            assert source.length == 8 and not source.live
            items = list(source)
        assert [item.name for item in items] == [
            str(folder / name) for name in ['a1.png', 'a2.PNG', 'a3.jpg', 'a10.png', *CLIP]
        ]
        assert [number_of(item.image) for item in items if isinstance(item, Frame)] == [1, 2, 10, 0, 1, 2, 3]
        assert items[2] == Unreadable(str(folder / 'a3.jpg'), 'is empty (0 bytes)')
        assert [item.index for item in items if isinstance(item, Frame)] == [0, 1, 3, 0, 1, 2, 3]
        assert items[1].path == str(folder / 'a2.PNG') and items[1].video is None

    @pytest.mark.parametrize(
        ('pattern', 'found'),
        [
            ('*.png', ['a1.png', 'a10.png']),
            ('a?.*', ['a1.png', 'a2.PNG', 'a3.jpg']),
            ('**/*.png', ['a1.png', 'a10.png', 'below/a3.png']),
            ('*', ['a1.png', 'a2.PNG', 'a3.jpg', 'a10.png', *CLIP]),
            ('[a-c]1*', ['a1.png', 'a10.png']),
        ],
    )
    def test_pattern(self, folder, pattern, found):
        assert names(f'{folder}/{pattern}', folder) == found

    def test_name_that_looks_like_a_pattern(self, folder):
        (folder / 'a1.png').rename(folder / 'a[1].png')
        assert names(folder / 'a[1].png', folder) == ['a[1].png']

    def test_image_known_by_its_content(self, folder):
        (folder / 'a1.png').rename(folder / 'image')
        assert names(folder / 'image', folder) == ['image']

    def test_mixture_in_order(self, folder):
        inputs = [folder / 'a10.png', numbered(7), str(folder / 'clip.mp4'), folder / 'a3.jpg', [numbered(8)] * 2]
        with open_source(inputs) as source:
            assert source.length == 9
            items = list(source)
        assert [item.name.replace(f'{folder}/', '') for item in items] == [
            *('a10.png', 'array 1', *CLIP),
            *('a3.jpg', 'array 3', 'array 4'),
        ]
        assert [number_of(item.image) for item in items if isinstance(item, Frame)] == [10, 7, 0, 1, 2, 3, 8, 8]
        assert items[1].path is None and items[1].video is None and items[1].index == 1

    @pytest.mark.parametrize('pack', [list, tuple, np.stack, iter], ids=['list', 'tuple', 'stack', 'iterator'])
    def test_arrays(self, pack):
        source = open_source(pack([numbered(number) for number in range(3)]))
        assert source.length == (None if pack is iter else 3)
        items = list(source)
        assert [(item.name, number_of(item.image)) for item in items] == [
            ('array 0', 0),
            ('array 1', 1),
            ('array 2', 2),
        ]

    def test_array_seen_backwards(self):
        (item,) = open_source(numbered(5)[:, ::-1])
        np.testing.assert_array_equal(item.image, numbered(5)[:, ::-1])
        assert item.image.flags.c_contiguous

    def test_bad_array_of_an_iterable(self):
        bad = [numbered(0), numbered(0)[..., :2], numbered(0).astype(float), 'a.jpg', numbered(0)[:0], numbered(1)]
        items = list(open_source(iter(bad)))
        assert [type(item) for item in items] == [Frame, *[Unreadable] * 4, Frame] and items[5].index == 5
        assert items[1] == Unreadable('array 1', 'has shape (48, 64, 2), not (h, w, 3), BGR, uint8')
        assert 'float64' in items[2].reason and 'str' in items[3].reason and '(0, 64, 3)' in items[4].reason


class TestRefused:
    @pytest.mark.parametrize(
        ('name', 'message'),
        [
            ('none.jpg', 'input {} does not exist'),
            ('none/*.jpg', 'no image or video matches {}'),
            ('*.txt', 'no image or video matches {}'),
            (
                'notes.txt',
                'input {} is neither an image nor a video by its name: images end in .bmp.*; videos in .264',
            ),
            ('folder.jpg', 'folder {} holds no image or video; "{}/[*][*]/[*]" looks into its folders'),
        ],
    )
    def test_path(self, folder, name, message):
        with pytest.raises(InputError, match=message.replace('{}', str(folder / name).replace('*', '[*]'))):
            open_source([numbered(0), str(folder / name)])

    @pytest.mark.parametrize(
        ('given', 'message'),
        [
            ([], 'no input is given'),
            (np.zeros((5, 6, 2), np.uint8), r'the image has shape \(5, 6, 2\)'),
            (np.zeros((5, 6, 3), np.float32), 'the image has dtype float32'),
            (np.zeros((0, 5, 6, 3), np.uint8), r'the image is empty: its shape is \(0, 5, 6, 3\)'),
            (None, 'an input of type NoneType is not a path'),
            (True, 'an input of type bool is not a path'),
            (1.5, 'an input of type float is not a path'),
            (b'a.jpg', 'an input of type bytes is not a path'),
        ],
    )
    def test_other(self, given, message):
        with pytest.raises(InputError, match=message):
            open_source(given)

    def test_file_that_vanishes(self, folder):
        source = open_source(folder / '*.png')
        (folder / 'a1.png').unlink()
        assert next(source) == Unreadable(str(folder / 'a1.png'), 'does not exist')


class TestReading:
    def test_endless_and_lazy(self):
        taken = []

        def frames():
            for number in itertools.count():
                taken.append(number)
                yield numbered(number % 256)

        with open_source(frames()) as source:
            assert source.length is None and taken == []
            assert [next(source).index for _ in range(3)] == [0, 1, 2] == taken
        assert list(source) == []

    def test_array_that_is_filled_again_and_again(self):
        def frames():
            image = numbered(0)
            for number in range(3):
                image[:] = numbered(number)
                yield image

        assert [number_of(item.image) for item in list(open_source(frames()))] == [0, 1, 2]

    def test_once(self, folder):
        source = open_source(folder / 'a1.png')
        assert len(list(source)) == 1 and list(source) == []

    def test_errors_of_the_iterable_are_its_own(self):
        def frames():
            yield numbered(0)
            raise ZeroDivisionError

        source = open_source(frames())
        next(source)
        with pytest.raises(ZeroDivisionError):
            next(source)
        assert list(source) == []

    def test_in_another_thread(self, folder):
        source, items = open_source(folder), []
        reader = threading.Thread(target=lambda: items.extend(source))
        reader.start()
        reader.join(10)
        assert len(items) == 8

    def test_closed_while_another_thread_reads(self, folder):
        """Closing does not wait; the reader's item is dropped, and what was open is closed once it is there."""
        asked, go_on, ended = threading.Event(), threading.Event(), threading.Event()
        closed, items = [], []

        class Slow:
            length, live = None, False

            def read(self, numbers):
                asked.set()
                go_on.wait(10)
                yield Frame(numbered(0), 'slow', next(numbers), None, None)

            def close(self):
                closed.append(threading.current_thread().name)

        source = Source([Slow()])
        reader = threading.Thread(target=lambda: (items.extend(source), ended.set()), name='reader')
        reader.start()
        assert asked.wait(10)
        source.close()
        assert closed == []
        go_on.set()
        assert ended.wait(10)
        assert items == [] and set(closed) == {'reader'}
