"""Private names of the libraries below: all listed in one place, and all still there."""

import ast
import importlib
import inspect
import pkgutil
import re

import house
import pytest
import torch
from mmengine.dataset import BaseDataset
from mmengine.model import ImgDataPreprocessor
from mmengine.optim import ConstantLR
from mmengine.registry import Registry
from mmengine.visualization import Visualizer
from mmpose.datasets.transforms import RandomBBoxTransform
from mmpose.engine.hooks import PoseVisualizationHook
from torch import nn

from mmtranspose.compat.upstream import PRIVATE_NAMES

LIBRARIES = ('torch', 'torchvision', 'mmengine', 'mmcv', 'mmpose', 'mmdet')
PRIVATE = re.compile(r'_[a-zA-Z]\w*(?<!_)')  # not `_base_`, which is a public key of configs
# Private names of others: of metaclasses; of named tuples, which document them; of os, queue and numpy.
OTHERS = {'_abc_impl', '_instance_dict', '_asdict', '_fields', '_replace', '_exit', '_qsize', '_reconstruct'}


def visualization_hook():
    Visualizer.get_instance('example')  # which the hook asks for
    try:
        return PoseVisualizationHook()
    finally:
        Visualizer._instance_dict.pop('example')


ON_INSTANCES = {  # names that only an instance has: how to make one
    'mmpose.datasets.transforms:RandomBBoxTransform._get_transform_params': RandomBBoxTransform,
    'mmengine.dataset:BaseDataset._indices': lambda: BaseDataset(lazy_init=True),
    'mmengine.model:ImgDataPreprocessor._channel_conversion': ImgDataPreprocessor,
    'mmengine.optim:ConstantLR._global_step': lambda: ConstantLR(torch.optim.SGD([torch.zeros(1)]), factor=0.5),
    'mmengine.registry:Registry._locations': lambda: Registry('example'),
    'mmpose.engine.hooks:PoseVisualizationHook._test_index': visualization_hook,
    'torch._dynamo.eval_frame:OptimizedModule._orig_mod': lambda: torch.compile(nn.Identity()),
}


def of(row):
    return row.name


def last_part(row):
    return re.split(r'[:.]', row.name)[-1]


def private_names_in(source):
    """Private names that a file reads from something else: imported, as an attribute, or by ``getattr``."""
    tree = ast.parse(source)
    own = {node.name for node in ast.walk(tree) if isinstance(node, (ast.FunctionDef, ast.ClassDef))}
    stored = [node for node in ast.walk(tree) if isinstance(getattr(node, 'ctx', None), ast.Store)]
    own |= {node.attr for node in stored if isinstance(node, ast.Attribute) and ast.unparse(node.value) == 'self'}
    own |= {node.id for node in stored if isinstance(node, ast.Name)}
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute):
            found.add(node.attr)
        elif isinstance(node, ast.Call) and getattr(node.func, 'id', '') in (
            'getattr',
            'hasattr',
            'setattr',
            'replace_once',
        ):
            found |= {arg.value for arg in node.args[1:2] if isinstance(arg, ast.Constant)}
        elif isinstance(node, ast.ImportFrom) and node.module.split('.')[0] in LIBRARIES:
            found |= {*node.module.split('.'), *(name.name for name in node.names)}
        elif isinstance(node, ast.Import):
            found |= {part for name in node.names for part in name.name.split('.')}
    return {name for name in found - own - OTHERS if PRIVATE.fullmatch(name)}


def overridden_names(module):
    """Private names of a library's classes that the module's own classes define anew."""
    for kind in vars(importlib.import_module(module)).values():
        if inspect.isclass(kind) and kind.__module__ == module:
            theirs = {
                name for base in kind.__mro__ if base.__module__.split('.')[0] in LIBRARIES for name in vars(base)
            }
            yield from (name for name in theirs & set(vars(kind)) - OTHERS if PRIVATE.fullmatch(name))


@pytest.mark.parametrize('row', PRIVATE_NAMES, ids=of)
def test_still_there(row):
    if row.name in ON_INSTANCES:
        assert hasattr(ON_INSTANCES[row.name](), last_part(row))
    else:
        pkgutil.resolve_name(row.name)


def test_every_use_is_listed():
    assert len(house.files()) > 300
    missing = []
    for path in house.files():
        file = path.relative_to(house.PACKAGE).with_suffix('').as_posix()
        listed = {part for row in PRIVATE_NAMES if file in row.used_by.split() for part in re.split('[:.]', row.name)}
        used = private_names_in(path.read_text()) | set(overridden_names(house.module_of(path)))
        missing += [f'{file}: {name}' for name in sorted(used - listed)]
    assert missing == []


def test_the_files_listed_use_the_names():
    for row in PRIVATE_NAMES:
        for file in row.used_by.split():
            assert last_part(row) in (house.PACKAGE / f'{file}.py').read_text() or row.name.startswith('torch.cpu:')


@pytest.mark.parametrize(
    ('source', 'found'),
    [
        ('from torch.nn.modules.conv import _ConvNd', {'_ConvNd'}),
        ('import torch._dynamo', {'_dynamo'}),
        ('from torch._dynamo import reset', {'_dynamo'}),
        ('def late(model):\n    return getattr(model, "_orig_mod", model)', {'_orig_mod'}),
        ('registry._locations.append(1)', {'_locations'}),
        ('registry._locations = []', {'_locations'}),
        ('class A:\n    def _own(self):\n        self._x = 1\n        return self._own() + self._x', set()),
        ('row._asdict(), __name__, cfg._base_', set()),
    ],
)
def test_a_use_is_seen(source, found):
    assert private_names_in(source) == found


def test_an_override_is_seen():
    assert '_set_device' in set(overridden_names('mmtranspose.acceleration.accelerated_estimator'))
