"""Nobody asks ``pkgutil.find_loader``, which Python 3.14 does not have, for mmcv's operators."""

import pkgutil
from importlib import import_module
from importlib.util import find_spec

import pytest
import torch
from mmengine.model import revert_sync_batchnorm
from mmengine.optim import build_optim_wrapper

from mmtranspose.compat.find_loader import USERS
from mmtranspose.compat.patching import REPLACED_BY


@pytest.fixture(autouse=True)
def without_find_loader(monkeypatch):
    monkeypatch.delattr(pkgutil, 'find_loader', raising=False)


@pytest.mark.parametrize(('module', 'function'), USERS.items())
def test_everyone_has_it(module, function):
    found = getattr(import_module(module), function)
    assert hasattr(found, REPLACED_BY) and found() is (find_spec('mmcv._ext') is not None)


def test_what_asks():
    model = torch.nn.Sequential(torch.nn.Linear(2, 2), torch.nn.SyncBatchNorm(2))
    wrapper = build_optim_wrapper(model, dict(type='OptimWrapper', optimizer=dict(type='SGD', lr=0.1)))
    assert wrapper.param_groups[0]['lr'] == 0.1
    assert type(revert_sync_batchnorm(model)[1]).__name__ != 'SyncBatchNorm'
