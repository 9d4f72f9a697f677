"""Whose environment ``.venv`` is, where checkouts link to one another's. Standard library only, Python 3.8 syntax."""

from __future__ import annotations

import os
import re
from pathlib import Path

from interpreter import SetupError

SHARED = 'MMTRANSPOSE_SHARED_VENV'  # 1: set-up may change an environment that is another checkout's
CI_CACHE = re.compile(r'venv-py\d\.\d+-[0-9a-f]{12}')  # what .ci/run links as .venv: clones take turns with it


def require_own(env: Path, root: Path, project: str) -> None:
    """See to it that set-up does not change another checkout's environment unasked.

    Args:
        env: The environment, or a link to it.
        root: The checkout that set-up is of.
        project: The checkout that is installed in the environment, or ''.

    Raises:
        SetupError: It would.
    """
    owner = None if os.environ.get(SHARED) == '1' else other_owner(env, root, project)
    if owner is not None:
        link = f' (a link to {os.path.realpath(str(env))})' if env.is_symlink() else ''
        raise SetupError(
            f'{env}{link} is the environment of the checkout {owner}, and set-up would make its commands run the code '
            f'of {root}: remove {env} and run make again, which makes an environment of its own; or use it as it is '
            f'with PYTHON=.venv/bin/python; or go on with {SHARED}=1.'
        )


def other_owner(env: Path, root: Path, project: str) -> Path | None:
    """The other checkout that the environment belongs to; None if it is this one's, nobody's, or CI's.

    It belongs to the checkout in which it lies, if ``env`` is a link into one; else to the one installed in it.
    """
    place = env
    while place.is_symlink():
        place = place.parent / os.readlink(str(place))
        if _is_other_checkout(place.parent, root):
            return place.parent.resolve()
    taken = project and not CI_CACHE.fullmatch(place.name) and _is_other_checkout(Path(project), root)
    return Path(project) if taken else None


def _is_other_checkout(folder: Path, root: Path) -> bool:
    return (folder / 'mmtranspose' / 'version.py').is_file() and folder.resolve() != root.resolve()
