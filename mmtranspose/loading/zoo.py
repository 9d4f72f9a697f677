"""The zoo: the models and configs that come with the package, by name.

Metafiles (YAML beside the configs, as in OpenMMLab's projects) list the models with their names, results and, for
some, their weights: a file of this package, or the URL of what the authors of TransPose released. Configs and metafiles
lie in ``mmtranspose/.mim``, where OpenMMLab's tools look for them: real files in an installed wheel, links to
``configs``, ``tools``, ``model-index.yml`` and ``dataset-index.yml`` in a checkout.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mmengine.fileio import load

from mmtranspose.errors import InputError
from mmtranspose.typing import PathLike

MIM = Path(__file__).resolve().parents[1] / '.mim'
LEAST_ALIKE = 0.5  # of names, from 0 to 1, to offer one for the other


def models() -> list[dict[str, Any]]:
    """List the models of all metafiles that ``model-index.yml`` names, in its order.

    Returns:
        list[dict]: The entries of the metafiles (``Name``, ``Alias``, ``Metadata``, ``Results``, ...) with two changes:
        ``Config`` and, if they are a file, ``Weights`` are absolute, and ``Weights`` is None for a model without.

    Raises:
        InputError: The index is missing, so the installation is not whole.
    """
    index = MIM / 'model-index.yml'
    if not index.is_file():
        raise InputError(f'{index} is missing: install mmtranspose again')
    entries = [entry for metafile in load(str(index))['Import'] for entry in load(str(MIM / metafile))['Models']]
    return [
        {**entry, 'Config': str(MIM / entry['Config']), 'Weights': place(entry.get('Weights'))} for entry in entries
    ]


def place(weights: str | None) -> str | None:
    """The ``Weights`` of a metafile as a URL or an absolute path; None for a model without weights."""
    return weights if weights is None or '://' in weights else str(MIM / weights)


def names_of(model: dict[str, Any]) -> list[str]:
    """The name of a model in a metafile, followed by its aliases."""
    alias = model.get('Alias') or []
    return [model['Name'], *([alias] if isinstance(alias, str) else alias)]


def find_config(name: str) -> str:
    """Find the file of a config that comes with the package.

    Args:
        name (str): The name or alias of a model (``'transpose-r-a3'``), or the name of a config file or its path
            (``'configs/...'``), with or without ``.py``.

    Raises:
        InputError: There is none of this name; the message lists similar names.
    """
    files = sorted(path for path in (MIM / 'configs').rglob('*.py') if '_base_' not in path.parts)
    known = {alias: model['Config'] for model in models() for alias in names_of(model)}
    for path in files:
        known |= {path.stem: str(path), relative(path).removesuffix('.py'): str(path)}
    wanted = name.removesuffix('.py').removeprefix('configs/')
    for spelling in (wanted, f'configs/{wanted}', wanted.lower()):
        if spelling in known:
            return known[spelling]
    close = _similar(wanted.lower(), {key: path for key, path in known.items() if '/' in wanted or '/' not in key})
    hint = f'did you mean {", ".join(close)}?' if close else '`mmtranspose list` shows those that there are'
    if Path(f'{name}.py').is_file():
        hint = f'did you mean the file {name}.py?'
    raise InputError(f'config {name} does not exist, neither as a file nor as a model of mmtranspose; {hint}')


def _similar(wanted: str, known: Mapping[str, str]) -> list[str]:
    """At most three names, one a config file: first those whose beginning is like ``wanted``, or that contain it."""

    def ratio(name: str) -> float:
        return difflib.SequenceMatcher(None, name, wanted).ratio()

    alike = {name: (max(ratio(name[: len(wanted)]), wanted in name), ratio(name)) for name in known}
    near = sorted((name for name in known if max(alike[name]) >= LEAST_ALIKE), key=alike.__getitem__, reverse=True)
    found: dict[str, str] = {}  # the best name of each config
    for name in near:
        found.setdefault(known[name], name)
    return list(found.values())[:3]


def is_model(name: object) -> bool:
    """Whether a text is the name or an alias of a model, not a path; of the two, a file of that name comes first."""
    known = (alias.lower() for model in models() for alias in names_of(model))
    return isinstance(name, str) and name.lower() in known and not Path(name).is_file()


def default_weights(config: PathLike, advice: str = 'name a checkpoint after the config') -> str:
    """Find the weights that come with a model, for whoever names no checkpoint.

    Args:
        config (str | Path): As for :func:`find_config`.
        advice (str): Ends the message of the error.

    Returns:
        str: A file of this package, or a URL.

    Raises:
        InputError: There are none; or the config is a file of somebody else's.
    """
    path = Path(config)
    wanted = str(path.resolve()) if path.is_file() else find_config(str(config))
    for model in models():
        if model['Weights'] is not None and Path(model['Config']).resolve() == Path(wanted).resolve():
            return model['Weights']
    raise InputError(f'{config} comes without weights: {advice}')


def bundled_models() -> list[str]:
    """The names of the models whose weights come with the package, so that they need no network."""
    return [names_of(one)[-1] for one in models() if one['Weights'] and '://' not in one['Weights']]


def weights_sha256(url: str) -> str | None:
    """The SHA-256 of released weights, where ``Metadata`` of their metafile has it (``Weights SHA256``); else None."""
    return next((one.get('Metadata', {}).get('Weights SHA256') for one in models() if one['Weights'] == url), None)


def relative(config: PathLike) -> str:
    """The path of a config of the package as in a checkout, ``'configs/...'``."""
    return Path(config).relative_to(MIM).as_posix()


def summary(model: dict[str, Any]) -> tuple[str, str, str]:
    """Sum up an entry of :func:`models` in three cells of a table.

    Returns:
        tuple[str, str, str]: The training data; the first AP of its results in per cent, ``'-'`` for none; ``'yes'``
        or ``'no'``: whether there are weights.
    """
    metrics = (model.get('Results') or [{}])[0].get('Metrics', {})
    ap = f'{100 * metrics["AP"]:.1f}' if 'AP' in metrics else '-'
    trained_on = model['Metadata']['Training Data']
    trained_on = trained_on if isinstance(trained_on, list) else [trained_on]
    return ' + '.join(trained_on), ap, 'yes' if model['Weights'] else 'no'
