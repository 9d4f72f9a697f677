"""Warnings of mmdet that its user can do nothing about, and all others."""

import warnings

import torch

from mmtranspose.compat import mmdet_warnings


def caught(function) -> list[str]:
    with warnings.catch_warnings(record=True) as found:
        function()
    return [str(one.message) for one in found]


def autocast():
    with torch.cuda.amp.autocast(enabled=False):
        warnings.warn('another', FutureWarning, stacklevel=1)


def test_only_these_are_silent():
    warnings.simplefilter('always')
    said = caught(autocast)
    assert any('is deprecated' in message for message in said) and 'another' in said
    mmdet_warnings.apply()
    assert caught(autocast) == ['another']
