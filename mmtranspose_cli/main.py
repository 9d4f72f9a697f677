"""Run ``mmtranspose COMMAND [arguments]``, from a checkout or from an installed wheel."""

from __future__ import annotations

import difflib
import importlib
import importlib.util
import itertools
import os
import runpy
import shutil
import sys
from pathlib import Path
from typing import NoReturn

from mmtranspose_cli.terminal import print_any_character, print_error

# Each is `main` of mmtranspose/commands/COMMAND.py, except doctor, which must run where importing mmtranspose fails.
COMMANDS = {
    'train': 'train a model',
    'test': 'evaluate a checkpoint',
    'reproduce': "measure a released model by the paper's protocol, beside the reported results",
    'infer': 'estimate poses in images, folders, videos and cameras',
    'explain': 'show what predicted keypoints depend on: an interactive page, figures, raw maps',
    'explain-dataset': 'measure what predictions depend on over a dataset, and how faithful explanations are',
    'app': 'serve a web page for trying a model in a browser',
    'detect': "detect people in a dataset's images and write their bounding boxes, to evaluate with",
    'list': 'list the models that come with mmtranspose',
    'check-dataset': "look for mistakes in the annotations and images of a config's dataset",
    'yolo-to-coco': "convert a pose dataset of Ultralytics YOLO to COCO's format",
    'convert': "convert the authors' weights to an MMPose checkpoint",
    'export': 'write a model as one file that runs without PyTorch: image and boxes in, keypoints out',
    'web': 'write a folder whose page runs an exported file in the browser, and shows what keypoints depend on',
    'verify': 'compare an exported file with PyTorch on images',
    'export-detector': 'write a person detector as one file that runs without PyTorch: image in, boxes out',
    'publish': 'write a trained checkpoint as a file to share, without traces of the run',
    'doctor': 'find out what is wrong with this environment and how to fix it',
    'demo': 'train a small model on synthetic people, evaluate it and show what its predictions depend on',
    'demo-detector': 'train a person detector on the synthetic people of the demo',
    'generate-people': 'draw a dataset of synthetic people',
    'benchmark': 'compare the speed and memory of a model with those of its baseline',
    'flops': 'count the multiply-accumulates and parameters of networks',
}
# Commands of the release before this one: the mode of benchmark that each became, and its config where none was given.
RENAMED = {'encoder-memory': ('encoder', 'transpose-h-a6'), 'explanation-cost': ('explanation', None)}
# The statuses that commands exit with; mmtranspose/errors.py names them.
STATUSES = (
    'exit statuses:',
    '    0  done',
    '    1  failed, or some of the inputs could not be used, or problems were found (check-dataset, doctor)',
    '    2  a mistake in arguments or inputs, or lack of disk space, memory or permission; a sentence says what to do',
    '   75  training was asked to stop (SIGTERM, SIGUSR1) and wrote a checkpoint: go on with --resume',
    '  130  interrupted (Ctrl-C)',
)
# Shell scripts below tools/.
SCRIPTS = {
    'dist-train': ('dist_train.sh', 'train in several processes or on several GPUs'),
    'dist-test': ('dist_test.sh', 'evaluate in several processes or on several GPUs'),
    'dist-explain-dataset': ('dist_explain_dataset.sh', 'explain-dataset in several processes or on several GPUs'),
    'dist-infer': ('dist_infer.sh', 'infer in several processes or on several GPUs'),
    'dist-detect': ('dist_detect.sh', 'detect in several processes or on several GPUs'),
    'slurm-train': ('slurm_train.sh', 'train under Slurm'),
    'slurm-test': ('slurm_test.sh', 'evaluate under Slurm'),
    'slurm-explain-dataset': ('slurm_explain_dataset.sh', 'explain-dataset under Slurm'),
    'slurm-infer': ('slurm_infer.sh', 'infer under Slurm'),
    'slurm-detect': ('slurm_detect.sh', 'detect under Slurm'),
}


def package() -> Path:
    """The folder of the package mmtranspose, found without importing it.

    Raises:
        SystemExit: It is not installed.
    """
    spec = importlib.util.find_spec('mmtranspose')
    if spec is None or spec.origin is None:
        sys.exit('mmtranspose is not installed in this Python: see README, "Install"')
    return Path(spec.origin).parent


