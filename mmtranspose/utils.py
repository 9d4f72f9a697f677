"""The function that mmengine looks for in ``PACKAGE.utils`` (for ``mmengine.hub.get_model('mmtranspose::...')``)."""

from importlib import import_module

from mmengine.registry import init_default_scope as set_default_scope

from mmtranspose.registration import LOCATIONS

__all__ = ['register_all_modules']


def register_all_modules(init_default_scope: bool = True) -> None:
    """Register the modules of this package and of MMPose, as MMPose's function of this name does with its own.

    Args:
        init_default_scope (bool): Build from MMPose's registries from now on.
    """
    for _, theirs, ours in LOCATIONS:
        import_module(theirs)
        import_module(ours)
    if init_default_scope:
        set_default_scope('mmpose')
