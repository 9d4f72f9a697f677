"""Tells MMPose's registries where this package's modules are."""

import sys
from importlib import import_module

from mmpose.registry import HOOKS, KEYPOINT_CODECS, MODELS, TRANSFORMS

LOCATIONS = (
    (HOOKS, 'mmpose.engine.hooks', 'mmtranspose.engine.hooks'),
    (MODELS, 'mmpose.models', 'mmtranspose.models'),
    (KEYPOINT_CODECS, 'mmpose.codecs', 'mmtranspose.codecs'),
    (TRANSFORMS, 'mmpose.datasets', 'mmtranspose.datasets.transforms'),
)


def register() -> None:
    """Register the modules: now if MMPose's own are loaded already, else together with them on first use.

    Waiting keeps ``import mmtranspose`` as quick as ``import mmpose``: loading MMPose's models takes 2 s.
    """
    for registry, theirs, ours in LOCATIONS:
        if theirs in sys.modules:
            import_module(ours)
        elif ours not in registry._locations:
            registry._locations.append(ours)
