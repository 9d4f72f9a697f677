"""Name all files of weights that a command still lacks, when one of them cannot be fetched."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from contextlib import contextmanager

from mmtranspose.detection.detector_loading import PERSON_DETECTOR, find_detector
from mmtranspose.errors import InputError
from mmtranspose.files.exported_files import is_exported_file
from mmtranspose.loading.download import NotFetched, cached_path, is_web
from mmtranspose.loading.zoo import bundled_models

BOXES = (
    'give the boxes, which needs no network: --bboxes whole-image where one person, head to feet, fills the image, '
    '--bboxes FILE.json for several people; `mmtranspose app MODEL --bboxes drawn` lets you draw them'
)


@contextmanager
def telling_all_missing(args: argparse.Namespace) -> Iterator[None]:
    """Let the error of a file that cannot be fetched list every such file of the command, with its place.

    Args:
        args (argparse.Namespace): With the arguments of a model, of a detector, and ``bboxes``.

    Raises:
        InputError: In place of :class:`~mmtranspose.loading.download.NotFetched`.
    """
    try:
        yield
    except NotFetched as error:
        places = {what: (url, cached_path(url)) for what, url in needed_weights(args).items()}
        missing = [f'- {what}: {url} as {path}' for what, (url, path) in places.items() if not path.is_file()]
        without = '' if args.config in bundled_models() else f'take {" or ".join(bundled_models())}, which comes with '
        without += 'the package, and ' if without else ''
        raise InputError(
            f'{error.args[0]}. Without a network, fetch what is missing elsewhere, and put it here by hand:',
            details=[*missing, f'Or {without}{BOXES}'],
        ) from error


def needed_weights(args: argparse.Namespace) -> dict[str, str]:
    """The URLs of the weights that the arguments ask for, by what they are of."""
    checkpoint = None if is_exported_file(args.config) else args.checkpoint
    found = {f'the checkpoint of {args.config}': checkpoint}
    if args.bboxes is None:
        config = args.det_config or PERSON_DETECTOR
        found["the person detector's checkpoint"] = args.det_checkpoint or find_detector(config)[1]
    return {what: url for what, url in found.items() if url is not None and is_web(url)}
