"""Verdicts and cures from facts alone: nothing is imported or run."""

import re
import subprocess
import sys

import pytest
from stack import STACK

from mmtranspose_cli.doctor import cures, environment
from mmtranspose_cli.doctor.cures import BUILD, INSTALL, NO_DEPS, REINSTALL, UNINSTALL, Command, Step, chained, commands
from mmtranspose_cli.doctor.environment import Environment
from mmtranspose_cli.doctor.faults import diagnose
from mmtranspose_cli.doctor.needs import all_needs
from mmtranspose_cli.doctor.probing import Outcome
from mmtranspose_cli.doctor.report import as_text, rows, table_lines
from mmtranspose_cli.doctor.versions import limits, parse


def facts(versions=(), outcomes=(), also=(), **others):
    """A whole environment with some other versions (None: the module is missing) and outcomes."""
    needs = all_needs(also)
    known = {**dict.fromkeys((need.module for need in needs), '9'), **STACK, **dict(versions)}
    info = {'mmcv': {'compiled': True, 'operators': ''}, 'cuda': {'gpus': []}, 'torch': {'cuda': '13.0'}}
    tried = {name: Outcome('ok' if version else 'missing', info=info.get(name, {})) for name, version in known.items()}
    there = {need.distributions[0].replace('_', '-'): known[need.module] for need in needs if known[need.module]}
    usual = dict(python=(3, 11, 7), executable='python', has_pip=True)
    usual.update(has_driver=False, needs=needs, distributions=there)
    usual['outcomes'] = {**tried, 'cuda': Outcome('ok', info={'gpus': []}), **dict(outcomes)}
    return Environment(**{**usual, **others})


def cure(env):
    """The commands without ``python -m``, for all that ``diagnose`` finds."""
    steps = [step for finding in diagnose(env) for step in finding.steps]
    return [one.text().split(' -m ', 1)[1] for one in commands(steps, env.executable, env.has_pip)]


def remarks(env):
    return {title: (finding.verdict, finding.remark) for finding in diagnose(env) for title in finding.titles}


@pytest.mark.parametrize(
    ('text', 'expected'),
    [('2.11.0+cu130', (2, 11)), ('2.0', (2,)), ('1.3.0rc1', (1, 3)), ('0.10.7', (0, 10, 7)), ('', (0,)), ('git', (0,))],
)
def test_versions(text, expected):
    assert parse(text) == expected


def test_limits():
    assert [limits('2.6', '3'), limits('1.0', ''), limits('', '81'), limits('', '')] == ['>=2.6,<3', '>=1.0', '<81', '']


def test_nothing_is_told_of_a_whole_environment():
    assert diagnose(facts()) == [] and cure(facts()) == []


def test_versions_out_of_range():
    env = facts({'mmengine': '0.9.1', 'mmpose': '1.4.0', 'torch': '3.0', 'mmdet': '2.28.0', 'numpy': '1.20.3'})
    assert remarks(env) == {
        'mmengine': ('broken', 'needs 0.10 or newer'),
        'mmdet': ('broken', 'needs 3.0 or newer'),
        'numpy': ('broken', 'needs 1.21 or newer'),
        'mmpose': ('note', 'newer than was tried'),
        'torch': ('note', 'newer than was tried'),
    }
    assert cure(env) == ['pip install "mmengine>=0.10,<1" "mmdet>=3.0,<3.4" "numpy>=1.21"']


def test_what_mmpose_asks_for_in_vain():
    """xtcocotools has no wheel for numpy 2, and mmtranspose does without it; chumpy does not build."""
    nothing = facts({need.module: None for need in all_needs()})
    first, last = cure(nothing)
    assert last == 'pip install --no-deps "mmpose>=1.3,<1.4"' and 'numpy>=1.21"' in first
    assert not {'xtcocotools', 'chumpy', 'setuptools'} & set(re.findall(r'[a-z]+', first))


def test_python_too_new_is_a_note():
    assert remarks(facts(python=(3, 14, 0)))['Python'] == ('note', 'newer than was tried')
    assert remarks(facts(python=(3, 13, 9))) == {}


