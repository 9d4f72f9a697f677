"""A folder that any static server serves: an exported file that runs in people's browsers."""

from mmtranspose.deployment.web_folder.web_folder import Viewer, write_web_folder

__all__ = ['Viewer', 'write_web_folder']
