"""The console command: what it runs, and that it runs without the package being imported."""

import os
import runpy
import subprocess
import sys

import pytest
from conftest import ROOT

import mmtranspose
from mmtranspose.commands import command_line
from mmtranspose_cli import main as cli


def run(*arguments, **options):
    command = [sys.executable, '-m', 'mmtranspose_cli', *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, **options)


def test_every_command_is_a_module():
    modules = {path.stem.replace('_', '-') for path in (ROOT / 'mmtranspose' / 'commands').glob('[!_]*.py')}
    shared = {'command-line', 'machine-errors', 'run-settings', 'shared-run'}  # parts of several commands
    shared |= {'misplaced-inputs', 'needed-weights'}
    shared |= {name for name in modules if name.endswith('-arguments')}
    assert modules - shared == set(cli.COMMANDS) - {'doctor'}


def test_every_tool_runs_its_command(monkeypatch):
    ran = []
    monkeypatch.setattr(cli, 'run_tool', ran.append)
    for tool in (ROOT / 'tools').rglob('*.py'):
        runpy.run_path(str(tool), run_name='__main__')
        assert len(tool.read_text().splitlines()) <= 4
    assert sorted(ran) == sorted({*cli.COMMANDS, *cli.RENAMED} - {'doctor'})


@pytest.mark.parametrize(
    ('old', 'new'),
    [
        ('encoder-memory', 'transpose-h-a6 encoder'),
        (
            'encoder-memory --batch-size 2 transpose-r-a3 --json=a.json',
            'transpose-r-a3 encoder --batch-size 2 --json=a.json',
        ),
        ('explanation-cost transpose-h-s --direction affect', 'transpose-h-s explanation --direction affect'),
        ('explanation-cost --help', 'CONFIG explanation --help'),
    ],
)
def test_renamed_commands(old, new, monkeypatch, capsys):
    ran = []
    monkeypatch.setattr(command_line, 'run', lambda main, arguments: ran.append((main.__module__, arguments)))
    cli.main(old.split())
    assert ran == [('mmtranspose.commands.benchmark', new.split())]
    command, mode = old.split()[0], new.split()[1]
    assert capsys.readouterr().err == f'`mmtranspose {command}` is now `mmtranspose benchmark CONFIG {mode}`\n'


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


@pytest.mark.parametrize('command', [name for name in cli.COMMANDS if name != 'doctor'])
def test_help_of_a_command(command, capsys, monkeypatch):
    monkeypatch.setattr(command_line.keep_memory, 'apply', lambda: None)
    with pytest.raises(SystemExit) as stop:
        cli.main([command, '--help'])
    printed = capsys.readouterr().out
    assert not stop.value.code and printed.startswith(f'usage: mmtranspose {command} ')
    assert f'example:\n  mmtranspose {command} ' in printed


def test_exit_status_of_a_command(capsys, monkeypatch):
    monkeypatch.setattr(command_line.keep_memory, 'apply', lambda: None)
    with pytest.raises(SystemExit) as stop:
        cli.main(['test', 'no_such_config.py', 'a.pth'])
    assert stop.value.code == 2
    assert capsys.readouterr().err.splitlines()[-1].startswith('error: config no_such_config.py does not exist')


def test_interrupted_while_modules_are_imported(capsys, monkeypatch):
    def interrupted(name):
        raise KeyboardInterrupt

    monkeypatch.setattr(cli.importlib, 'import_module', interrupted)
    assert cli.main(['list']) == 130
    assert capsys.readouterr().err == 'interrupted\n'


def test_a_broken_stack_points_to_the_doctor(tmp_path):
    (tmp_path / 'mmpose').mkdir()
    (tmp_path / 'mmpose' / '__init__.py').write_text('raise ValueError("numpy.dtype size changed")\n')
    process = run('list', env={**os.environ, 'PYTHONPATH': str(tmp_path)})
    assert process.returncode == 1
    assert process.stderr.splitlines()[-2:] == [
        'error: numpy.dtype size changed',
        '`mmtranspose doctor` says what is wrong; with --fix it mends that, after asking.',
    ]


@pytest.mark.parametrize('arguments', [('list',), ('infer', '--help')])
def test_before_the_doctor(arguments, tmp_path):
    """Without PyTorch and all that, as after ``pip install mmtranspose``; -I keeps out what this Python has."""
    code = 'import sys; sys.path[:0] = [sys.argv.pop(1)]; from mmtranspose_cli.main import main; sys.exit(main())'
    command = [sys.executable, '-I', '-S', '-c', code, str(ROOT), *arguments]
    process = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert process.returncode == 1 and process.stdout == ''
    assert process.stderr == (
        'error: mmtranspose needs torch, torchvision, mmengine, mmcv, mmpose, which this Python does not have. '
        '`mmtranspose doctor --fix` installs them, after asking; "make setup" in a checkout makes an environment.\n'
    )


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


