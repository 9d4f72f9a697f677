"""PyAV, which reads and writes videos; images and cameras do without it."""

from types import ModuleType

from mmtranspose.errors import InputError


def import_av() -> ModuleType:
    """The module ``av``.

    Raises:
        InputError: It is not installed.
    """
    try:
        import av
    except ImportError:
        raise InputError('videos need PyAV: pip install av') from None
    return av


def as_url(path: object) -> str:
    """A file's path for FFmpeg, which takes what stands before a colon for a protocol."""
    return f'file:{path}'
