"""Shared parts of the commands: arguments, errors as one sentence, exit statuses, signals."""

from __future__ import annotations

import argparse
import logging
import os
import signal
import sys
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from math import inf, isfinite, nan
from pathlib import Path
from typing import Any, NoReturn

from mmengine.config import DictAction
from torch import distributed

from mmtranspose.commands.machine_errors import lost_peer, machine_error, original_message
from mmtranspose.commands.misplaced_inputs import advice, require_no_input
from mmtranspose.compat import keep_memory
from mmtranspose.errors import FAILED, INTERRUPTED, MISTAKE, InputError, Preempted, TrainingError
from mmtranspose.files.exported_files import is_exported_file
from mmtranspose.loading.zoo import default_weights
from mmtranspose_cli.parser import CommandParser
from mmtranspose_cli.terminal import escape_messages, print_any_character, print_error

RESULTS = 'results'  # the folder of results where none is named
BBOX_CATEGORY = (
    'category_id of people in the file of boxes; others are left out (default: the one that people carry in the '
    'annotations; else 1; else the only one in the file)'
)
METHODS = (
    'attention-1 (that of layer 1), attention-2, ..., attention-norm-1 (weighted by the values), ..., rollout, '
    'gradient-attention, layer-cam-encoder, layer-cam-stem, input-gradient, smooth-grad, integrated-gradients, '
    'token-ablation and edge-knockout (interventions: what the keypoint loses), and the controls gaussian and random'
)
# Launcher: a variable that it sets for each process, and how to start it.
STARTED_BY = {
    'pytorch': ('RANK', 'use `mmtranspose dist-train CONFIG PROCESSES` (dist-test, ...)'),
    'slurm': ('SLURM_PROCID', 'use `mmtranspose slurm-train PARTITION JOB_NAME CONFIG WORK_DIR` (slurm-test, ...)'),
    'mpi': ('OMPI_COMM_WORLD_RANK', 'use mpirun'),
}


def run(main: Callable[[Sequence[str] | None], int | None], argv: Sequence[str] | None = None) -> NoReturn:
    """Run a command's ``main`` and exit with its status; ``mmtranspose --help`` lists what each status means.

    After a mistake in what was given, only a message is printed and the exit status is 2. Such mistakes are an
    :class:`InputError` and what :func:`machine_error` knows: an image that cannot be read, a full disk, a missing
    permission, memory or a port that is used up. After a :class:`TrainingError` it is 1, after Ctrl-C 130. Other errors
    keep a traceback.
    """
    keep_memory.apply()
    escape_messages()
    print_any_character()
    logging.raiseExceptions = False  # a full disk would cost a traceback for each line of the log
    # MMPose's datasets name their metainfo by a path relative to MMPose, and warn that it is found there.
    warnings.filterwarnings('ignore', message='The metainfo config file')
    # The data loaders of our configs pin memory; without an accelerator PyTorch warns at each of them.
    warnings.filterwarnings('ignore', message="'pin_memory' argument is set as true but no accelerator is found")
    # They have more processes than a small machine has cores, which PyTorch says twice of each of them.
    warnings.filterwarnings('ignore', message='This DataLoader will create')
    try:
        status = main(argv)
        sys.stdout.flush()  # here a full disk can still be told
        sys.exit(status)
    except Preempted:
        for name in ('SIGTERM', 'SIGUSR1'):  # another one must not change the status while Python ends
            if hasattr(signal, name):  # Windows has no SIGUSR1
                signal.signal(getattr(signal, name), signal.SIG_IGN)
        raise
    except BrokenPipeError:  # whoever read the output has gone: `... | head`
        _drop_output()
        sys.exit(FAILED)
    except (KeyboardInterrupt, Exception) as error:
        # mmengine makes a SyntaxError of a Ctrl-C that comes while it lays out a config, as for each checkpoint.
        if isinstance(error, KeyboardInterrupt) or isinstance(error.__context__, KeyboardInterrupt):
            print('interrupted', file=sys.stderr)
            sys.exit(INTERRUPTED)
        status, message = _told(error, main.__module__.rpartition('.')[2])
        if message is None:
            raise
        _drop_output()
        print_error(error if getattr(error, 'details', ()) else message)
        sys.exit(status)