@pytest.mark.parametrize(
    ('script', 'arguments', 'started'),
    [
        ('dist_train.sh', 'c.py 2 --amp', 'tools/train.py c.py --amp'),
        ('dist_test.sh', 'c.py a.pth 2 --out m.json', 'tools/test.py c.py a.pth --out m.json'),
        (
            'dist_explain_dataset.sh',
            'c.py a.pth 2 --output-root o',
            'tools/explain_dataset.py c.py a.pth --output-root o',
        ),
        (
            'dist_detect.sh',
            'd.py d.pth a.json 2 --img-root i --out f.json',
            'tools/detect.py d.py d.pth a.json --img-root i --out f.json',
        ),
        ('dist_test.sh', 'transpose-r-a3 2 --out 3', 'tools/test.py transpose-r-a3 --out 3'),
        ('dist_explain_dataset.sh', 'c.py 2 --output-root o', 'tools/explain_dataset.py c.py --output-root o'),
        ('dist_detect.sh', 'a.json 2 --img-root i --out f', 'tools/detect.py a.json --img-root i --out f'),
        ('dist_infer.sh', 'c.py a.pth 2 --input i j', 'tools/infer.py c.py a.pth --input i j'),
        ('slurm_infer.sh', 'gpu job transpose-r-a3 --input i', 'tools/infer.py transpose-r-a3 --input i'),
        ('slurm_test.sh', 'gpu job transpose-r-a3', 'tools/test.py transpose-r-a3'),
        ('slurm_detect.sh', 'gpu job a.json --img-root i --out f', 'tools/detect.py a.json --img-root i --out f'),
        ('slurm_train.sh', 'gpu job c.py w --amp', 'tools/train.py c.py --work-dir w --amp'),
        ('slurm_test.sh', 'gpu job c.py a.pth --out m.json', 'tools/test.py c.py a.pth --out m.json'),
        (
            'slurm_explain_dataset.sh',
            'gpu job c.py a.pth --output-root o',
            'tools/explain_dataset.py c.py a.pth --output-root o',
        ),
        (
            'slurm_detect.sh',
            'gpu job d.py d.pth a.json --img-root i --out f.json',
            'tools/detect.py d.py d.pth a.json --img-root i --out f.json',
        ),
    ],
)
def test_what_shell_scripts_start(tmp_path, script, arguments, started):
    for name in ('srun', 'python'):
        (tmp_path / name).write_text('#!/bin/sh\necho "$@"\n')
        (tmp_path / name).chmod(0o755)
    variables = {**os.environ, 'PYTHON': str(tmp_path / 'python'), 'PATH': f'{tmp_path}:{os.environ["PATH"]}'}
    command = ['bash', ROOT / 'tools' / script, *arguments.split()]
    process = subprocess.run(command, env={**variables, 'GPUS': '4'}, capture_output=True, text=True)
    kind = 'pytorch' if script.startswith('dist') else 'slurm'
    assert process.stdout.endswith(f' {ROOT}/{started} --launcher {kind}\n'), process.stderr
    by_srun = '-p gpu --job-name=job --gres=gpu:8 --ntasks=4 '
    launched = '-m mmtranspose_cli.launcher 2 ' if kind == 'pytorch' else by_srun
    assert launched in process.stdout


@pytest.mark.parametrize('words', ['c.py a.pth', 'c.py a.pth b.pth 2', '2 c.py', 'c.py two --out m.json'])
def test_a_number_of_processes_is_needed(words):
    process = subprocess.run(['bash', ROOT / 'tools' / 'dist_test.sh', *words.split()], capture_output=True, text=True)
    assert process.returncode == 2 and 'the number of processes is missing, or no number' in process.stderr


@pytest.mark.parametrize('arguments', [['--help'], ['--version'], ['doctor', '--help']], ids=' '.join)
def test_without_the_stack(arguments):
    """Nothing but the standard library is there: -S leaves site-packages out."""
    process = subprocess.run(
        [sys.executable, '-S', '-m', 'mmtranspose_cli', *arguments], cwd=ROOT, capture_output=True, text=True
    )
    assert process.returncode == 0, process.stderr


def test_a_renamed_command_that_needs_a_config(capsys):
    with pytest.raises(SystemExit) as stop:
        cli.main(['explanation-cost'])
    assert stop.value.code == 2 and 'mmtranspose benchmark CONFIG explanation' in capsys.readouterr().err


def test_help_into_a_pipe_that_is_closed():
    process = subprocess.Popen(
        [sys.executable, '-m', 'mmtranspose_cli', '--help'], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    process.stdout.close()
    try:
        assert process.stderr.read() == b'' and process.wait(60) == 0
    finally:
        process.kill()
        process.stderr.close()
