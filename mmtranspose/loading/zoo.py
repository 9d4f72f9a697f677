"""The configs and models that the package brings, by name.

They lie in ``mmtranspose/.mim``, where OpenMMLab's tools look for them: real files in an installed wheel, links to the
checkout's ``configs``, ``tools``, ``model-index.yml`` and ``dataset-index.yml`` in a checkout.
"""

from __future__ import annotations

import difflib
from pathlib import Path

from mmengine.fileio import load

from mmtranspose.errors import InputError

MIM = Path(__file__).resolve().parents[1] / '.mim'


def models() -> list[dict]:
    """The models of all metafiles that ``model-index.yml`` names, in its order.

    Returns:
        list[dict]: As in the metafiles (``Name``, ``Alias``, ``Metadata``, ``Results``, ...), with two changes:
        ``Config`` is absolute, and ``Weights`` is None for a model that has none.

    Raises:
        InputError: The index is missing: the installation is not whole.
    """
    index = MIM / 'model-index.yml'
    if not index.is_file():
        raise InputError(f'{index} is missing: install mmtranspose again')
    entries = [entry for metafile in load(str(index))['Import'] for entry in load(str(MIM / metafile))['Models']]
    return [{'Weights': None, **entry, 'Config': str(MIM / entry['Config'])} for entry in entries]


def names_of(model: dict) -> list[str]:
    """A model's name and its aliases."""
    alias = model.get('Alias') or []
    return [model['Name'], *([alias] if isinstance(alias, str) else alias)]


def find_config(name: str) -> str:
    """The file of a config that the package brings.

    Args:
        name (str): A model's name or alias (``transpose-r-a3``), a config file's name, or its path (``configs/...``);
            with or without ``.py``.

    Raises:
        InputError: There is none of this name; names those that are close to it.
    """
    files = sorted(path for path in (MIM / 'configs').rglob('*.py') if '_base_' not in path.parts)
    known = {alias: model['Config'] for model in models() for alias in names_of(model)}
    for path in files:
        known |= {path.stem: str(path), relative(path).removesuffix('.py'): str(path)}
    wanted = name.removesuffix('.py').removeprefix('configs/')
    for spelling in (wanted, f'configs/{wanted}', wanted.lower()):
        if spelling in known:
            return known[spelling]
    close = difflib.get_close_matches(wanted.lower(), known, n=3, cutoff=0.5)
    hint = f'did you mean {", ".join(close)}?' if close else '`mmtranspose list` shows those that there are'
    raise InputError(f'config {name} does not exist, neither as a file nor as a model of mmtranspose; {hint}')


def relative(config: str | Path) -> str:
    """A config's path as in the checkout, ``configs/...``."""
    return Path(config).relative_to(MIM).as_posix()


def summary(model: dict) -> tuple[str, str, str]:
    """What a model was trained on, its first reported AP in per cent ('-' for none), and 'yes' if it has weights."""
    metrics = (model.get('Results') or [{}])[0].get('Metrics', {})
    ap = f'{100 * metrics["AP"]:.1f}' if 'AP' in metrics else '-'
    trained_on = model['Metadata']['Training Data']
    trained_on = trained_on if isinstance(trained_on, list) else [trained_on]
    return ' + '.join(trained_on), ap, 'yes' if model['Weights'] else 'no'
