"""Damaged checkpoints: each is refused with the right reason, and a training goes on from the older one beside it."""

import io
import os
import random
import re
import shutil
import zipfile

import cv2
import numpy as np
import pytest
import torch

from mmtranspose.errors import InputError
from mmtranspose.loading import resuming
from mmtranspose.loading.checkpoint import Checkpoint
from mmtranspose.loading.init_model import init_model
from mmtranspose.loading.resuming import find_resumable

BLOCK = 4096
WEIGHT, EQUAL, OTHER = 'backbone.bn1.weight', 'backbone.bn1.bias', 'head.final_layer.weight'
ENTRY = r'is damaged: its entry \w+/{} is not as its check sum says'
DIRECTORY = 'is damaged: it(s entry| is truncated, or the directory at its end)|cannot be read'
DIGEST = 'its weights are not those that were written'
NOT_FINITE = r'has weights that are not finite \(NaN or infinite\), in 1 tensors: {};'


class Note:
    """What a custom hook may put into the message hub."""


class Remove:
    def __reduce__(self):
        return os.remove, ('victim',)


@pytest.fixture(scope='module')
def content(tiny_checkpoint):
    """What a checkpoint of ours holds that was written at the end of the second epoch."""
    content = torch.load(tiny_checkpoint, weights_only=True)
    content['meta'].update(epoch=2, iter=4)
    content['ema_state_dict'] = {f'module.{name}': value.clone() for name, value in content['state_dict'].items()}
    assert len(content['meta']['weights_digest']) == 64
    return content


@pytest.fixture(scope='module')
def whole(content):
    """That checkpoint's bytes."""
    return saved(content)


@pytest.fixture(scope='module')
def parts(whole):
    """Where in the file what lies: name, first byte and end of the entries; then of the directory."""
    with zipfile.ZipFile(io.BytesIO(whole)) as archive:
        parts = {}
        for entry in archive.infolist():
            names = (
                int.from_bytes(whole[entry.header_offset + at : entry.header_offset + at + 2], 'little')
                for at in (26, 28)
            )
            data = entry.header_offset + 30 + sum(names)
            parts[entry.filename.split('/', 1)[1]] = data, data + entry.file_size
            parts[f'header of {entry.filename}'] = entry.header_offset, entry.header_offset + 30
        parts['directory'] = archive.start_dir, len(whole) - 22
        parts['end'] = len(whole) - 22, len(whole)
    return parts


@pytest.fixture(scope='module')
def model(tiny_config):
    """The tiny model, as initialised."""
    return init_model(tiny_config)


@pytest.fixture
def folder(tiny_checkpoint, tmp_path):
    """A work directory with a good checkpoint of the first epoch."""
    shutil.copy(tiny_checkpoint, tmp_path / 'epoch_1.pth')
    return tmp_path


def saved(content) -> bytes:
    file = io.BytesIO()
    torch.save(content, file)
    return file.getvalue()


