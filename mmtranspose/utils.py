"""The function that mmengine looks for in a package of this name (``mmengine.hub.get_model('mmtranspose::...')``)."""

from importlib import import_module

from mmengine.registry import init_default_scope as set_default_scope

from mmtranspose.registration import LOCATIONS

__all__ = ['register_all_modules']


def register_all_modules(init_default_scope: bool = True) -> None:
    """Load the package's modules into MMPose's registries, as MMPose's function of this name does with its own.

    Args:
        init_default_scope (bool): Whether to build from MMPose's registries from now on.
    """
    for _, theirs, ours in LOCATIONS:
        import_module(theirs)
        import_module(ours)
    if init_default_scope:
        set_default_scope('mmpose')
