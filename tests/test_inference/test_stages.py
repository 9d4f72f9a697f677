"""Stages: what comes before an error is finished first."""

import pytest

from mmtranspose.inference.stages import errors_deferred


def test_items_before_an_error_come_first():
    def items():
        yield from range(3)
        raise ValueError('broken')

    seen = []

    def read():
        with errors_deferred(items()) as readable:
            seen.extend(readable)
            seen.append('rest')

    with pytest.raises(ValueError, match='broken'):
        read()
    assert seen == [0, 1, 2, 'rest']


def test_an_error_in_the_block_counts_more():
    def items():
        yield 1
        raise ValueError('broken')

    def read():
        with errors_deferred(items()) as readable:
            list(readable)
            raise KeyError('mine')

    with pytest.raises(KeyError, match='mine'):
        read()
