"""The stand-in for mmcv's compiled operators: same numbers as theirs, clear words where it has none."""

import sys
from types import ModuleType

import mmcv
import mmcv.ops
import numpy as np
import pytest
import torch
import torchvision

from mmtranspose import compat
from mmtranspose.compat import mmcv_ops

stand_in_only = pytest.mark.skipif(not mmcv_ops.is_stand_in(), reason='a compiled mmcv is installed')


def greedy_nms(boxes, scores, threshold, offset):
    """The textbook's suppression, box by box."""
    kept = []
    area = (boxes[:, 2] - boxes[:, 0] + offset) * (boxes[:, 3] - boxes[:, 1] + offset)
    for i in np.argsort(-scores):
        for j in kept:
            wide = min(boxes[i, 2], boxes[j, 2]) - max(boxes[i, 0], boxes[j, 0]) + offset
            tall = min(boxes[i, 3], boxes[j, 3]) - max(boxes[i, 1], boxes[j, 1]) + offset
            shared = max(wide, 0) * max(tall, 0)
            if shared / (area[i] + area[j] - shared) > threshold:
                break
        else:
            kept.append(i)
    return kept


def random_boxes(count=120):
    rng = np.random.default_rng(0)
    corner, size = rng.integers(0, 20, (count, 2)), rng.integers(2, 9, (count, 2))
    return np.hstack([corner, corner + size]).astype(np.float32), rng.permutation(count).astype(np.float32) / count


@pytest.mark.parametrize('offset', [0, 1])
@pytest.mark.parametrize('threshold', [0.1037, 0.3037, 0.6037])
def test_nms_keeps_what_the_textbook_keeps(threshold, offset):
    # whole-pixel boxes have simple fractions as IoU: these thresholds tie with none of them
    boxes, scores = random_boxes()
    dets, kept = mmcv.ops.nms(torch.from_numpy(boxes), torch.from_numpy(scores), threshold, offset)
    assert kept.tolist() == greedy_nms(boxes, scores, threshold, offset)
    np.testing.assert_array_equal(dets.numpy(), np.hstack([boxes, scores[:, None]])[kept.numpy()])


def test_nms_offset_changes_the_outcome():
    # 3x1 and 2x1 pixels whose last pixels count: IoU 2/4 against 1/3 without them
    boxes, scores = torch.tensor([[0.0, 0, 3, 1], [1, 0, 3, 1]]), torch.tensor([0.9, 0.8])
    without = 2 / 3
    with_offset = (3 * 2) / (4 * 2)
    between = (without + with_offset) / 2
    assert mmcv.ops.nms(boxes, scores, between, 0)[1].tolist() == [0, 1]
    assert mmcv.ops.nms(boxes, scores, between, 1)[1].tolist() == [0]


@pytest.mark.parametrize('aligned', [True, False])
@pytest.mark.parametrize('sampling_ratio', [0, 2])
def test_roi_align_equals_torchvision(aligned, sampling_ratio):
    features = torch.randn(2, 3, 12, 16)
    rois = torch.tensor([[0, 3.0, 5, 40, 33], [1, 10, 2, 60, 47], [0, 0, 0, 8, 8]])
    ours = mmcv.ops.roi_align(features, rois, (3, 5), 0.25, sampling_ratio, 'avg', aligned)
    ratio = sampling_ratio or -1
    theirs = torchvision.ops.roi_align(features, rois, (3, 5), 0.25, ratio, aligned)
    torch.testing.assert_close(ours, theirs)


def test_roi_align_of_a_ramp():
    # f(x, y) = x: the average over a bin is the bin's middle, half a pixel less where pixels have extent
    ramp = torch.arange(12.0).expand(1, 1, 12, 12)
    roi = torch.tensor([[0, 4.0, 4, 12, 12]])
    legacy = mmcv.ops.roi_align(ramp, roi, (1, 2), 0.5, 2, 'avg', False)
    aligned = mmcv.ops.roi_align(ramp, roi, (1, 2), 0.5, 2, 'avg', True)
    assert legacy.flatten().tolist() == pytest.approx([3, 5])
    assert aligned.flatten().tolist() == pytest.approx([2.5, 4.5])


def test_other_operators_name_themselves_and_the_cure():
    extension = mmcv_ops._Extension(mmcv_ops.EXTENSION)
    with pytest.raises(mmcv_ops.MissingOpError, match=r'"sigmoid_focal_loss_forward".*pip uninstall mmcv-lite.*mmcv=='):
        extension.sigmoid_focal_loss_forward(torch.zeros(1), gamma=2)
    assert not hasattr(extension, '__path__')


@stand_in_only
def test_operators_of_mmcv_reach_the_explanation():
    with pytest.raises(mmcv_ops.MissingOpError, match='"softnms"'):
        mmcv.ops.soft_nms(*(torch.from_numpy(array) for array in random_boxes(4)))
    with pytest.raises(mmcv_ops.MissingOpError, match='"roi_align_forward" with max pooling'):
        mmcv.ops.roi_align(torch.zeros(1, 1, 4, 4), torch.zeros(1, 5), 2, 1.0, 0, 'max', True)


def test_a_loaded_compiled_mmcv_is_left_alone(monkeypatch):
    compiled = ModuleType(mmcv_ops.EXTENSION)
    monkeypatch.setitem(sys.modules, mmcv_ops.EXTENSION, compiled)
    mmcv_ops.apply()
    assert sys.modules[mmcv_ops.EXTENSION] is compiled
    assert not mmcv_ops.is_stand_in()


def test_an_installed_compiled_mmcv_is_left_alone(monkeypatch, tmp_path):
    (tmp_path / '_ext.py').touch()
    monkeypatch.delitem(sys.modules, mmcv_ops.EXTENSION)
    monkeypatch.setattr(mmcv, '__path__', [str(tmp_path)])
    mmcv_ops.apply()
    assert mmcv_ops.EXTENSION not in sys.modules


@stand_in_only
def test_the_stand_in_is_put_in_place_again(monkeypatch):
    monkeypatch.delitem(sys.modules, mmcv_ops.EXTENSION)
    assert not mmcv_ops.is_stand_in()
    mmcv_ops.apply()
    assert mmcv_ops.is_stand_in()
    assert sys.modules[mmcv_ops.EXTENSION].__spec__.name == mmcv_ops.EXTENSION


def test_missing_packages_are_all_named(monkeypatch):
    monkeypatch.setattr(compat, 'find_spec', lambda name: None if name in ('mmcv', 'mmpose') else object())
    with pytest.raises(ImportError, match='mmtranspose needs mmcv, mmpose, which .*make setup'):
        compat.apply()
