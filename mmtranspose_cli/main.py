"""``mmtranspose COMMAND [arguments]``: runs a tool of the package, from a checkout and from a wheel alike."""

from __future__ import annotations

import difflib
import importlib.util
import os
import runpy
import sys
import warnings
from collections.abc import Callable
from pathlib import Path

# command: (file below tools/, what it does)
COMMANDS = {
    'train': ('train.py', 'train a model'),
    'test': ('test.py', 'evaluate a checkpoint'),
    'infer': ('infer.py', 'poses in pictures, folders, videos and cameras'),
    'explain': ('explain.py', 'what poses rest on: a page to explore, figures, raw maps'),
    'explain-dataset': ('explain_dataset.py', 'what predictions rest on over a data set, and how faithful that is'),
    'app': ('app.py', 'a page for trying a model in a browser'),
    'detect': ('detect.py', 'people in the pictures of a data set: boxes to test with'),
    'list': ('list_models.py', 'the models that come with mmtranspose'),
    'check-dataset': ('check_dataset.py', "look for mistakes in a config's annotations and pictures"),
    'convert': ('model_converters/convert_official.py', "the authors' weights to an MMPose checkpoint"),
    'doctor': (None, 'what is wrong with this environment, and how to cure it'),
    'demo': ('demo.py', 'train on drawn people, evaluate, show what predictions rest on'),
    'demo-detector': ('demo_detector.py', "train a person detector on the demo's people"),
    'generate-people': ('generate_synthetic_people.py', 'draw a data set of people'),
    'benchmark': ('analysis_tools/benchmark.py', 'speed and memory beside what people use today'),
    'flops': ('analysis_tools/get_flops.py', 'multiply-accumulates and parameters of networks'),
    'encoder-memory': ('analysis_tools/encoder_memory.py', "memory and time of the encoder's training step"),
    'explanation-cost': ('analysis_tools/explanation_cost.py', 'time and memory that explaining adds'),
    'dist-train': ('dist_train.sh', 'train in several processes or on several GPUs'),
    'dist-test': ('dist_test.sh', 'evaluate in several processes or on several GPUs'),
    'dist-explain-dataset': ('dist_explain_dataset.sh', 'explain-dataset in several processes or on several GPUs'),
    'dist-detect': ('dist_detect.sh', 'detect in several processes or on several GPUs'),
    'slurm-train': ('slurm_train.sh', 'train under Slurm'),
    'slurm-test': ('slurm_test.sh', 'evaluate under Slurm'),
    'slurm-explain-dataset': ('slurm_explain_dataset.sh', 'explain-dataset under Slurm'),
}


def package() -> Path:
    """The folder of the package mmtranspose, which is not imported.

    Raises:
        SystemExit: It is not installed.
    """
    spec = importlib.util.find_spec('mmtranspose')
    if spec is None or spec.origin is None:
        sys.exit('mmtranspose is not installed in this Python: see README, "Install"')
    return Path(spec.origin).parent


def usage() -> str:
    """What ``mmtranspose --help`` prints."""
    width = max(map(len, COMMANDS))
    lines = [f'  {name:{width}}  {what}' for name, (_, what) in COMMANDS.items()]
    return '\n'.join(
        [
            'usage: mmtranspose COMMAND [arguments]',
            '',
            'Pose estimation by TransPose in MMPose, and what its predictions rest on.',
            '',
            *lines,
            '',
            '`mmtranspose COMMAND --help` explains a command. CONFIG is a file, or a name from `mmtranspose list`:',
            '  mmtranspose test transpose-r-a3 tp_r_256x192_enc3_d256_h1024_mh8.pth --cfg-options data_root=/data/coco',
        ]
    )


def run(command: str, arguments: list[str]) -> int | None:
    """Run a command's tool in this process (a shell script in its place); returns the exit status.

    Raises:
        SystemExit: With the tool's status; or the tool is missing from the installation.
    """
    if command == 'doctor':
        from mmtranspose_cli.doctor import main as doctor

        return doctor(arguments)
    tool = package() / '.mim' / 'tools' / COMMANDS[command][0]
    if not tool.is_file():
        sys.exit(f'{tool} is missing: install mmtranspose again')
    if tool.suffix == '.sh':
        variables = {**os.environ, 'PYTHON': sys.executable, 'COMMAND': f'mmtranspose {command}'}
        os.execvpe('bash', ['bash', str(tool), *arguments], variables)
    sys.argv = [f'mmtranspose {command}', *arguments]
    try:
        start, tool_main = load(tool)
    except Exception as error:  # noqa: BLE001  a broken stack shows in many ways
        print(f'error: {error}\n`mmtranspose doctor` says what is wrong and how to cure it.', file=sys.stderr)
        return 1
    return start(tool_main)


def load(tool: Path) -> tuple[Callable, Callable]:
    """What runs a tool's ``main`` with the tools' way of reporting errors, and that ``main``."""
    warnings.filterwarnings('ignore', message='pkg_resources is deprecated')  # mmengine imports it
    from mmtranspose.commands.command_line import run as start

    spec = importlib.util.spec_from_file_location(f'mmtranspose_tool_{tool.stem}', tool)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return start, module.main


def main(arguments: list[str] | None = None) -> int | None:
    """The console command; returns the exit status, 2 for an unknown command."""
    command, *rest = (sys.argv[1:] if arguments is None else arguments) or ['']
    if command in ('-h', '--help', 'help'):
        print(usage())
        return 0
    if command == '--version':
        print(runpy.run_path(str(package() / 'version.py'))['__version__'])
        return 0
    if command in COMMANDS:
        return run(command, rest)
    if command:
        close = difflib.get_close_matches(command, COMMANDS, n=1)
        hint = f'; did you mean {close[0]}?' if close else ''
        print(f'mmtranspose has no command {command!r}{hint}', file=sys.stderr)
    print(usage(), file=sys.stderr)
    return 2
