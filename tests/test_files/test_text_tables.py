"""Tables of plain text."""

import pytest

from mmtranspose.files.text_tables import counted, interval_text, table_lines

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


def test_counts_and_intervals():
    units = ('person', 'image', 'box')
    assert [counted(n, unit) for unit in units for n in (1, 2)] == [
        *('1 person', '2 people', '1 image', '2 images', '1 box', '2 boxes')
    ]
    nan = float('nan')
    assert interval_text(dict(mean=0.5, low=0.25, high=1)) == '0.500 [0.250, 1.000]'
    assert interval_text(dict(mean=0.5, low=nan, high=nan)) == '0.500'
    assert interval_text(dict(mean=nan, low=nan, high=nan)) == '-'