def test_python_too_old_has_one_sentence_and_no_commands():
    env = facts({'torch': None, 'mmpose': None}, python=(3, 9, 18))
    assert [finding.sentence for finding in diagnose(env) if finding.sentence] == [
        'Python 3.9 is too old: mmtranspose needs Python 3.10 or newer.'
    ]
    assert cure(env) == [] and remarks(env)['torch'] == ('broken', 'missing')


def test_missing_torchvision_must_be_that_of_the_torch_that_is_there():
    env = facts({'torch': '2.13.0', 'torchvision': None})
    assert cure(env)[-1].startswith('pip install "torchvision==0.28.*"  # from the index that torch came from')
    assert 'pip install torchvision' not in cure(facts({'torch': None, 'torchvision': None}))
    assert '"torch>=2.6,<3" torchvision' in cure(facts({'torch': None, 'torchvision': None}))[0]


def test_torchvision_that_works_beside_another_torch_is_a_note():
    assert remarks(facts({'torchvision': '0.25.0'})) == {'torchvision': ('note', 'made for another torch')}


@pytest.mark.parametrize(
    ('torch', 'torchvision', 'fits'),
    [('2.13.0', '0.28.0', True), ('2.14.0', '0.29.1', True), ('2.15.0', '0.29.2', True), ('2.13.0', '0.29.0', False)],
)
def test_pairs_of_torch_and_torchvision(torch, torchvision, fits):
    found = remarks(facts({'torch': torch, 'torchvision': torchvision}))
    assert found == ({} if fits else {'torchvision': ('note', 'made for another torch')})


def test_torchvision_of_the_right_version_that_fails_is_another_build():
    failed = Outcome('failed', 'RuntimeError: operator torchvision::nms does not exist')
    finding = diagnose(facts(outcomes={'torchvision': failed}))[0]
    assert 'CPU only' in finding.sentence and '"torchvision==0.26.*"' in finding.steps[0].arguments


def test_missing_mmdet_beside_an_mmcv_that_it_would_refuse():
    env = facts({'mmcv': '2.2.0', 'mmdet': None})
    assert remarks(env)['mmcv'] == ('broken', 'mmdet takes >=2.0,<2.2')
    assert 'mmcv-lite>=2.0,<2.2' in cure(env)[1] and '"mmdet>=3.0,<3.4"' in cure(env)[1]


def test_further_modules_can_be_asked_for():
    assert remarks(facts({'pytest': None}, also=('pytest',))) == {'pytest': ('broken', 'missing')}


def test_what_follows_from_another_fault_is_not_told_as_one():
    failed = Outcome('failed', 'ImportError: numpy is broken')
    findings = diagnose(facts(outcomes={'numpy': failed, 'mmengine': failed, 'mmcv': Outcome('untried')}))
    assert [finding.titles[0] for finding in findings if finding.sentence] == ['numpy']
    assert {f.titles[0]: f.remark for f in findings}['mmcv'] == 'needs mmengine'


def test_commands_come_in_the_order_that_works():
    steps = [
        Step(NO_DEPS, '--no-deps mmpose'),
        Step(BUILD, 'x', 'slow', 'A=1'),
        Step(REINSTALL, 'torchvision'),
        Step(INSTALL, 'numpy<2'),
        Step(UNINSTALL, 'mmcv'),
        Step(INSTALL, 'tqdm'),
        Step(INSTALL, 'numpy<2'),
    ]
    found = commands(steps, '/a b/python', has_pip=False)
    assert [one.text() for one in found] == [
        "'/a b/python' -m ensurepip",
        "'/a b/python' -m pip uninstall -y mmcv",
        '\'/a b/python\' -m pip install "numpy<2" tqdm',
        "'/a b/python' -m pip install torchvision",
        "A=1 '/a b/python' -m pip install x  # slow",
        "'/a b/python' -m pip install --no-deps mmpose",
    ]
    assert commands([], 'python', has_pip=False) == []