def usage() -> str:
    """The text of ``mmtranspose --help``."""
    rows = {**COMMANDS, **{name: what for name, (_, what) in SCRIPTS.items()}}
    width = max(map(len, rows))
    lines = [f'  {name:{width}}  {what}' for name, what in rows.items()]
    return '\n'.join(
        [
            'usage: mmtranspose COMMAND [arguments]',
            '',
            'Pose estimation with TransPose in MMPose, and what its predictions depend on.',
            '',
            *lines,
            '',
            *STATUSES,
            '',
            '`mmtranspose COMMAND --help` explains a command. Configs are files, or names from `mmtranspose list`:',
            '  mmtranspose test transpose-r-a3 tp_r_256x192_enc3_d256_h1024_mh8.pth --cfg-options data_root=/data/coco',
        ]
    )


def say(text: str) -> int:
    """Print a text; returns the exit status."""
    try:
        print(text, flush=True)
    except OSError as error:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        if not isinstance(error, BrokenPipeError):  # whoever read it has gone: `mmtranspose --help | head`
            print_error(f'the standard output cannot be written: {error.strerror}')
            return 2
    return 0


def run(command: str, arguments: list[str]) -> int | None:
    """Run a command in this process, or replace the process by a shell script; returns the exit status.

    Raises:
        SystemExit: The command has ended, with its exit status; or a script is missing from the installation.
    """
    if command in RENAMED:
        mode, _ = RENAMED[command]
        print(f'`mmtranspose {command}` is now `mmtranspose benchmark CONFIG {mode}`', file=sys.stderr)
        command, arguments = 'benchmark', benchmark_arguments(command, arguments)
    if command == 'doctor':
        from mmtranspose_cli.doctor import main as doctor

        return doctor(arguments)
    if command in SCRIPTS:
        run_script(command, arguments)
    try:
        from mmtranspose.commands.command_line import run as run_command

        module = importlib.import_module(f'mmtranspose.commands.{command.replace("-", "_")}')
    except KeyboardInterrupt:  # importing takes seconds
        print('interrupted', file=sys.stderr)
        return 130
    except Exception as error:  # a broken environment shows in many ways
        print_error(error)
        if 'mmtranspose doctor' not in str(error):
            print('`mmtranspose doctor` says what is wrong; with --fix it mends that, after asking.', file=sys.stderr)
        return 1
    run_command(module.main, arguments)


def benchmark_arguments(command: str, arguments: list[str]) -> list[str]:
    """The arguments of ``mmtranspose benchmark`` that stand for those of a command in ``RENAMED``."""
    mode, default = RENAMED[command]
    configs, options = [], []
    rest = iter(arguments)
    for argument in rest:
        if not argument.startswith('-'):
            configs.append(argument)
            continue
        options.append(argument)
        if '=' not in argument and argument not in ('-h', '--help'):
            options.extend(itertools.islice(rest, 1))  # its value
    if not configs and default is None and not {'-h', '--help'} & set(options):
        print_error(f'{command} needs a config: mmtranspose benchmark CONFIG {mode}')
        sys.exit(2)
    return [*(configs or [default or 'CONFIG']), mode, *options]


def run_script(command: str, arguments: list[str]) -> NoReturn:
    """Replace this process by a shell script of tools/.

    Raises:
        SystemExit: The script is missing from the installation, or there is no bash, as on Windows.
    """
    script = package() / '.mim' / 'tools' / SCRIPTS[command][0]
    if not script.is_file():
        sys.exit(f'{script} is missing: install mmtranspose again')
    if shutil.which('bash') is None:
        sys.exit(f'mmtranspose {command} is a script for bash, which is not there (on Windows, WSL has it)')
    variables = {**os.environ, 'PYTHON': sys.executable, 'COMMAND': f'mmtranspose {command}'}
    os.execvpe('bash', ['bash', str(script), *arguments], variables)


def run_tool(command: str) -> None:
    """Run a command with this process's arguments and exit, as the scripts in tools/ do."""
    sys.exit(run(command, sys.argv[1:]))


def main(arguments: list[str] | None = None) -> int | None:
    """Run the console command; returns the exit status, 2 for an unknown command."""
    print_any_character()
    command, *rest = (sys.argv[1:] if arguments is None else arguments) or ['']
    if command in ('-h', '--help', 'help'):
        return say(usage())
    if command == '--version':
        return say(runpy.run_path(str(package() / 'version.py'))['__version__'])
    if command in COMMANDS or command in SCRIPTS or command in RENAMED:
        return run(command, rest)
    if command:
        close = difflib.get_close_matches(command, [*COMMANDS, *SCRIPTS], n=1)
        hint = f'; did you mean {close[0]}?' if close else ''
        print(f'mmtranspose has no command {command!r}{hint}', file=sys.stderr)
    print(usage(), file=sys.stderr)
    return 2
