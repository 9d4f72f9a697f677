"""TransPose for MMPose: pose estimation whose predictions can be traced to places in the image.

``import mmtranspose`` registers ``ResNetSmall``, ``HRNetSmall``, ``TransPoseNeck`` and ``TransPoseHead`` in
``mmpose.registry.MODELS`` and works round the faults of the stack below (``mmtranspose.compat``).
"""

from mmtranspose import compat
from mmtranspose.version import __version__

compat.apply()

from mmtranspose.registration import register  # noqa: E402  (needs compat in place: it imports mmpose)

register()

__all__ = ['__version__']
