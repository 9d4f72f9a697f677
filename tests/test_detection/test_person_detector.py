"""People by a detector of mmdet: what is found, and what is refused."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from mmdet.apis import inference_detector
from mmengine.registry import DefaultScope, init_default_scope
from mmpose.evaluation.functional import nms
from tiny_detector import CONFIG, write_detector
from torch import nn

from mmtranspose.compat.mmcv_ops import MissingOpError
from mmtranspose.detection import PersonDetector, detector_loading
from mmtranspose.detection.detector_loading import find_detector, load_detector, num_classes, person_category
from mmtranspose.errors import InputError

CLASSES = ('dog', 'Person', 'cat')


def cascade(number):
    stages = nn.ModuleList([nn.Identity(), nn.Identity()])
    stages[-1].num_classes = number
    return stages


@pytest.fixture(scope='module')
def files(tmp_path_factory):
    return write_detector(tmp_path_factory.mktemp('detector'), CLASSES)


@pytest.fixture(scope='module')
def images():
    rng = np.random.default_rng(0)
    return [rng.integers(0, 256, (*size, 3), dtype=np.uint8) for size in ((120, 200), (300, 90), (64, 64), (31, 250))]


@pytest.fixture(scope='module')
def detector(files):
    return PersonDetector(*files)


def by_mmpose(model, image: np.ndarray, category: int, bbox_thr: float, nms_thr: float) -> np.ndarray:
    """Boxes and scores as MMPose's demo with mmdet picks them, clipped; some of RTMDet's lie in its padding alone."""
    with DefaultScope.overwrite_default_scope('mmdet'):
        found = inference_detector(model, image).pred_instances.cpu().numpy()
    boxes = np.concatenate((found.bboxes, found.scores[:, None]), axis=1)
    boxes = boxes[np.logical_and(found.labels == category, found.scores > bbox_thr)]
    boxes = boxes[nms(boxes, nms_thr)]
    h, w = image.shape[:2]
    boxes[:, :4] = boxes[:, :4].clip(0, (w, h, w, h))
    return boxes[(boxes[:, 2] > boxes[:, 0]) & (boxes[:, 3] > boxes[:, 1])]


class TestBoxes:
    @pytest.mark.parametrize('thresholds', [(0.3, 0.3), (0.05, 0.7)])
    def test_as_mmposes_demo_finds_them(self, files, images, thresholds):
        detector = PersonDetector(*files, bbox_thr=thresholds[0], nms_thr=thresholds[1])
        for image in images:
            (boxes,) = detector([image])
            assert len(boxes) > 0 and boxes.dtype == np.float32
            np.testing.assert_array_equal(boxes, by_mmpose(detector.model, image, 1, *thresholds))

    def test_a_batch_of_sizes_is_as_one_by_one(self, detector, images):
        found = detector(images)
        assert sum(map(len, found)) > 8
        for boxes, image in zip(found, images):
            np.testing.assert_allclose(boxes, detector([image])[0], atol=0.02)  # torch's kernels differ by batch

    def test_in_the_image_and_sorted(self, detector, images):
        for boxes, image in zip(detector(images), images):
            h, w = image.shape[:2]
            assert (boxes[:, :4] >= 0).all() and (boxes[:, 0:4:2] <= w).all() and (boxes[:, 1:4:2] <= h).all()
            assert (np.diff(boxes[:, 4]) <= 0).all() and (boxes[:, 4] > 0.3).all()

    def test_other_classes_are_other_boxes(self, files, images, detector):
        dogs = PersonDetector(*files, category=0)
        assert detector.category == 1 and dogs.category == 0
        found = dogs(images[:1])[0]
        np.testing.assert_array_equal(found, by_mmpose(dogs.model, images[0], 0, 0.3, 0.3))
        assert not np.array_equal(found, detector(images[:1])[0])

    def test_nobody(self, files, images):
        for boxes in PersonDetector(*files, bbox_thr=1.0)(images[:2]):
            assert boxes.shape == (0, 5) and boxes.dtype == np.float32

    def test_no_images(self, detector):
        assert detector([]) == []

    def test_operator_that_is_not_there(self, files, images, monkeypatch):
        detector = PersonDetector(*files)

        def test_step(data):
            raise MissingOpError('mmcv op "deform_conv" is compiled code')

        monkeypatch.setattr(detector.model, 'test_step', test_step)
        with pytest.raises(InputError, match='detector.py cannot run here: mmcv op "deform_conv" is compiled'):
            detector(images[:1])


def test_image_that_vanishes_at_the_detectors_size(detector, images):
    strip = np.zeros((1, 3000, 3), np.uint8)
    with pytest.raises(InputError, match='cannot take an image of 3000 x 1 pixels'):
        detector([images[0], strip])


def test_the_default_scope_stays(files):
    init_default_scope('mmpose')
    PersonDetector(*files)
    assert DefaultScope.get_current_instance().scope_name == 'mmpose'


def test_one_class_named_by_the_checkpoint_alone(tmp_path):
    files = write_detector(tmp_path, ('PERSON',))
    assert PersonDetector(*files).category == 0


def test_classes_of_the_config_where_the_checkpoint_names_none(tmp_path, monkeypatch):
    config, checkpoint = write_detector(tmp_path)
    torch.save(dict(state_dict=torch.load(checkpoint)['state_dict']), checkpoint)
    assert load_detector(config, checkpoint).dataset_meta['classes'] == ('person',)  # of metainfo
    options = {'test_dataloader.dataset.metainfo': None}
    assert load_detector(config, checkpoint, cfg_options=options).dataset_meta['classes'] == ()  # CocoDataset names 80
    logged = []
    monkeypatch.setattr(detector_loading, '_warn', logged.append)
    assert PersonDetector(config, checkpoint, cfg_options=options).category == 0
    assert logged == [f'detector {config} does not name its only class: it is taken for person']


def test_names_that_are_not_as_many_as_the_detectors_classes(files, tmp_path):
    """The dataset class names 80 classes, 0 person, and the config one: neither are those of a detector of three."""
    config, checkpoint = files[0], str(tmp_path / 'unnamed.pth')
    torch.save(dict(state_dict=torch.load(files[1])['state_dict']), checkpoint)
    unnamed = 'its classes are not named; their numbers go from 0 to 2'
    with pytest.raises(InputError, match=f'has no class person; {unnamed}. Give the number'):
        PersonDetector(config, checkpoint)
    with pytest.raises(InputError, match=rf'has no class number 5 \(--det-cat-id\); {unnamed}'):
        PersonDetector(config, checkpoint, category=5)
    assert PersonDetector(config, checkpoint, category=2).category == 2


@pytest.mark.parametrize(
    ('parts', 'number'),
    [
        (dict(bbox_head=SimpleNamespace(num_classes=3)), 3),
        (dict(roi_head=SimpleNamespace(bbox_head=SimpleNamespace(num_classes=4))), 4),
        (dict(rpn_head=SimpleNamespace(num_classes=1), roi_head=SimpleNamespace(bbox_head=cascade(5))), 5),
        (dict(panoptic_head=SimpleNamespace()), None),
    ],
)
def test_number_of_classes(parts, number):
    assert num_classes(SimpleNamespace(**parts)) == number


def test_class_of_a_detector_that_tells_nothing_of_its_classes(monkeypatch):
    logged = []
    monkeypatch.setattr(detector_loading, '_warn', logged.append)
    assert person_category((), 4, 'x.py') == 4
    assert logged == ['detector x.py does not tell whether it has a class number 4 (--det-cat-id)']


def test_checkpoint_is_called_the_detectors(files):
    with pytest.raises(InputError, match="^the person detector's checkpoint no.pth does not exist$"):
        PersonDetector(files[0], 'no.pth')


class TestNames:
    def test_model_of_mmdets_zoo(self):
        for name in ('rtmdet_tiny_8xb32-300e_coco', 'RTMDet-T'):
            config, weights = find_detector(name)
            assert config.endswith('mmdet/.mim/configs/rtmdet/rtmdet_tiny_8xb32-300e_coco.py')
            assert weights.startswith('https://download.openmmlab.com/mmdetection/') and weights.endswith('.pth')

    def test_a_name_brings_its_weights(self, monkeypatch):
        asked = []

        def fetch(filename):
            asked.append(filename)
            raise InputError('no network')

        monkeypatch.setattr('mmtranspose.loading.checkpoint.Checkpoint.read', fetch)
        with pytest.raises(InputError, match='no network'):
            load_detector('rtmdet-t')
        assert asked == [find_detector('rtmdet-t')[1]]

    def test_our_own(self):
        config, weights = find_detector(CONFIG.stem)
        assert 'person_detection' in config and weights is None

    def test_unknown(self):
        with pytest.raises(InputError, match='rtmdet_tyni does not exist.*mmdet.s model zoo; did you mean rtmdet'):
            find_detector('rtmdet_tyni')


class TestRefused:
    def test_no_person_among_the_classes(self, tmp_path):
        files = write_detector(tmp_path, ('dog', 'cat'))
        with pytest.raises(InputError, match='has no class person; its classes are 0 dog, 1 cat. .*--det-cat-id'):
            PersonDetector(*files)
        assert PersonDetector(*files, category=1).category == 1

    @pytest.mark.parametrize('category', [3, -1])
    def test_class_out_of_range(self, files, category):
        with pytest.raises(InputError, match=f'no class number {category} .* 0 dog, 1 Person, 2 cat'):
            PersonDetector(*files, category=category)

    def test_checkpoint_that_lacks_a_part(self, files, tmp_path):
        content = torch.load(files[1])
        del content['state_dict']['neck.out_convs.0.conv.weight']
        torch.save(content, tmp_path / 'partial.pth')
        with pytest.raises(InputError, match='partial.pth does not match the detector.*neck.out_convs.0.conv.weight'):
            PersonDetector(files[0], str(tmp_path / 'partial.pth'))

    def test_checkpoint_of_a_wider_detector(self, files):
        options = {'model.bbox_head.num_classes': 4}
        with pytest.raises(InputError, match=r'does not match .*rtm_cls.0.weight \(\(3, 32, 1, 1\) instead'):
            PersonDetector(*files, cfg_options=options)

    def test_checkpoint_of_something_else(self, files, tmp_path):
        torch.save(dict(state_dict={'layer.weight': torch.zeros(2)}), tmp_path / 'other.pth')
        with pytest.raises(InputError, match='other.pth shares no parameter with the detector: it has layer.weight'):
            PersonDetector(files[0], str(tmp_path / 'other.pth'))

    def test_weights_beside_the_detectors_are_left(self, files, tmp_path):
        content = torch.load(files[1])
        content['state_dict']['teacher.weight'] = torch.zeros(2)
        torch.save(content, tmp_path / 'more.pth')
        assert PersonDetector(files[0], str(tmp_path / 'more.pth')).category == 1

    def test_config_of_a_pose_estimator(self, tiny_config, files):
        with pytest.raises(InputError, match='config of a TopdownPoseEstimator, not of a detector of mmdet'):
            PersonDetector(tiny_config, files[1])

    @pytest.mark.parametrize(
        ('options', 'words'),
        [
            ({'model.neck.type': 'Nekc'}, 'detector .*detector.py cannot be built: .*Nekc'),
            ({'test_dataloader': None}, 'has no test_dataloader'),
            ({'test_dataloader.dataset.pipeline.1.type': 'Rezise'}, 'test pipeline cannot be built: .*Rezise'),
        ],
    )
    def test_config_that_cannot_be_built(self, files, options, words):
        with pytest.raises(InputError, match=words):
            PersonDetector(*files, cfg_options=options)

    @pytest.mark.parametrize(
        ('changes', 'words'),
        [
            (dict(checkpoint=None), r'detector.py needs a checkpoint \(--det-checkpoint\)'),
            (dict(checkpoint='missing.pth'), 'checkpoint missing.pth does not exist'),
            (dict(device='gpu'), 'device gpu is unknown; use cpu, cuda:0'),
            (dict(config='missing.py'), 'detector config missing.py does not exist'),
        ],
    )
    def test_what_is_not_there(self, files, changes, words):
        with pytest.raises(InputError, match=words):
            PersonDetector(**dict(config=files[0], checkpoint=files[1]) | changes)

    @pytest.mark.parametrize(('device', 'seen'), [('cuda', 0), ('cuda:2', 2)])
    def test_gpu_that_is_not_there(self, files, device, seen, monkeypatch):
        monkeypatch.setattr(torch.cuda, 'is_available', lambda: seen > 0)
        monkeypatch.setattr(torch.cuda, 'device_count', lambda: seen)
        with pytest.raises(InputError, match=f'device {device} is not available: this PyTorch sees {seen or "no"} GPU'):
            PersonDetector(*files, device=device)
