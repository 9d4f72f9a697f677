"""Poses and maps as pictures. Nothing is computed here but colours."""

from mmtranspose.visualization.dependency import draw_dependency
from mmtranspose.visualization.pose import draw_poses
from mmtranspose.visualization.sheet import contact_sheet, write_image

__all__ = ['contact_sheet', 'draw_dependency', 'draw_poses', 'write_image']
