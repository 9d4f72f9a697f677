"""What starts the processes of one run: where they meet, signals, and what is said and returned when some fail."""

import os
import signal
import socket
import subprocess
import sys
import time

import pytest
from conftest import ROOT

from mmtranspose import errors
from mmtranspose_cli import launcher

SCRIPT = """
import os, signal, sys, time
rank = int(os.environ['RANK'])
def say(*words, to=1):
    os.write(to, (' '.join(map(str, words)) + '\\n').encode())  # at once: processes share the pipe
"""
VARIABLES = ('PORT', 'NNODES', 'NODE_RANK', 'MASTER_ADDR')


@pytest.fixture
def start(tmp_path):
    """Starts a stub in several processes, in place of tools/train.py; gives the process of the shell script."""
    started = []

    def start(stub, processes=2, **variables):
        tools = tmp_path / 'tools'
        tools.mkdir(exist_ok=True)
        for name in ('launch.sh', 'dist_train.sh'):
            (tools / name).write_text((ROOT / 'tools' / name).read_text())
        (tools / 'train.py').write_text(SCRIPT + stub)
        clean = {name: value for name, value in os.environ.items() if name not in VARIABLES}
        environment = {**clean, 'PYTHON': sys.executable, 'PYTHONPATH': str(ROOT), **variables}
        command = ['bash', str(tools / 'dist_train.sh'), 'config.py', str(processes)]
        pipes = dict(stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        started.append(subprocess.Popen(command, env=environment, **pipes))
        return started[-1]

    yield start
    for process in started:
        process.kill()
        process.communicate()


def test_statuses_have_one_meaning():
    for name in ('MISTAKE', 'PREEMPTED', 'INTERRUPTED'):
        assert getattr(launcher, name) == getattr(errors, name)


def test_what_processes_are_given(start):
    names = ('RANK', 'LOCAL_RANK', 'WORLD_SIZE', 'LOCAL_WORLD_SIZE', 'MASTER_ADDR', 'MASTER_PORT', 'OMP_NUM_THREADS')
    stub = f'say(*(os.environ[name] for name in {names}), *sys.argv[1:])'
    variables = dict(NNODES='2', NODE_RANK='1', MASTER_ADDR='10.0.0.1')
    output, error = start(stub, **variables).communicate(timeout=20)
    assert sorted(output.splitlines()) == [
        f'{2 + rank} {rank} 4 2 10.0.0.1 29500 1 config.py --launcher pytorch' for rank in range(2)
    ]
    assert not error


@pytest.mark.parametrize(
    ('given', 'found'), [({}, '1 1'), (dict(OMP_NUM_THREADS='4'), '4 None'), (dict(MKL_NUM_THREADS='4'), '1 4')]
)
def test_threads(start, monkeypatch, given, found):
    """MKL's number would decide in PyTorch: where OMP_NUM_THREADS is given, MKL follows it."""
    for name in ('OMP_NUM_THREADS', 'MKL_NUM_THREADS'):
        monkeypatch.delenv(name, raising=False)
    output, _ = start("say(*map(os.environ.get, ('OMP_NUM_THREADS', 'MKL_NUM_THREADS')))", **given).communicate(
        timeout=20
    )
    assert output.splitlines() == [found] * 2


def test_threads_of_pytorch(start, monkeypatch):
    for name in ('OMP_NUM_THREADS', 'MKL_NUM_THREADS'):
        monkeypatch.delenv(name, raising=False)
    output, _ = start('if rank: import torch; say(torch.get_num_threads())').communicate(timeout=60)
    assert output == '1\n'


def test_runs_side_by_side_meet_at_different_ports(start):
    runs = [start("say(os.environ['MASTER_ADDR'], os.environ['MASTER_PORT'])") for _ in range(2)]
    found = [set(run.communicate(timeout=20)[0].splitlines()) for run in runs]
    assert [len(one) for one in found] == [1, 1] and found[0] != found[1]
    assert all(line.startswith('127.0.0.1 ') for one in found for line in one)


@pytest.mark.parametrize(
    ('variables', 'words'),
    [
        (
            dict(PORT='{}'),
            'port {} of this machine is in use: choose another by PORT=, or leave it out, and a free one',
        ),
        (dict(PORT='{}', NNODES='2'), 'port {} of this machine is in use: choose another by PORT= (the same on all'),
        (dict(PORT='https'), 'PORT=https is not a whole number from 1 to 65535'),
        (dict(NNODES='2', NODE_RANK='2'), 'NODE_RANK=2 is not a whole number from 0 to 1'),
        (dict(NNODES='2', NODE_RANK='1'), 'NODE_RANK=1 needs MASTER_ADDR='),
        (dict(processes='--amp'), 'PROCESSES=--amp is not a whole number'),
    ],
    ids=str,
)
def test_mistakes(start, variables, words):
    with socket.create_server(('', 0)) as server:
        port = server.getsockname()[1]
        process = start('say("started")', **{name: value.format(port) for name, value in variables.items()})
        output, error = process.communicate(timeout=20)
    assert process.returncode == 2 and not output
    assert error.startswith(f'error: {words.format(port)}') and error.count('\n') == 1


SENTENCE = "say('error: image', rank, to=2); sys.exit(2)"
PEER = "say('error: peer', to=2); sys.exit(1)"


@pytest.mark.parametrize(
    ('stub', 'status', 'lines'),
    [
        ('', 0, []),
        ("say('warning', rank, to=2)", 0, ['warning 0', 'warning 1']),
        (SENTENCE, 2, ['error: image 0']),
        (f'if rank: {SENTENCE}\n{PEER}', 2, ['error: peer', 'error: image 1']),
        (f'if not rank: {SENTENCE}\n{PEER}', 2, ['error: image 0']),
        ('sys.exit(75)', 75, []),
        ('sys.exit(75 if rank else 0)', 75, []),
        (f'if rank: sys.exit(75)\n{SENTENCE}', 2, ['error: image 0']),
        ('if rank: os.kill(os.getpid(), 9)', 137, ['error: the process of rank 1 was ended by SIGKILL; most likely']),
        ('sys.exit(130)', 130, []),
    ],
)  # fmt: skip
def test_how_runs_end(start, stub, status, lines):
    process = start(stub)
    output, error = process.communicate(timeout=20)
    assert process.returncode == status and not output
    found = sorted(error.splitlines()) if status == 0 else error.splitlines()
    assert [line[: len(start)] for line, start in zip(found, lines, strict=True)] == lines


SLOW_READER = """
import sys, time
from mmtranspose_cli import launcher
read = launcher.Worker._read
def late(worker):
    worker.process.wait()
    time.sleep(0.2)
    read(worker)
launcher.Worker._read = late
sys.exit(launcher.main(['2', sys.argv[1]]))
"""


def test_last_words_are_waited_for(tmp_path):
    """The launcher may see that a process has ended before it has read what the process said."""
    (tmp_path / 'run.py').write_text(f'{SCRIPT}if rank: {SENTENCE}\n{PEER}')
    command = [sys.executable, '-c', SLOW_READER, tmp_path / 'run.py']
    environment = {**os.environ, 'PYTHONPATH': str(ROOT)}
    run = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=20)
    assert run.returncode == 2 and run.stderr.splitlines() == ['error: peer', 'error: image 1']


