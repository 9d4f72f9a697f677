"""Write one self-contained HTML page that shows interactively what each keypoint depends on."""

from mmtranspose.visualization.explanation_page.page import write_page

__all__ = ['write_page']
