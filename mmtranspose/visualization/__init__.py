"""Poses, maps and their statistics as images. Nothing is computed here but colours."""

from mmtranspose.visualization.contact_sheet import contact_sheet
from mmtranspose.visualization.dataset_figures import faithfulness_figure, layer_profile_figure, randomization_figure
from mmtranspose.visualization.dependency_animation import dependency_animation
from mmtranspose.visualization.dependency_matrix import dependency_matrix_figure
from mmtranspose.visualization.explanation_figure import explanation_figure, relevance_figure
from mmtranspose.visualization.explanation_page import write_page
from mmtranspose.visualization.label_drawing import draw_labels
from mmtranspose.visualization.overlay import overlay_on_image, overlay_people
from mmtranspose.visualization.pose import PoseDrawer, draw_poses, draw_tracks

__all__ = [
    'PoseDrawer',
    'contact_sheet',
    'dependency_animation',
    'dependency_matrix_figure',
    'draw_labels',
    'draw_poses',
    'draw_tracks',
    'explanation_figure',
    'faithfulness_figure',
    'layer_profile_figure',
    'overlay_on_image',
    'overlay_people',
    'randomization_figure',
    'relevance_figure',
    'write_page',
]
