"""A detector as one ONNX file: the same people as PersonDetector finds, in any image; and what is refused."""

import copy
import hashlib
import json
from pathlib import Path

import cv2
import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from mmcv.transforms import Compose
from mmdet.models.dense_heads import FCOSHead
from mmengine.registry import DefaultScope
from scipy.optimize import linear_sum_assignment
from tiny_detector import CONFIG, SIZE, write_detector

from mmtranspose.commands import export_detector as command
from mmtranspose.detection import PersonDetector
from mmtranspose.detection.detector_export import DetectorMeta, export_detector, set_score_threshold
from mmtranspose.detection.detector_graph import DetectorGraph, score_threshold
from mmtranspose.detection.detector_loading import find_detector
from mmtranspose.detection.detector_verification import DetectorAgreement, verify_detector
from mmtranspose.detection.image_fitting import ImageFitting
from mmtranspose.errors import InputError, UnsupportedModelError
from mmtranspose.loading.config import load_config
from mmtranspose.version import __version__

CLASSES = ('dog', 'Person', 'cat')
SIZES = ((120, 200), (300, 90), (64, 64), (31, 250))  # (h, w)


def noise(*sizes):
    rng = np.random.default_rng(0)
    return [rng.integers(0, 256, (*size, 3), dtype=np.uint8) for size in sizes]


def save(folder: Path, name: str, cfg, spread: float, bias: float, inputs: torch.Tensor) -> tuple[str, str]:
    """Config and checkpoint of a detector with random weights whose scores and boxes differ from place to place."""
    from mmdet.registry import MODELS

    torch.manual_seed(0)
    with DefaultScope.overwrite_default_scope('mmdet'):
        model = MODELS.build(cfg.model)
    for layer in model.modules():
        if isinstance(layer, torch.nn.BatchNorm2d):
            layer.momentum = None
    for key, value in model.bbox_head.named_parameters():
        if any(part in key for part in ('rtm_cls', 'conv_cls', 'conv_obj')):
            torch.nn.init.normal_(value, std=spread) if key.endswith('weight') else value.data.fill_(bias)
        elif 'rtm_reg' in key and key.endswith('bias'):
            value.data.fill_(2.5)
    with torch.no_grad():
        model.train()(inputs)
    files = str(folder / f'{name}.py'), str(folder / f'{name}.pth')
    cfg.dump(files[0])
    torch.save(dict(state_dict=model.state_dict(), meta=dict(dataset_meta=dict(classes=CLASSES))), files[1])
    return files


def write_yolox(folder: Path) -> tuple[str, str]:
    cfg = load_config(find_detector('yolox_tiny_8x8_300e_coco')[0])
    parts = dict(
        backbone=dict(widen_factor=0.125, deepen_factor=0.1),
        neck=dict(in_channels=[32, 64, 128], out_channels=32),
        bbox_head=dict(in_channels=32, feat_channels=32, num_classes=3),
    )
    cfg.merge_from_dict(dict(model=parts))
    for step in cfg.test_dataloader.dataset.pipeline:
        step.update({key: SIZE for key in ('scale',) if key in step})
    inputs = torch.randint(0, 256, (8, 3, *SIZE), generator=torch.Generator().manual_seed(0)).float()
    return save(folder, 'yolox', cfg, 0.5, 0.0, inputs)


def write_small(folder: Path) -> tuple[str, str]:
    """RTMDet's head on a backbone of few layers, which are converted in little time."""
    cfg = load_config(str(CONFIG))
    backbone = dict(
        _delete_=True, type='ResNet', depth=18, base_channels=8, num_stages=2, out_indices=(0, 1), strides=(1, 2)
    )
    head = dict(in_channels=8, feat_channels=8, num_classes=3, anchor_generator=dict(strides=[4, 8]))
    cfg.merge_from_dict(dict(model=dict(backbone=backbone | dict(dilations=(1, 1)), bbox_head=head)))
    cfg.model.neck = dict(type='mmdet.ChannelMapper', in_channels=[8, 16], out_channels=8, num_outs=2)
    for step in cfg.test_dataloader.dataset.pipeline:
        step.update({key: SIZE for key in ('scale', 'size') if key in step})
    return save(folder, 'small', cfg, 0.5, -2.0, torch.randn(8, 3, *SIZE))


