"""Find images whose ``file_name`` was written on Windows, with backslashes.

MMPose (1.3.2 and before) joins ``file_name`` to the image folder as it stands: ``train\\1.jpg`` is then the name of a
file in no folder, except on Windows. The work-around can go when MMPose reads such names.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from typing import Any

from mmtranspose.compat.patching import replace_once


def apply() -> None:
    """Make MMPose's datasets find such images."""
    base = sys.modules['mmpose.datasets.datasets.base.base_coco_style_dataset']  # its package is still being imported
    replace_once(base.BaseCocoStyleDataset, 'load_data_list', _with_found_images)


def found_path(path: str) -> str:
    """The path with ``/`` for every backslash if a file is there and none at ``path`` as it stands; else ``path``."""
    if '\\' not in path:
        return path
    slashed = path.replace('\\', '/')
    try:
        return slashed if os.path.exists(slashed) and not os.path.exists(path) else path
    except ValueError:  # no file can have such a name
        return path


def _with_found_images(original: Callable) -> Callable:
    def load_data_list(self: Any) -> list[dict]:
        people = original(self)
        for info in people:
            if isinstance(info.get('img_path'), str):
                info['img_path'] = found_path(info['img_path'])
        return people

    return load_data_list
