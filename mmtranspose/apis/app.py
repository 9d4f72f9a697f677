"""Moved to ``mmtranspose.app``; this path goes with the next release."""

from mmtranspose.app import Choice, Explorer, Session, Settings

__all__ = ['Choice', 'Explorer', 'Session', 'Settings']
