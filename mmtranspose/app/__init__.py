"""A web page for trying a model: it shows the people in an image, and what a keypoint or a place on them depends on."""

from mmtranspose.app.explorer import Explorer
from mmtranspose.app.session import Choice, Session, Settings

__all__ = ['Choice', 'Explorer', 'Session', 'Settings']