def test_commands_are_one_for_a_shell(tmp_path):
    """Which ends at the first that fails."""
    python = Command((sys.executable, '-c', 'import sys; open(sys.argv[1], "x").close()', str(tmp_path / 'a b')), 'why')
    listed = Command((sys.executable, '-c', 'import sys; print(sys.argv[1:])', 'torch>=2.6,<3', '$HOME', "it's", 'x!'))
    done = subprocess.run(['bash', '-c', '\n'.join(chained([python, listed]))], stdout=subprocess.PIPE, text=True)
    assert done.stdout == f'{["torch>=2.6,<3", "$HOME", "it" + chr(39) + "s", "x!"]}\n' and (tmp_path / 'a b').exists()
    again = subprocess.run(['bash', '-c', '\n'.join(chained([python, listed]))], capture_output=True, text=True)
    assert again.returncode == 1 and again.stdout == '' and 'FileExistsError' in again.stderr
    assert chained([]) == [] and chained([listed]) == [listed.text()]


def test_commands_on_windows(monkeypatch):
    monkeypatch.setattr(cures.os, 'name', 'nt')
    found = [
        Command((r'C:\My Pythons\python.exe', 'install', 'six>=1')),
        Command(('python', '-m', 'pip'), 'slow', 'A=1'),
    ]
    assert chained(found) == [r'"C:\My Pythons\python.exe" install "six>=1"', 'set A=1&& python -m pip  # slow']


def test_python_into_which_pip_installs_nothing():
    """As that of Debian: there are no commands; where nothing is broken, there is nothing to say."""
    env = facts({'tqdm': None}, no_pip='this Python belongs to the system')
    assert remarks(env) == {'Python': ('broken', 'pip can install nothing here'), 'tqdm': ('broken', 'missing')}
    assert cure(env) == [] and 'this Python belongs to the system' in as_text(env, diagnose(env)).replace('\n  ', ' ')
    assert diagnose(facts(no_pip='this Python belongs to the system')) == []


@pytest.mark.parametrize(
    ('own', 'marked', 'allowed', 'pip', 'word'),
    [
        (False, True, '', True, 'belongs to the system'),
        (False, True, '1', True, ''),
        (True, True, '', True, ''),
        (False, False, '', True, ''),
        (True, False, '', False, 'no ensurepip'),
    ],
)
def test_why_pip_installs_nothing(tmp_path, monkeypatch, own, marked, allowed, pip, word):
    if marked:
        (tmp_path / 'EXTERNALLY-MANAGED').touch()
    monkeypatch.setattr(environment.sysconfig, 'get_path', lambda name: str(tmp_path))
    monkeypatch.setattr(sys, 'prefix', 'own' if own else sys.base_prefix)
    monkeypatch.setenv('PIP_BREAK_SYSTEM_PACKAGES', allowed)
    monkeypatch.setattr(environment, 'is_there', lambda name: pip)
    why = environment.why_no_pip()
    assert word in why and bool(why) == bool(word)


def test_report_names_the_cure_and_colours_only_if_asked():
    env = facts({'tqdm': None})
    findings = diagnose(env)
    text = as_text(env, findings)
    assert '\nBroken\ntqdm: tqdm is not installed.\n' in text and '\x1b' not in text
    assert text.endswith('\nCure (mmtranspose doctor --fix asks, and runs it)\n  python -m pip install tqdm\n')
    assert '\x1b[31mbroken\x1b[0m' in as_text(env, findings, colour=True)
    assert 'mmengine' not in as_text(env, findings, quiet=True) and as_text(facts(), [], quiet=True) == ''


def test_columns_are_aligned_with_colours_too():
    env = facts({'tqdm': None})
    table = rows(env, diagnose(env))
    plain = table_lines(table, colour=False)
    assert [re.sub(r'\x1b\[\d*m', '', line) for line in table_lines(table, colour=True)] == plain
    assert len({line.index(row.verdict, 10) for line, row in zip(plain[1:], table)}) == 1


def test_distribution_of_a_shadowed_module_is_not_counted_twice(tmp_path, monkeypatch):
    for folder, version in (('first', '1.0'), ('second', '2.0')):
        info = tmp_path / folder / f'some_thing-{version}.dist-info'
        info.mkdir(parents=True)
        (info / 'METADATA').write_text(f'Metadata-Version: 2.1\nName: Some.Thing\nVersion: {version}\n')
    monkeypatch.setattr(sys, 'path', [str(tmp_path / 'first'), str(tmp_path / 'second')])
    assert environment.installed_distributions() == {'some-thing': '1.0'}
