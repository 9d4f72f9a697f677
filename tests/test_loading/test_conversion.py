"""Released files to MMPose checkpoints."""

import datetime
import hashlib
import re

import numpy as np
import pytest
import torch
from golden import arrays, golden_input, released_state_dict
from mmpose.apis import Pose2DInferencer
from mmpose.apis import init_model as mmpose_init_model
from weights_server import weights_server

from mmtranspose import __version__
from mmtranspose.errors import InputError
from mmtranspose.loading import zoo
from mmtranspose.loading.conversion import conversion_error, convert_official
from mmtranspose.loading.init_model import init_model
from mmtranspose.loading.zoo import find_config

NAME = 'td-hm_transpose-r-a3_1xb28-230e_coco-256x192'


@pytest.fixture(scope='module')
def source(tmp_path_factory):
    path = tmp_path_factory.mktemp('released') / 'tp_r.pth'
    torch.save(released_state_dict('r-a3'), path)
    return path


@pytest.fixture(scope='module')
def converted(source, tmp_path_factory):
    return convert_official(str(source), str(tmp_path_factory.mktemp('converted') / 'new'))


def test_name(converted):
    digits = hashlib.sha256(converted.read_bytes()).hexdigest()[:8]
    assert converted.name == f'{NAME}-{digits}_{datetime.date.today():%Y%m%d}.pth'
    assert [path.name for path in converted.parent.iterdir()] == [converted.name]


def test_the_same_source_gives_the_same_file(source, converted, tmp_path, monkeypatch):
    monkeypatch.setattr('os.getpid', lambda: 1)  # another process
    assert convert_official(str(source), str(tmp_path)).read_bytes() == converted.read_bytes()


def test_meta(source, converted):
    content = torch.load(converted, weights_only=True)
    assert content.keys() == {'meta', 'state_dict'}
    meta = content['meta']
    assert meta['config'] == NAME
    assert meta['source'] == 'tp_r.pth'
    assert meta['source_sha256'] == hashlib.sha256(source.read_bytes()).hexdigest()
    assert meta['mapping_version'] == 1 and meta['mmtranspose_version'] == __version__
    assert meta['dataset_meta']['num_keypoints'] == 17
    assert "type='TransPoseNeck'" in meta['cfg']


def test_every_weight_arrives(converted):
    ours, theirs = torch.load(converted, weights_only=True)['state_dict'], released_state_dict('r-a3')
    assert len(ours) == len(theirs) - 1  # the sine table is computed
    assert torch.equal(ours['neck.projection.weight'], theirs['reduce.weight'])
    assert torch.equal(ours['backbone.layer2.3.conv3.weight'], theirs['layer2.3.conv3.weight'])
    assert 'neck.position_encoding.weight' not in ours


@pytest.mark.parametrize('init', [init_model, mmpose_init_model], ids=['ours', 'mmpose'])
def test_golden_heatmaps(converted, init):
    model = init(find_config('transpose-r-a3'), str(converted), device='cpu')
    with torch.no_grad():
        heatmaps = model.head(model.extract_feat(golden_input()))
    np.testing.assert_allclose(heatmaps, arrays('r-a3')['heatmaps'], rtol=0, atol=1e-4)


def test_an_inferencer_needs_nothing_else(converted):
    inferencer = Pose2DInferencer(None, weights=str(converted), det_model='whole_image', device='cpu')
    image = np.random.default_rng(0).integers(0, 255, (64, 48, 3), dtype=np.uint8)
    (result,) = next(inferencer(image))['predictions'][0]
    assert len(result['keypoints']) == 17


def test_check(source, converted, tmp_path):
    assert conversion_error(str(source), str(converted)) == 0
    other = dict(released_state_dict('r-a3'))
    other['final_layer.bias'] = other['final_layer.bias'] + 0.5
    torch.save(other, tmp_path / 'other.pth')
    assert conversion_error(str(tmp_path / 'other.pth'), str(converted)) == pytest.approx(0.5, abs=1e-5)


def test_tool(source, tmp_path, run_command, capsys):
    assert run_command('convert', source, '--output-root', tmp_path / 'out', '--check') == 0
    words = capsys.readouterr().out
    assert re.search(rf'^{tmp_path}/out/{NAME}-[0-9a-f]{{8}}_\d{{8}}\.pth$', words, re.MULTILINE)
    assert words.endswith('largest difference of heatmaps: 0\n')


def test_a_training_checkpoint(converted, tmp_path):
    state = {f'module.{name}': value for name, value in released_state_dict('r-a3').items()}
    torch.save({'state_dict': state, 'optimizer': {'lr': 1.0}, 'epoch': 3}, tmp_path / 'checkpoint.pth')
    theirs = torch.load(converted, weights_only=True)['state_dict']
    ours = torch.load(convert_official(str(tmp_path / 'checkpoint.pth'), str(tmp_path)), weights_only=True)
    assert ours['state_dict'].keys() == theirs.keys()
    assert all(torch.equal(ours['state_dict'][name], theirs[name]) for name in theirs)


def test_names_and_urls_are_fetched(source, converted, tmp_path, monkeypatch):
    monkeypatch.setenv('TORCH_HOME', str(tmp_path / 'torch'))
    monkeypatch.setenv('no_proxy', '127.0.0.1')
    with weights_server() as server:
        url = server.add(source)
        entries = [{**one, 'Weights': url} for one in zoo.models() if one['Name'] == NAME]
        monkeypatch.setattr(zoo, 'models', lambda: entries)
        for number, given in enumerate(('transpose-r-a3', url)):
            file = convert_official(given, tmp_path / str(number))
            assert file.read_bytes() == converted.read_bytes()
            assert conversion_error(given, file) == 0
        assert server.asked == [source.name]


def test_home(source, tmp_path, monkeypatch):
    monkeypatch.setenv('HOME', str(source.parent))
    assert convert_official(f'~/{source.name}', str(tmp_path)).name.startswith(NAME)


def test_other_files_are_refused(converted, tmp_path):
    with pytest.raises(InputError, match="does not have the names of the authors' release; nothing to convert"):
        convert_official(str(converted), str(tmp_path / 'out'))
    state = dict(released_state_dict('r-a3'))
    del state['deconv_layers.1.weight']
    torch.save(state, tmp_path / 'hole.pth')
    with pytest.raises(InputError, match='hole.pth fits no model of the zoo exactly. It looks like transpose-r-a3'):
        convert_official(str(tmp_path / 'hole.pth'), str(tmp_path / 'out'))
    with pytest.raises(InputError, match='1 of the model missing in it: deconv_layers.1.weight'):
        convert_official(str(tmp_path / 'hole.pth'), str(tmp_path / 'out'), 'transpose-r-a3')
    assert not (tmp_path / 'out').exists()
