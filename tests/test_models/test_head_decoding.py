"""The head's predictions: all people at once, against MMPose's head with the same weights."""

import numpy as np
import pytest
import torch
from mmpose.codecs import UDPHeatmap
from mmpose.models.heads import HeatmapHead
from mmpose.structures import PoseDataSample

from mmtranspose.models import TransPoseHead

FLIP_INDICES = [0, 2, 1]
CODECS = dict(
    unbiased=dict(type='UnbiasedHeatmap', input_size=(48, 64), heatmap_size=(12, 16), sigma=1.0),
    udp=dict(type='UDPHeatmap', input_size=(48, 64), heatmap_size=(12, 16)),
    msra=dict(type='MSRAHeatmap', input_size=(48, 64), heatmap_size=(12, 16), sigma=1.0, unbiased=True),
    # not one that batch decoding knows
    combined=dict(type='UDPHeatmap', input_size=(48, 64), heatmap_size=(12, 16), heatmap_type='combined'),
)


@pytest.fixture(params=CODECS)
def decoder(request):
    return CODECS[request.param]


def heads(decoder, **kwargs):
    """Ours and MMPose's, with the same weights; heatmaps are the features, positive."""
    channels = 9 if decoder.get('heatmap_type') == 'combined' else 3
    ours = TransPoseHead(channels, channels, decoder=decoder, **kwargs).eval()
    theirs = HeatmapHead(channels, channels, deconv_out_channels=None, decoder=decoder).eval()
    torch.nn.init.uniform_(ours.final_layer.weight)
    theirs.load_state_dict(ours.state_dict())
    return ours, theirs


def features(channels, batch=4):
    """Smooth, peaked features, (batch, channels, 16, 12)."""
    y, x = torch.meshgrid(torch.arange(16), torch.arange(12), indexing='ij')
    at = torch.rand(batch, channels, 2, 1, 1) * torch.tensor([11.0, 15]).view(2, 1, 1)
    return (torch.exp(-((x - at[:, :, 0]) ** 2 + (y - at[:, :, 1]) ** 2) / 8),)


def samples(batch=4):
    return [PoseDataSample(metainfo=dict(flip_indices=FLIP_INDICES)) for _ in range(batch)]


def assert_same(found, expected):
    for ours, theirs in zip(found, expected, strict=True):
        assert ours.keys() == theirs.keys()
        np.testing.assert_allclose(ours.keypoints, theirs.keypoints, rtol=0, atol=0.01)
        np.testing.assert_allclose(ours.keypoint_scores, theirs.keypoint_scores, rtol=0, atol=1e-6)


class TestPredict:
    @torch.no_grad()
    @pytest.mark.parametrize('batch_decoding', [True, False])
    def test_as_mmpose(self, decoder, batch_decoding):
        ours, theirs = heads(decoder, batch_decoding=batch_decoding)
        feats = features(ours.in_channels)
        assert_same(ours.predict(feats, samples()), theirs.predict(feats, samples()))

    @torch.no_grad()
    @pytest.mark.parametrize('shift_heatmap', [True, False])
    def test_flip_test_as_mmpose(self, decoder, shift_heatmap):
        ours, theirs = heads(decoder)
        mode = 'udp_combined' if decoder.get('heatmap_type') == 'combined' else 'heatmap'
        test_cfg = dict(flip_test=True, flip_mode=mode, shift_heatmap=shift_heatmap, output_heatmaps=True)
        feats = [features(ours.in_channels), features(ours.in_channels)]
        (found, fields), (expected, expected_fields) = (
            head.predict(feats, samples(), test_cfg) for head in (ours, theirs)
        )
        assert_same(found, expected)
        for one, other in zip(fields, expected_fields, strict=True):
            torch.testing.assert_close(one.heatmaps, other.heatmaps)
        assert (found[0].keypoint_scores != ours.predict(feats[0], samples())[0].keypoint_scores).all()

    @torch.no_grad()
    def test_heatmaps_that_were_computed_elsewhere(self):
        head, _ = heads(CODECS['unbiased'])
        feats = [features(3), features(3)]
        heatmaps, flipped = (head.forward(one) for one in feats)
        before = flipped.clone()
        found = head.predict_heatmaps(heatmaps, flipped, samples(), dict(shift_heatmap=True))
        assert_same(found, head.predict(feats, samples(), dict(flip_test=True, shift_heatmap=True)))
        assert torch.equal(flipped, before)
        alone = head.predict_heatmaps(heatmaps, None, samples(), {})
        assert_same(alone, head.predict(feats[0], samples()))

    def test_half_precision(self):
        head, _ = heads(CODECS['unbiased'])
        heatmaps = features(3)[0].bfloat16()
        assert_same(head.decode(heatmaps), head.decode(heatmaps.float()))


class TestBatchDecoding:
    @pytest.mark.parametrize(('batch_decoding', 'calls'), [(True, 0), (False, 4)])
    def test_switch(self, monkeypatch, batch_decoding, calls):
        called = []
        decode = UDPHeatmap.decode
        monkeypatch.setattr(UDPHeatmap, 'decode', lambda self, maps: called.append(1) or decode(self, maps))
        head, _ = heads(CODECS['udp'], batch_decoding=batch_decoding)
        head.decode(features(3)[0])
        assert len(called) == calls

    def test_one_bad_keypoint_spoils_no_other(self):
        head, _ = heads(CODECS['unbiased'])
        heatmaps = features(3)[0]
        expected = head.decode(heatmaps)
        heatmaps[1, 2, 3, 4] = torch.nan
        found = head.decode(heatmaps)
        assert found[1].keypoint_scores[0, 2] == 0
        for index, (ours, theirs) in enumerate(zip(found, expected)):
            kept = [k for k in range(3) if (index, k) != (1, 2)]
            np.testing.assert_array_equal(ours.keypoints[:, kept], theirs.keypoints[:, kept])
            np.testing.assert_array_equal(ours.keypoint_scores[:, kept], theirs.keypoint_scores[:, kept])

    def test_without_a_decoder(self):
        with pytest.raises(RuntimeError, match='decoder has not been set'):
            TransPoseHead(3, 3).decode(torch.zeros(1, 3, 16, 12))