STEPS = """
def finish(number, frame):
    global stopping
    stopping = number
stopping = None
for number in (signal.SIGTERM, signal.SIGUSR1):
    signal.signal(number, finish)
say('ready')
while stopping is None:
    time.sleep(0.02)
if rank == 0:
    time.sleep(0.5)  # writes a checkpoint
    say('saved')
sys.exit(75)
"""


@pytest.mark.parametrize(
    ('number', 'status', 'words'),
    [(signal.SIGTERM, 75, 'saved\n'), (signal.SIGUSR1, 75, 'saved\n'), (signal.SIGINT, 130, '')],
)
def test_signals_reach_the_processes(start, number, status, words):
    process = start(STEPS.replace('time.sleep(0.02)', 'time.sleep(60)' if status == 130 else 'time.sleep(0.02)'))
    assert [process.stdout.readline() for _ in range(2)] == ['ready\n'] * 2
    process.send_signal(number)
    assert process.communicate(timeout=20)[0] == words
    assert process.returncode == status


def test_ignored_signals_stay_ignored(start):
    """As under nohup: closing the terminal does not end the run."""
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        process = start(STEPS)
    finally:
        signal.signal(signal.SIGHUP, before)
    assert [process.stdout.readline() for _ in range(2)] == ['ready\n'] * 2
    process.send_signal(signal.SIGHUP)
    time.sleep(0.3)
    assert process.poll() is None
    process.send_signal(signal.SIGTERM)
    assert process.communicate(timeout=20)[0] == 'saved\n' and process.returncode == 75


def test_the_others_are_ended_after_one_has_failed(start, monkeypatch):
    process = start(f'signal.signal(signal.SIGTERM, lambda *_: sys.exit(3))\nif rank: {SENTENCE}\ntime.sleep(60)')
    begin = time.monotonic()
    assert process.communicate(timeout=20)[1] == 'error: image 1\n'
    assert process.returncode == 2 and time.monotonic() - begin < launcher.OTHERS + 5


