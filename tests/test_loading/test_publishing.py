"""Published checkpoints: what is in them, what is not, and that everything loads them."""

import ast
import datetime
import hashlib
import json

import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmpose.apis import Pose2DInferencer
from safetensors.torch import load_file, save_file

from mmtranspose.errors import InputError
from mmtranspose.loading.checkpoint import Checkpoint
from mmtranspose.loading.download import hash_in_name
from mmtranspose.loading.init_model import init_model
from mmtranspose.loading.neutral_config import neutral_config
from mmtranspose.loading.publishing import publish


def test_half_precision(tiny_config, tiny_checkpoint, tmp_path):
    written = publish(tiny_checkpoint, tmp_path / 'small.safetensors')
    before, after = (init_model(tiny_config, path).state_dict() for path in (tiny_checkpoint, written))
    assert before.keys() == after.keys()
    for name, value in before.items():
        assert after[name].dtype == value.dtype
        exact = value if not value.is_floating_point() else value.half().float()
        assert torch.equal(after[name], exact), name
    numbers = sum(value.numel() for value in load_file(written).values())
    assert written.stat().st_size < 2.2 * numbers + 60_000


def test_full_precision_loses_nothing(tiny_config, tiny_checkpoint, tmp_path):
    written = publish(tiny_checkpoint, tmp_path / 'small.safetensors', half=False)
    before, after = (init_model(tiny_config, path).state_dict() for path in (tiny_checkpoint, written))
    assert all(torch.equal(after[name], value) for name, value in before.items())


def test_nothing_of_the_run_is_in_it(tiny_checkpoint, tmp_path):
    written = publish(tiny_checkpoint, tmp_path / 'small.safetensors')
    content = torch.load(tiny_checkpoint, weights_only=True)
    assert load_file(written).keys() == content['state_dict'].keys() and 'optimizer' in content
    assert str(tmp_path).encode() not in written.read_bytes()


def test_numbers_too_large_for_16_bits(tmp_path):
    torch.save(dict(state_dict=dict(weight=torch.tensor([1.0, 7e4]))), tmp_path / 'large.pth')
    with pytest.raises(InputError, match=r'weight has numbers up to 7e\+04, too large for 16 bits; use --full'):
        publish(tmp_path / 'large.pth', tmp_path / 'small.safetensors')
    assert not (tmp_path / 'small.safetensors').exists()
    written = publish(tmp_path / 'large.pth', tmp_path / 'full.safetensors', half=False)
    assert load_file(written)['weight'].tolist() == [1, 7e4]


def test_outputs_that_are_refused(tiny_checkpoint, tmp_path):
    with pytest.raises(InputError, match='small.onnx: the file must end in .pth or .safetensors; a folder has'):
        publish(tiny_checkpoint, tmp_path / 'small.onnx')
    with pytest.raises(InputError, match='small.pth: the file must end in .safetensors'):
        publish(tiny_checkpoint, tmp_path / 'small.pth', suffix='.safetensors')
    for written in (publish(tiny_checkpoint, tmp_path / 'small.safetensors'), publish(tiny_checkpoint, tmp_path)):
        with pytest.raises(InputError, match='is the checkpoint itself'):
            publish(written, written)
    with pytest.raises(InputError, match='is the checkpoint itself'):
        publish(written)  # the same content has the same name


def test_command(tiny_checkpoint, tmp_path, run_command, capsys):
    run_command('publish', tiny_checkpoint, tmp_path / 'small.safetensors')
    said = capsys.readouterr()
    assert said.out == f'{tmp_path}/small.safetensors: {(tmp_path / "small.safetensors").stat().st_size / 1e6:.1f} MB\n'
    assert said.err == ''
    torch.save({'w': torch.ones(3)}, tmp_path / 'bare.pth')
    run_command('publish', tmp_path / 'bare.pth', '--safetensors', '--full')
    said = capsys.readouterr()
    (written,) = tmp_path.glob('bare-*.safetensors')
    assert load_file(written)['w'].tolist() == [1, 1, 1] and load_file(written)['w'].dtype == torch.float32
    assert said.err == f'{tmp_path}/bare.pth does not say its config and its keypoints, so {written} does not\n'