def _told(error: Exception, command: str) -> tuple[int, str | None]:
    """Exit status and message of an error; no message for a fault of the program."""
    if isinstance(error, TrainingError):
        return FAILED, str(error)
    if isinstance(error, InputError):
        return MISTAKE, original_message(error)
    if distributed.is_available() and distributed.is_initialized() and lost_peer(error):
        return FAILED, lost_peer(error)
    return MISTAKE, machine_error(error, command)


def _drop_output() -> None:
    """Write what is still to be written; where that cannot be, let Python forget it rather than complain at its end."""
    try:
        sys.stdout.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


@contextmanager
def sigterm_as_interrupt() -> Iterator[None]:
    """Let SIGTERM raise KeyboardInterrupt, as Ctrl-C does, so that files are completed; finally restore its handler."""
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def whole_number(text: str) -> int:
    """Parse an argument that is a whole number, 1 or larger.

    Raises:
        argparse.ArgumentTypeError: The text is something else.
    """
    return _whole_number_from(1, text)


def from_zero(text: str) -> int:
    """Parse an argument that is a whole number, 0 or larger.

    Raises:
        argparse.ArgumentTypeError: The text is something else.
    """
    return _whole_number_from(0, text)


def image_to_write(text: str) -> Path:
    """Parse an argument that names an image to write.

    Raises:
        argparse.ArgumentTypeError: The name ends in another way than ``.png``, ``.jpg`` or ``.jpeg``.
    """
    if Path(text).suffix.lower() not in ('.png', '.jpg', '.jpeg'):
        raise argparse.ArgumentTypeError(f'{text}: the name must end in .png or .jpg')
    return Path(text)


def _whole_number_from(least: int, text: str) -> int:
    if not text.isdecimal() or int(text) < least:
        raise argparse.ArgumentTypeError(f'{text} is not a whole number from {least} on')
    return int(text)


def share(text: str) -> float:
    """Parse an argument that is a number from 0 to 1.

    Raises:
        argparse.ArgumentTypeError: The text is something else.
    """
    return _number(text, lambda value: 0 <= value <= 1, 'a number from 0 to 1')


def score(text: str) -> float:
    """Parse an argument that is the least score of something; scores of heatmaps may exceed 1, or lie just below 0.

    Raises:
        argparse.ArgumentTypeError: The text is no finite number.
    """
    return _number(text, isfinite, 'a finite number')


def seconds(text: str) -> float:
    """Parse an argument that is a number of seconds from 0 on.

    Raises:
        argparse.ArgumentTypeError: The text is something else.
    """
    return _number(text, lambda value: 0 <= value < inf, 'a number of seconds from 0 on')


def minutes(text: str) -> float:
    """Parse an argument that is a number of minutes above 0.

    Raises:
        argparse.ArgumentTypeError: The text is something else.
    """
    return _number(text, lambda value: 0 < value < inf, 'a number of minutes above 0')