@pytest.fixture(scope='module')
def files(tmp_path_factory):
    """Configs and checkpoints by family."""
    folder = tmp_path_factory.mktemp('detectors')
    return dict(rtmdet=write_detector(folder, CLASSES), yolox=write_yolox(folder), small=write_small(folder))


@pytest.fixture(scope='module')
def detector(files):
    return PersonDetector(*files['small'])


@pytest.fixture(scope='module')
def exported(files, detector, tmp_path_factory):
    return export_detector(detector, tmp_path_factory.mktemp('exported') / 'people.onnx', files['small'][1])


def rgb(image):
    return np.ascontiguousarray(image[:, :, ::-1])


@torch.no_grad()
def by_graph(detector, image):
    boxes, scores = DetectorGraph(detector).eval()(torch.from_numpy(rgb(image)))
    return np.column_stack([boxes.numpy(), scores.numpy()])


def by_file(model, image):
    content = model.SerializeToString() if isinstance(model, onnx.ModelProto) else str(model)
    boxes, scores = onnxruntime.InferenceSession(content).run(['boxes', 'scores'], {'image': rgb(image)})
    return np.column_stack([boxes, scores])


def require_same(found, expected, rounding=1e-3):
    """As many people, with the same boxes and scores; the order of nearly equal scores is left to rounding."""
    assert found.shape == expected.shape and found.dtype == np.float32
    apart = np.abs(found[:, None, :4] - expected[None, :, :4]).max(axis=2)
    mine, theirs = linear_sum_assignment(apart)
    assert apart[mine, theirs].max(initial=0) <= 0.5
    np.testing.assert_allclose(found[mine, 4], expected[theirs, 4], rtol=0, atol=rounding)
    assert (np.diff(found[:, 4]) <= 0).all()


class TestFitting:
    @pytest.mark.parametrize('size', [(640, 427), (96, 96), (192, 96), (13, 7), (1, 5), (1000, 41), (49, 100)])
    def test_pixels_of_opencv_and_padding(self, size):
        (image,) = noise(size[::-1])
        fitting = ImageFitting(96, (128, 100), [10, 20, 30])
        found, factors = fitting(torch.from_numpy(rgb(image)))
        width, height = (max(1, int(length * 96 / max(size) + 0.5)) for length in size)
        expected = np.tile(np.array([10, 20, 30], np.float32), (100, 128, 1))
        expected[:height, :width] = cv2.resize(image, (width, height), interpolation=cv2.INTER_LINEAR)
        differences = np.abs(found.permute(1, 2, 0).numpy() - expected)
        assert found.dtype == torch.float32 and differences.max() <= 1 and (differences > 0).sum() <= 2
        np.testing.assert_allclose(factors, [size[0] / width, size[1] / height], rtol=1e-6)

    def test_of_the_config(self, files):
        rtmdet, yolox = (ImageFitting.of(PersonDetector(*files[name])) for name in ('rtmdet', 'yolox'))
        assert (rtmdet.length, rtmdet.canvas, rtmdet.colour) == (96, (96, 96), [114, 114, 114])
        assert (yolox.length, yolox.canvas, yolox.colour) == (96, (96, 96), [114, 114, 114])


