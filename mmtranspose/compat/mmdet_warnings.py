"""Warnings at every run of a detector that its user can do nothing about.

Fault: mmdet calls ``torch.cuda.amp.autocast`` and ``torch.meshgrid`` in ways that torch has replaced; each says so on
the screen, once for every place in mmdet, and that CUDA is not there where it is not asked for.
Versions: mmdet 3.3.0 with torch >= 2.4.
Can go: when mmdet uses ``torch.amp.autocast`` and passes ``indexing`` to ``torch.meshgrid``.
"""

from __future__ import annotations

import warnings

MESSAGES = (
    r'`torch\.cuda\.amp\.autocast\(args\.\.\.\)` is deprecated',
    'torch.meshgrid: in an upcoming release',
    "User provided device_type of 'cuda', but CUDA is not available",
)


def apply() -> None:
    """Ignore these warnings, and no others."""
    for message in MESSAGES:
        warnings.filterwarnings('ignore', message=message)
