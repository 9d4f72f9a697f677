"""The version of the package, which setup.py reads from here, and those of what it computes with."""

import platform
from importlib.metadata import PackageNotFoundError, version

__version__ = '0.2.0'
COMPUTES = ('torch', 'mmpose', 'mmengine', 'numpy', 'opencv-python', 'opencv-python-headless')


def found_versions(*more: str) -> dict[str, str]:
    """The versions of this package, Python, the libraries that it computes with, and ``more``; without absent ones."""
    found = dict(mmtranspose=__version__, python=platform.python_version())
    for name in (*COMPUTES, *more):
        try:
            found[name] = version(name)
        except PackageNotFoundError:  # noqa: PERF203  OpenCV's package has two names
            continue
    return found
