"""Faults of mmcv, mmdet, mmpose and openmim."""

from __future__ import annotations

import re

from mmtranspose_cli.doctor.cures import BUILD, INSTALL, NO_DEPS, UNINSTALL, Step
from mmtranspose_cli.doctor.environment import Environment
from mmtranspose_cli.doctor.faults.finding import Finding, broken, note
from mmtranspose_cli.doctor.needs import FRAMEWORK

BUILD_OPTIONS = '--no-build-isolation --no-deps --force-reinstall --no-cache-dir'
REFUSED = re.compile(r'MMCV==(\S+) is used but incompatible\. Please install mmcv(\S+), (\S*\d)')
COMPILE = (  # without pip's cache, which may hold one for another torch
    Step(UNINSTALL, 'mmcv'),
    Step(UNINSTALL, 'mmcv-lite'),
    Step(BUILD, f'{BUILD_OPTIONS} "mmcv==2.1.0"', 'needs a C++ compiler, 15 to 20 minutes', 'MMCV_WITH_OPS=1'),
)


def lite_in_place_of(env: Environment, limits: str) -> tuple[Step, ...]:
    """Replace whatever mmcv there is by mmcv-lite: the two share a folder, so both are uninstalled first."""
    there = [name for name in ('mmcv', 'mmcv-lite') if name in env.distributions]
    return (*(Step(UNINSTALL, name) for name in there), Step(INSTALL, f'mmcv-lite{limits}'))


def mmcv_is_lite(env: Environment) -> list[Finding]:
    """mmcv is mmcv-lite, which has no compiled operators."""
    if not env.works('mmcv') or env.outcome('mmcv').info['compiled']:
        return []
    return note(
        'mmcv',
        'no compiled operators: enough for mmtranspose',
        'mmcv-lite has no compiled operators: mmtranspose supplies nms and roi_align through torchvision, but '
        "MMPose's own scripts, which do not import mmtranspose first, need the compiled mmcv.",
        'If you need those, compile it:',
        COMPILE,
    )


def mmcv_does_not_load(env: Environment) -> list[Finding]:
    """mmcv's compiled operators do not load: they were compiled for another torch or CUDA."""
    error = env.outcome('mmcv').info.get('operators', '')
    if not error:
        return []
    return broken(
        'mmcv',
        'compiled, but does not load',
        f'mmcv is compiled for another torch or CUDA than the one here: {error}',
        *lite_in_place_of(env, '>=2.0,<2.2'),
        advice="Or, for MMPose's own scripts, compile it anew:",
        otherwise=COMPILE,
    )


def mmcv_twice(env: Environment) -> list[Finding]:
    """mmcv and mmcv-lite are both installed, into the same folder."""
    if not {'mmcv', 'mmcv-lite'} <= set(env.distributions):
        return []
    return note(
        'mmcv',
        'mmcv and mmcv-lite are both installed',
        'mmcv and mmcv-lite are both installed, into the same folder: each overwrites files of the other.',
        'Uninstall both, then install the one you want.',
    )


def mmcv_refused_by_mmdet(env: Environment) -> list[Finding]:
    """mmdet refuses this version of mmcv."""
    refused = REFUSED.search(env.outcome('mmdet').error)
    if refused:
        version, low, below = refused.groups()
    elif env.outcome('mmdet').state == 'missing' and env.parsed('mmcv') >= (2, 2):
        version, low, below = env.version('mmcv'), '>=2.0', '<2.2'
    else:
        return []
    return broken(
        'mmcv',
        f'mmdet takes {low},{below}',
        f'mmdet {env.version("mmdet") or "3.3.0"} refuses mmcv {version} when it is imported: it takes {low},{below}.',
        *lite_in_place_of(env, f'{low},{below}'),
        advice="Or, for MMPose's own scripts, compile one in the range:",
        otherwise=COMPILE,
    )


def mmpose_missing(env: Environment) -> list[Finding]:
    """mmpose is not installed, and pip cannot install it together with its requirements."""
    if env.outcome('mmpose').state != 'missing':
        return []
    need = next(need for need in FRAMEWORK if need.module == 'mmpose')
    return broken(
        'mmpose',
        'missing',
        'mmpose is not installed. It requires chumpy, which does not build and which it never imports: it is installed '
        'without its requirements, after them.',
        Step(NO_DEPS, f'--no-deps "{need.requirement()}"'),
    )


def openmim_pins_setuptools(env: Environment) -> list[Finding]:
    """openmim asks for an old setuptools."""
    if 'openmim' not in env.distributions:
        return []
    return note(
        'openmim',
        'asks for an old setuptools',
        'openmim asks, through its own requirements, for setuptools 60.2; pip may complain about any other, or go back '
        'to it. mmtranspose does not use openmim.',
        'Ignore the complaint, or uninstall openmim.',
    )
