"""Detectors by name: mmdet's model zoo and this project's own."""

from __future__ import annotations

import difflib
from pathlib import Path

from mmengine.infer import BaseInferencer

from mmtranspose.errors import InputError
from mmtranspose.zoo import find_config


def find_detector(name: str) -> tuple[str, str | None]:
    """The config file of a detector, and where its weights are.

    Args:
        name (str): A file; a model of mmdet's zoo by its name or alias (``rtmdet_tiny_8xb32-300e_coco``,
            ``rtmdet-t``); or a config of mmtranspose by its name.

    Returns:
        tuple[str, str | None]: The file; the URL of mmdet's weights, None for a file and for our own configs.

    Raises:
        InputError: There is none of this name; names those of mmdet that are close to it.
    """
    if Path(name).is_file():
        return name, None
    root = Path(BaseInferencer._get_repo_or_mim_dir('mmdet'))
    known = {}
    for model in BaseInferencer._get_models_from_metafile(str(root)):
        alias = model.get('Alias') or []
        for one in (model['Name'], *([alias] if isinstance(alias, str) else alias)):
            known.setdefault(one.lower(), model)
    model = known.get(name.lower().removesuffix('.py'))
    if model is not None:
        weights = model.get('Weights')
        return str(root / model['Config']), weights[0] if isinstance(weights, list) else weights
    try:
        return find_config(name), None
    except InputError:
        close = difflib.get_close_matches(name.lower(), known, n=3, cutoff=0.5)
        hint = f'did you mean {", ".join(close)}?' if close else 'rtmdet_tiny_8xb32-300e_coco is one of the zoo'
        raise InputError(
            f"detector config {name} does not exist, neither as a file nor in mmdet's model zoo; {hint}"
        ) from None
