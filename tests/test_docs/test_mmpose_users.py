"""The page for users of MMPose: its commands parse, its configs mean what it says, its Python runs."""

import re

import cv2
import numpy as np
import pytest
from conftest import ROOT
from documents import commands, parse_mim, parse_mmtranspose
from markdown_pages import code_blocks
from mmengine.config import Config
from mmengine.registry import DefaultScope
from mmpose.registry import HOOKS, LOOPS, MODELS
from zoo_pages import MODELS as ZOO

PAGE = ROOT / 'docs' / 'mmpose_users.md'
TEXT = PAGE.read_text(encoding='utf-8')
PYTHON = [block.code for block in code_blocks(TEXT, 'python')]


def config_from(code, tmp_path):
    (tmp_path / 'mine.py').write_text(code)
    return Config.fromfile(str(tmp_path / 'mine.py'))


def block(start):
    (found,) = [code for code in PYTHON if start in code]
    return found


def test_every_command_parses():
    seen = set()
    for words in commands(PAGE):
        seen.add(words[0])
        if words[0] == 'mim':
            parse_mim(words[1:])
        elif words[0] == 'mmtranspose':
            parse_mmtranspose(words[1:])
        else:
            assert words[:2] == ['python', '-c']
            compile(words[2], PAGE.name, 'exec')
    assert seen == {'mim', 'mmtranspose', 'python'}


def test_every_command_of_the_table_parses():
    ours = [words.split() for words in re.findall(r'\| `mmtranspose ([^`]+)`', TEXT)]
    assert len(ours) >= 10
    for words in ours:
        parse_mmtranspose(words)


def test_every_model_that_is_named_exists():
    known = {name for model in ZOO.values() for name in (model['Name'], *model['Alias'])}
    named = re.findall(r'(?:td-hm_)?transpose-[rh]-[\w-]+\d[\w-]*|transpose-[rh]-[\w-]+', TEXT)
    assert len(set(named)) >= 5 and set(named) <= known


def test_what_mim_search_prints_is_the_metafiles():
    printed = re.findall(r'config id: (\S+)\ncoco/ap +(\S+)\n', TEXT)
    assert printed
    for name, value in printed:
        assert f'{ZOO[name]["Results"][0]["Metrics"]["AP"]:.3f}' == value
    reported = [model for model in ZOO.values() if 'by the authors' in model['Metadata'].get('Results From', '')]
    best = sorted((model['Results'][0]['Metrics']['AP'] for model in reported), reverse=True)
    assert [float(value) for _, value in printed] == best[: len(printed)]


def test_a_config_that_inherits(tmp_path):
    cfg = config_from(block('num_layers=5'), tmp_path)
    assert cfg.model.neck.num_layers == 5 and cfg.optim_wrapper.optimizer.lr == 2e-4
    assert cfg.custom_imports.imports == ['mmtranspose']


def test_a_config_of_single_parts(tmp_path):
    cfg = config_from(block("type='TransPoseNeck'"), tmp_path)
    with DefaultScope.overwrite_default_scope('mmpose'):
        assert [type(MODELS.build(part)).__name__ for part in cfg.model.values()] == ['TransPoseNeck', 'TransPoseHead']


def test_a_config_with_mmposes_hooks_and_loop(tmp_path):
    cfg = config_from(block('by_epoch=True'), tmp_path)
    assert LOOPS.get('EpochBasedTrainLoop') and cfg.train_cfg == dict(by_epoch=True, max_epochs=230, val_interval=10)
    hooks = cfg.default_hooks
    assert hooks.channels_last.enable is False
    for name in ('runtime_info', 'checkpoint'):
        assert HOOKS.get(hooks[name].type).__module__.startswith('mmengine.')
    with DefaultScope.overwrite_default_scope('mmpose'):
        assert HOOKS.build(hooks.checkpoint)


def test_inferencer(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    cv2.imwrite('photograph.jpg', np.random.default_rng(0).integers(0, 255, (96, 72, 3), dtype=np.uint8))
    names = {}
    exec(block('Pose2DInferencer('), names)
    (person,) = names['result']['predictions'][0]
    assert np.array(person['keypoints']).shape == (17, 2)
    assert (tmp_path / 'results' / 'predictions' / 'photograph.json').is_file()


def test_hub():
    names = {}
    with DefaultScope.overwrite_default_scope('mmengine'):
        exec(block('get_config('), names)
    assert names['config'].model_path == ZOO['td-hm_transpose-r-a3_1xb28-230e_coco-256x192']['Weights']
    assert type(names['model'].neck).__name__ == 'TransPoseNeck'


@pytest.mark.parametrize('option', ['--allow-partial', '--allow-non-finite', '--no-data-check'])
def test_options_that_switch_off(option):
    checkpoint = ['best.pth'] if option == '--allow-non-finite' else []
    command = 'test' if checkpoint else 'train'
    assert f'`{option}`' in TEXT
    assert getattr(parse_mmtranspose([command, 'my_config.py', *checkpoint, option]), option[2:].replace('-', '_'))
