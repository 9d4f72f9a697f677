"""Datasets are unpickled with mmtranspose imported before anything of mmpose."""

import copy
import io
import pickle
import subprocess
import sys

import pytest
from conftest import ROOT
from mmengine.dataset import ConcatDataset
from mmengine.registry import init_default_scope
from mmpose.datasets import CocoDataset, CombinedDataset
from mmpose.registry import DATASETS

from mmtranspose.loading.config import load_config


@pytest.fixture
def config(tiny_config):
    init_default_scope('mmpose')
    return load_config(tiny_config).val_dataloader.dataset


@pytest.fixture
def dataset(config):
    return DATASETS.build(config)


class Noted(pickle.Unpickler):
    """Notes the modules in the order of their import."""

    def __init__(self, content):
        super().__init__(io.BytesIO(content))
        self.modules = []

    def find_class(self, module, name):
        self.modules.append(module)
        return super().find_class(module, name)


@pytest.mark.parametrize('protocol', [2, pickle.DEFAULT_PROTOCOL, pickle.HIGHEST_PROTOCOL])
@pytest.mark.parametrize(
    'wrap',
    [
        DATASETS.build,
        lambda config: ConcatDataset([config]),
        lambda config: CombinedDataset(CocoDataset.METAINFO, datasets=[config]),
    ],
    ids=['alone', 'concatenated', 'combined'],
)
def test_mmtranspose_comes_before_mmpose(config, dataset, wrap, protocol):
    wrapped = wrap(config)
    noted = Noted(pickle.dumps(wrapped, protocol))
    again = noted.load()
    first = next(n for n, module in enumerate(noted.modules) if module.startswith('mmpose'))
    assert any(module.startswith('mmtranspose.') for module in noted.modules[:first])
    assert type(again) is type(wrapped) and len(again) == len(wrapped) == len(dataset) > 0


def test_copies_hold_the_same(dataset):
    for again in (pickle.loads(pickle.dumps(dataset)), copy.deepcopy(dataset)):
        assert type(again) is type(dataset) and again.ann_file == dataset.ann_file
        assert again.get_data_info(3)['img_path'] == dataset.get_data_info(3)['img_path']
        assert (again[2]['inputs'] == dataset[2]['inputs']).all()


def test_a_process_that_begins_with_nothing(dataset, tmp_path):
    """As a loader process does, which has no import of ours in its main module, and here no xtcocotools either."""
    (tmp_path / 'dataset').write_bytes(pickle.dumps(dataset))
    script = (
        "import sys, pickle; sys.modules['xtcocotools'] = None; sys.path.insert(0, sys.argv[1])\n"
        'print(len(pickle.load(open(sys.argv[2], "rb"))))'
    )
    command = [sys.executable, '-c', script, str(ROOT), str(tmp_path / 'dataset')]
    done = subprocess.run(command, capture_output=True, encoding='utf-8')
    assert done.stdout == f'{len(dataset)}\n', done.stderr
