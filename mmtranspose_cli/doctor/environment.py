"""Collect the facts about the environment that runs this."""

from __future__ import annotations

import os
import re
import shutil
import sys
import sysconfig
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

from mmtranspose_cli.doctor.needs import CHAINS, Need, all_needs
from mmtranspose_cli.doctor.probing import Outcome, run_chain
from mmtranspose_cli.doctor.versions import parse


class Environment(NamedTuple):
    """The facts about an environment.

    Attributes:
        python: (major, minor, micro).
        executable: The interpreter's path.
        has_pip: Whether the interpreter has pip.
        has_driver: Whether NVIDIA's tools are there, so a GPU may be too.
        needs: All modules that were looked for, in the order of the table.
        distributions: Versions of the installed distributions by normalised name.
        outcomes: Results of trying the modules, by module name; ``cuda`` is one of them.
        no_pip: Why pip can install nothing into this environment; '' where it can.
    """

    python: tuple[int, ...]
    executable: str
    has_pip: bool
    has_driver: bool
    needs: tuple[Need, ...]
    distributions: dict[str, str]
    outcomes: dict[str, Outcome]
    no_pip: str = ''

    def outcome(self, module: str) -> Outcome:
        """The result of trying a module."""
        return self.outcomes.get(module, Outcome('missing'))

    def works(self, module: str) -> bool:
        """Whether a module can be imported and used."""
        return self.outcome(module).state == 'ok'

    def installed(self, need: Need) -> tuple[str, str]:
        """Name and version of the distribution that provides a module; if pip knows none: '' and ``__version__``."""
        for name in need.distributions:
            if name.replace('_', '-') in self.distributions:
                return name, self.distributions[name.replace('_', '-')]
        return '', self.outcome(need.module).info.get('version', '')

    def version(self, module: str) -> str:
        """A module's version, or ''."""
        need = next(need for need in self.needs if need.module == module)
        return self.installed(need)[1] if self.outcome(module).state != 'missing' else ''

    def parsed(self, module: str) -> tuple[int, ...]:
        """A module's version as numbers that can be compared."""
        return parse(self.version(module))


def is_there(module: str) -> bool:
    """Whether a module can be found; a folder without ``__init__.py`` that has its name by chance does not count."""
    try:
        spec = find_spec(module)
    except (ImportError, ValueError):
        return False
    return spec is not None and spec.origin is not None


def installed_distributions() -> dict[str, str]:
    """Versions of the installed distributions by normalised name; the first on the path counts, as for imports."""
    found: dict[str, str] = {}
    for distribution in metadata.distributions():
        name = distribution.metadata['Name']
        if name:
            found.setdefault(re.sub(r'[-_.]+', '-', name).lower(), distribution.version or '')
    return found


def why_no_pip() -> str:
    """Why pip can install nothing here, as in the Python of Debian or of Homebrew (PEP 668); '' where it can."""
    its_own = sys.prefix != sys.base_prefix or os.environ.get('PIP_BREAK_SYSTEM_PACKAGES')
    if not its_own and Path(sysconfig.get_path('stdlib'), 'EXTERNALLY-MANAGED').is_file():
        return 'this Python belongs to the system, which lets pip install nothing into it'
    if not is_there('pip') and not is_there('ensurepip'):
        return 'this Python has no pip, and no ensurepip that would install it'
    return ''


def version_of_checkout(found: dict[str, str]) -> None:
    """Add mmtranspose's version to ``found`` where it is used from a checkout that pip does not know."""
    spec = find_spec('mmtranspose')
    path = Path(spec.origin).with_name('version.py') if spec and spec.origin else None
    if 'mmtranspose' not in found and path and path.is_file():
        known = re.search(r"^__version__ = '([^']+)'", path.read_text(encoding='utf-8'), re.MULTILINE)
        found.update({'mmtranspose': known.group(1)} if known else {})


def try_all(needs: tuple[Need, ...], limit: float, say: Callable[[str], object]) -> dict[str, Outcome]:
    """Try all modules, the chains of ``CHAINS`` at the same time; returns the outcomes by module name."""
    there = {need.module for need in needs if is_there(need.module)}
    wanted = {need.module: need.needs for need in needs}
    outcomes = {module: Outcome('missing') for module in wanted if module not in there}
    chains = [[need.module for need in chain if need.module in there] for chain in CHAINS]
    if 'torch' in there:
        chains[0].insert(1, 'cuda')
        wanted['cuda'] = ('torch',)
    chained = {module for chain in chains for module in chain}
    chains[1] += [need.module for need in needs if need.module in there and need.module not in chained]
    absent = {module: tuple(n for n in names if n not in there) for module, names in wanted.items()}
    for chain in chains:
        outcomes.update({module: Outcome('untried') for module in chain if absent[module]})
    with ThreadPoolExecutor(len(chains)) as pool:
        waiting = [[module for module in chain if not absent[module]] for chain in chains]
        for found in pool.map(lambda chain: run_chain(chain, wanted, limit, say), waiting):
            outcomes.update(found)
    return outcomes


def examine(
    also: tuple[str, ...] = (), limit: float = 120, say: Callable[[str], object] = lambda _: None
) -> Environment:
    """Collect all facts about this environment.

    Args:
        also: Further distributions that must be there, whose modules have the same names.
        limit: Seconds that trying one module may take.
        say: Called with the name of each module as it is tried.
    """
    needs = all_needs(also)
    distributions = installed_distributions()
    version_of_checkout(distributions)
    version = tuple(sys.version_info[:3])
    return Environment(
        python=version,
        executable=sys.executable,
        has_pip=is_there('pip'),
        has_driver=shutil.which('nvidia-smi') is not None,
        needs=needs,
        distributions=distributions,
        outcomes=try_all(needs, limit, say),
        no_pip=why_no_pip(),
    )