class TestGraph:
    @pytest.mark.parametrize('family', ['rtmdet', 'yolox', 'small'])
    @pytest.mark.parametrize('thresholds', [(0.3, 0.3), (0.05, 0.7)])
    def test_finds_what_the_detector_finds(self, files, family, thresholds):
        detector = PersonDetector(*files[family], bbox_thr=thresholds[0], nms_thr=thresholds[1])
        assert detector.category == 1
        for image in noise(*SIZES):
            (expected,) = detector([image])
            assert len(expected) > 1
            # one pixel that is rounded otherwise is a lot to random weights
            require_same(by_graph(detector, image), expected, rounding=3e-3)

    @pytest.mark.parametrize(
        'options',
        [
            {'model.test_cfg.nms_pre': 30},
            {'model.test_cfg.max_per_img': 12},
            {'model.test_cfg.min_bbox_size': 40},
            {'model.test_cfg.score_thr': 0.6},
            {'model.test_cfg.nms.iou_threshold': 0.2},
            {'model.test_cfg.nms.class_agnostic': True},
            {'model.data_preprocessor.bgr_to_rgb': True},
            {'model.data_preprocessor.pad_size_divisor': 64},
        ],
        ids=lambda options: next(iter(options)).rpartition('.')[2],
    )
    def test_does_what_the_config_asks_for(self, files, options):
        (image,) = noise((120, 200))
        wide = dict(bbox_thr=0.1, nms_thr=1.0)
        plain = PersonDetector(*files['small'], **wide)
        asked = PersonDetector(*files['small'], **wide, cfg_options=options)
        (expected,) = asked([image])
        assert not np.array_equal(expected, plain([image])[0])
        require_same(by_graph(asked, image), expected)

    def test_an_image_that_would_vanish_stays_one_pixel_wide(self, detector):
        (strip,) = noise((1, 3000))
        found = by_graph(detector, strip)
        assert found.shape[1] == 5 and (found[:, 3] <= 1).all() and (found[:, 2] <= 3000).all()

    def test_a_score_that_equals_the_configs_threshold(self, files):
        own = {'model.test_cfg.score_thr': 0.25}
        yolox, rtmdet = (PersonDetector(*files[name], bbox_thr=0.0, cfg_options=own) for name in ('yolox', 'rtmdet'))
        assert 0.2499999 < score_threshold(yolox) < 0.25 == score_threshold(rtmdet)  # YOLOX keeps it, RTMDet does not


class TestFile:
    def test_people_in_images_of_any_size(self, detector, exported):
        for image in noise(*SIZES, (1, 1), (500, 333)):
            (expected,) = detector([image])
            require_same(by_file(exported, image), expected)
        assert len(expected) > 2

    def test_in_the_image_and_sorted(self, exported):
        for image in noise((40, 200), (200, 40)):
            found, (h, w) = by_file(exported, image), image.shape[:2]
            assert len(found) > 1 and (found[:, :4] >= 0).all() and (found[:, :4] <= [w, h, w, h]).all()
            assert (found[:, 2:4] > found[:, :2]).all() and (np.diff(found[:, 4]) <= 0).all()

    def test_nobody(self, exported):
        model = onnx.load(exported)
        set_score_threshold(model, 1.0)
        assert by_file(model, noise((64, 64))[0]).shape == (0, 5)

    def test_the_contract(self, exported):
        model = onnx.load(exported)
        values = [
            (
                one.name,
                one.type.tensor_type.elem_type,
                [d.dim_param or d.dim_value for d in one.type.tensor_type.shape.dim],
            )
            for one in (*model.graph.input, *model.graph.output)
        ]
        assert values == [
            ('image', onnx.TensorProto.UINT8, ['height', 'width', 3]),
            ('boxes', onnx.TensorProto.FLOAT, ['people', 4]),
            ('scores', onnx.TensorProto.FLOAT, ['people']),
        ]
        assert [(one.domain, one.version) for one in model.opset_import] == [('', 18)]
        suppressions = [node for node in model.graph.node if node.op_type == 'NonMaxSuppression']
        # the converter makes one of equal constants, here 0.3 and 0.3, of which only one may be changed later
        assert len(suppressions) == 2 and not any('score_thr' in node.input for node in suppressions)

    def test_what_it_says_about_itself(self, files, exported):
        (entry,) = onnx.load(exported).metadata_props
        assert entry.key == 'mmtranspose' and json.loads(entry.value) == dict(
            kind='detector',
            model='small',
            input_size=[96, 96],
            category=1,
            category_name='Person',
            score_thr=0.3,
            nms_thr=0.3,
            checkpoint_sha256=hashlib.sha256(Path(files['small'][1]).read_bytes()).hexdigest(),
            version=__version__,
            licence='Apache-2.0',
            format=1,
        )

    def test_it_holds_no_paths_of_the_machine(self, exported):
        content = exported.read_bytes()
        assert b'.py' not in content and str(Path(__file__).parents[1]).encode() not in content

    def test_the_detector_is_left_as_it_is(self, files, detector, exported):
        for name, value in PersonDetector(*files['small']).model.state_dict().items():
            assert torch.equal(value, detector.model.state_dict()[name])


