"""Keep OpenVINO and NNCF from telling their makers what they are used for.

Fault: converting and quantising send events to a web server, without a question, where the package openvino_telemetry
is installed, on which both depend; without a network each waits for it. Both do without it if it cannot be imported.
Versions: openvino <= 2026.4, nncf <= 3.4.
Can go: when neither sends anything unasked.
"""

from __future__ import annotations

import sys
from types import ModuleType
from typing import cast

NAME = 'openvino_telemetry'


def apply() -> None:
    """Make the package one that cannot be imported, unless it was imported before."""
    sys.modules.setdefault(NAME, cast(ModuleType, None))  # Python's way to block an import
