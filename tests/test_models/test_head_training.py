"""The head's loss and accuracy, against MMPose's with the same weights and data."""

import numpy as np
import pytest
import torch
from mmengine.structures import InstanceData, PixelData
from mmpose.evaluation.functional import pose_pck_accuracy
from mmpose.models.heads import HeatmapHead
from mmpose.structures import PoseDataSample

from mmtranspose.codecs import UnbiasedHeatmap
from mmtranspose.errors import InputError
from mmtranspose.models import TransPoseHead
from mmtranspose.models.heads.pose_accuracy import pose_accuracy

CODEC = dict(type='UnbiasedHeatmap', input_size=(48, 64), heatmap_size=(12, 16), sigma=1.0)
MSRA = dict(type='MSRAHeatmap', input_size=(48, 64), heatmap_size=(12, 16), sigma=1.0)


@pytest.fixture
def heads():
    """Ours and MMPose's, with the same weights."""
    ours = TransPoseHead(8, 5, decoder=CODEC)
    theirs = HeatmapHead(8, 5, deconv_out_channels=None, decoder=CODEC)
    ours.final_layer.weight.data[:, :, 0, 0] = torch.eye(5, 8) + 0.02 * torch.randn(5, 8)
    theirs.load_state_dict(ours.state_dict())
    return ours, theirs


@pytest.fixture
def keypoints():
    return torch.rand(4, 5, 2) * torch.tensor([60.0, 80.0]) - 8  # some outside the input, 48x64


@pytest.fixture
def visible():
    return torch.tensor([[1, 1, 1, 0, 1], [1, 0, 1, 0, 1], [0, 0, 1, 0, 2], [1, 1, 1, 0, 1]], dtype=torch.float32)


def encoded(keypoints, visible):
    """Heatmaps (B, K, H, W) and weights (B, K), each person encoded alone."""
    codec = UnbiasedHeatmap(**{key: value for key, value in CODEC.items() if key != 'type'})
    people = [codec.encode(*(part[i : i + 1].numpy() for part in (keypoints, visible))) for i in range(len(keypoints))]
    heatmaps = torch.from_numpy(np.stack([person['heatmaps'] for person in people]))
    return heatmaps, torch.from_numpy(np.concatenate([person['keypoint_weights'] for person in people]))


def samples(weights, heatmaps=None, keypoints=None):
    """As PackPoseInputs makes them."""
    made = []
    for index in range(len(weights)):
        labels = InstanceData(keypoint_weights=weights[index : index + 1])
        if keypoints is not None:
            labels.keypoint_labels = keypoints[index : index + 1]
        sample = PoseDataSample(metainfo={})
        sample.gt_instance_labels = labels
        if heatmaps is not None:
            sample.gt_fields = PixelData(heatmaps=heatmaps[index])
        made.append(sample)
    return made


class TestLoss:
    @pytest.fixture
    def feats(self, keypoints, visible):
        """Features that make the heatmaps of the first three people near their targets."""
        features = torch.rand(4, 8, 16, 12)
        features[:3, :5] = encoded(keypoints, visible)[0][:3]
        return (features,)

    @pytest.fixture
    def expected(self, heads, feats, keypoints, visible):
        heatmaps, weights = encoded(keypoints, visible)
        losses = heads[1].loss(feats, samples(weights, heatmaps))
        assert 0.2 < losses['acc_pose'].item() < 0.9
        return losses

    @pytest.mark.parametrize('stacked', [False, True])
    @pytest.mark.parametrize('rendered', [False, True])
    def test_as_mmpose(self, heads, feats, keypoints, visible, expected, stacked, rendered):
        heatmaps, weights = encoded(keypoints, visible)
        if rendered:
            weights, labels = visible, dict(keypoints=keypoints)
        else:
            labels = dict(heatmaps=heatmaps)
        if stacked:
            labels = {dict(keypoints='keypoint_labels').get(key, key): value for key, value in labels.items()}
            data = dict(keypoint_weights=weights, **labels)
        else:
            data = samples(weights, **labels)
        found = heads[0].loss(feats, data)
        assert found.keys() == expected.keys() == {'loss_kpt', 'acc_pose'}
        torch.testing.assert_close(found['loss_kpt'], expected['loss_kpt'], rtol=1e-6, atol=0)
        assert found['acc_pose'].item() == pytest.approx(expected['acc_pose'].item(), abs=1e-12)

    def test_gradients_as_mmpose(self, heads, feats, keypoints, visible, expected):
        ours, theirs = heads
        ours.loss(feats, dict(keypoint_labels=keypoints, keypoint_weights=visible))['loss_kpt'].backward()
        expected['loss_kpt'].backward()
        for one, other in zip(ours.parameters(), theirs.parameters()):
            torch.testing.assert_close(one.grad, other.grad)

    def test_accuracy_may_be_left_out(self, heads, feats, keypoints, visible):
        data = dict(keypoint_labels=keypoints, keypoint_weights=visible)
        assert heads[0].loss(feats, data, dict(compute_acc=False)).keys() == {'loss_kpt'}

    def test_heatmaps_go_before_keypoints(self, heads, feats, keypoints, visible, expected):
        heatmaps, weights = encoded(keypoints, visible)
        found = heads[0].loss(feats, samples(weights, heatmaps, torch.zeros_like(keypoints)))
        assert torch.equal(found['loss_kpt'], expected['loss_kpt'])

    def test_neither_heatmaps_nor_keypoints(self, heads, feats, visible):
        for data in (samples(visible), dict(keypoint_weights=visible)):
            with pytest.raises(InputError, match='neither heatmaps nor keypoint_labels.*GenerateTarget'):
                heads[0].loss(feats, data)

    @pytest.mark.parametrize(('decoder', 'name'), [(MSRA, 'MSRAHeatmap'), (None, 'NoneType')])
    def test_a_decoder_that_cannot_draw(self, feats, keypoints, visible, decoder, name):
        head = TransPoseHead(8, 5, decoder=decoder)
        with pytest.raises(InputError, match=rf'decoder: {name} cannot draw.*UnbiasedHeatmap'):
            head.loss(feats, dict(keypoint_labels=keypoints, keypoint_weights=visible))


