"""The options of ``mmtranspose infer`` for several processes that share the inputs."""

from __future__ import annotations

import argparse
import os
from collections import Counter
from pathlib import Path

import torch

from mmtranspose.commands.command_line import add_launcher
from mmtranspose.errors import InputError
from mmtranspose.media import Source
from mmtranspose.media.inputs import is_pattern, start_of
from mmtranspose.results.shards import Shard

# Variables in which a launcher tells the number of the process, how many there are, and the number on this machine.
# Those of other launchers may be set, too, and mean something else: a launcher may run inside a job of Slurm.
VARIABLES = {
    'pytorch': ('RANK', 'WORLD_SIZE', 'LOCAL_RANK'),
    'slurm': ('SLURM_PROCID', 'SLURM_NTASKS', 'SLURM_LOCALID'),
    'mpi': ('OMPI_COMM_WORLD_RANK', 'OMPI_COMM_WORLD_SIZE', 'OMPI_COMM_WORLD_LOCAL_RANK'),
}


def add_sharding(arguments: argparse.ArgumentParser) -> None:
    """Add the options of several processes that share the inputs."""
    group = arguments.add_argument_group('several processes (`mmtranspose dist-infer` starts them on one machine)')
    group.add_argument(
        '--shard',
        type=_shard,
        metavar='K/N',
        help='be process K of N that share the inputs, on any machines with the same inputs; run again after a stop, '
        'it goes on where it was. The one that finishes last merges the results',
    )
    group.add_argument(
        '--merge',
        action='store_true',
        help='merge what all shards have written, for instance after you copied their folders together',
    )
    add_launcher(group)  # type: ignore[arg-type]  # a group adds arguments as a parser does


def _shard(text: str) -> Shard:
    try:
        return Shard.parse(text)
    except InputError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def shard_of(args: argparse.Namespace) -> Shard | None:
    """The shard that this process is by ``--shard`` or by its launcher; None where it is the only process.

    Raises:
        InputError: Several options say it.
    """
    launched = args.launcher != 'none'
    if (args.shard is not None) + args.merge + launched > 1:
        raise InputError('--shard, --merge and --launcher exclude each other: each says what this process is to do')
    if not launched:
        return args.shard
    rank, count, _ = _told_by(args.launcher)
    return Shard(rank + 1, count)


def device_of(args: argparse.Namespace) -> str:
    """The device of this process: of launched ones, each has a GPU of its own, if there are some."""
    if args.launcher != 'none' and (args.device == 'cuda' or (args.device is None and torch.cuda.is_available())):
        *_, local = _told_by(args.launcher)
        return f'cuda:{local % max(1, torch.cuda.device_count())}'
    return args.device or 'cpu'


def _told_by(launcher: str) -> tuple[int, int, int]:
    """The number of this process, the number of processes, and the number of this process on its machine.

    Raises:
        InputError: A variable is no whole number.
    """
    told = []
    for name, default in zip(VARIABLES[launcher], ('0', '1', '0')):
        text = os.environ.get(name) or default
        if not text.isdecimal():
            raise InputError(f'{name}={text}, of --launcher {launcher}, is not a whole number')
        told.append(int(text))
    rank, count, local = told
    return rank, count, local


def require_shareable(args: argparse.Namespace, source: Source, page: bool) -> None:
    """Check that processes can share the inputs.

    Raises:
        InputError: There is a camera or a window, a pattern starts in the folder of the results, or pages of images
            with equal names are asked for.
    """
    if source.live:
        raise InputError('a camera cannot be shared by processes: leave it out, or run it without --shard')
    root = os.path.realpath(args.output_root or '')
    for given in filter(is_pattern, args.input):
        if os.path.realpath(start_of(given)) == root:
            raise InputError(
                f'--input {given} may match what is written to --output-root {args.output_root}, and a run that goes '
                'on needs the same inputs: choose another folder'
            )
    if args.show:
        raise InputError('--show is for one process: leave it out, or run without --shard')
    stems = Counter(Path(one.path).stem for one in source.inputs)  # type: ignore[attr-defined]  # images and videos
    twice = [stem for stem, count in stems.items() if count > 1]
    if page and twice:
        raise InputError(
            f'--explain page of several inputs of the name {twice[0]} is for one process, which numbers the files as '
            'they come: rename inputs, or run them into different folders'
        )
