"""An image that cannot be read ends training and test with one sentence that names it, from every loader process."""

import json
import os
import shutil

import cv2
import numpy as np
import pytest
from mmpose.datasets.transforms import LoadImage
from torch.utils.data import DataLoader

from mmtranspose.commands import command_line
from mmtranspose.commands.machine_errors import machine_error, original_message
from mmtranspose.datasets.transforms import CachedLoadImage
from mmtranspose.errors import InputError

PIXELS = np.random.default_rng(0).integers(0, 255, (64, 48, 3), np.uint8)
MISSING, UNDECODED, EMPTY = 'there is no such file', 'it cannot be decoded', 'it is empty (0 bytes)'
FILES = {  # name: content and what is said of it; None: there is no such file
    'missing.jpg': (None, MISSING),
    'text.jpg/below.jpg': (None, MISSING),
    'link.jpg': ('nowhere.jpg', MISSING),
    'folder.jpg': ({}, 'it is a folder'),
    'empty.jpg': (b'', EMPTY),
    'text.jpg': (b'hello', UNDECODED),
    'zeros.jpg': (bytes(5000), UNDECODED),
    'cut.jpg': (cv2.imencode('.jpg', PIXELS)[1].tobytes()[:400], UNDECODED),
    'cut.webp': (cv2.imencode('.webp', PIXELS)[1].tobytes()[:300], UNDECODED),
    'cut.bmp': (cv2.imencode('.bmp', PIXELS)[1].tobytes()[:300], UNDECODED),
    'a`b.jpg': (b'hello', UNDECODED),
    'two\nlines.jpg': (b'hello', UNDECODED),
    'ümläut 图.jpg': (b'', EMPTY),
}


@pytest.fixture
def files(tmp_path):
    """Paths of all files, which are made as :data:`FILES` says."""
    for name, (content, _) in FILES.items():
        path = tmp_path / name
        if isinstance(content, bytes):
            path.write_bytes(content)
        elif isinstance(content, str):
            path.symlink_to(content)
        elif content is not None:
            path.mkdir()
    return [str(tmp_path / name) for name in FILES]


class Images:
    """A dataset of image files."""

    def __init__(self, step, files):
        self.step, self.files = step, files

    def __len__(self):
        return len(self.files)

    def __getitem__(self, index):
        return self.step(dict(img_path=self.files[index]))['img']


def errors_of(step, files, num_workers):
    """What each of the files raises, in this process or in one of a loader."""
    found = []
    for file in files if num_workers == 0 else ['all']:
        batches = iter(DataLoader(Images(step, files if file == 'all' else [file]), None, num_workers=num_workers))
        for _ in files if num_workers else [file]:
            with pytest.raises(Exception) as caught:  # noqa: PT011
                next(batches)
            found.append(caught.value)
        assert next(batches, None) is None  # ends the process now; the garbage collector would wait for it
    return found


@pytest.mark.parametrize('num_workers', [0, 1])
@pytest.mark.parametrize('kind', [LoadImage, CachedLoadImage])
def test_each_is_named(files, kind, num_workers):
    for file, (_, fault), error in zip(files, FILES.values(), errors_of(kind(), files, num_workers), strict=True):
        assert machine_error(error, 'test') == (
            f'image {file} is missing or damaged: {fault}; mend it or take it out of the annotations'
        )
        assert machine_error(error, 'train').endswith('take it out of the annotations, then go on with --resume')


def test_faults_of_the_machine_are_not_those_of_the_image(tmp_path, monkeypatch):
    """A full table of open files says nothing about the image."""

    def fail(*arguments, **options):
        raise OSError(24, os.strerror(24), 'x.jpg')

    monkeypatch.setattr('mmcv.transforms.loading.fileio.get', fail)
    (error,) = errors_of(LoadImage(), ['x.jpg'], 0)
    assert machine_error(error, 'train').startswith('too many files are open: raise the limit')


@pytest.mark.parametrize('num_workers', [0, 1])
@pytest.mark.parametrize('name', ['a\0b.jpg', '\ud800.jpg'])
def test_names_that_no_file_can_have(name, num_workers):
    (error,) = errors_of(CachedLoadImage(), [name], num_workers)
    text = original_message(error)
    assert isinstance(error, InputError) and text.startswith(f'img_path={name!r} is no name that a file can have: ')


