"""Pages that are made from the code: every command with its options, and every public name."""

import re

import pytest
from api_pages import ApiPage, api_pages, undocumented
from command_pages import command_pages
from test_apis import NAMES

from mmtranspose import apis, explain
from mmtranspose.apis import detection
from mmtranspose_cli.main import COMMANDS, SCRIPTS


@pytest.fixture(scope='module')
def commands():
    return command_pages()


def test_every_command_has_a_page(commands):
    assert set(commands) == {'index.md', *(f'{name}.md' for name in (*COMMANDS, *SCRIPTS))}
    for name, what in COMMANDS.items():
        assert f'| [`{name}`]({name}.md) | {what} |' in commands['index.md']


def test_page_of_a_command(commands):
    page = commands['generate-people.md']
    assert page.startswith('---\ntitle: generate-people\n---\n# mmtranspose generate-people\n\nDraw a dataset of')
    assert '```bash\nmmtranspose generate-people data/synthetic --num-train 4000 --num-val 500' in page
    assert '<dt><code>--num-val NUM_VAL</code></dt>\n<dd>validation images (default 500)</dd>' in page
    assert '| 130 | interrupted (Ctrl-C) |' in page
    assert '--help' not in page


def test_defaults_that_help_leaves_out_are_shown(commands):
    page = commands['train.md']
    launcher = re.search(r'<dt><code>--launcher .*?</dd>', page, re.DOTALL)[0]
    assert launcher.endswith('(default: <code>none</code>)</dd>')
    assert 'seconds for which each image is shown (default: 1)</dd>' in page


def test_modes_and_scripts(commands):
    assert '## mmtranspose benchmark CONFIG forward' in commands['benchmark.md']
    assert '# mmtranspose benchmark report' in commands['benchmark.md']
    assert 'mmtranspose dist-train CONFIG PROCESSES' in commands['dist-train.md']
    assert '```bash\nmmtranspose dist-train transpose-r-a3 4 --amp\n```' in commands['dist-train.md']


def test_every_public_name_is_on_a_page_and_documented():
    pages = api_pages()
    names = {name for page in pages for name in page.names}
    assert {f'mmtranspose.apis.{name}' for name in NAMES} <= names
    for module in (apis, explain, detection):
        assert {f'{module.__name__}.{name}' for name in module.__all__} <= names
    modules = {name.rpartition('.')[2] for name in names}
    assert {'ResNetSmall', 'HRNetSmall', 'TransPoseNeck', 'TransPoseHead', 'TorsoPCK', 'LspetDataset'} <= modules
    assert undocumented(pages) == []


def test_roles_in_docstrings_become_code_and_links():
    pytest.importorskip('griffe', reason='reads docstrings (requirements/docs.txt)')
    from sphinx_roles import ROLE, SphinxRoles

    text = 'See :func:`~mmtranspose.apis.init_model`, :class:`a.Other` and :mod:`~a.b`.'
    shown = ROLE.sub(SphinxRoles(['mmtranspose.apis.init_model']).shown, text)
    assert shown == 'See [`init_model`][mmtranspose.apis.init_model], `a.Other` and `b`.'


def test_a_name_without_docstring_is_told():
    here = ApiPage('x.md', 'X', '', [f'{__name__}.Bare', f'{__name__}.Half'])
    assert undocumented([here]) == [f'{__name__}.Bare', f'{__name__}.Half.bare']


class Bare(ApiPage):
    pass


class Half:
    """Has a method without a docstring."""

    def bare(self):
        pass

    def _private(self):
        pass
