"""The arguments of commands that take a model or an exported file in its place, and the loading of either."""

from __future__ import annotations

import argparse

from mmtranspose.acceleration.options import BACKENDS as ACCELERATORS
from mmtranspose.commands.command_line import add_model
from mmtranspose.deployment import load_exported
from mmtranspose.errors import InputError
from mmtranspose.files.exported_files import ENDINGS, is_exported_file
from mmtranspose.loading.init_model import init_model
from mmtranspose.typing import PoseEstimator

FOR_MODELS = ('cfg_options', 'allow_partial', 'allow_non_finite')


def add_estimator(arguments: argparse.ArgumentParser) -> None:
    """Add the arguments of a trained model, or of a file of `mmtranspose export` in its place, and of what runs it."""
    add_model(arguments, '; or a file of `mmtranspose export` (.onnx, .xml), which needs no checkpoint')
    arguments.add_argument(
        '--backend',
        choices=list(dict.fromkeys([*ACCELERATORS, *ENDINGS])),
        help='runtime of the network: for a model, torch (default) or openvino, which is faster on a CPU; for an '
        'exported file, onnxruntime, openvino or tensorrt (default: by its ending)',
    )


def load_estimator(args: argparse.Namespace) -> PoseEstimator:
    """Load the model or the exported file that the arguments name.

    Raises:
        InputError: It cannot be loaded, or an option is for the other kind.
    """
    if not is_exported_file(args.config):
        if args.backend not in (None, *ACCELERATORS):
            raise InputError(f'--backend {args.backend} is for exported files; a model has {" or ".join(ACCELERATORS)}')
        return init_model(
            args.config,
            args.checkpoint,
            args.device,
            getattr(args, 'cfg_options', None),
            args.allow_partial,
            args.allow_non_finite,
        )
    if args.checkpoint is not None:
        raise InputError(f'{args.config} is an exported file with its own weights: leave out {args.checkpoint}')
    given = [name.replace('_', '-') for name in FOR_MODELS if getattr(args, name, None)]
    if given:
        raise InputError(f'--{given[0]} is for models; {args.config} is an exported file')
    if args.backend not in (None, *ENDINGS):
        raise InputError(f'--backend {args.backend} is for models; an exported file has {" or ".join(ENDINGS)}')
    return load_exported(args.config, args.backend, args.device)
