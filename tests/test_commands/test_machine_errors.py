"""Faults of the machine are one sentence that names the cure; faults of the program keep their traceback."""

import errno
import os
import resource
import signal
import socket

import pytest
import torch
from torch import distributed
from torch.utils.data import DataLoader

from mmtranspose.commands import command_line
from mmtranspose.commands.machine_errors import machine_error, original_message
from mmtranspose.errors import InputError, Preempted, TrainingError

FEWER = 'lower train_dataloader.num_workers'


@pytest.mark.parametrize(
    ('error', 'command', 'sentence'),
    [
        (
            OSError(errno.ENOSPC, 'x', 'w/a.pth'),
            'train',
            'no space is left on the disk that holds w/a.pth: free some, then go on with --resume',
        ),
        (
            OSError(errno.ENOSPC, 'x'),
            'infer',
            'no space is left on the disk: free some, then give the same command again',
        ),
        (
            OSError(errno.ENOSPC, 'x', b'w/a.json.12.partial'),
            'detect',
            'no space is left on the disk that holds w/a.json: '
            'free some, then give the same command again, which goes on where it was',
        ),
        (
            OSError(errno.EDQUOT, 'x', 'a'),
            'train',
            'your quota is used up on the disk that holds a: free some space, then go on with --resume',
        ),
        (OSError(errno.EROFS, 'x', 'w'), '', 'w lies on a read-only disk: choose another folder'),
        (PermissionError(errno.EACCES, 'x', 'w'), '', 'w cannot be opened (permission denied): choose another'),
        (OSError(errno.EMFILE, 'x'), '', f'too many files are open: raise the limit (`ulimit -n 65536`), or {FEWER}'),
        (
            OSError(errno.ESTALE, 'x', 'w'),
            '',
            'the file server that holds w is gone (stale file handle): mount it again',
        ),
        (OSError(errno.EIO, 'x', 'w'), '', 'the disk that holds w cannot be read or written (input/output error)'),
        (OSError(errno.EADDRINUSE, 'x'), '', 'a port is in use: choose another'),
        (FileExistsError(errno.EEXIST, 'x', 'w'), '', 'w: File exists'),
        (
            FileNotFoundError(errno.ENOENT, "No usable temporary directory found in ['/tmp']"),
            '',
            'no folder for temporary files can be written to: set TMPDIR',
        ),
        (MemoryError(), 'train', "the machine's memory is used up: lower train_dataloader.batch_size"),
        (
            torch.OutOfMemoryError('CUDA out of memory. Tried to allocate 2.00 GiB.'),
            'train',
            "the GPU's memory is used up: "
            'lower train_dataloader.batch_size by --cfg-options, set model.neck.with_cp=True, or use --amp',
        ),
        (torch.OutOfMemoryError('CUDA out of memory.'), 'infer', "the GPU's memory is used up: lower --batch-size"),
        (
            RuntimeError(
                "DataLoader worker (pid 9) is killed by signal: Bus error. It is possible that dataloader's workers "
                'are out of shared memory. Please try to raise your shared memory limit.'
            ),
            '',
            f'the shared memory of the loader processes (/dev/shm) is used up: {FEWER}',
        ),
        (
            RuntimeError('unable to write to file </torch_1_2>: No space left on device (28)'),
            'train',
            'the shared memory of the loader processes (/dev/shm) is used up',
        ),
        (
            RuntimeError(
                'unable to open shared memory object </torch_1_2> in read-write mode: Too many open files (24)'
            ),
            '',
            'too many files are open',
        ),
        (
            RuntimeError('unable to allocate shared memory(shm) for file </torch_1>: No space left on device (28)'),
            '',
            'the shared memory of the loader processes (/dev/shm) is used up',
        ),
        (RuntimeError('received 0 items of ancdata'), '', 'too many files are open'),
        (
            RuntimeError('PytorchStreamWriter failed writing file data/0: file write failed'),
            'train',
            'no space is left on the disk: free some, then go on with --resume',
        ),
        (OSError(errno.EBADF, 'Bad file descriptor'), '', None),
        (OSError('no number'), '', None),
        (RuntimeError('The size of tensor a (3) must match'), 'train', None),
        (KeyError('keypoints'), '', None),
    ],
    ids=repr,
)
def test_sentences(error, command, sentence):
    found = machine_error(error, command)
    assert found is None if sentence is None else found.startswith(sentence), found