class TestVerification:
    def test_of_images(self, detector, exported):
        found = verify_detector(exported, detector, noise(*SIZES))
        assert found.within and found.score_thr == 0.3 and len(found.boxes) > 5
        assert f'{len(found.boxes)} people with scores over 0.3' in str(found)

    def test_lowers_the_threshold_where_few_are_found(self, files, exported):
        model = onnx.load(exported)
        path = exported.with_name('strict.onnx')
        model.metadata_props[0].value = model.metadata_props[0].value.replace('"score_thr": 0.3', '"score_thr": 0.99')
        set_score_threshold(model, 0.99)
        onnx.save(model, path)
        strict = PersonDetector(*files['small'], bbox_thr=0.99)
        found = verify_detector(path, strict, noise((64, 64)))
        assert found.within and len(found.boxes) == 5 and found.score_thr < 0.99 and strict.bbox_thr == 0.99

    def test_says_that_nobody_was_found(self):
        found = DetectorAgreement(np.zeros(0), np.zeros(0), 0, 0.3)
        assert found.within and 'nothing is compared' in str(found)
        assert not DetectorAgreement(np.zeros(0), np.zeros(0), 1, 0.3).within

    @pytest.mark.parametrize('change', [0.05, 0.5])
    def test_other_weights_are_seen(self, detector, exported, change):
        found = verify_detector(spoilt(exported, change), detector)
        assert not found.within

    def test_other_thresholds_and_files_are_refused(self, files, exported, tmp_path):
        with pytest.raises(InputError, match='was exported with nms_thr=0.3, not 0.5'):
            verify_detector(exported, PersonDetector(*files['small'], nms_thr=0.5))
        for text in (None, '[]', '{"graph": "image"}', '{"kind": "pose"}'):
            with pytest.raises(InputError, match='x.onnx is not a detector that `mmtranspose export-detector` has'):
                DetectorMeta.from_json(text, 'x.onnx')
        newer = dict(json.loads(onnx.load(exported).metadata_props[0].value), format=2, version='9.1')
        with pytest.raises(InputError, match='was written by mmtranspose 9.1, which is newer'):
            DetectorMeta.from_json(json.dumps(newer), 'x.onnx')


def spoilt(exported: Path, change: float) -> Path:
    """The file with other weights in the convolution before the scores."""
    model, path = onnx.load(exported), exported.with_name(f'spoilt{change}.onnx')
    (bias,) = (one for one in model.graph.initializer if one.name.endswith('rtm_cls.0.bias'))
    bias.CopyFrom(onnx.numpy_helper.from_array(onnx.numpy_helper.to_array(bias) + np.float32(change), bias.name))
    onnx.save(model, path)
    return path