@pytest.fixture(scope='module')
def own(tiny_checkpoint, tmp_path_factory):
    """A checkpoint in which everything that can tell of a machine does."""
    root = tmp_path_factory.mktemp('own')
    content = torch.load(tiny_checkpoint, weights_only=True)
    old = next(line for line in content['meta']['cfg'].splitlines() if line.startswith('data_root='))[
        len("data_root='") : -1
    ]
    text = content['meta']['cfg'].replace(old, '/home/bob/coco')
    text += "\nwork_dir='/home/bob/work'\nload_from=\\\n    '/home/bob/start.pth'\nresume=False\nlauncher='slurm'\n"
    text += "more=dict(a='C:\\\\Users\\\\bob\\\\x.pth', b='~/y.json', c='https://h/z.pth', d='data/rel/é', e='/')\n"
    content['meta'] |= dict(cfg=text, hook_msgs=dict(best_ckpt='/home/bob/work/best.pth'), host='bobs-machine')
    content['meta']['experiment_name'] = 'my_config_20261127_182128'
    content['meta']['dataset_meta']['from_file'] = '/home/bob/meta.py'
    torch.save(content, root / 'best_coco_AP_epoch_45.pth')
    return root / 'best_coco_AP_epoch_45.pth'


class TestFacts:
    @pytest.mark.parametrize('suffix', ['.pth', '.safetensors'])
    def test_name_and_place(self, own, suffix, tmp_path):
        for output, folder in ((None, own.parent), (tmp_path, tmp_path), (tmp_path / 'new', tmp_path / 'new')):
            written = publish(own, output, suffix=suffix)
            digits = hashlib.sha256(written.read_bytes()).hexdigest()[:8]
            assert written == folder / f'my_config-{digits}_{datetime.date.today():%Y%m%d}{suffix}'
            assert hash_in_name(written.name) == digits

    @pytest.mark.parametrize('suffix', ['.pth', '.safetensors'])
    def test_nothing_of_the_machine(self, own, suffix, tmp_path):
        written = publish(own, tmp_path / f'a{suffix}')
        checkpoint = Checkpoint.read(written)
        told = repr(checkpoint.meta).encode() + written.read_bytes()
        for word in (b'bob', b'slurm', b'work_dir', b'load_from', b'best_ckpt', b'message_hub', b'20261127_182128'):
            assert word not in told, word
        assert checkpoint.content.keys() == {'meta', 'state_dict'}

    @pytest.mark.parametrize('suffix', ['.pth', '.safetensors'])
    def test_what_stays(self, own, tiny_checkpoint, suffix, tmp_path):
        checkpoint = Checkpoint.read(publish(own, tmp_path / f'a{suffix}'))
        before = Checkpoint.read(own)
        cfg = Config.fromstring(checkpoint.meta['cfg'], '.py')
        assert {cfg.data_root, cfg.test_dataloader.dataset.data_root} == {'data/coco', 'data/coco/'}
        assert cfg.more == dict(a='x.pth', b='y.json', c='https://h/z.pth', d='data/rel/é', e='/')
        expected = Config.fromstring(before.meta['cfg'].replace('/home/bob/coco', 'data/coco'), '.py').to_dict()
        expected['val_evaluator']['outfile_prefix'] = 'val'
        gone = ('work_dir', 'load_from', 'resume', 'launcher', 'more')
        assert {name: value for name, value in cfg.to_dict().items() if name != 'more'} == {
            name: value for name, value in expected.items() if name not in gone
        }
        assert (checkpoint.meta['epoch'], checkpoint.meta['iter']) == (before.meta['epoch'], before.meta['iter'])
        after = checkpoint.dataset_meta
        assert after.pop('from_file') == 'meta.py'
        for name, value in after.items():
            expected = before.dataset_meta[name]
            assert type(value) is type(expected), name
            np.testing.assert_array_equal(value, expected) if isinstance(value, np.ndarray) else None
            assert isinstance(value, np.ndarray) or value == expected
            assert getattr(value, 'dtype', None) == getattr(expected, 'dtype', None)

    def test_full_precision_by_default(self, own, tiny_config, tmp_path):
        written = publish(own, tmp_path / 'a.pth')
        half = publish(own, tmp_path / 'half.pth', half=True)
        before, after = (init_model(tiny_config, path).state_dict() for path in (own, written))
        assert all(torch.equal(after[name], value) for name, value in before.items())
        assert half.stat().st_size < 0.7 * written.stat().st_size

    @pytest.mark.parametrize('suffix', ['.pth', '.safetensors'])
    def test_its_keypoints_are_used(self, tiny_config, tiny_checkpoint, suffix, tmp_path):
        content = torch.load(tiny_checkpoint, weights_only=True)
        content['meta']['dataset_meta'] |= dict(dataset_name='mine', keypoint_id2name={n: f'k{n}' for n in range(17)})
        torch.save(content, tmp_path / 'mine.pth')
        model = init_model(tiny_config, publish(tmp_path / 'mine.pth', tmp_path / f'out{suffix}'))
        assert model.dataset_meta['dataset_name'] == 'mine' and model.dataset_meta['keypoint_id2name'][16] == 'k16'

    @pytest.mark.parametrize('suffix', ['.pth', '.safetensors'])
    def test_it_is_verified(self, own, tiny_config, suffix, tmp_path):
        written = publish(own, tmp_path / f'a{suffix}')
        content = Checkpoint.read(written).content
        name = 'neck.projection.weight'
        content['state_dict'][name] = content['state_dict'][name] * 2
        with pytest.raises(InputError, match='its weights are not those that were written'):
            Checkpoint(written, content).require_as_written()
        Checkpoint.read(written).require_as_written()
        with pytest.raises(InputError, match='no message_hub .it was published'):
            Checkpoint.read(written).require_resumable()

    def test_the_same_source_gives_the_same_file(self, own, tmp_path, monkeypatch):
        first = publish(own, tmp_path / '1')
        monkeypatch.setattr('os.getpid', lambda: 1)
        assert publish(own, tmp_path / '2').read_bytes() == first.read_bytes()

    def test_every_command_loads_it(self, own, tested, tiny_config, run_command, tmp_path):
        for suffix in ('.pth', '.safetensors'):
            written = publish(own, tmp_path / f'a{suffix}', half=False)
            out = tmp_path / f'{suffix[1:]}.json'
            options = ('--cfg-options', f'experiment_name=published{suffix[1:]}')
            run_command('test', tiny_config, written, '--work-dir', tmp_path / 'work', '--out', out, *options)
            assert json.loads(out.read_text()) == pytest.approx(tested.metrics)

    def test_an_inferencer_needs_nothing_else(self, tiny_checkpoint, tmp_path):
        written = publish(tiny_checkpoint, tmp_path / 'a.pth')
        inferencer = Pose2DInferencer(None, weights=str(written), det_model='whole_image', device='cpu')
        (result,) = next(inferencer(np.zeros((64, 48, 3), np.uint8)))['predictions'][0]
        assert len(result['keypoints']) == 17


