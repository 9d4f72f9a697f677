"""Requirements whose versions depend on what else is installed."""

from __future__ import annotations

from mmtranspose_cli.doctor.environment import Environment


def torchvision_range(env: Environment) -> str:
    """The torchvision that belongs to the torch there is; another one would replace torch, or fail when imported.

    0.(n + 15) belongs to torch 2.n up to 2.13; from 0.29 on torchvision takes torch 2.14 and newer.
    """
    major, minor = (*env.parsed('torch'), 0)[:2]
    if major != 2:
        return ''
    return f'==0.{minor + 15}.*' if minor < 14 else '>=0.29'


def torchvision_fits(env: Environment) -> bool:
    """Whether the installed torchvision lies in that range."""
    wanted, minor = torchvision_range(env), (*env.parsed('torchvision'), 0)[1]
    return minor >= 29 if wanted.startswith('>=') else wanted == f'==0.{minor}.*'
