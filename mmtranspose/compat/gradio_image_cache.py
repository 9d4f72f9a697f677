"""Let gradio replace the file of an image that it shows, so that a browser never reads half of it.

Fault: an image's file is named after its content and written in place whenever the image is shown. If the same image
is shown again while a browser fetches it, the file is empty for a moment; the browser then gets a truncated answer
("Too little data for declared Content-Length") and draws a broken image.
Versions: gradio <= 6.31.
Can go: when ``gradio.processing_utils.save_pil_to_cache`` leaves an existing file alone, or renames one.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from mmtranspose.compat.patching import replace_once


def apply() -> None:
    """Make ``save_pil_to_cache`` write into a folder of its own, then rename the file to its place."""
    from gradio import processing_utils

    replace_once(processing_utils, 'save_pil_to_cache', _writing_beside)


def _writing_beside(save: Callable) -> Callable:
    def save_pil_to_cache(img: Any, cache_dir: str, *args: Any, **kwargs: Any) -> str:
        cache = Path(cache_dir).resolve()
        cache.mkdir(parents=True, exist_ok=True)
        with TemporaryDirectory(dir=cache) as partial:
            written = Path(save(img, partial, *args, **kwargs))
            kept = cache / written.parent.name / written.name
            kept.parent.mkdir(exist_ok=True)
            os.replace(written, kept)
        return str(kept)

    return save_pil_to_cache