FAILURES = [
    (InputError('frame 3: no boxes\nat all'), 'frame 3: no boxes\nat all'),
    (OSError(errno.ENOSPC, 'No space left on device', 'a.jpg'), 'no space is left on the disk that holds a.jpg: free'),
    (PermissionError(errno.EACCES, 'Permission denied', 'a.jpg'), 'a.jpg cannot be opened (permission denied)'),
    (OSError(errno.EMFILE, 'Too many open files'), 'too many files are open'),
    (MemoryError(), "the machine's memory is used up"),
    (signal.SIGKILL, "a loader process was killed, most likely because the machine's memory is used up: lower"),
]


class Failing:
    """A dataset each of whose items raises an error or ends its process by a signal."""

    def __len__(self):
        return len(FAILURES)

    def __getitem__(self, index):
        failure = FAILURES[index][0]
        if isinstance(failure, signal.Signals):
            os.kill(os.getpid(), failure)
        raise failure


def test_errors_of_loader_processes():
    batches = iter(DataLoader(Failing(), num_workers=1, prefetch_factor=1))
    found = []
    for _ in FAILURES:
        try:
            next(batches)
        except Exception as error:  # noqa: PERF203
            found.append(original_message(error) if isinstance(error, InputError) else machine_error(error))
    expected = [sentence for _, sentence in FAILURES]
    assert [text[: len(start)] for text, start in zip(found, expected, strict=True)] == expected


def test_port_in_use(monkeypatch):
    with socket.create_server(('', 0)) as server:
        port = server.getsockname()[1]
        for name, value in dict(RANK=0, WORLD_SIZE=2, MASTER_ADDR='127.0.0.1', MASTER_PORT=port).items():
            monkeypatch.setenv(name, str(value))
        with pytest.raises(distributed.DistNetworkError) as caught:
            distributed.init_process_group('gloo')
    assert machine_error(caught.value) == (
        f'port {port}, at which the processes of this run meet, is in use: choose another by PORT= (dist-train, ...) '
        'or --master-port (torchrun)'
    )


def test_nobody_answers():
    error = distributed.DistNetworkError(
        'The client socket has timed out after 600000ms while trying to connect to (10.0.0.1, 29500).'
    )
    assert machine_error(error).startswith('nobody answers at 10.0.0.1, port 29500: start the process of rank 0')


@pytest.fixture
def smallest_files():
    """No file may become larger than 100 bytes; afterwards limits and signal handlers are what they were."""
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100, limits[1]))
    handlers = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGUSR1)}
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    for number, handler in handlers.items():  # ignored once a process that was preempted is on its way out
        signal.signal(number, handler)


def write(path):
    with open(path, 'wb', buffering=0) as file:
        file.write(b'x' * 100)
        file.write(b'x')


def diverge(path):
    raise TrainingError('the loss is nan in image a\x1b[2J.jpg')


def preempt(path):
    raise Preempted


@pytest.mark.parametrize(
    ('main', 'status', 'sentence'),
    [
        (write, 2, 'a file would be larger than this process may write (`ulimit -f`): raise the limit'),
        (lambda path: (path / 'a').touch(), 2, '{path}: Not a directory'),
        (diverge, 1, 'the loss is nan in image a\\x1b[2J.jpg'),
        (preempt, 75, None),
    ],
)
def test_exit_statuses(monkeypatch, capsys, tmp_path, smallest_files, main, status, sentence):
    monkeypatch.setattr(command_line.keep_memory, 'apply', lambda: None)
    path = tmp_path / 'a'
    path.touch()
    with pytest.raises(SystemExit) as stop:
        command_line.run(lambda argv: main(path))
    assert stop.value.code == status
    assert (signal.getsignal(signal.SIGTERM) is signal.SIG_IGN) == (status == 75)
    lines = capsys.readouterr().err.splitlines()
    expected = [] if sentence is None else ['error: ' + sentence.format(path=path / 'a')]
    assert [line[: len(start)] for line, start in zip(lines, expected, strict=True)] == expected
