"""A card for every checkpoint of the zoo: complete, with the metafile's figures, and saying where they come from."""

import ast
from collections import Counter

import pytest
from all_configs import unchanged as config
from conftest import ROOT
from documents import commands, parse_mmtranspose
from markdown_pages import code_blocks, section, titles
from zoo_pages import MODELS, RELEASED, input_size, read_tables, results_of

from mmtranspose.loading.closest_model import build_empty

FOLDER = ROOT / 'docs' / 'model_cards'
INDEX = FOLDER / 'index.md'
WITH_WEIGHTS = {model['Alias'][0]: model for model in MODELS.values() if 'Weights' in model}
SECTIONS = [
    'Intended use',
    'Training data',
    'Licence',
    'Input and output',
    'Metrics',
    'Limits',
    'Known failures',
    'What the explanation shows',
    'Loading',
    'Citation',
]
SOURCES = {'reported by the authors': 'reported', 'measured here': 'measured'}

every_card = pytest.mark.parametrize('alias', WITH_WEIGHTS)


def rows(alias, heading):
    return [row for above, row in read_tables(FOLDER / f'{alias}.md') if above == heading]


def text_of(alias):
    return (FOLDER / f'{alias}.md').read_text(encoding='utf-8')


def source_of(model):
    return SOURCES[model['Metadata']['Results From']]


def test_every_checkpoint_has_a_card():
    assert {path.stem for path in FOLDER.glob('*.md')} == {'index', *WITH_WEIGHTS}


@every_card
def test_sections(alias):
    text = text_of(alias)
    assert text.startswith(f'# {alias}\n')
    assert titles(text) == SECTIONS


@every_card
def test_facts_agree_with_config_and_metafile(alias):
    model = WITH_WEIGHTS[alias]
    facts = {row['fact']: row['value'] for row in rows(alias, alias)}
    assert facts['Name'] == f'`{alias}`'
    assert facts['Config'] == f'[{model["Name"]}](../../{model["Config"]})'
    released = model['Name'] in RELEASED
    file, place = model['Weights'].rsplit('/', 1)[1], model['Weights'] if released else f'../../{model["Weights"]}'
    assert facts['Weights'].startswith(f'[{file}]({place}), ')
    if released:
        known = model['Metadata'].get('Weights SHA256', 'not known to us, so it is not checked; ')
        assert facts['SHA-256 of the weights'].startswith(known)
        assert '`Weights SHA256` below' in section(text_of(alias), 'Loading')
    (width, height), neck = input_size(model['Name']), config(model['Name']).model.neck
    assert facts['Input'] == f'{height}x{width} (height x width)'
    stride = 8 if neck.in_channels > 100 else 4  # of the ResNet's second stage, and of the HRNet's finest branch
    assert facts['Tokens'].startswith(f'{height // stride} x {width // stride} (rows x columns), each {stride} pixels')
    heads = f'{neck.num_heads} head{"s" if neck.num_heads > 1 else ""}'
    assert facts['Encoder'] == (
        f'{neck.num_layers} layers, {neck.embed_dims} channels, {heads}, {neck.feedforward_channels} hidden channels'
    )
    total = model['Metadata']['Parameters']
    computed = sum(one.numel() for one in build_empty(config(model['Name']).filename).parameters())
    assert facts['Parameters'].split()[0] == f'{total:,}'
    assert (f'{computed:,} without it' in facts['Parameters']) == (computed != total)
    assert source_of(model) in facts['Accuracy']


@every_card
def test_metrics_are_the_metafiles(alias):
    model, found = WITH_WEIGHTS[alias], {}
    for row in rows(alias, 'Metrics'):
        assert row['source'] == source_of(model) and row['boxes']
        assert found.setdefault(row['dataset'], {}).setdefault(row['metric'], row['value']) == row['value']
    printed = {
        dataset: {metric: f'{value:.3f}' for metric, value in metrics.items()}
        for dataset, metrics in results_of(model).items()
    }
    assert found == printed


@every_card
def test_what_is_not_ours_is_not_called_measured(alias):
    failures = section(text_of(alias), 'Known failures').strip()
    assert failures.startswith('Not measured here.' if WITH_WEIGHTS[alias]['Name'] in RELEASED else 'Measured ')


@every_card
def test_commands_and_code(alias):
    lines = commands(FOLDER / f'{alias}.md')
    assert lines and all(line[:1] == ['mmtranspose'] and line[2] == alias for line in lines)
    for line in lines:
        assert parse_mmtranspose(line[1:]).config == alias
    called = [node for block in code_blocks(text_of(alias), 'python') for node in ast.walk(ast.parse(block.code))]
    assert [node.value for node in called if isinstance(node, ast.Constant)] == [alias]


def test_index():
    models = Counter()
    for _, row in read_tables(INDEX):
        if not row.get('source'):
            continue
        alias = row['model'].partition(']')[0].lstrip('[')
        model = WITH_WEIGHTS[alias]
        models[alias] += 1
        assert row['model'] == f'[{alias}]({alias}.md)' and row['source'] == source_of(model)
        assert row['parameters'] == f'{model["Metadata"]["Parameters"] / 1e6:.1f} M'
        figure = next(metrics['AP'] for metrics in results_of(model).values() if 'AP' in metrics)
        assert row['AP'].split()[0] == f'{figure:.3f}'
    assert models == Counter(list(WITH_WEIGHTS))
