"""Write one self-contained HTML page on the errors of a model: figures, tables, and the people to look at."""

from mmtranspose.visualization.report_page.person_cards import PersonCard
from mmtranspose.visualization.report_page.report import write_report_page

__all__ = ['PersonCard', 'write_report_page']
