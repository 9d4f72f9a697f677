"""Images that are decoded once."""

import os
import shutil

import cv2
import mmcv
import numpy as np
import pytest
from conftest import SYNTHETIC_CONFIG
from mmengine.config import Config
from mmengine.registry import init_default_scope
from mmpose.datasets.transforms import LoadImage
from mmpose.registry import DATASETS
from torch.utils.data import DataLoader

from mmtranspose.datasets.transforms import CachedLoadImage
from mmtranspose.errors import InputError


@pytest.fixture
def images(tmp_path):
    """Files of two images."""
    paths = [str(tmp_path / name) for name in ('a.png', 'b.png')]
    for seed, path in enumerate(paths):
        cv2.imwrite(path, np.random.default_rng(seed).integers(0, 256, (20 + seed, 30, 3), dtype=np.uint8))
    return paths


@pytest.fixture
def decoded(monkeypatch):
    """Counts decoded images."""
    decode, found = mmcv.imfrombytes, []
    monkeypatch.setattr(mmcv, 'imfrombytes', lambda *args, **kwargs: found.append(1) or decode(*args, **kwargs))
    return found


def assert_same(ours, theirs):
    assert set(ours) == set(theirs) and all(ours[key] == theirs[key] for key in ours if key != 'img')
    np.testing.assert_array_equal(ours['img'], theirs['img'])
    assert ours['img'].dtype == theirs['img'].dtype


@pytest.mark.parametrize('options', [{}, dict(to_float32=True), dict(color_type='grayscale')], ids=str)
def test_results_are_load_images(images, options):
    ours, theirs = CachedLoadImage(**options), LoadImage(**options)
    for index in (0, 0, 1, 1, 0):
        assert_same(ours(dict(img_path=images[index])), theirs(dict(img_path=images[index])))


def test_boxes_of_one_image_decode_it_once(images, decoded):
    load = CachedLoadImage()
    for index in (0, 0, 0, 1, 1, 0):
        load(dict(img_path=images[index]))
    assert len(decoded) == 3


def test_a_file_written_anew_is_read_anew(images):
    load = CachedLoadImage()
    load(dict(img_path=images[0]))
    shutil.copy(images[1], images[0])
    os.utime(images[0], ns=(1, 1))  # also where the clock has not ticked
    np.testing.assert_array_equal(load(dict(img_path=images[0]))['img'], cv2.imread(images[1]))


def test_nobody_can_change_the_image_of_the_next_box(images):
    load = CachedLoadImage()
    for _ in range(2):
        with pytest.raises(ValueError, match='read-only'):
            load(dict(img_path=images[0]))['img'][0] = 0


def test_arrays_are_taken_as_they_are(images, decoded):
    image = np.zeros((5, 6, 3), np.uint8)
    results = CachedLoadImage()(dict(img=image, img_path=images[0]))
    assert results['img'] is image and results['img'].flags.writeable and results['ori_shape'] == (5, 6)
    assert not decoded


def test_images_that_cannot_be_read(images, tmp_path):
    load = CachedLoadImage()
    load(dict(img_path=images[0]))
    with pytest.raises(FileNotFoundError, match='loading `.*none.png`'):
        load(dict(img_path=str(tmp_path / 'none.png')))
    (tmp_path / 'b.png').write_bytes(b'no image')
    assert CachedLoadImage(ignore_empty=True)(dict(img_path=str(tmp_path / 'none.png'))) is None
    with pytest.raises(AssertionError, match='loading `.*b.png`'):
        load(dict(img_path=images[1]))


@pytest.mark.parametrize('path', [['a.png', 'b.png'], None, 3], ids=str)
def test_one_image_is_loaded_at_a_time(path):
    with pytest.raises(InputError, match='img_path=.*CachedLoadImage loads one image'):
        CachedLoadImage()(dict(img_path=path))


def test_samples_of_an_evaluation(people, decoded):
    """In the configs' pipeline: the same samples, fewer decoded images."""
    init_default_scope('mmpose')
    cfg = Config.fromfile(str(SYNTHETIC_CONFIG)).val_dataloader.dataset
    cfg.update(data_root=str(people), bbox_file=None)
    found, counts = [], []
    for kind in ('LoadImage', 'CachedLoadImage'):
        cfg.pipeline[0].type = kind
        dataset = DATASETS.build(cfg)
        before = len(decoded)
        found.append([dataset[index] for index in range(len(dataset))])
        counts.append(len(decoded) - before)
    names = [one['data_samples'].img_path for one in found[0]]
    assert counts == [len(names), len(set(names))] and counts[1] < counts[0]
    for theirs, ours in zip(*found, strict=True):
        np.testing.assert_array_equal(theirs['inputs'], ours['inputs'])


def test_workers_get_whole_batches():
    """On which the configs' loaders rely: neighbours in a batch are neighbours in the file."""
    loader = DataLoader(range(10), batch_size=4, num_workers=2, collate_fn=list)
    assert list(loader) == [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9]]
