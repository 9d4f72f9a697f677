"""A page for trying a model: an image, its people, and what a keypoint or a place depends on."""

from mmtranspose.app.explorer import Explorer
from mmtranspose.app.session import Choice, Session, Settings

__all__ = ['Choice', 'Explorer', 'Session', 'Settings']