def mmposes(heatmaps, targets, mask):
    return pose_pck_accuracy(heatmaps.float().numpy(), targets.numpy(), mask.numpy())[1]


class TestAccuracy:
    @pytest.mark.parametrize('size', [(16, 12), (64, 48), (12, 16)], ids=str)
    def test_as_mmpose(self, size):
        targets = torch.rand(6, 17, *size)
        heatmaps = torch.where(torch.rand(6, 17, 1, 1) < 0.5, targets, targets.roll((size[0] // 6, 1), (2, 3)))
        heatmaps[0, :4], targets[1, :4] = -heatmaps[0, :4], 0  # no peak here, or there
        heatmaps[2, 5], targets[2, 5] = 0, -1  # or in neither
        mask = torch.rand(6, 17) < 0.6
        mask[:, 3] = False
        expected = mmposes(heatmaps, targets, mask)
        assert 0.1 < expected < 0.9
        assert pose_accuracy(heatmaps, targets, mask).item() == pytest.approx(expected, abs=1e-12)

    @pytest.mark.parametrize(('height', 'width'), [(60, 60), (60, 20), (20, 60)])
    def test_distances_at_the_threshold(self, height, width):
        """One keypoint for each distance of up to four cells in x and y; 3 / 60 and 1 / 20 are the threshold itself."""
        targets, heatmaps = torch.zeros(2, 1, 25, height, width)
        targets[..., 5, 5] = 1
        for k in range(25):
            heatmaps[0, k, 5 + k // 5, 5 + k % 5] = 1
        for k in range(25):
            keypoint = slice(k, k + 1)
            mask = torch.ones(1, 1, dtype=torch.bool)
            expected = mmposes(heatmaps[:, keypoint], targets[:, keypoint], mask)
            assert pose_accuracy(heatmaps[:, keypoint], targets[:, keypoint], mask).item() == expected
        assert pose_accuracy(heatmaps[:, :1], targets[:, :1], mask).item() == 1

    def test_nothing_counts(self):
        maps = torch.rand(2, 3, 8, 6)
        assert pose_accuracy(maps, maps, torch.zeros(2, 3, dtype=torch.bool)).item() == 0

    def test_keypoints_weigh_the_same(self):
        """Keypoint 0: 1 of 1 near; keypoint 1: 1 of 4; keypoint 2 counts nowhere."""
        targets = torch.zeros(4, 3, 16, 12)
        targets[..., 2, 2] = 1
        heatmaps = targets.clone()
        heatmaps[1:, 1] = targets[1:, 1].roll(5, -1)
        mask = torch.tensor([[1, 1, 0], [0, 1, 0], [0, 1, 0], [0, 1, 0]]).bool()
        assert pose_accuracy(heatmaps, targets, mask).item() == pytest.approx((1 + 0.25) / 2)

    def test_half_precision(self):
        heatmaps, targets = torch.rand(2, 5, 16, 12).bfloat16(), torch.rand(2, 5, 16, 12)
        mask = torch.ones(2, 5, dtype=torch.bool)
        assert pose_accuracy(heatmaps, targets, mask).item() == pytest.approx(mmposes(heatmaps, targets, mask))