class Crashing:
    """A dataset whose only item ends its process as OpenCV does over some JPEG 2000 files."""

    def __len__(self):
        return 1

    def __getitem__(self, index):
        os.abort()


def test_a_crash_of_a_loader_process():
    with pytest.raises(RuntimeError) as caught:
        next(iter(DataLoader(Crashing(), num_workers=1)))
    assert machine_error(caught.value, 'train').startswith(
        'a loader process has crashed, most likely over a damaged image that OpenCV cannot refuse'
    )


@pytest.fixture
def damaged(people, tmp_path):
    """A copy of the dataset in which one image of each split is damaged, and the names of these."""
    root = shutil.copytree(people, tmp_path / 'people')
    found = {}
    for split in ('train', 'val'):
        content = json.loads((root / f'annotations/person_keypoints_{split}.json').read_text())
        last = {one['id']: one['file_name'] for one in content['images']}[content['annotations'][-1]['image_id']]
        found[split] = root / split / last
        found[split].write_bytes(found[split].read_bytes()[:500])
    return root, found


RUNS = [('train', 'train'), ('train', 'val'), ('test', 'val')]  # commands, and the split whose image is damaged


@pytest.fixture
def command_lines(damaged, tiny_config, tiny_checkpoint, tmp_path):
    """Makes the arguments of each of :data:`RUNS`, and gives the image that it must name."""
    root, files = damaged

    def command_lines(num_workers):
        sound = next(path for path in sorted((root / 'train').iterdir()) if path != files['train'])
        for index, (command, split) in enumerate(RUNS):
            data = shutil.copytree(root, tmp_path / f'{index}-{num_workers}')
            if (command, split) == ('train', 'val'):
                shutil.copy(sound, data / 'train' / files['train'].name)
            checkpoint = [tiny_checkpoint] if command == 'test' else []
            options = [f'{name}_dataloader.num_workers={num_workers}' for name in ('train', 'val', 'test')]
            arguments = [command, tiny_config, *checkpoint, '--no-data-check', '--work-dir', str(data / 'work')]
            yield [*arguments, '--cfg-options', *options, f'data_root={data}'], data / split / files[split].name

    return command_lines


def assert_named(status, told, image):
    assert status == 2 and 'Traceback' not in told
    (line,) = [line for line in told.splitlines() if line.startswith('error: ')]
    assert line.startswith(f'error: image {image} is missing or damaged: it cannot be decoded; mend it')


def test_of_commands(command_lines, run_command, monkeypatch, capfd):
    monkeypatch.setattr(command_line.keep_memory, 'apply', lambda: None)
    for arguments, image in command_lines(0):

        def main(argv):
            run_command(*argv)

        main.__module__ = f'mmtranspose.commands.{arguments[0]}'
        capfd.readouterr()
        with pytest.raises(SystemExit) as stop:
            command_line.run(main, arguments)
        assert_named(stop.value.code, capfd.readouterr().err, image)


def test_of_commands_with_loader_processes(command_lines, server, tmp_path):
    runs = []
    for number, ((command, *arguments), image) in enumerate(command_lines(2)):
        log = tmp_path / f'{number}.log'
        runs.append((server.start(*arguments, command=command, log=log), log, image))
    for pids, log, image in runs:
        (status,) = server.wait(pids)
        # Now and then Python tells, after the sentence, of a queue of the loader's that was closed while it ended.
        assert_named(status, log.read_text().partition('Exception in thread QueueFeederThread')[0], image)


@pytest.mark.parametrize(('command', 'loader'), [('train', 'val_dataloader'), ('test', 'test_dataloader')])
def test_ignored_images(damaged, tiny_config, tiny_checkpoint, run_command, tmp_path, command, loader):
    """With ``ignore_empty`` MMPose says nothing of a missing image, and mmengine ends a validation without a name."""
    root, files = damaged
    files['val'].unlink()
    shutil.copy(root / 'train' / sorted(os.listdir(root / 'train'))[0], files['train'])
    arguments = [tiny_config, *([tiny_checkpoint] if command == 'test' else []), '--no-data-check']
    options = [f'data_root={root}', 'log_level=ERROR', f'{loader}.dataset.pipeline.0.ignore_empty=True']
    with pytest.raises(Exception, match='Test time pipline') as caught:
        run_command(command, *arguments, '--work-dir', tmp_path / 'work', '--cfg-options', *options)
    assert 'LoadImage has ignore_empty=True' in machine_error(caught.value, command)
