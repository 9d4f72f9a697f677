"""Hooks of a runner get ``state_dict``, whatever the file holds."""

import pytest

from mmtranspose.compat.bare_state_dict import with_state_dict


@pytest.mark.parametrize(
    'content',
    [{'module.a': 1}, {'state_dict': {'module.a': 1}, 'meta': 2}, {'a': 1}, {'state_dict': {'a': 1}}],
    ids=str,
)
def test_hooks_get_a_state_dict(content):
    loaded = with_state_dict(lambda: content)()
    assert loaded['state_dict'] == {'a': 1}
    assert {key: value for key, value in loaded.items() if key != 'state_dict'} == (
        {'meta': 2} if 'meta' in content else {}
    )