class TestCommand:
    @pytest.mark.parametrize(('change', 'status'), [(0, 0), (0.5, 1)])
    def test_compares_after_writing(self, files, exported, tmp_path, monkeypatch, capsys, change, status):
        monkeypatch.setattr(command, 'export_detector', lambda *_: spoilt(exported, change))
        assert command.main([*files['small'], '--output', str(tmp_path / 'x.onnx')]) == status
        printed = capsys.readouterr().out
        assert 'against PyTorch: 14 people' in printed and ('do not use' in printed) == bool(status)
        assert command.main([*files['small'], '--output', str(tmp_path / 'x.onnx'), '--no-verify']) == 0
        assert 'against PyTorch' not in capsys.readouterr().out

    def test_without_a_checkpoint(self, files, tmp_path):
        with pytest.raises(InputError, match='small.py needs a checkpoint'):
            command.main([files['small'][0], '--output', str(tmp_path / 'x.onnx')])

    def test_options_reach_the_detector(self, files, tmp_path, monkeypatch):
        seen = []
        monkeypatch.setattr(command, 'export_detector', lambda *given: seen.extend(given) or Path(files['small'][1]))
        options = ['--score-thr', '0.4', '--nms-thr', '0.6', '--det-cat-id', '2', '--no-verify']
        command.main([*files['small'], '--output', str(tmp_path / 'x.onnx'), *options])
        detector, output, checkpoint = seen
        assert (detector.bbox_thr, detector.nms_thr, detector.category) == (0.4, 0.6, 2)
        assert (output, checkpoint) == (str(tmp_path / 'x.onnx'), files['small'][1])


RESIZE = dict(type='Resize', scale=SIZE, keep_ratio=True)
PAD = dict(type='Pad', size=SIZE, pad_val=dict(img=(114, 114, 114)))


class TestRefusals:
    def test_other_families(self, detector, tmp_path):
        other = copy.copy(detector)
        other.model = copy.deepcopy(detector.model)
        with DefaultScope.overwrite_default_scope('mmdet'):  # whatever the tests before have left
            other.model.bbox_head = FCOSHead(num_classes=1, in_channels=8)
        with pytest.raises(UnsupportedModelError, match=r"FCOSHead.*must be one of mmdet's RTMDet or YOLOX, such as"):
            export_detector(other, tmp_path / 'x.onnx')
        assert not list(tmp_path.iterdir())

    def test_other_suppression(self, files, tmp_path):
        options = {'model.test_cfg.nms': dict(_delete_=True, type='soft_nms', iou_threshold=0.5)}
        with pytest.raises(UnsupportedModelError, match="test_cfg.nms=.*'soft_nms'"):
            export_detector(files['small'][0], tmp_path / 'x.onnx', files['small'][1], cfg_options=options)

    @pytest.mark.parametrize(
        ('steps', 'message'),
        [
            ([dict(RESIZE, scale=(96, 48)), PAD], 'a square scale'),
            ([dict(RESIZE, keep_ratio=False), PAD], 'keep_ratio=True'),
            ([dict(RESIZE, interpolation='area'), PAD], 'bilinear interpolation'),
            ([RESIZE, dict(type='Pad', size_divisor=32)], r'such as size=\(96, 96\)'),
            ([RESIZE, dict(PAD, padding_mode='edge')], 'one colour'),
            ([RESIZE, dict(type='RandomFlip', prob=0.0), PAD], 'has a step RandomFlip'),
            ([RESIZE], 'is not Resize, then Pad'),
        ],
    )
    def test_other_pipelines(self, detector, steps, message):
        other = copy.copy(detector)
        with DefaultScope.overwrite_default_scope('mmdet'):
            other.pipeline = Compose([detector.pipeline.transforms[0], *steps])
        with pytest.raises(UnsupportedModelError, match=message):
            ImageFitting.of(other)

    def test_what_was_given(self, files, detector, tmp_path):
        with pytest.raises(InputError, match=r'ends in \.onnx'):
            export_detector(detector, tmp_path / 'x.xml')
        with pytest.raises(InputError, match='options nms_thr are those of the PersonDetector'):
            export_detector(detector, tmp_path / 'x.onnx', nms_thr=0.5)
        with pytest.raises(InputError, match='bbox_thr=3'):
            export_detector(files['small'][0], tmp_path / 'x.onnx', files['small'][1], bbox_thr=3)
        with pytest.raises(InputError, match='would overwrite'):
            export_detector(files['small'][0], tmp_path / 'x.onnx', tmp_path / 'x.onnx')
