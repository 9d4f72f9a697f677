"""Collate functions of inferencers."""

from types import SimpleNamespace

import pytest
from mmengine.config import Config
from mmengine.dataset import pseudo_collate
from mmengine.infer import BaseInferencer

from mmtranspose.compat import inferencer_collate
from mmtranspose.datasets.collate import tensor_collate


def collate_of(loader):
    return BaseInferencer._init_collate(SimpleNamespace(scope='mmpose'), Config(dict(test_dataloader=loader)))


def test_dicts_are_built_as_the_runner_builds_them():
    # _scope_ is what mmengine adds to a config that is built on as mmtranspose::...
    found = collate_of(dict(collate_fn=dict(type='tensor_collate', keep_samples=True, _scope_='mmpose')))
    assert found.func is tensor_collate and found.keywords == dict(keep_samples=True)


@pytest.mark.parametrize('loader', [{}, dict(collate_fn='pseudo_collate')])
def test_the_rest_is_mmengines(loader):
    assert collate_of(loader) is pseudo_collate


def test_once_is_enough():
    before = BaseInferencer._init_collate
    inferencer_collate.apply()
    assert BaseInferencer._init_collate is before