class TestNeutralConfig:
    def test_layout_stays(self):
        text = "a = dict(\n    path='/home/é/x.py',  # kept\n    n=1)\nwork_dir = ''\nb = [\n    '/s/',\n]\nresume = 1"
        assert neutral_config(text) == "a = dict(\n    path='x.py',  # kept\n    n=1)\nb = [\n    's/',\n]\n"

    def test_it_is_not_run(self):
        assert neutral_config('import os\nos.remove("/etc/x")\n') == "import os\nos.remove('x')\n"

    def test_other_roots(self):
        text = "x = {'data_root': 'D:\\\\sets\\\\aic\\\\', 'boxes': 'D:/sets/aic/b.json', 'img': 'D:/sets/aicx'}"
        assert ast.literal_eval(neutral_config(text)[4:]) == dict(
            data_root='data/aic/', boxes='data/aic/b.json', img='aicx'
        )

    def test_text_that_is_no_config(self, tmp_path):
        torch.save(dict(state_dict={'w': torch.ones(1)}, meta=dict(cfg='a = (')), tmp_path / 'a.pth')
        assert 'cfg' not in Checkpoint.read(publish(tmp_path / 'a.pth', tmp_path / 'b.pth')).meta


def test_header_that_cannot_be_read(tmp_path):
    for number, text in enumerate(('{', '{"dict": 3}', '{"x": 1}', '{"dict": [[[], 1]]}')):
        save_file({'w': torch.ones(1)}, tmp_path / f'{number}.safetensors', {'mmtranspose': text})
        with pytest.raises(InputError, match=f'{number}.safetensors: what its header says of the weights cannot'):
            Checkpoint.read(tmp_path / f'{number}.safetensors')
