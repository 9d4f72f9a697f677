"""The console command: what it runs, and that it runs without the package being imported."""

import os
import runpy
import subprocess
import sys

import pytest
from conftest import ROOT

import mmtranspose
from mmtranspose_cli import main as cli


def run(*arguments, **options):
    command = [sys.executable, '-m', 'mmtranspose_cli', *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, **options)


def test_every_command_is_a_module():
    modules = {path.stem.replace('_', '-') for path in (ROOT / 'mmtranspose' / 'commands').glob('[!_]*.py')}
    assert modules - {'command-line'} == set(cli.COMMANDS) - {'doctor'}


def test_every_tool_runs_its_command(monkeypatch):
    ran = []
    monkeypatch.setattr(cli, 'run_tool', ran.append)
    for tool in (ROOT / 'tools').rglob('*.py'):
        runpy.run_path(str(tool), run_name='__main__')
        assert len(tool.read_text().splitlines()) <= 4
    assert sorted(ran) == sorted(set(cli.COMMANDS) - {'doctor'})


def test_every_script_has_a_command():
    scripts = {path.name for path in (ROOT / 'tools').glob('*.sh')} - {'launch.sh'}
    assert scripts == {file for file, _ in cli.SCRIPTS.values()}
    kinds = {name.split('-', 1)[1] for name in cli.SCRIPTS}
    assert set(cli.SCRIPTS) == {f'{launcher}-{kind}' for launcher in ('dist', 'slurm') for kind in kinds}


def test_help_lists_the_commands(capsys):
    assert cli.main(['--help']) == 0
    words = capsys.readouterr().out
    for name, what in {**cli.COMMANDS, **{name: what for name, (_, what) in cli.SCRIPTS.items()}}.items():
        assert f'{name} ' in words and what in words


def test_version(capsys):
    assert cli.main(['--version']) == 0
    assert capsys.readouterr().out == f'{mmtranspose.__version__}\n'


@pytest.mark.parametrize(
    ('arguments', 'words'), [(['trian'], "no command 'trian'; did you mean train?"), ([], 'usage')]
)
def test_mistakes(arguments, words, capsys):
    assert cli.main(arguments) == 2
    output = capsys.readouterr()
    assert words in output.err and 'usage: mmtranspose COMMAND' in output.err and not output.out


def test_a_tool_runs_under_its_command():
    process = run('list', 'transpose-h-a6')
    assert process.returncode == 0, process.stderr
    header, first, *_ = process.stdout.splitlines()
    assert header.split() == ['model', 'trained', 'on', 'AP', 'weights', 'config']
    assert first.split()[:4] == ['transpose-h-a6', 'COCO', '75.8', 'yes']


def test_help_of_a_tool():
    process = run('train', '--help')
    assert process.returncode == 0 and process.stdout.startswith('usage: mmtranspose train ')


def test_exit_status_of_a_tool():
    process = run('test', 'no_such_config.py', 'a.pth')
    assert process.returncode == 2
    assert process.stderr.splitlines()[-1].startswith('error: config no_such_config.py does not exist')


def test_a_broken_stack_points_to_the_doctor(tmp_path):
    (tmp_path / 'mmpose').mkdir()
    (tmp_path / 'mmpose' / '__init__.py').write_text('raise ValueError("numpy.dtype size changed")\n')
    process = run('list', env={**os.environ, 'PYTHONPATH': str(tmp_path)})
    assert process.returncode == 1
    assert process.stderr.splitlines()[-2:] == [
        'error: numpy.dtype size changed',
        '`mmtranspose doctor` says what is wrong and how to cure it.',
    ]


@pytest.mark.parametrize('command', cli.SCRIPTS)
def test_help_of_shell_scripts(command):
    process = run(command, '--help')
    assert process.returncode == 0
    usage, *lines = process.stdout.splitlines()
    assert usage.startswith(f'usage: mmtranspose {command} ')
    assert lines[-2] == 'example:' and lines[-1].startswith(f'  mmtranspose {command} ')
    assert [line for line in lines if 'under Slurm' in line or 'several GPUs' in line]


def test_shell_scripts():
    process = run('dist-train')
    assert process.returncode == 2 and 'CONFIG PROCESSES' in process.stderr


@pytest.mark.parametrize('arguments', [['--help'], ['--version'], ['doctor', '--help']], ids=' '.join)
def test_without_the_stack(arguments):
    """Nothing but the standard library is there: -S leaves site-packages out."""
    process = subprocess.run(
        [sys.executable, '-S', '-m', 'mmtranspose_cli', *arguments], cwd=ROOT, capture_output=True, text=True
    )
    assert process.returncode == 0, process.stderr
