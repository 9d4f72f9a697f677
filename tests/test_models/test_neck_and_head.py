import golden
import pytest
import torch
from mmengine.config import Config
from mmpose.registry import MODELS

from mmtranspose.errors import InputError
from mmtranspose.models import TransPoseHead, TransPoseNeck


def neck(**kwargs):
    torch.manual_seed(0)
    settings = dict(in_channels=6, embed_dims=8, num_layers=2, num_heads=2, feedforward_channels=16)
    return TransPoseNeck(**{**settings, **kwargs}).eval()


def test_tokens_are_row_major_cells():
    """With an encoder that does nothing, the neck is its projection: no cell has moved."""
    module = neck()
    module.encoder.forward = lambda tokens, pos: tokens
    x = torch.randn(2, 6, 3, 5)
    (out,) = module((torch.zeros(1), x))
    assert torch.equal(out, module.projection(x))


@pytest.mark.parametrize('kind', ['sine', 'learnable', None])
def test_any_input_size(kind):
    module = neck(position_encoding=kind, grid=(4, 3))
    for size in ((4, 3), (8, 6), (3, 7)):
        (out,) = module((torch.randn(1, 6, *size),))
        assert out.shape == (1, 8, *size)
        assert torch.isfinite(out).all()


def test_without_positions_the_encoder_is_equivariant():
    """Permuted tokens give permuted outputs without a position encoding, and others with one."""
    x = torch.randn(1, 6, 1, 7)
    order = torch.randperm(7)
    for kind, equal in ((None, True), ('sine', False)):
        module = neck(position_encoding=kind)
        (plain,), (permuted,) = module((x,)), module((x[..., order],))
        assert torch.allclose(plain[..., order], permuted, atol=1e-5) is equal


def test_batch_and_samples_do_not_mix():
    module = neck()
    x = torch.randn(3, 6, 4, 3)
    (together,) = module((x,))
    for index in range(3):
        (alone,) = module((x[index : index + 1],))
        assert torch.allclose(together[index], alone[0], atol=1e-6)


def test_starts():
    """HRNet variants start projection and final layer at N(0, 0.001); ResNet ones leave projection and deconv."""
    for variant, projection_std in (('h-s', 0.001), ('r-a3', None)):
        cfg = Config.fromfile(golden.config_path(variant)).model
        cfg.backbone.init_cfg = cfg.data_preprocessor = None
        torch.manual_seed(0)
        model = MODELS.build(cfg)
        default = model.neck.projection.weight.detach().clone()
        model.init_weights()
        assert model.head.final_layer.weight.std().item() == pytest.approx(0.001, rel=0.1)
        assert model.head.final_layer.bias.abs().max() == 0
        if projection_std is None:
            assert torch.equal(model.neck.projection.weight, default)
            fan_in = 256 * 16  # PyTorch's default: uniform up to 1 / sqrt(fan in)
            assert model.head.deconv_layers[0].weight.abs().max().item() == pytest.approx(fan_in**-0.5, rel=0.01)
        else:
            assert model.neck.projection.weight.std().item() == pytest.approx(projection_std, rel=0.1)


def test_head_layers():
    with_deconv = TransPoseHead(8, 5, deconv_out_channels=(6,))
    assert with_deconv((torch.zeros(1, 8, 4, 3),)).shape == (1, 5, 8, 6)
    assert sum(p.numel() for p in with_deconv.parameters()) == 8 * 6 * 16 + 2 * 6 + 6 * 5 + 5
    plain = TransPoseHead(8, 5)
    x = torch.randn(1, 8, 4, 3)
    by_hand = (
        torch.einsum('kc,bchw->bkhw', plain.final_layer.weight[:, :, 0, 0], x) + plain.final_layer.bias[:, None, None]
    )
    assert torch.allclose(plain((x,)), by_hand, atol=1e-6)


def test_heads_that_do_not_divide():
    with pytest.raises(InputError, match='num_heads=3 does not divide embed_dims=8'):
        MODELS.build(dict(type='TransPoseNeck', in_channels=6, embed_dims=8, num_heads=3))