def _number(text: str, is_allowed: Callable[[float], bool], kind: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = nan
    if not is_allowed(value):
        raise argparse.ArgumentTypeError(f'{text} is not {kind}')
    return value


def add_model(arguments: argparse.ArgumentParser, instead: str = '') -> None:
    """Add the arguments of a trained model: config and checkpoint; ``instead`` says what may be given in its place."""
    arguments.add_argument('config', help=f'config file, or a name from `mmtranspose list`{instead}')
    arguments.add_argument(
        'checkpoint',
        nargs='?',
        help="checkpoint file or URL, .pth or .safetensors; the authors' released files are accepted, too (default: "
        'the released weights of the model, where `mmtranspose list` shows some; they are fetched once)',
    )


def add_runner_arguments(arguments: argparse.ArgumentParser) -> None:
    """Add the arguments that ``train`` and ``test`` share, as in MMPose's tools."""
    arguments.add_argument(
        '--work-dir', help='folder for logs, checkpoints and results (default: work_dirs/CONFIG_NAME)'
    )
    arguments.add_argument('--show-dir', help='save images of the predictions in this folder')
    arguments.add_argument('--show', action='store_true', help='show the predictions in a window')
    arguments.add_argument(
        '--interval',
        type=whole_number,
        default=1,
        help='show or save every INTERVAL-th sample of a test, or the first sample of every INTERVAL-th batch of the '
        'validation in training (default: 1)',
    )
    arguments.add_argument(
        '--wait-time', type=seconds, default=1, help='seconds for which each image is shown (default: 1)'
    )
    arguments.add_argument(
        '--no-data-check',
        action='store_true',
        help='do not check annotations, boxes and images first, as `mmtranspose check-dataset` does more thoroughly',
    )
    add_cfg_options(arguments)
    add_allow_partial(arguments)
    add_launcher(arguments)


def add_launcher(arguments: argparse.ArgumentParser) -> None:
    """Add the arguments of a command that several processes may run together."""
    arguments.add_argument(
        '--launcher',
        choices=['none', 'pytorch', 'slurm', 'mpi'],
        default='none',
        help='the program that started several processes',
    )
    arguments.add_argument('--local_rank', '--local-rank', type=int, default=0, help=argparse.SUPPRESS)


class ConfigOptions(DictAction):
    """mmengine's ``KEY=VALUE``, but that a value without brackets or commas keeps its blanks, as a path may have."""

    def __call__(
        self, parser: argparse.ArgumentParser, namespace: argparse.Namespace, values: Any, option_string: Any = None
    ) -> None:
        """Parse the values into a dict of dotted keys."""
        super().__call__(parser, namespace, values, option_string)
        options = getattr(namespace, self.dest)
        for pair in values if isinstance(values, list) else [values]:
            key, _, value = pair.partition('=')
            if ' ' in value.strip() and not set(value) & set('[](),'):
                options[key] = value.strip('\'"')


def add_cfg_options(arguments: argparse.ArgumentParser) -> None:
    """Add the argument that changes the config."""
    arguments.add_argument(
        '--cfg-options',
        nargs='+',
        action=ConfigOptions,
        default={},
        metavar='KEY=VALUE',
        help='change the config: dotted keys, lists as key="[a,b]" or key=a,b without spaces; '
        'data_root=DIR sets the folder of the whole dataset',
    )


def add_allow_partial(arguments: argparse.ArgumentParser) -> None:
    """Add the argument that relaxes the check of checkpoints."""
    arguments.add_argument(
        '--allow-partial',
        action='store_true',
        help='load the matching part of a checkpoint that does not match the model (transfer), and print what fits',
    )


def add_allow_non_finite(arguments: argparse.ArgumentParser) -> None:
    """Add the argument that loads the weights of a training that diverged."""
    arguments.add_argument(
        '--allow-non-finite',
        action='store_true',
        help='load a checkpoint with weights that are NaN or infinite, which is refused by default',
    )


def parse(arguments: CommandParser, argv: Sequence[str] | None) -> argparse.Namespace:
    """Parse the command line of a command with :func:`add_model` or :func:`add_launcher`.

    Without a checkpoint the model's own weights are taken; ``--local-rank`` sets ``LOCAL_RANK`` where the launcher did
    not.

    Raises:
        InputError: An image stands where the model or its checkpoint does; no checkpoint is named and the model comes
            without weights; or ``--launcher`` names a program that has not started this process.
    """
    words = sys.argv[1:] if argv is None else list(argv)
    if '--input' in arguments.format_usage():
        arguments.advice = lambda: advice(words)
    args = arguments.parse_intermixed_args(argv)  # an optional checkpoint may come after options, too
    require_no_input(args)
    if 'checkpoint' in args and args.checkpoint is None and not is_exported_file(args.config):
        args.checkpoint = default_weights(args.config)
    if 'launcher' not in args:
        return args
    variable, command = STARTED_BY.get(args.launcher, ('', ''))
    if variable and variable not in os.environ:
        raise InputError(
            f'--launcher {args.launcher} is for processes that another program starts, which sets {variable}: {command}'
        )
    os.environ.setdefault('LOCAL_RANK', str(args.local_rank))
    return args
