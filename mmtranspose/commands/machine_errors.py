"""Say in one sentence, with the cure, what failed in the machine: disk, permissions, memory, ports, loaders."""

from __future__ import annotations

import errno
import os
import re
from collections.abc import Iterator

from mmtranspose.media.foreign_formats import foreign_format

PARTIAL = r'\.\d+\.partial$'  # the end of the name of a file that is not complete yet
UNREAD_IMAGE = re.compile(r'`(.*)` occurs when loading `(.*)`\.Please check whether', re.DOTALL)  # MMPose's LoadImage
IN_LOADER = re.compile(r'Caught (\w+) in DataLoader worker process \d+\.\n.*^[\w.]*\b\1: ', re.DOTALL | re.MULTILINE)
SYSTEM_ERROR = re.compile(r"\[Errno (\d+)\] [^:\n]*(?:: '(?P<file>[^\n]*)')?\s*$")  # the last words of an OSError
GONE_ON = {
    'train': 'then go on with --resume',
    'detect': 'then give the same command again, which goes on where it was',
    'explain_dataset': 'then give the same command again, which goes on where it was',
}
OF_DATASETS = ('train', 'test', 'explain_dataset')
SMALLER = {
    'train': 'lower train_dataloader.batch_size by --cfg-options, set model.neck.with_cp=True, or use --amp on a GPU',
    'test': 'lower test_dataloader.batch_size by --cfg-options',
    'infer': 'lower --batch-size',
    'detect': 'lower --batch-size',
    'explain_dataset': 'lower --batch-size',
    'benchmark': 'lower --batch-size',
}
FEWER = 'lower train_dataloader.num_workers by --cfg-options (those of val_dataloader and test_dataloader, too)'


def machine_error(error: BaseException, command: str = '') -> str | None:
    """Describe an error that the machine's state explains, in one sentence that names the cure.

    Args:
        error (BaseException): What ended the command.
        command (str): Name of the command's module, whose options the cure may name.

    Returns:
        str | None: The sentence; None for any other error, which is a fault of the program.
    """
    text = str(error)
    unread = UNREAD_IMAGE.search(original_message(error))
    if unread is not None:
        return _unread_image(unread[2], unread[1], command)
    for one in _chain(error):
        sentence = _loader_error(one, command) or _memory_error(one, command) or _network_error(one)
        if sentence is not None:
            return sentence
    if re.search(r'DataLoader worker .* (is killed by signal: (Seg|Abort)|exited unexpectedly)', text):
        return (
            'a loader process has crashed, most likely over a damaged image that OpenCV cannot refuse (as of JPEG '
            '2000): `mmtranspose check-dataset` names damaged images'
        )
    if isinstance(error, OSError):
        return _system_error(*_number_and_file(error), text, command)
    if 'PytorchStreamWriter failed' in text or ('inline_container' in text and 'unexpected pos' in text):
        return _system_error(errno.ENOSPC, None, text, command)  # torch.save does not tell the reason
    return None


def _unread_image(file: str, why: str, command: str) -> str | None:
    """Say what is wrong with an image file; ``why`` is what OpenCV or the system said."""
    cure = '; mend it or take it out of the annotations' if command in OF_DATASETS else ''
    again = f', {GONE_ON[command]}' if cure and command in GONE_ON else ''
    if '\0' not in file and os.path.isfile(file) and (foreign := _foreign_format(file)) is not None:
        return f'image {file} {foreign}{cure}{again}'
    told = SYSTEM_ERROR.search(why)
    number = int(told[1]) if told else None
    if number not in (None, errno.ENOENT, errno.EISDIR, errno.ENOTDIR):
        return _system_error(number, file, why, command)
    if number is not None:
        fault = 'it is a folder' if number == errno.EISDIR else 'there is no such file'
    elif '://' in file or '\0' in file or not os.path.isfile(file):
        fault = ' '.join(why.split())
    else:
        fault = 'it cannot be decoded' if os.path.getsize(file) else 'it is empty (0 bytes)'
    return f'image {file} is missing or damaged: {fault}{cure}{again}'


def _foreign_format(file: str) -> str | None:
    """What the file of an image is that OpenCV does not decode, if it is of another format; see `media`."""
    try:
        with open(file, 'rb') as opened:
            return foreign_format(opened.read())
    except OSError:
        return None


def lost_peer(error: BaseException) -> str | None:
    """A sentence for an error that comes from the end of another process of the same run; None for another error."""
    if re.search(r'Connection (closed|reset) by peer|ncclRemoteError', str(error)) is None:
        return None
    return 'another process of this run has ended; what it said tells why'


