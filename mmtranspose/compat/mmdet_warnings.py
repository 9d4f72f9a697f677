"""Hide warnings that every run of a detector gives, and that its user can do nothing about.

Fault: mmdet calls ``torch.cuda.amp.autocast`` and ``torch.meshgrid`` in deprecated forms. torch warns of both once for
each place in mmdet, and also that CUDA is not available where nobody asked for it.
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
