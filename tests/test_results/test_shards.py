"""Which processes may compute the units of a folder at the same time."""

from contextlib import ExitStack

import pytest

from mmtranspose.errors import InputError
from mmtranspose.results.shards import Shard, alone, reserved, shards_of


def test_shards_of_one_number_run_side_by_side(tmp_path):
    refused = pytest.raises(
        InputError, match=f'shard 2/2 is running already in another process, with {tmp_path.parent}'
    )
    with reserved(tmp_path, Shard(1, 2)), reserved(tmp_path, Shard(2, 2)), refused:
        reserved(tmp_path, Shard(2, 2)).__enter__()
    with reserved(tmp_path, Shard(2, 2)):
        pass  # it has ended
    assert shards_of(tmp_path) == 2


def test_shards_of_two_numbers_do_not(tmp_path):
    refused = 'shard 1/4 is running in another process, .*: start shard 1/2 when it has ended, or share .* 4 processes'
    with reserved(tmp_path, Shard(1, 4)):
        for _ in range(2):
            with pytest.raises(InputError, match=refused):
                reserved(tmp_path, Shard(1, 2)).__enter__()
        assert shards_of(tmp_path) == 4
    with reserved(tmp_path, Shard(1, 2)):
        assert shards_of(tmp_path) == 2


def test_looking_keeps_nobody_out_who_looks(tmp_path):
    """Processes that start together look at the locks of an earlier run at the same moment."""
    with ExitStack() as stack:
        looks = [stack.enter_context(alone(tmp_path / 'a.lock', looking=True)) for _ in range(3)]
        assert looks == [True] * 3
    with alone(tmp_path / 'a.lock'), alone(tmp_path / 'a.lock', looking=True) as free:
        assert not free
