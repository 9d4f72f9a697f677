"""What ``infer`` has written to a folder, to be compared."""

from pathlib import Path

import numpy as np

from mmtranspose.media import open_source


def content(folder):
    """The bytes of all files but the notes on shards, by name; of videos, whose encoder has threads, their frames."""
    files = [path for path in Path(folder).rglob('*') if path.is_file()]
    named = {str(path.relative_to(folder)): path for path in files}
    return {name: _data_of(path) for name, path in named.items() if not name.startswith('parts/')}


def _data_of(path):
    if path.suffix != '.mp4':
        return path.read_bytes()
    with open_source(str(path)) as source:
        frames = np.stack([frame.image for frame in source])
    return frames.shape, frames.mean(axis=(1, 2, 3)).round().tolist()