def entries(data: bytes) -> dict[str, bytes]:
    """What the entries of a file hold; torch fills the gaps between them with whatever lies in memory."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def flipped(data: bytes, bit: int) -> bytes:
    return data[: bit // 8] + bytes([data[bit // 8] ^ (1 << bit % 8)]) + data[bit // 8 + 1 :]


def require_refused(folder, model, data: bytes, reason: str, for_resume: str | None = None) -> None:
    """The newer file is refused for that reason: for a model, and in the log of a resume, which takes the older one.

    ``for_resume`` is the reason where the model is not known yet, if that is another.
    """
    path = folder / 'epoch_2.pth'
    path.write_bytes(data)
    with pytest.raises(InputError) as caught:
        Checkpoint.read(path).require_match(model)
    assert re.match(f'checkpoint {path}:? ({reason})', str(caught.value)), caught.value
    with pytest.MonkeyPatch.context() as patch:
        logged = []
        patch.setattr(resuming, 'print_log', lambda message, logger, level: logged.append(message))
        assert find_resumable(folder) == folder / 'epoch_1.pth'
    if for_resume is None:
        assert logged == [f'{caught.value}; trying the one before it']
    else:
        assert len(logged) == 1 and re.match(f'checkpoint {path}:? ({for_resume})', logged[0]), logged


@pytest.mark.parametrize('number', range(16))
def test_a_flipped_bit_in_a_tensor(folder, model, whole, parts, number):
    name = sorted(name for name in parts if name.startswith('data/'))[number * 7 % 90]
    start, end = parts[name]
    require_refused(
        folder, model, flipped(whole, random.Random(number).randrange(8 * start, 8 * end)), ENTRY.format(name)
    )


@pytest.mark.parametrize('number', range(12))
def test_a_flipped_bit_in_the_pickle(folder, model, whole, parts, number):
    start, end = parts['data.pkl']
    bit = random.Random(number).randrange(8 * start, 8 * end)
    require_refused(folder, model, flipped(whole, bit), ENTRY.format('data.pkl'))


@pytest.mark.parametrize('share', [0, 0.01, 0.2, 0.4, 0.6, 0.8, 0.95, 0.999])
def test_a_zeroed_block(folder, model, whole, parts, share):
    start = int(share * len(whole)) // BLOCK * BLOCK
    data = whole[:start] + bytes(len(whole[start : start + BLOCK])) + whole[start + BLOCK :]
    assert data != whole
    reason = 'is damaged: it begins with zeros' if start == 0 else ENTRY.format(r'[\w./]+') + f'|{DIRECTORY}'
    require_refused(folder, model, data, reason)


@pytest.mark.parametrize('length', [1, 3, 4, 30, 300, 0.1, 0.3, 0.5, 0.7, 0.9, 0.99, -4000, -100, -22, -1])
def test_truncated(folder, model, whole, length):
    length = int(length * len(whole)) if isinstance(length, float) else length
    require_refused(folder, model, whole[:length], 'is damaged: it is truncated')


RETYPED = f'has 1 tensors of another kind of number than the model of this config: {WEIGHT}'
RESHAPED = 'does not match the model of this config.*2 of another shape: '
CHANGES = {  # reason, change, and the reason in a resume if that is another
    'swapped, of equal shape': (DIGEST, lambda c: swap(c, WEIGHT, EQUAL)),
    'swapped, of other shape': (RESHAPED, lambda c: swap(c, WEIGHT, OTHER), DIGEST),
    'a missing key': (
        f'does not match the model of this config.*1 of the model missing in it: {WEIGHT}',
        lambda c: c['state_dict'].pop(WEIGHT),
        DIGEST,
    ),
    'another number': (DIGEST, lambda c: change(c, WEIGHT, lambda t: t.clone().index_fill_(0, torch.tensor(3), 7))),
    'int8': (RETYPED, lambda c: change(c, WEIGHT, torch.Tensor.char), DIGEST),
    'bool': (RETYPED, lambda c: change(c, WEIGHT, torch.Tensor.bool), DIGEST),
    'complex64': (RETYPED, lambda c: change(c, WEIGHT, lambda t: t.to(torch.complex64)), DIGEST),
    'nan': (NOT_FINITE.format(WEIGHT), lambda c: change(c, WEIGHT, lambda t: t / 0 * 0)),
    'inf': (NOT_FINITE.format(OTHER), lambda c: change(c, OTHER, lambda t: t / 0)),
    'nan in the averages': (
        NOT_FINITE.format(f'ema_state_dict module.{WEIGHT}'),
        lambda c: c['ema_state_dict'].update({f'module.{WEIGHT}': torch.tensor([1.0, float('nan')])}),
    ),
    'code': (
        r'is refused: besides weights it holds [a-z]+\.remove, which could run code',
        lambda c: c['message_hub'].update(note=Remove()),
    ),
    'eval': (
        r'is refused: besides weights it holds builtins.eval, which could run code',
        lambda c: c['message_hub'].update(note=[eval, Note()]),
    ),
    'an unknown class': (
        r'holds an object of the class test_damaged_checkpoints.Note, which this program does not know; if you trust '
        r'the file, import test_damaged_checkpoints and call torch.serialization.add_safe_globals\(\[test_damaged_',
        lambda c: c['message_hub'].update(note=Note()),
    ),
}


def swap(content, a, b):
    weights = content['state_dict']
    weights[a], weights[b] = weights[b], weights[a]


def change(content, name, function):
    content['state_dict'][name] = function(content['state_dict'][name])


def copied(content):
    return {key: value.copy() if isinstance(value, dict) else value for key, value in content.items()}


@pytest.mark.parametrize('name', CHANGES)
def test_changed_content(folder, model, content, name, monkeypatch):
    reason, make, *for_resume = CHANGES[name]
    changed = copied(content)
    make(changed)
    (folder / 'victim').touch()
    monkeypatch.chdir(folder)
    require_refused(folder, model, saved(changed), reason, *for_resume)
    assert (folder / 'victim').exists()


@pytest.mark.parametrize(
    ('data', 'reason'),
    [
        (b'', 'is damaged: the file is empty'),
        (b'\n<!DOCTYPE html><html>not found</html>', 'cannot be read: it is a web page'),
        (bytes(BLOCK), 'is damaged: it begins with zeros'),
        (b'hello world' * 99, 'is damaged or no checkpoint$'),
        (cv2.imencode('.png', np.zeros((4, 4), np.uint8))[1].tobytes(), 'is an image; name a file of weights there$'),
    ],
    ids=['empty', 'web page', 'zeros', 'text', 'image'],
)
def test_other_content(folder, model, data, reason):
    require_refused(folder, model, data, reason)


@pytest.mark.parametrize('magic', [b'XX', b'\0\0\0\0'])
def test_overwritten_magic_number(folder, model, whole, magic):
    reason = 'is damaged: its first bytes are not those of the zip file that the rest is'
    require_refused(folder, model, magic + whole[len(magic) :], reason)


def test_an_entry_that_is_marked_as_a_folder(folder, whole):
    """torch (2.11) reads nothing of it: the tensor has what memory held. Neither is it told by the check sum."""
    start = whole.rindex(b'PK\x01\x02')  # the last entry of the directory
    path = folder / 'a.pth'
    path.write_bytes(flipped(whole, 8 * (start + 38) + 4))
    with pytest.raises(InputError, match=r'a.pth is damaged: its entry .* is marked as a folder$'):
        Checkpoint.read(path)


def test_flips_outside_of_the_content(folder, whole, parts):
    """Bits of headers, directory and gaps: refused, or (dates, attributes, versions) nothing that is loaded changes."""
    path, expected, harmless = folder / 'a.pth', entries(saved(torch.load(io.BytesIO(whole), weights_only=True))), 0
    content = [span for name, span in parts.items() if not name.startswith(('header', 'directory', 'end'))]
    outside = sorted(set(range(len(whole))) - {byte for span in content for byte in range(*span)})
    bits = random.Random(0).sample([8 * byte + bit for byte in outside for bit in range(8)], 32)
    start, end = parts['directory']
    bits += random.Random(1).sample(range(8 * start, 8 * end), 16) + random.Random(2).sample(
        range(8 * end, 8 * end + 176), 24
    )
    for bit in bits:
        path.write_bytes(flipped(whole, bit))
        try:
            loaded, refusal = Checkpoint.read(path).content, ''
        except InputError as error:
            loaded, refusal = None, str(error)
        assert re.match(f'checkpoint {path} ({DIRECTORY}|is damaged: its first bytes)', refusal) or loaded is not None
        assert loaded is None or entries(saved(loaded)) == expected
        harmless += loaded is not None
    print(f'{harmless} of {len(bits)} flips outside of the content change nothing')
    assert 0 < harmless < len(bits)
