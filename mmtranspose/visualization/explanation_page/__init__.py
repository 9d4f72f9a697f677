"""One self-contained HTML page on which people look at what each keypoint depends on."""

from mmtranspose.visualization.explanation_page.page import write_page

__all__ = ['write_page']
