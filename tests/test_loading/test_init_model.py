"""Models from configs and checkpoints: ready for use, and what cannot be built is named."""

import mmpose.apis
import pytest
import torch
from conftest import SYNTHETIC_CONFIG
from mmengine.config import Config

from mmtranspose.apis import init_model
from mmtranspose.errors import InputError


class TestInitModel:
    def test_ready_for_use(self, tiny_config, tiny_checkpoint):
        model = init_model(tiny_config, tiny_checkpoint)
        assert not model.training and next(model.parameters()).device.type == 'cpu'
        assert model.dataset_meta['dataset_name'] == 'coco'
        assert model.cfg.filename == tiny_config

    def test_config_object_and_options(self, tiny_config):
        model = init_model(Config.fromfile(tiny_config))
        assert len(model.neck.encoder.layers) == 2
        model = init_model(tiny_config, cfg_options={'model.neck.num_layers': 1})
        assert len(model.neck.encoder.layers) == 1

    def test_same_weights_as_mmpose_loads(self, tiny_config, tiny_checkpoint):
        theirs = mmpose.apis.init_model(tiny_config, tiny_checkpoint, device='cpu').state_dict()
        ours = init_model(tiny_config, tiny_checkpoint).state_dict()
        assert ours.keys() == theirs.keys()
        assert all(torch.equal(ours[name], theirs[name]) for name in ours)

    @pytest.mark.parametrize(
        ('options', 'words'),
        [
            ({'model.backbone.depth': 19}, 'depth=19 is unknown'),
            ({'model.backbone.num_stages': 7}, 'num_stages=7'),
            ({'model.backbone': dict(_delete_=True, type='HRNetSmall', arch='w40')}, "arch='w40' is unknown.*w32.*w48"),
            ({'model.neck.num_heads': 5}, 'num_heads.*5.*embed_dims.*32|embed_dims.*32.*num_heads.*5'),
            ({'model.neck.position_encoding': 'cosine'}, 'cosine'),
            ({'model.neck.type': 'TransPoseNek'}, 'TransPoseNek'),
            ({'model.neck.layers': 3}, 'layers'),
            ({'model.head.decoder.type': 'Unbiassed'}, 'Unbiassed'),
            ({'model.type': 'TopDown'}, 'TopDown'),
        ],
        ids=lambda value: next(iter(value)) if isinstance(value, dict) else '',
    )
    def test_unknown_variants(self, tiny_config, options, words):
        with pytest.raises(InputError, match=f'(?s){tiny_config}: the model cannot be built: .*({words})'):
            init_model(tiny_config, cfg_options=options)

    @pytest.mark.parametrize('device', ['cuda:0', 'cuda', 'mps', 'gpu', 'cpu:x'])
    def test_devices_that_are_not_there(self, tiny_config, device):
        there = dict(cuda=torch.cuda.is_available(), mps=torch.backends.mps.is_available())
        if there.get(device.split(':')[0]):
            pytest.skip('this machine has it')
        with pytest.raises(InputError, match=f'device {device} '):
            init_model(tiny_config, device=device)

    def test_the_checkpoint_is_read_first(self, tmp_path):
        with pytest.raises(InputError, match='checkpoint .*none.pth does not exist'):
            init_model(str(SYNTHETIC_CONFIG), str(tmp_path / 'none.pth'))
