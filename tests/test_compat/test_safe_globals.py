"""mmengine's checkpoints load with ``weights_only=True``; files that would run code do not."""

import argparse
import collections
import datetime
import io
import os
import pathlib
import pickle
import random
import subprocess
import types
import zipfile

import numpy as np
import pytest
import torch
from mmengine.config import ConfigDict
from mmengine.logging import HistoryBuffer, MessageHub

from mmtranspose.compat import safe_globals


def load(content) -> object:
    file = io.BytesIO()
    torch.save(content, file)
    file.seek(0)
    return torch.load(file, weights_only=True)


def message_hub() -> dict:
    hub = MessageHub('safe_globals')
    for loss in (0.5, 0.25, np.float32(0.75)):
        hub.update_scalar('train/loss', loss)
    hub.update_info('best_score', np.float64(0.125))
    hub.update_info('keep_ckpt_ids', [1, 2])
    return hub.state_dict()


@pytest.fixture
def empty_list():
    """torch's list of safe globals, emptied for one test."""
    known = torch.serialization.get_safe_globals()
    torch.serialization.clear_safe_globals()
    yield
    torch.serialization.clear_safe_globals()
    torch.serialization.add_safe_globals(known)


def test_a_log_survives():
    loaded = load({'message_hub': message_hub(), 'state_dict': {'weight': torch.arange(3)}})
    losses = loaded['message_hub']['log_scalars']['train/loss']
    assert isinstance(losses, HistoryBuffer)
    np.testing.assert_array_equal(losses.data[0], [0.5, 0.25, 0.75])
    assert losses.mean() == 0.5 and losses.min() == 0.25 and losses.current() == 0.75
    assert loaded['message_hub']['runtime_info']['best_score'] == 0.125
    assert loaded['state_dict']['weight'].tolist() == [0, 1, 2]


def test_without_the_list_it_would_not(empty_list):
    with pytest.raises(pickle.UnpicklingError, match='HistoryBuffer'):
        load(message_hub())
    safe_globals.apply()
    assert load(message_hub())['log_scalars']['train/loss'].max() == 0.75


@pytest.mark.parametrize('kind', ['?', 'u1', 'i4', 'i8', 'f2', 'f4', 'f8', 'c8', 'U3'])
def test_numpy_data_survives(kind):
    array = np.array([[1, 0], [1, 1]]).astype(kind)
    loaded = load({'array': array, 'scalar': array[0, 0]})
    assert loaded['array'].dtype == array.dtype and type(loaded['scalar']) is type(array[0, 0])
    np.testing.assert_array_equal(loaded['array'], array)
    assert loaded['scalar'] == array[0, 0]


@pytest.mark.parametrize(
    'array',
    [
        np.zeros(0, 'f4'),  # sigmas=[]
        np.zeros((0, 2), 'i8'),  # skeleton_info={}
        np.zeros((3, 0), 'u1'),
        np.zeros(0, bool),
        np.zeros(0, 'U3'),
        np.array([b'ab', b'']),
        np.array([1, 'a', None], object),
        np.asfortranarray(np.ones((2, 3))),
        np.zeros(2, [('a', 'f4'), ('b', 'i2')]),
        np.array(['2024-02-29'], 'M8[D]'),
    ],
    ids=lambda array: f'{array.dtype} {array.shape}',
)
def test_arrays_of_every_kind(array):
    loaded = load(array)
    assert loaded.dtype == array.dtype and loaded.shape == array.shape
    assert loaded.flags.f_contiguous == array.flags.f_contiguous
    np.testing.assert_array_equal(loaded, array)


