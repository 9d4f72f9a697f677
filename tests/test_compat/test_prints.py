"""What other libraries print is dropped, and nothing else."""

import builtins
import logging
import sys

import pytest

from mmtranspose.compat.prints import without_prints


def test_prints_alone_are_dropped(capsys):
    logger = logging.Logger('of a block')
    with without_prints():
        print('noise')
        print('noise', file=sys.stdout)
        print('an error', file=sys.stderr)
        logger.addHandler(logging.StreamHandler(sys.stdout))  # as mmengine's logger does
        logger.warning('log')
    print('table')
    assert tuple(capsys.readouterr()) == ('log\ntable\n', 'an error\n')


def test_after_an_error():
    before = builtins.print
    with pytest.raises(ValueError, match='seen'), without_prints():
        raise ValueError('seen')
    assert builtins.print is before
