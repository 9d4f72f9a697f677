"""A page for trying a model: a picture, its people, and what a joint or a place depends on."""

from mmtranspose.app.explorer import Explorer
from mmtranspose.app.session import Choice, Session, Settings

__all__ = ['Choice', 'Explorer', 'Session', 'Settings']