SRUN = """#!/bin/bash
echo "srun $*" >> {log}
statuses=({statuses})
status=${{statuses[$(grep -c ^srun {log}) - 1]}}
[[ $status != wait ]] || {{
    trap 'echo "task USR1" >> {log}; exit 75' USR1
    trap 'echo "task TERM" >> {log}; exit 75' TERM
    touch {log}.ready
    for _ in {{1..1000}}; do sleep 0.02; done
}}
exit $status
"""
SCONTROL = """#!/bin/bash
echo "scontrol $*" >> {log}
[[ $1 != show ]] || echo JobState={state}
[[ $1 != requeue ]] || exit {refused}
"""


@pytest.fixture
def under_slurm(tmp_path):
    """Starts slurm_train.sh with stubs of srun and scontrol; gives its status, its output and what they were told."""
    log = tmp_path / 'log'

    def under_slurm(*options, statuses='75 0', state='RUNNING', refused=0, number=None, **variables):
        for name, text in (('srun', SRUN), ('scontrol', SCONTROL)):
            (tmp_path / name).write_text(text.format(log=log, statuses=statuses, state=state, refused=refused))
            (tmp_path / name).chmod(0o755)
        environment = {**os.environ, 'PATH': f'{tmp_path}:{os.environ["PATH"]}', **variables}
        command = ['bash', str(ROOT / 'tools' / 'slurm_train.sh'), 'gpu', 'job', 'c.py', 'w', *options]
        process = subprocess.Popen(
            command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
        try:
            while number is not None and not (tmp_path / 'log.ready').exists() and process.poll() is None:
                time.sleep(0.02)
            if number is not None:
                process.send_signal(number)
            output = process.communicate(timeout=20)[0]
        finally:
            process.kill()
        lines = log.read_text().splitlines()
        return (
            process.returncode,
            output,
            [line.split(' -p ')[0] if line[:4] == 'srun' else line for line in lines],
            lines,
        )

    return under_slurm


BATCH = dict(REQUEUE='1', SLURM_JOB_ID='7')
REQUEUED = ['srun', 'scontrol show job 7', 'scontrol requeue 7']


@pytest.mark.parametrize(
    ('options', 'status', 'told'),
    [
        ({}, 75, ['srun']),
        (dict(statuses='2'), 2, ['srun']),
        (dict(REQUEUE='1'), 0, ['srun', 'srun']),
        (dict(REQUEUE='1', statuses='75 75 2'), 2, ['srun'] * 3),
        (dict(REQUEUE='1', statuses='2'), 2, ['srun']),
        (BATCH, 75, REQUEUED),
        (dict(BATCH, state='CANCELLED'), 75, REQUEUED[:2]),
        (dict(BATCH, refused=1), 0, [*REQUEUED, 'srun']),
        (dict(statuses='wait', number=signal.SIGUSR1), 75, ['srun', 'task USR1']),
        (dict(statuses='wait', number=signal.SIGTERM), 75, ['srun', 'task TERM']),
        (dict(BATCH, statuses='wait', number=signal.SIGUSR1), 75, ['srun', 'task USR1', *REQUEUED[1:]]),
        (dict(BATCH, statuses='wait', number=signal.SIGTERM), 75, ['srun', 'task TERM', *REQUEUED[1:]]),
        (dict(REQUEUE='1', statuses='wait', number=signal.SIGTERM), 75, ['srun', 'task TERM']),
    ],
    ids=str,
)
def test_slurm_requeues_what_was_told_to_stop(under_slurm, options, status, told):
    code, output, found, lines = under_slurm(**options)
    assert (code, found) == (status, told), output
    for line in lines:
        if line.startswith('srun'):
            resume = ' --resume' if 'REQUEUE' in options else ''
            assert line.endswith(f'tools/train.py c.py --work-dir w{resume} --launcher slurm')


def test_resume_is_added_once(under_slurm):
    *_, lines = under_slurm('--resume', 'a.pth', '--amp', statuses='0', REQUEUE='1')
    assert lines[0].endswith('tools/train.py c.py --work-dir w --resume a.pth --amp --launcher slurm')


def test_slurm_runs_on_one_machine_meet_at_different_ports(tmp_path):
    ports = []
    for variables in ({}, {}, {'PORT': '29501'}, {'MASTER_PORT': '29502'}):
        (tmp_path / 'srun').write_text('#!/bin/bash\necho $MASTER_PORT\n')
        (tmp_path / 'srun').chmod(0o755)
        clean = {name: value for name, value in os.environ.items() if name not in ('PORT', 'MASTER_PORT')}
        environment = {**clean, 'PATH': f'{tmp_path}:{os.environ["PATH"]}', **variables}
        command = ['bash', str(ROOT / 'tools' / 'slurm_train.sh'), 'gpu', 'job', 'c.py', 'w']
        ports.append(int(subprocess.run(command, env=environment, capture_output=True, text=True).stdout))
    assert ports[2:] == [29501, 29502] and ports[0] != ports[1]
    assert all(20000 <= port < 32768 for port in ports[:2])
