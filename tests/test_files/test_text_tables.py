"""Tables of plain text."""

import pytest

from mmtranspose.files.text_tables import table_lines

ROWS = [('name', 'ms', 'how'), ('baseline', 1.5, 'eager'), ('ours', 10, '')]


@pytest.mark.parametrize(
    ('alignments', 'lines'),
    [
        ('<>', ['name       ms    how', 'baseline  1.5  eager', 'ours       10']),
        ('<', ['name      ms   how', 'baseline  1.5  eager', 'ours      10']),
        ('<><', ['name       ms  how', 'baseline  1.5  eager', 'ours       10']),
    ],
)
def test_columns_line_up(alignments, lines):
    assert table_lines(ROWS, alignments) == lines
