"""The page that is offered to MMPose says what our metafiles say, and its commands parse."""

import ast
from pathlib import Path

import pytest
from all_configs import unchanged
from conftest import ROOT
from documents import commands, parse_mim, parse_mmtranspose
from markdown_pages import code_blocks, section, titles
from mmengine.config import Config
from mmengine.fileio import load
from zoo_pages import METADATA, MODELS, RELEASED, metrics_of, read_tables

PROJECT = ROOT / 'upstream' / 'mmpose' / 'projects' / 'mmtranspose'
PAGE = PROJECT / 'README.md'
TEXT = PAGE.read_text(encoding='utf-8')
METAFILE = load(str(PROJECT / 'metafile.yml'))
CONFIG = 'projects/mmtranspose/configs/{}.py'


def test_metafile_is_ours_with_configs_of_its_own():
    (ours,) = [one for content in METADATA.values() for one in content.get('Collections', [])]
    assert METAFILE['Collections'] == [{**ours, 'README': 'projects/mmtranspose/README.md'}]
    assert METAFILE['Models'] == [{**model, 'Config': CONFIG.format(name)} for name, model in RELEASED.items()]


def test_configs():
    assert {path.stem for path in PROJECT.glob('configs/*.py')} == set(RELEASED)


def without_scopes(config):
    """A config without the ``_scope_`` that mmengine writes into what is inherited from another package."""
    if isinstance(config, dict):
        return {key: without_scopes(value) for key, value in config.items() if key != '_scope_'}
    return [without_scopes(value) for value in config] if isinstance(config, (list, tuple)) else config


@pytest.mark.parametrize('name', RELEASED)
def test_a_config_is_ours(name):
    cfg = Config.fromfile(str(ROOT / 'upstream' / 'mmpose' / CONFIG.format(name)))
    ours = Config.fromfile(unchanged(name).filename)
    assert without_scopes(cfg.to_dict()) == without_scopes(ours.to_dict())
    assert cfg.custom_imports.imports == ['mmtranspose']


def test_table_agrees_with_the_metafile():
    seen = []
    for _, row in read_tables(PAGE):
        name = Path(row['Model'].partition('](')[2].rstrip(')')).stem
        model = MODELS[name]
        assert metrics_of(row) == model['Results'][0]['Metrics']
        assert row['Params'] == f'{model["Metadata"]["Parameters"] / 1e6:.1f} M'
        assert row['Download'] == f'[model]({model["Weights"]})'
        depth_or_arch = unchanged(name).model.backbone.get('depth') or unchanged(name).model.backbone.arch
        assert row['Backbone'].endswith(f'-{str(depth_or_arch).upper()}')
        seen.append(name)
    assert seen == list(RELEASED)
    assert 'reported by its authors' in section(TEXT, 'Results')


def test_page_has_what_projects_have():
    assert titles(TEXT) == ['Description', 'Usage', 'Results', 'Citation', 'Checklist']


def test_commands_parse():
    seen = []
    for words in commands(PAGE, 'shell'):
        seen.append(words[0])
        if words[0] == 'mim':
            parse_mim(words[1:])
        elif words[0] == 'mmtranspose':
            parse_mmtranspose(words[1:])
        else:
            assert words == ['pip', 'install', 'mmtranspose']
    assert seen.count('mim') == 5 and seen.count('mmtranspose') == 5
    for block in code_blocks(TEXT, 'python'):
        ast.parse(block.code)
