"""Threads that sleep, where there is still time to ask for it."""

import os
import sys

import pytest

from mmtranspose.compat import thread_wait


@pytest.mark.parametrize(
    ('loaded', 'chosen', 'expected'),
    [(False, None, 'passive'), (False, 'active', 'active'), (True, None, None), (True, 'active', 'active')],
)
def test_when_it_is_asked_for(monkeypatch, loaded, chosen, expected):
    monkeypatch.setenv('OMP_WAIT_POLICY', chosen or '')
    if not chosen:
        monkeypatch.delenv('OMP_WAIT_POLICY')
    if not loaded:
        monkeypatch.delitem(sys.modules, 'torch')
    thread_wait.apply()
    assert os.environ.get('OMP_WAIT_POLICY') == expected
