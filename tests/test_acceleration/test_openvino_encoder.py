"""The encoder by OpenVINO in place of a model's own: the same tokens, the same effects of ablated tokens."""

import copy

import numpy as np
import pytest
import torch
from tiny import tiny_transpose

from mmtranspose.acceleration import OpenVinoEncoders, accelerate, openvino_network
from mmtranspose.apis import InputError, OpenVinoEncoder, UnsupportedModelError
from mmtranspose.explain import token_ablation
from mmtranspose.explain.methods.interventions import TokenAblation
from mmtranspose.explain.randomization import randomization_check
from mmtranspose.explain.recording import recorded_forward
from mmtranspose.explain.target import Target, heatmap_peaks

pytest.importorskip('openvino')


@pytest.fixture(scope='module')
def model():
    torch.manual_seed(0)
    model = tiny_transpose(num_layers=2, head=dict(deconv_out_channels=(8,))).eval()
    with torch.no_grad():
        for parameter in model.neck.encoder.parameters():
            parameter.mul_(1.5)  # so that tokens matter to each other
    return model


@pytest.fixture(scope='module')
def encoder(model):
    return OpenVinoEncoder(model)


@pytest.fixture
def inputs():
    return torch.randn(2, 3, 64, 48, generator=torch.Generator().manual_seed(1))


def test_effects_are_those_of_the_model(model, encoder, inputs):
    peaks = heatmap_peaks(recorded_forward(model, inputs).heatmaps)
    expected = token_ablation(model, inputs, peaks, stride=2, displacement=True)
    found = token_ablation(model, inputs, peaks, stride=2, displacement=True, encoder=encoder)
    alone = token_ablation(model, inputs, peaks, stride=2, encoder=encoder, batch_size=5)
    limit = 1e-4 * expected.drop.abs().flatten(2).amax(-1)[..., None, None]  # of the keypoint's largest effect
    assert ((found.drop - expected.drop).abs() <= limit).all() and ((alone - expected.drop).abs() <= limit).all()
    torch.testing.assert_close(found.displacement, expected.displacement, rtol=0, atol=1e-4)


def test_it_is_a_setting_of_the_method(model, encoder, inputs):
    peaks = heatmap_peaks(recorded_forward(model, inputs).heatmaps)
    calls = []

    def counted(*given):
        calls.append(len(given[0]))
        return encoder(*given)

    method = TokenAblation(stride=4, encoder_of=lambda explained: counted if explained is model else None)
    maps = method.maps(model, inputs, Target.at(peaks, (16, 12), (8, 6)))
    torch.testing.assert_close(maps, token_ablation(model, inputs, peaks, stride=4, encoder=encoder), rtol=0, atol=1e-6)
    assert sum(calls) == 2 * 2 * 2


def test_other_positions_are_compiled_anew(model, encoder):
    """A grid of 8 x 6 tokens and one of 6 x 8 have as many tokens, and other positions."""
    tokens, compiled = torch.randn(3, 48, 8), []
    for grid in ((8, 6), (8, 6), (6, 8)):
        pos = model.neck.position_encoding(grid, like=tokens)
        with torch.no_grad():
            torch.testing.assert_close(encoder(tokens, pos), model.neck.encoder(tokens, pos), rtol=0, atol=1e-5)
        compiled.append(encoder._network)
    assert compiled[0] is compiled[1] is not compiled[2]


def test_weights_are_copied_and_dropout_is_off(model):
    other = tiny_transpose(num_layers=1)  # in training mode, and with dropout
    made = OpenVinoEncoder(other)
    tokens = torch.randn(1, 48, 8)
    with torch.no_grad():
        expected = other.eval().neck.encoder(tokens, None)
        for parameter in other.parameters():
            parameter.zero_()
    torch.testing.assert_close(made(tokens), expected, rtol=0, atol=1e-5)


class TestEncoders:
    def test_kept_while_the_weights_are_the_same(self, inputs):
        encoders, model = OpenVinoEncoders(), tiny_transpose(num_layers=1).eval()
        first = encoders(model)
        assert first is encoders(model) is not None
        copied = copy.deepcopy(model)
        assert encoders(copied) is not first
        tokens = torch.randn(1, 48, 8)
        with torch.no_grad():
            for parameter in copied.neck.encoder.parameters():
                parameter.add_(0.1)
            torch.testing.assert_close(encoders(copied)(tokens), copied.neck.encoder(tokens, None), rtol=0, atol=1e-5)

    def test_randomised_networks_have_their_own(self, model, inputs):
        """The check deals in copies whose weights change: an encoder that was compiled before would not notice."""
        run = recorded_forward(model, inputs)
        target = Target.of(run.heatmaps, run.grid)
        checked = [
            randomization_check(model, inputs, target, [TokenAblation(stride=4, encoder_of=encoder_of)])
            for encoder_of in (None, OpenVinoEncoders())
        ]
        for block, correlations in checked[0]['token-ablation'].items():
            np.testing.assert_allclose(checked[1]['token-ablation'][block], correlations, atol=0.03, err_msg=block)

    def test_none_where_there_is_none(self, model, monkeypatch):
        assert OpenVinoEncoders()(accelerate(model)) is None and OpenVinoEncoders()(tiny_transpose().half()) is None
        monkeypatch.setattr('mmtranspose.errors.importlib.util.find_spec', lambda name: None)
        assert OpenVinoEncoders()(model) is None


def test_where_openvino_fails(model, encoder, monkeypatch):
    def broken(*_):
        raise RuntimeError('no such operator')

    monkeypatch.setattr(openvino_network.OpenVinoNetwork, '_compile', broken)
    tokens = torch.randn(1, 48, 8)
    with pytest.warns(UserWarning, match='runs in PyTorch: RuntimeError: no such operator$'):
        found = OpenVinoEncoder(model)(tokens)
    with torch.no_grad():
        torch.testing.assert_close(found, model.neck.encoder(tokens, None), rtol=0, atol=1e-6)


def test_what_is_refused(model, inputs, monkeypatch):
    fast = accelerate(model)
    with pytest.raises(UnsupportedModelError, match=r'its neck is a AcceleratedNeck.*decelerate'):
        OpenVinoEncoder(fast)
    with pytest.raises(UnsupportedModelError, match=r'accelerated.*decelerate\(model\)'):
        token_ablation(fast, inputs, torch.zeros(2, 3, 2, dtype=torch.long))
    half = tiny_transpose(num_layers=1).half()
    with pytest.raises(InputError, match=r'the model is on cpu in torch.float16'):
        OpenVinoEncoder(half)
    compiled = tiny_transpose(num_layers=1)
    compiled.neck.encoder.compile()
    with pytest.raises(UnsupportedModelError, match='encoder is compiled'):
        OpenVinoEncoder(compiled)
    monkeypatch.setattr('mmtranspose.errors.importlib.util.find_spec', lambda name: None)
    with pytest.raises(InputError, match='openvino not installed: pip install "openvino<'):
        OpenVinoEncoder(model)
