"""Write files beside their name, then rename them: a file is complete or missing, never truncated.

The writer holds a lock on the partial file, which ends with the process. So the partial files of killed processes can
be told from those that are being written, and removed. Used by ``atomic_write`` and by :mod:`mmtranspose.files`; needs
nothing but Python.
"""

from __future__ import annotations

import errno
import os
import re
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

try:
    import fcntl
except ImportError:  # Windows, which has no locks that other processes see and that end with this one
    fcntl = None  # type: ignore[assignment]

PARTIAL = re.compile(r'.+\.\d+\.partial')
PATIENCE = 1.0  # seconds to wait for the lock: whoever looks for abandoned files holds it for a moment
BLOCK = 1 << 20
NO_FLUSHING = (errno.EINVAL, errno.ENOTSUP, errno.EACCES, errno.EBADF)  # file systems without fsync, of a folder mostly


def partial_path(path: str | os.PathLike[str]) -> Path:
    """Name the file that is written before it is renamed to ``path``: beside it, with the number of this process."""
    return Path(path).with_name(f'{Path(path).name}.{os.getpid()}.partial')


class PartialFile:
    """A file that is written beside its name and locked until it takes the name.

    A device or pipe (``/dev/stdout``) is written to as it is: a file must not take its place.

    Args:
        path (str | Path): The name that it gets in the end.

    Attributes:
        path (Path): That name.
        partial (Path): The name of the file until then.
    """

    def __init__(self, path: str | os.PathLike[str]):
        self.path = Path(path)
        self._special = _is_special(self.path)
        self.partial = self.path if self._special else partial_path(path)
        self._lock: int | None = None
        self._exists = False

    def create(self) -> Path:
        """Make the file, and the folders above it that are missing; lock it and return its name for now."""
        if self._special:
            return self.partial
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self._lock = _lock(self.partial)
        self._exists = True
        return self.partial

    def complete(self) -> None:
        """Give the file its name, in place of a file that had it before."""
        if not self._special:
            os.replace(self.partial, self.path)
        self._exists = False
        self._unlock()

    def abandon(self) -> None:
        """Remove the file if it is still partial."""
        if self._exists:
            with suppress(OSError):
                self.partial.unlink()
        self._exists = False
        self._unlock()

    def _unlock(self) -> None:
        if self._lock is not None and sys.platform != 'win32':
            with suppress(OSError):
                fcntl.flock(self._lock, fcntl.LOCK_UN)  # for forked processes too, which share the descriptor
            os.close(self._lock)
        self._lock = None


@contextmanager
def partial_file(path: str | os.PathLike[str], content: bytes | memoryview | None = None) -> Iterator[Path]:
    """Write a file whole or not at all: yield the path to write to, then rename it to ``path``.

    Missing folders are made; after an error the partial file is removed and a file of that name stays as it was.

    Args:
        path (str | Path): The file.
        content (bytes | None): What the file is to hold. If given, the file is flushed to disk and compared with it
            before it takes its name, and the folder is flushed after, so that a power cut leaves the old file or the
            new one.

    Raises:
        OSError: The file cannot be written, or the disk returns something else than ``content``; names ``path``.
    """
    file = PartialFile(path)
    with errors_name(path):
        try:
            yield file.create()
            if content is not None and file.partial != file.path:
                _require_on_disk(file.partial, content)
            file.complete()
        finally:
            file.abandon()
        if content is not None:
            flush(file.path.parent)


def flush(path: str | os.PathLike[str]) -> None:
    """Flush a file, or the names in a folder, to disk, where the file system can do so.

    Raises:
        OSError: The disk has failed; names ``path``.
    """
    writing = sys.platform == 'win32'
    if writing and os.path.isdir(path):
        return
    try:
        descriptor = os.open(path, os.O_RDWR if writing else os.O_RDONLY)
        try:
            with errors_name(path):
                os.fsync(descriptor)
        finally:
            os.close(descriptor)
    except OSError as error:
        if error.errno not in NO_FLUSHING:
            raise


@contextmanager
def errors_name(path: str | os.PathLike[str]) -> Iterator[None]:
    """Put the name of the written file into an :class:`OSError` (a full disk); those of ``write`` lack one."""
    try:
        yield
    except OSError as error:
        if error.errno is not None:
            error.filename = str(path)
        raise


def remove_abandoned_partials(folder: str | os.PathLike[str]) -> list[Path]:
    """Remove the partial files in a folder, but not below it, that no living process writes.

    Files that earlier versions left, which locked nothing, count as abandoned. Where the file system has no locks,
    nothing is removed.

    Returns:
        list[Path]: The removed files.
    """
    found = (path for path in sorted(Path(folder).glob('*.partial')) if PARTIAL.fullmatch(path.name))
    return [path for path in found if path.is_file() and not path.is_symlink() and _removed_if_abandoned(path)]


def _removed_if_abandoned(path: Path) -> bool:
    if fcntl is None:
        return False
    try:
        descriptor = os.open(path, os.O_RDWR)
    except OSError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if not _is_open_as(descriptor, path):  # completed meanwhile
            return False
        path.unlink()
    except OSError:
        return False
    finally:
        os.close(descriptor)
    return True


def _is_special(path: Path) -> bool:
    """Whether a path is that of a device, a pipe or an open descriptor, whatever the descriptor leads to."""
    if path.exists() and not path.is_file() and not path.is_dir():
        return True
    target = path.parent / os.readlink(path) if path.is_symlink() else path
    return any(os.path.realpath(one.parent).startswith('/proc/') for one in (path, target))


def _lock(path: Path) -> int | None:
    """Open a file, which is made if missing, and lock it; None where there are no locks."""
    if fcntl is None:
        path.touch()
        return None
    deadline = time.monotonic() + PATIENCE
    while True:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:  # another writer of the same file, whose lock serves, or remove_abandoned_partials
            locked = time.monotonic() > deadline
        except OSError:  # the file system has no locks
            locked = True
        else:
            locked = _is_open_as(descriptor, path)  # else it was removed before it was locked
        if locked:
            return descriptor
        os.close(descriptor)
        time.sleep(0.01)


def _is_open_as(descriptor: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(descriptor), path.stat())
    except FileNotFoundError:
        return False


def _require_on_disk(path: Path, content: bytes | memoryview) -> None:
    """Flush a file to disk, and read it back from there."""
    expected = memoryview(content).cast('B')
    with open(path, 'rb+') as file:
        os.fsync(file.fileno())
        if hasattr(os, 'posix_fadvise'):
            os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)  # not from the cache
        for start in range(0, len(expected) + 1, BLOCK):
            if file.read(BLOCK) != expected[start : start + BLOCK].tobytes():
                raise OSError(errno.EIO, 'the disk returned other bytes than were written; the old file is kept')