VALUES = [
    *(b'', b'a\xff', bytearray(b'a'), '', 'ü', True, None, -(2**70), 1j, float('inf'), ...),
    *((), (1, ()), [], {}, set(), {1, 2}, frozenset(), frozenset({'a'}), range(2, 9, 3), slice(1, 2)),
    *(collections.OrderedDict(b=1, a=2), collections.Counter('aab'), ConfigDict(a=dict(b=[1, dict(c=2)]))),
    *(pathlib.Path('a/b'), pathlib.PurePosixPath('/a'), pathlib.PureWindowsPath('c:/a')),
    *(datetime.datetime(2024, 2, 29, 1, 2, 3, 4, datetime.timezone.utc), datetime.date(2024, 2, 29)),
    *(datetime.time(1, 2), datetime.timedelta(1, 2), argparse.Namespace(a=[1]), types.SimpleNamespace(a=[1])),
    *(np.float32, np.dtype('f4'), np.str_('a'), np.bool_(True), np.datetime64('2024-02-29'), np.complex128(1j)),
    *([int, float, bool, str, bytes, list, tuple, dict, set], torch.float16, torch.Size([1, 2])),
    random.Random(0).getstate(),
]


@pytest.mark.parametrize('value', VALUES, ids=lambda value: repr(value)[:40])
def test_what_a_hook_may_note(value):
    loaded = load({'message_hub': {'note': value}})['message_hub']['note']
    assert type(loaded) is type(value) and loaded == value


def test_stand_ins():
    """torch puts no items into these, allowed or not."""
    counts = collections.defaultdict(int)
    counts['a'] += 2
    assert load({'note': counts}) == {'note': {'a': 2}}
    assert load({'note': collections.deque([1, 2], maxlen=3)}) == {'note': [1, 2]}


@pytest.mark.parametrize('core', [b'numpy.core', b'numpy._core'])
def test_files_of_either_numpy_load(core):
    saved, renamed = io.BytesIO(), io.BytesIO()
    torch.save({'score': np.float64(0.5), 'array': np.arange(3)}, saved)
    with zipfile.ZipFile(saved) as source, zipfile.ZipFile(renamed, 'w') as target:
        for name in source.namelist():
            content = source.read(name)
            if name.endswith('data.pkl'):
                assert b'.multiarray\nscalar\n' in content
                content = content.replace(b'cnumpy._core.', b'cnumpy.core.').replace(
                    b'cnumpy.core.', b'c' + core + b'.'
                )
            target.writestr(name, content)
    renamed.seek(0)
    loaded = torch.load(renamed, weights_only=True)
    assert loaded['score'] == 0.5 and loaded['array'].tolist() == [0, 1, 2]


class Calls:
    """Pickles as a call of ``function`` with ``arguments``."""

    def __init__(self, function, *arguments):
        self.call = function, arguments

    def __reduce__(self):
        return self.call


@pytest.mark.parametrize(
    'function', [os.system, os.remove, eval, exec, print, open, compile, __import__, subprocess.run, map, type, object]
)
def test_code_is_refused(function, tmp_path):
    victim = tmp_path / 'victim'
    victim.touch()
    with pytest.raises(pickle.UnpicklingError):
        load({'state_dict': Calls(function, f'rm {victim}' if function is os.system else str(victim))})
    assert victim.exists()


@pytest.mark.parametrize(
    ('owner', 'name'),
    [
        (HistoryBuffer, '__init__'),
        (HistoryBuffer, '__subclasses__'),
        (HistoryBuffer, 'register_statistics'),
        (HistoryBuffer, '_statistics_methods'),
        (np.ndarray, 'tofile'),
        (np.ndarray, 'mean'),
        (torch.Tensor, '__class__'),
    ],
)
def test_getattr_gives_nothing_but_statistics(owner, name):
    with pytest.raises(ValueError, match=f'refused to read attribute {name!r}'):
        load({'state_dict': Calls(getattr, owner, name)})


def test_getattr_gives_statistics():
    assert load(Calls(getattr, HistoryBuffer, 'mean')) is HistoryBuffer.mean
    # the name alone is the guard, not the attribute
    assert load([getattr])[0] is safe_globals.history_buffer_statistic


def test_a_checkpoint_of_training_loads(tiny_checkpoint):
    checkpoint = torch.load(tiny_checkpoint, weights_only=True)
    assert checkpoint['meta']['epoch'] == 1
    losses = checkpoint['message_hub']['log_scalars']['train/loss_kpt']
    assert len(losses.data[0]) == checkpoint['meta']['iter'] > 0
    assert np.isfinite(losses.data[0]).all()
