"""Work-arounds for faults of the libraries below, one file a fault; each says when it can go."""

import sys
from importlib.util import find_spec

from mmtranspose.compat import thread_wait

REQUIRED = ('torch', 'torchvision', 'mmengine', 'mmcv', 'mmpose')


def apply() -> None:
    """Put the work-arounds in place. Runs when ``mmtranspose`` is imported, before mmpose is.

    Raises:
        ImportError: A package that mmtranspose builds on is not installed; names all that are missing.
    """
    thread_wait.apply()
    missing = [name for name in REQUIRED if find_spec(name) is None]
    if missing:
        raise ImportError(
            f'mmtranspose needs {", ".join(missing)}, which this Python does not have. '
            'Run "make setup" in a checkout of mmtranspose, or install MMPose first (README, "Install").'
        )
    from mmtranspose.compat import atomic_write, mmcv_ops, safe_globals

    for fault in (mmcv_ops, safe_globals, atomic_write):
        fault.apply()
    if 'mmengine.runner' in sys.modules:
        apply_to_runner()


def apply_to_runner() -> None:
    """Put the work-arounds for mmengine's runner in place.

    Loading the runner takes most of a second. Where it is not loaded yet, ``import mmtranspose`` leaves this to
    ``mmtranspose.models``, which is loaded before anything can be run.
    """
    from mmtranspose.compat import auto_resume, checkpoint_retention

    for fault in (auto_resume, checkpoint_retention):
        fault.apply()
