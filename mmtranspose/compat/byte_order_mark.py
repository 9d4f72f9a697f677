"""Read annotation files that begin with a byte order mark, as tools on Windows write them.

xtcocotools (1.14) opens files in the locale's encoding, and mmengine (0.10) decodes them as UTF-8; Python's ``json``
then refuses the mark. The work-around can go when both read ``utf-8-sig``.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import IO, Any

from mmtranspose.compat.patching import replace_once, when_imported

MARK = '\ufeff'


def apply() -> None:
    """Make both libraries skip the mark."""
    when_imported('xtcocotools.coco', _apply_to_xtcocotools)
    when_imported('mmengine.fileio.handlers.json_handler', _apply_to_mmengine)


def _apply_to_xtcocotools() -> None:
    def open_without_mark(file: Any, mode: str = 'r', *args: Any, **options: Any) -> IO:
        if mode == 'r' and not args and 'encoding' not in options:
            options['encoding'] = 'utf-8-sig'
        return open(file, mode, *args, **options)

    sys.modules['xtcocotools.coco'].open = open_without_mark  # type: ignore[attr-defined]  # found before the built-in


def _apply_to_mmengine() -> None:
    from mmengine.fileio.handlers.json_handler import JsonHandler

    replace_once(JsonHandler, 'load_from_fileobj', _without_mark)


def _without_mark(original: Callable) -> Callable:
    def load_from_fileobj(self: Any, file: IO) -> Any:
        if file.seekable():
            start = file.tell()
            if file.read(1) != MARK:
                file.seek(start)
        return original(self, file)

    return load_from_fileobj