def original_message(error: BaseException) -> str:
    """The message of an error; PyTorch puts the traceback before it where the error comes from a loader process."""
    return IN_LOADER.sub('', str(error)).strip()


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    """The error and what led to it."""
    while error is not None:
        yield error
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)


def _number_and_file(error: OSError) -> tuple[int | None, str | None]:
    """``errno`` and file of an error; one that comes from a loader process has them in its text only."""
    if error.errno is not None:
        return error.errno, None if error.filename is None else os.fsdecode(error.filename)
    told = SYSTEM_ERROR.search(str(error))
    return (int(told[1]), told['file']) if told else (None, None)


def _system_error(number: int | None, file: str | None, text: str, command: str) -> str | None:
    file = None if file is None else re.sub(PARTIAL, '', file)
    of, what = ('', 'a file') if file is None else (f' that holds {file}', file)
    again = GONE_ON.get(command, 'then give the same command again')
    sentences = {
        errno.ENOSPC: f'no space is left on the disk{of}: free some, {again}',
        errno.EDQUOT: f'your quota is used up on the disk{of}: free some space, {again}',
        errno.EFBIG: f'{what} would be larger than this process may write (`ulimit -f`): raise the limit, {again}',
        errno.EROFS: f'{what} lies on a read-only disk: choose another folder, or mount the disk for writing',
        errno.EACCES: f'{what} cannot be opened (permission denied): choose another, or have its permissions changed',
        errno.EPERM: f'{what} cannot be changed (operation not permitted): choose another folder',
        errno.EMFILE: f'too many files are open: raise the limit (`ulimit -n 65536`), or {FEWER}',
        errno.ENFILE: f'too many files are open on this machine: close programs, or {FEWER}',
        errno.ENOMEM: f"the machine's memory is used up: {SMALLER.get(command, 'close other programs')}",
        errno.EIO: f'the disk{of} cannot be read or written (input/output error): look after it, {again}',
        errno.ESTALE: f'the file server{of} is gone (stale file handle): mount it again, {again}',
        errno.EADDRINUSE: 'a port is in use: choose another by PORT= or --port',
    }
    if number in sentences:
        return sentences[number]
    if number == errno.ENOENT and 'No usable temporary directory' in text:
        return 'no folder for temporary files can be written to: set TMPDIR to one that can'
    return f'{file}: {os.strerror(number)}' if file is not None and number is not None else None


def _loader_error(error: BaseException, command: str) -> str | None:
    """The end of a process that loads batches, and its want of shared memory."""
    text = str(error)
    shared = re.search(r'</torch_[^>]*>.* \((\d+)\)', text)  # a file below /dev/shm, and the error's number
    if (shared and int(shared[1]) == errno.EMFILE) or 'items of ancdata' in text:
        return _system_error(errno.EMFILE, None, text, command)
    if shared or 'out of shared memory' in text:
        return (
            f'the shared memory of the loader processes (/dev/shm) is used up: {FEWER}, or enlarge it (docker run '
            '--shm-size=8g)'
        )
    if re.search(r'DataLoader worker .* is killed by signal: Killed', text):
        return f"a loader process was killed, most likely because the machine's memory is used up: {FEWER}"
    if 'Test time pipline should not get `None`' in text or 'Cannot find valid image after' in text:
        return (  # of mmengine's BaseDataset
            'the pipeline of a dataset gives nothing for an image, most likely because the image cannot be read and '
            'LoadImage has ignore_empty=True: `mmtranspose check-dataset` names images that cannot be read'
        )
    return None


def _memory_error(error: BaseException, command: str) -> str | None:
    text = str(error)
    if type(error).__name__ == 'OutOfMemoryError' or 'CUDA error: out of memory' in text:
        return f"the GPU's memory is used up: {SMALLER.get(command, 'close other programs, or use --device cpu')}"
    if isinstance(error, MemoryError) or "DefaultCPUAllocator: can't allocate memory" in text:
        return _system_error(errno.ENOMEM, None, text, command)
    return None


def _network_error(error: BaseException) -> str | None:
    """The port at which the processes of one run meet is taken, or nobody answers there."""
    text = str(error)
    taken = re.search(r'port: (\d+).*EADDRINUSE', text, re.DOTALL)
    if taken is not None:
        return (
            f'port {taken[1]}, at which the processes of this run meet, is in use: choose another by PORT= '
            '(dist-train, ...) or --master-port (torchrun)'
        )
    silent = re.search(r'timed out after \d+ms while trying to connect to \(([^)]*), (\d+)\)', text)
    if silent is not None:
        return f'nobody answers at {silent[1]}, port {silent[2]}: start the process of rank 0, at MASTER_ADDR and PORT'
    return None
