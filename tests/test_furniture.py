"""Workflows, hooks and forms agree with what they repeat: the Makefile, .ci/run, setup.py and the pins."""

import ast
import re

import pytest
import yaml
from conftest import ROOT

from mmtranspose_cli.doctor.versions import parse
from mmtranspose_cli.optional_packages import BELOW, BELOW_FOR_NUMPY_1

GITHUB = ROOT / '.github'
WORKFLOWS = {path.stem: yaml.safe_load(path.read_text()) for path in (GITHUB / 'workflows').glob('*.yml')}
SETUP = (ROOT / 'setup.py').read_text()
PIN = re.compile(r'^([\w.-]+)==([\w.]+)', re.MULTILINE)
NO_PIN = {'pyarrow', 'ray'}


def pins():
    """All versions that requirements/*.txt has of a package, for any Python."""
    found = {}
    for path in (ROOT / 'requirements').glob('*.txt'):
        for name, version in PIN.findall(path.read_text()):
            found.setdefault(name, []).append(version)
    return found


def extras():
    tree = ast.parse(SETUP).body
    value = next(node.value for node in tree if isinstance(node, ast.Assign) and node.targets[0].id == 'EXTRAS')
    return ast.literal_eval(value)


def jobs():
    return [(name, job) for name, flow in WORKFLOWS.items() for job in flow['jobs'].values()]


def commands(job):
    return [step['run'] for step in job['steps'] if 'run' in step]


def test_the_matrix_has_the_pythons_of_setup_and_makefile():
    matrix = WORKFLOWS['ci']['jobs']['test']['strategy']['matrix']
    named = re.findall(r"'Programming Language :: Python :: (3\.\d+)'", SETUP)
    assert matrix['python'] == named == ['3.10', '3.11', '3.12', '3.13']
    (searched,) = re.findall(r'for python in .* python3 (.*) python;', (ROOT / 'Makefile').read_text())
    assert {f'python{version}' for version in named} == set(searched.split())
    assert matrix['os'] == ['ubuntu-latest', 'macos-latest', 'windows-latest']


def test_ci_runs_what_ci_run_runs_within_its_limit():
    job = WORKFLOWS['ci']['jobs']['test']
    script = (ROOT / '.ci' / 'run').read_text()
    (limit,) = re.findall(r'MMTRANSPOSE_CI_LIMIT=(\d+)m', script)
    assert job['timeout-minutes'] == int(limit)
    run = {step.get('if', ''): step['run'] for step in job['steps'] if 'Lint and test' in step.get('name', '')}
    assert run["runner.os == 'Linux'"] == '.ci/run'
    steps = [step for step in re.findall(r'^make (\w+)$', script, re.MULTILINE) if step != 'docs']  # the same anywhere
    for system in ('macOS', 'Windows'):
        assert re.findall(r'^make (\w+)', run[f"runner.os == '{system}'"], re.MULTILINE) == steps == ['lint', 'test']


def test_windows_installs_the_files_that_make_setup_installs():
    text = (ROOT / 'requirements' / 'install.py').read_text()
    (line,) = re.findall(r'for name in \((.*)\)\]', text)
    files = set(re.findall(r"'(\w+\.txt)'", line))
    (command,) = [text for text in commands(WORKFLOWS['ci']['jobs']['test']) if 'venv .venv' in text]
    assert set(re.findall(r'requirements/(\w+\.txt)', command)) == files
    assert '--no-deps -r requirements/mmpose.txt' in command


def test_only_two_jobs_may_write_and_all_end():
    for flow in WORKFLOWS.values():
        assert flow['permissions'] == {'contents': 'read'}
        assert 'concurrency' in flow
    rights = {(name, job['environment']['name']): job['permissions'] for name, job in jobs() if 'permissions' in job}
    assert rights == {
        ('docs', 'github-pages'): {'pages': 'write', 'id-token': 'write'},
        ('release', 'pypi'): {'id-token': 'write'},
    }
    assert all(job['timeout-minutes'] <= 90 for _, job in jobs())


def test_actions_are_pinned_by_a_version():
    used = [step['uses'] for _, job in jobs() for step in job['steps'] if 'uses' in step]
    assert len(used) > 8
    assert [
        action for action in used if not re.fullmatch(r'[\w-]+/[\w-]+@(v\d+|release/v\d+|[0-9a-f]{40})', action)
    ] == []


def test_docs_are_published_from_main_only():
    deploy = WORKFLOWS['docs']['jobs']['deploy']
    assert deploy['if'] == "github.ref == 'refs/heads/main'" and deploy['needs'] == 'build'
    assert commands(WORKFLOWS['docs']['jobs']['build']) == ['make docs']


def test_hooks_have_the_pins_of_the_environment():
    config = yaml.safe_load((ROOT / '.pre-commit-config.yaml').read_text())
    assert {repository['repo'] for repository in config['repos']} == {'local'}
    hooks = {hook['id']: hook for repository in config['repos'] for hook in repository['hooks']}
    (ruff,) = pins()['ruff']
    for name in ('ruff-check', 'ruff-format'):
        assert hooks[name]['additional_dependencies'] == [f'ruff=={ruff}']
    assert hooks['lint']['entry'] == 'make lint' and hooks['lint']['stages'] == ['pre-push']


def test_extras_have_the_ranges_that_were_tested():
    known = pins()
    old, new = BELOW_FOR_NUMPY_1['pyarrow'], BELOW['pyarrow']  # requirements/runtime.txt: numpy 1 until Python 3.12
    parquet = [f'pyarrow<{old}; python_version < "3.12"', f'pyarrow<{new}; python_version >= "3.12"']
    assert extras()['parquet'] == parquet
    for requirement in {one for extra, names in extras().items() if extra != 'parquet' for one in names}:
        name, limits = re.fullmatch(r'([\w-]+)(?:\[\w+\])?(.*)', requirement).groups()
        if name in NO_PIN:
            assert not limits and name not in known
            continue
        versions = sorted(known[name], key=parse)
        assert limits == f'>={versions[0]},<{BELOW.get(name, parse(versions[-1])[0] + 1)}', requirement


def test_a_bug_report_asks_for_what_is_needed():
    form = yaml.safe_load((GITHUB / 'ISSUE_TEMPLATE' / 'bug.yml').read_text())
    required = {part['id']: part for part in form['body'] if part.get('validations', {}).get('required')}
    assert {'command', 'config', 'doctor'} <= set(required)
    assert '`mmtranspose doctor`' in required['doctor']['attributes']['label']


def test_the_security_policy_points_at_files_that_are_there():
    places = re.findall(r'`([a-z_]+/[a-z_]*(?:\.py)?)`', (ROOT / 'SECURITY.md').read_text())
    assert len(places) >= 7
    assert [place for place in places if not (ROOT / 'mmtranspose' / place).exists()] == []


@pytest.mark.parametrize('ecosystem', ['pip', 'github-actions'])
def test_updates_come_together(ecosystem):
    updates = yaml.safe_load((GITHUB / 'dependabot.yml').read_text())['updates']
    (update,) = [one for one in updates if one['package-ecosystem'] == ecosystem]
    assert update['directory'] == {'pip': '/requirements', 'github-actions': '/'}[ecosystem]
    assert [group['patterns'] for group in update['groups'].values()] == [['*']]
