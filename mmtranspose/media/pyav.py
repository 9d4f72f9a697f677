"""PyAV, which reads and writes videos; pictures and cameras do without it."""

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
